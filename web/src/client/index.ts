export * from './client.ts';
export * from './ids.ts';
export * from './problem.ts';
export type { Gate, Listener, Liveness } from './subscribe.ts';
export * from './types.ts';
