import {
  ProjectBoardView,
  ProjectsByTeamView,
  ProjectsView,
  TeamMembersView,
  TeamsByUserView,
  type ProjectBoardRow,
  type ProjectsEvent,
  type ProjectsRow,
  type TeamMembersRow,
} from 'millrace-sdk/projects';
import type { AnyView, Store } from './store.ts';

/** The views that are kept; the package has their columns and keys. */
export const views: readonly AnyView[] = [
  TeamMembersView,
  TeamsByUserView,
  ProjectsView,
  ProjectsByTeamView,
  ProjectBoardView,
];

/** The cards of each board by their tasks, as their rows are found by where they stand. */
export class Boards {
  readonly #store: Store;
  readonly #boards = new Map<string, Map<string, ProjectBoardRow>>();

  constructor(store: Store) {
    this.#store = store;
    for (const card of store.all(ProjectBoardView)) this.#of(card.project_id).set(card.task_id, card);
  }

  get({ project_id, task_id }: { project_id: string; task_id: string }): ProjectBoardRow | undefined {
    return this.#of(project_id).get(task_id);
  }

  /** Puts a card where it stands now. */
  put(card: ProjectBoardRow): void {
    this.delete(card);
    this.#of(card.project_id).set(card.task_id, card);
    this.#store.put(ProjectBoardView, card);
  }

  delete({ project_id, task_id }: { project_id: string; task_id: string }): void {
    const before = this.get({ project_id, task_id });
    if (before) this.#store.delete(ProjectBoardView, before);
    this.#of(project_id).delete(task_id);
  }

  /** Takes a whole board away. */
  clear(project_id: string): void {
    for (const card of [...this.#of(project_id).values()]) this.delete(card);
    this.#boards.delete(project_id);
  }

  #of(project_id: string): Map<string, ProjectBoardRow> {
    const known = this.#boards.get(project_id);
    if (known) return known;
    const board = new Map<string, ProjectBoardRow>();
    this.#boards.set(project_id, board);
    return board;
  }
}

/** Brings the rows to what they are once this has happened. */
export function apply(store: Store, boards: Boards, event: ProjectsEvent): void {
  const { recorded_at: at, version } = event;
  switch (event.type) {
    case 'MembershipCreated':
    case 'MembershipCreatedForProject': {
      const { membership_id, team_id, user_id, role } = event.data;
      const project_id = 'project_id' in event.data ? event.data.project_id : null;
      putMember(store, { team_id, user_id, membership_id, role, project_id, since: at, version });
      break;
    }
    case 'MembershipUpdated': {
      const { team_id, user_id, role } = event.data;
      const before = store.get(TeamMembersView, { team_id, user_id });
      if (before) putMember(store, { ...before, role, version });
      break;
    }
    case 'MembershipDeleted': {
      const { team_id, user_id } = event.data;
      store.delete(TeamMembersView, { team_id, user_id });
      store.delete(TeamsByUserView, { team_id, user_id });
      break;
    }
    case 'ProjectCreated': {
      const { column_order, ...project } = event.data;
      putProject(store, {
        ...project,
        private_to: null,
        column_order: JSON.stringify(column_order),
        created_at: at,
        updated_at: at,
        version,
      });
      break;
    }
    case 'ProjectUpdated': {
      const { project_id, column_order, ...given } = event.data;
      const before = store.get(ProjectsView, { project_id });
      if (!before) break;
      const changed = Object.fromEntries(
        Object.entries(given).filter(([, value]) => value !== null && value !== undefined),
      );
      const project = { ...before, ...changed, updated_at: at, version };
      if (teamKey(project) !== teamKey(before))
        store.delete(ProjectsByTeamView, { team_id: teamKey(before), project_id });
      putProject(store, column_order ? { ...project, column_order: JSON.stringify(column_order) } : project);
      break;
    }
    case 'ProjectDeleted': {
      const { project_id } = event.data;
      const before = store.get(ProjectsView, { project_id });
      if (!before) break;
      store.delete(ProjectsView, { project_id });
      store.delete(ProjectsByTeamView, { team_id: teamKey(before), project_id });
      // a board ends with its project
      boards.clear(project_id);
      break;
    }
    case 'TaskCreated':
      boards.put({ ...event.data, created_at: at, updated_at: at, version });
      break;
    case 'TaskMoved':
    case 'TaskRenamed': {
      const before = boards.get(event.data);
      if (before) boards.put({ ...before, ...event.data, updated_at: at, version });
      break;
    }
    case 'TaskDeleted':
      boards.delete(event.data);
      break;
    default:
    // what is requested, refused or counted has no rows
  }
}

function putMember(store: Store, member: TeamMembersRow): void {
  const { team_id, user_id, role, since } = member;
  store.put(TeamMembersView, member);
  store.put(TeamsByUserView, { team_id, user_id, role, since });
}

function putProject(store: Store, project: ProjectsRow): void {
  // without a team it is its user's alone
  const row = { ...project, private_to: project.team_id === '' ? project.user_id : null };
  const { project_id, name, prefix, user_id, private_to, active, public: isPublic } = row;
  store.put(ProjectsView, row);
  store.put(ProjectsByTeamView, {
    team_id: teamKey(row),
    project_id,
    name,
    prefix,
    user_id,
    private_to,
    active,
    public: isPublic,
  });
}

/** Under which key a project stands among others: that of its team, and without one `@` and its user's id. */
function teamKey({ team_id, user_id }: Pick<ProjectsRow, 'team_id' | 'user_id'>): string {
  return team_id === '' ? `@${user_id}` : team_id;
}
