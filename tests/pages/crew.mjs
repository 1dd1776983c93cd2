// What stories about teams begin with: people whom identity knows, a team of them, a project with cards.
import { Client, send, until } from './world.mjs';

/** Makes people known, by their first names; the ids are the names in lower case. */
export async function introduce(url, ...names) {
  for (const first_name of names) {
    const id = first_name.toLowerCase();
    const more = { last_name: '', email: `${id}@example.org`, email_verified: true, picture: '', locale: 'en-GB' };
    await send(url, 'identity/AddUser', { user_id: id, auth0_id: id, first_name, ...more });
  }
}

/** Founds a team: the first owns it, the others have the roles that are given, or are members. */
export async function found(url, team_id, owner, others = {}) {
  await send(url, 'projects/CreateMembership', { membership_id: 'first', team_id, user_id: owner, role: 'owner' }, owner);
  for (const [user_id, role] of Object.entries(others)) {
    await send(url, 'projects/CreateMembership', { membership_id: user_id, team_id, user_id, role }, owner);
  }
}

/** Begins a project with a board of three columns, and cards in the first: their ids are `<project>-<n>`, the first one on top. */
export async function begin(url, project_id, team_id, user_id, titles = [], more = {}) {
  const project = { name: `Project ${project_id}`, prefix: 'MIL', description: '', active: true, public: false, column_order: ['To do', 'Doing', 'Done'] };
  await send(url, 'projects/CreateProject', { project_id, team_id, user_id, ...project, ...more }, user_id);
  await put(url, project_id, user_id, titles, more.column_order?.[0]);
}

/** Puts cards on a board, some at once. */
export async function put(url, project_id, user_id, titles, column = 'To do') {
  const waiting = [...titles.entries()];
  const next = async () => {
    for (let it = waiting.shift(); it; it = waiting.shift()) {
      const [at, title] = it;
      const rank = `B${String(at + 1).padStart(5, '0')}V`;
      const data = { project_id, task_id: `${project_id}-${at + 1}`, title, column: Array.isArray(column) ? column[at % column.length] : column, rank };
      await send(url, 'projects/CreateTask', data, user_id);
    }
  };
  // few cards have their numbers in order
  await Promise.all(Array.from({ length: titles.length > 50 ? 16 : 1 }, next));
}

/** What a board shows: the titles by their columns. */
export function board(page) {
  return page.locator('[data-column]').evaluateAll((columns) =>
    Object.fromEntries(columns.map((column) => [column.dataset.column, [...column.querySelectorAll('[data-card] .title')].map((title) => title.textContent)])),
  );
}

/** A card by its title. */
export const cardOf = (page, title) => page.locator('[data-card]').filter({ hasText: title });

/** Waits until no card is on its way to another place. */
export const settled = (page) =>
  until('cards are where they go', () => page.evaluate(() => [...document.querySelectorAll('[data-card]')].every((card) => card.getAnimations().length === 0)));

/** Takes a card with the mouse, and holds it over a column (or in front of another card of it) until `drop`. */
export async function take(page, title, { column, before = null, after = null }) {
  await settled(page);
  const from = await cardOf(page, title).boundingBox();
  await page.mouse.move(from.x + 30, from.y + from.height / 2);
  await page.mouse.down();
  await page.mouse.move(from.x + 42, from.y + from.height / 2 + 4, { steps: 3 });
  const over = async () => {
    const near = before ?? after;
    const list = page.locator(`[data-column="${column}"] [data-list]`);
    const box = await (near ? cardOf(page, near) : list).boundingBox();
    const y = near ? box.y + (before ? 4 : box.height - 4) : box.y + box.height - 6;
    await page.mouse.move(box.x + box.width / 2, y, { steps: 8 });
  };
  await over();
  // what is put in between has moved the others
  await over();
  return { drop: () => page.mouse.up() };
}

/** Waits until something of a window is live. */
export const isLive = (page) => page.locator('[data-standing="live"]').first().waitFor({ timeout: 60_000 });
/** Waits until a board shows these titles by their columns. */
export const shows = (page, wanted, within) => until('the board is as it is', async () => {
  const found = await board(page);
  if (JSON.stringify(found) === JSON.stringify(wanted)) return true;
  throw new Error(JSON.stringify(found));
}, within);
/** The rows of a board. */
export const rowsOf = async (url, project_id) => (await new Client({ base: url }).query('projects/project_board', { project_id }, { limit: 1_000 })).rows;
/** What a board says of what has happened. */
export const notice = (page, text) => page.locator('[data-notice]').filter({ hasText: text });
/** Waits until it has the focus. */
export const hasFocus = (locator) => until('it has the focus', () => locator.evaluate((one) => one === document.activeElement));
