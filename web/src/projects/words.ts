import type { Problem } from '../client/index.ts';

/** Whether it was refused as whoever asked may not do it. */
export function isForbidden(problem: Problem | null): boolean {
  return has(problem, 'NotPermitted', 'metadata.user_id');
}

/** Whether it was refused as there is no such user. */
export function isUnknownUser(problem: Problem | null): boolean {
  return has(problem, 'NotFound', 'user_id');
}

/** Whether it was refused as it has changed since whoever asked has seen it. */
export function isStale(problem: Problem | null): boolean {
  return has(problem, 'VersionConflict');
}

/** What is wrong, in words for people. */
export function sentences(problem: Problem): string {
  return problem.reasons.map(sentence).join(' ');
}

function sentence({ code, field, message }: Problem['reasons'][number]): string {
  if (code === 'NotPermitted' && field === 'metadata.user_id') return 'Your role in the team does not allow it.';
  if (code === 'VersionConflict') return 'Somebody else has changed it meanwhile. Look at it as it is now, and do it again.';
  const text = message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function has(problem: Problem | null, code: string, field?: string): boolean {
  return problem?.reasons.some((reason) => reason.code === code && (field === undefined || reason.field === field)) ?? false;
}
