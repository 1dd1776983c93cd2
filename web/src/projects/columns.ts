/** A column while somebody works at the columns of a board. */
export interface DraftColumn {
  /** Tells it apart, whatever it is called by now. */
  readonly key: string;
  readonly name: string;
  /** What it is called so far; `null`: it is new. */
  readonly was: string | null;
}

let last = 0;

/** A column that there is not yet. */
export function freshColumn(name: string): DraftColumn {
  return { key: `new-${++last}`, name, was: null };
}

/** The columns of a board, to be worked at. */
export function draftOf(names: readonly string[]): DraftColumn[] {
  return names.map((name) => ({ key: `was-${name}`, name, was: name }));
}

/** The names that are wanted; blanks around them are nobody's wish. */
export function namesOf(columns: readonly DraftColumn[]): string[] {
  return columns.map(({ name }) => name.trim());
}

/** Why these cannot be columns; `null`: they can. */
export function wrongWith(columns: readonly DraftColumn[]): string | null {
  const names = namesOf(columns);
  if (names.some((name) => name === '')) return 'Every column has a name.';
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  return twice === undefined ? null : `There can be only one “${twice}”.`;
}

/** What is to be done for a board to have these columns. */
export interface Change {
  /** The columns while cards are on their way: new names stand beside old ones. */
  readonly between: readonly string[];
  /** The columns in the end. */
  readonly after: readonly string[];
  /** Which cards go where, as their column is called something else: a card's row names its column. */
  readonly renamed: readonly { readonly from: string; readonly to: string }[];
}

/**
 * From `names` to what is wanted. Nobody loses a card on the way: the new name of a column is there before its cards go, and
 * the old one until they have gone. Names that are swapped are columns that have changed their places.
 */
export function changeOf(names: readonly string[], columns: readonly DraftColumn[]): Change {
  const after = namesOf(columns);
  const renamed = columns
    .map(({ name, was }) => ({ from: was, to: name.trim() }))
    .filter((it): it is { from: string; to: string } => it.from !== null && it.from !== it.to && names.includes(it.from))
    // a name that another column has now keeps its cards
    .filter(({ from }) => !after.includes(from));
  const between = after.flatMap((name) => [...renamed.filter(({ to }) => to === name).map(({ from }) => from), name]);
  return { between, after, renamed };
}
