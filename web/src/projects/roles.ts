/** What somebody may do in a team, the least first: each may do what those before may. `guest`: is not in it, and may read. */
export const ROLES = ['guest', 'viewer', 'member', 'admin', 'owner'] as const;
export type Role = (typeof ROLES)[number];

/** What pages say of the roles that are given. */
export const ABOUT: Record<Exclude<Role, 'guest'>, string> = {
  viewer: 'Reads boards and estimates',
  member: 'Moves cards and estimates as well',
  admin: 'Changes projects and members as well',
  owner: 'Makes others owners as well',
};

/** The role that a row names; one that is newer than this page may read. */
export function roleOf(text: string | undefined): Role {
  return ROLES.find((role) => role === text) ?? (text === undefined ? 'guest' : 'viewer');
}

function isAtLeast(role: Role, least: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(least);
}

/** Whether cards are theirs to move, and estimates theirs to give. */
export const mayWork = (role: Role): boolean => isAtLeast(role, 'member');
/** Whether projects and members are theirs to change. */
export const mayManage = (role: Role): boolean => isAtLeast(role, 'admin');

/** The roles that somebody may give to a member, who has one or comes new: nobody gives or takes their own role of an owner. */
export function givable(own: Role, isMe: boolean, before: Role | null): readonly Exclude<Role, 'guest'>[] {
  const all = ['viewer', 'member', 'admin', 'owner'] as const;
  if (!mayManage(own)) return [];
  if (before === 'owner') return own === 'owner' && !isMe ? all : [];
  return own === 'owner' ? all : all.filter((role) => role !== 'owner');
}

/** Whether somebody may end a membership: everybody their own, but no owner. */
export function mayRemove(own: Role, isMe: boolean, before: Role): boolean {
  if (before === 'owner') return own === 'owner' && !isMe;
  return isMe || mayManage(own);
}
