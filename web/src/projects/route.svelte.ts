/** What the page shows, as the address says it. */
export type Place =
  | { readonly at: 'teams' }
  | { readonly at: 'team'; readonly team: string }
  /** The projects that nobody else works on. */
  | { readonly at: 'own' }
  | { readonly at: 'project'; readonly project: string; readonly tab: Tab; readonly estimation: string | null };

/** The parts of a project. */
export const TABS = ['board', 'poker', 'settings'] as const;
export type Tab = (typeof TABS)[number];

class Route {
  place = $state.raw<Place>(read(location.hash));

  constructor() {
    addEventListener('hashchange', () => {
      this.place = read(location.hash);
      scrollTo({ top: 0 });
    });
  }
}

function read(hash: string): Place {
  const parts = hash.replace(/^#\/?/, '').split('/').map(decoded);
  const [kind, id, tab, estimation] = parts;
  if (kind === 'own') return { at: 'own' };
  if (kind === 'team' && id) return { at: 'team', team: id };
  if (kind === 'project' && id) return { at: 'project', project: id, tab: TABS.find((one) => one === tab) ?? 'board', estimation: estimation || null };
  return { at: 'teams' };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

/** The address of all teams. */
export const TEAMS = '#/';

/** The address of a team; `''`: of the projects that nobody else works on. */
export function teamAt(team: string): string {
  return team === '' ? '#/own' : `#/team/${encodeURIComponent(team)}`;
}

/** The address of a project. */
export function projectAt(project: string, tab: Tab = 'board'): string {
  return `#/project/${encodeURIComponent(project)}${tab === 'board' ? '' : `/${tab}`}`;
}

/** The address of an estimation. */
export function estimationAt(project: string, estimation: string): string {
  return `${projectAt(project, 'poker')}/${encodeURIComponent(estimation)}`;
}

export const route = new Route();
