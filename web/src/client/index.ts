export * from './client.ts';
export * from './ids.ts';
export * from './sdk.ts';
export * from './types.ts';
