import type { Problem } from '../client/index.ts';

/** Why an address is refused, where the rule speaks to programs: it is somebody else's. */
export function takenAddress(problem: Problem | null): string | null {
  return has(problem, 'email', 'AlreadyExists') ? 'This address is somebody else’s. Write another one.' : null;
}

/** Why nobody can be known under this id: it is used up. */
export function usedId(problem: Problem | null, user: string): string | null {
  if (!has(problem, 'user_id', 'AlreadyExists')) return null;
  return `The id ${user} is taken, or was once. Who has been removed does not come back under the same id.`;
}

function has(problem: Problem | null, field: string, code: string): boolean {
  return problem?.reasons.some((reason) => reason.field === field && reason.code === code) ?? false;
}
