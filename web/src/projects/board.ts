/** A row of a board, as the gateway gives it. */
export interface TaskRow {
  readonly column: string;
  readonly rank: string;
  readonly task_id: string;
  readonly number: string;
  readonly title: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly version: string;
}

/** Where a card stands. */
export interface Place {
  readonly column: string;
  readonly rank: string;
}

/** A card as the page shows it. */
export interface Card extends Place {
  readonly id: string;
  /** What is shown behind the prefix; `null`: nobody has counted it yet. */
  readonly number: string | null;
  readonly title: string;
  readonly version: bigint;
  /** Whether that is what somebody wants, and nobody has decided yet. */
  readonly isPending: boolean;
}

/** A column with its cards, in their order. */
export interface Column {
  readonly name: string;
  readonly cards: readonly Card[];
}

const known = new WeakMap<TaskRow, Card>();

/** The card of a row; the same one each time. */
export function cardOf(row: TaskRow): Card {
  let card = known.get(row);
  if (!card) {
    const { task_id: id, number, title, column, rank, version } = row;
    card = { id, number, title, column, rank, version: BigInt(version), isPending: false };
    known.set(row, card);
  }
  return card;
}

/**
 * The cards of rows, by id. A card that is moved leaves one row and enters another, and for a moment there may be both: the
 * greater version is the newer one.
 */
export function newest(rows: readonly TaskRow[]): Map<string, Card> {
  const cards = new Map<string, Card>();
  for (const row of rows) {
    const card = cardOf(row);
    const other = cards.get(card.id);
    if (!other || other.version < card.version) cards.set(card.id, card);
  }
  return cards;
}

/** Which of two cards of a column stands first, below 0: this one. */
export function compare(one: Pick<Card, 'rank' | 'id'>, other: Pick<Card, 'rank' | 'id'>): number {
  if (one.rank !== other.rank) return one.rank < other.rank ? -1 : 1;
  return one.id < other.id ? -1 : one.id > other.id ? 1 : 0;
}

/** The cards, column by column. What stands in a column that the project does not have any more is shown in the first one. */
export function shown(names: readonly string[], cards: Iterable<Card>): Column[] {
  const columns = new Map(names.map((name) => [name, [] as Card[]]));
  const first = columns.get(names[0] ?? '');
  for (const card of cards) (columns.get(card.column) ?? first)?.push(card);
  return [...columns].map(([name, cards]) => ({ name, cards: cards.sort(compare) }));
}

/** The columns with a card at another place, in front of another card or at the end, as somebody who holds it sees it. */
export function lifted(columns: readonly Column[], card: Card, to: { column: string; before: string | null }): Column[] {
  return columns.map(({ name, cards }) => {
    const rest = cards.filter(({ id }) => id !== card.id);
    if (name !== to.column) return rest.length === cards.length ? { name, cards } : { name, cards: rest };
    const at = rest.findIndex(({ id }) => id === to.before);
    rest.splice(at < 0 ? rest.length : at, 0, card);
    return { name, cards: rest };
  });
}

/** The columns that a project's row names. */
export function columnNames(order: string): string[] {
  const names: unknown = JSON.parse(order);
  return Array.isArray(names) ? names.map(String) : [];
}

/** `MIL-7`. */
export function labelOf(prefix: string, { number }: Pick<Card, 'number'>): string {
  return `${prefix}-${number ?? '…'}`;
}

/** Letters of a name with which its tasks may be numbered: `Mill race` gives MR, `Millrace` gives MIL; none where it has too few. */
export function proposePrefix(name: string): string {
  const words = name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toUpperCase()
    .split(/[^A-Z]+/)
    .filter(Boolean);
  const initials = words.map((word) => word[0]).join('');
  if (initials.length >= 2) return initials.slice(0, 6);
  const [word = ''] = words;
  return word.length >= 2 ? word.slice(0, 3) : '';
}
