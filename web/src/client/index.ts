export * from './client.ts';
export * from './ids.ts';
export { namer, sorter, type Keyed } from './mirror.ts';
export * from './problem.ts';
export type { Gate, Listener, Liveness } from './subscribe.ts';
export * from './types.ts';
