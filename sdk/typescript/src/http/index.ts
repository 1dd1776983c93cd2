export { HttpClient, type Answer } from './client.ts';
export { EventReader, type ServerEvent } from './events.ts';
export {
  Gateway,
  rest,
  type Accepted,
  type GatewayOptions,
  type Page,
  type Querying,
  type SealingKey,
  type Sending,
} from './gateway.ts';
export { Mirror, namer, sorter, type Keyed, type Row, type ViewKey } from './mirror.ts';
export { Problem, type ProblemDocument, type Violation } from './problem.ts';
export type { Gate, Listener, Liveness } from './subscribe.ts';
