// What the pages have of the package for programs in TypeScript.
export { newId } from '../../../sdk/typescript/src/ids.ts';
export type { Json } from '../../../sdk/typescript/src/json.ts';
export {
  Gateway,
  type Accepted,
  type GatewayOptions,
  type Page,
  type Querying,
  type SealingKey,
  type Sending,
} from '../../../sdk/typescript/src/http/gateway.ts';
export { namer, sorter, type Keyed } from '../../../sdk/typescript/src/http/mirror.ts';
export { Problem, type ProblemDocument, type Violation } from '../../../sdk/typescript/src/http/problem.ts';
export { type Gate, type Listener, type Liveness } from '../../../sdk/typescript/src/http/subscribe.ts';
