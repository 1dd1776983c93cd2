import { untrack } from 'svelte';
import { SvelteMap } from 'svelte/reactivity';
import { newId, Problem, type Accepted, type Commands, type Rows } from '../client/index.ts';
import { place as placeIn } from '../lib/rank.ts';
import { client } from '../lib/session.svelte.ts';
import { allOf, type Shown } from '../lib/view.svelte.ts';
import { labelOf, lifted, newest, shown, type Card, type Place } from './board.ts';
import { Notices } from './notices.svelte.ts';
import { isShown, overlaid, type Wish } from './wishes.ts';

/** In front of which card of which column; `null`: at its end. */
export interface Target {
  readonly column: string;
  readonly before: string | null;
}

/** What a board is of. */
export interface Framing {
  readonly id: string;
  readonly prefix: string;
  readonly columns: readonly string[];
}

/** How long the rows may take to show what was accepted before they are believed as they are, in ms. */
const SHOWN_WITHIN = 10_000;
/** How long it is waited for what has come between, in ms. */
const SEEN_WITHIN = 5_000;
/** A card whose row has gone may be on its way to another one, for so many ms. */
const BETWEEN = 400;
/** So often a move is based on a newer version of a card that stands where it did. */
const TRIES = 5;
/** So many cards are carried to another column at once. */
const AT_ONCE = 6;
/** How long a card is marked that others have moved, in ms. */
const MARKED_FOR = 4_000;

/** A board: its cards as they are, and as somebody at this page wants them until it is known whether they will be. */
export class Desk {
  readonly rows: Shown<Rows['projects/project_board']>;
  readonly notices = new Notices();
  /** The card that is moved by keys, and where it is shown meanwhile. */
  held = $state.raw<{ readonly card: Card; readonly to: Target } | null>(null);
  /** Cards that others have moved just now, against what was wanted here. */
  readonly marked = new SvelteMap<string, true>();
  readonly #framing: () => Framing;
  readonly #wishes = new SvelteMap<string, readonly Wish[]>();
  /** What was accepted last of each card, until the rows show it. */
  readonly #accepted = new Map<string, Card>();
  /** What is done with a card is done one after the other. */
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #waiting = new Set<() => void>();
  #last = 0;

  readonly #newest = $derived.by(() => newest(this.rows.rows));
  readonly cards = $derived.by(() => overlaid(this.#newest, this.#wishes));
  readonly columns = $derived.by(() => {
    const columns = shown(this.#framing().columns, this.cards);
    if (!this.held) return columns;
    const { card, to } = this.held;
    const now = this.cards.find(({ id }) => id === card.id);
    return now ? lifted(columns, now, to) : columns;
  });

  constructor(framing: () => Framing) {
    this.#framing = framing;
    this.rows = allOf('projects/project_board', { project_id: framing().id });
  }

  /** Watches the rows for what was wished; to be called in a component. */
  watch(): void {
    $effect(() => {
      const rows = this.#newest;
      untrack(() => {
        for (const [id, wishes] of this.#wishes) {
          const left = wishes.filter((wish) => !isShown(wish, rows.get(id)));
          if (left.length < wishes.length) this.#set(id, left);
        }
        for (const [id, { version }] of this.#accepted) {
          if ((rows.get(id)?.version ?? -1n) >= version) this.#accepted.delete(id);
        }
        for (const look of [...this.#waiting]) look();
      });
    });
    $effect(() => () => this.rows.end());
  }

  label(card: Card): string {
    return labelOf(this.#framing().prefix, card);
  }

  card(id: string): Card | undefined {
    return this.cards.find((card) => card.id === id);
  }

  /** Puts a card somewhere: `seen` is the card as it stood when somebody took it. */
  async move(seen: Card, to: Target): Promise<void> {
    const column = this.columns.find(({ name }) => name === to.column);
    if (!column) return this.notices.say(seen.id, `${this.label(seen)} stays where it is`, `The column “${to.column}” is there no more.`);
    const rest = column.cards.filter(({ id }) => id !== seen.id);
    const found = rest.findIndex(({ id }) => id === to.before);
    const at = found < 0 ? rest.length : found;
    if (seen.column === to.column && column.cards.findIndex(({ id }) => id === seen.id) === at) return;
    const { rank, shifts } = placeIn(rest.map(({ rank }) => rank), at);
    // neighbours that must make room go first: in between, the order is the old one
    const moves = [
      ...shifts.map((shift) => ({ card: rest[shift.at]!, place: { column: to.column, rank: shift.rank }, isAside: true })),
      { card: seen, place: { column: to.column, rank }, isAside: false },
    ];
    const wishes = moves.map(({ card, place }) => this.#wish(card.id, { place }));
    for (const [turn, { card, place, isAside }] of moves.entries()) {
      const isDone = await this.#inTurn(card.id, () => this.#shift(wishes[turn]!, card, place, isAside ? seen : null, to));
      if (isDone) continue;
      moves.forEach(({ card }, later) => later > turn && this.#drop(card.id, wishes[later]!));
      return;
    }
  }

  /** Moves cards into other columns, where they keep their ranks; some at once. Whether all of them did. */
  async carry(cards: readonly Card[], to: (card: Card) => string, moved: (count: number) => void): Promise<boolean> {
    const waiting = [...cards];
    let [count, isWhole] = [0, true];
    const next = async (): Promise<void> => {
      for (let card = waiting.shift(); card; card = waiting.shift()) {
        const [seen, place] = [card, { column: to(card), rank: card.rank }];
        const wish = this.#wish(seen.id, { place });
        isWhole = (await this.#inTurn(seen.id, () => this.#shift(wish, seen, place, null, { column: place.column, before: null }))) && isWhole;
        moved(++count);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
    return isWhole;
  }

  /** Puts a new card at the end of a column. Gives back why not, if not. */
  create(column: string, title: string): Promise<Problem | null> {
    const ranks = this.columns.find(({ name }) => name === column)?.cards.map(({ rank }) => rank) ?? [];
    const { rank } = placeIn(ranks, ranks.length);
    const { id: project_id } = this.#framing();
    const id = newId();
    const made: Card = { id, number: null, title, column, rank, version: 0n, isPending: true };
    const wish = this.#wish(id, { made });
    return this.#inTurn(id, () => this.#do(id, wish, made, 'projects/CreateTask', { project_id, task_id: id, title, column, rank }));
  }

  /** Says anew what a card is about; `seen` is the card as it was when somebody began to write. Gives back why not, if not. */
  rename(seen: Card, title: string): Promise<Problem | null> {
    const { id } = seen;
    const wish = this.#wish(id, { title });
    const data = { project_id: this.#framing().id, task_id: id, title };
    return this.#inTurn(id, () => this.#do(id, wish, { ...(this.#truth(id) ?? seen), title }, 'projects/RenameTask', data));
  }

  /** Takes a card off the board. Gives back why not, if not. */
  remove({ id }: Card): Promise<Problem | null> {
    const wish = this.#wish(id, { isGone: true });
    return this.#inTurn(id, () => this.#do(id, wish, null, 'projects/DeleteTask', { project_id: this.#framing().id, task_id: id }));
  }

  /** Calls `gone` when a card is there no more, and not just on its way from one row to another. What it returns ends that. */
  whenGone(id: string, gone: () => void): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = () => {
      if (this.card(id)) timer = void clearTimeout(timer);
      else timer ??= setTimeout(() => !this.card(id) && gone(), BETWEEN);
    };
    this.#waiting.add(look);
    return () => {
      clearTimeout(timer);
      this.#waiting.delete(look);
    };
  }

  /** Moves one card that stands where it was seen. Whether it did. */
  async #shift(wish: number, seen: Card, place: Place, aside: Card | null, to: Target): Promise<boolean> {
    const { id } = seen;
    const data = { project_id: this.#framing().id, task_id: id, ...place };
    for (let tries = 0; tries < TRIES; tries++) {
      const truth = this.#truth(id);
      if (!truth) return this.#refuse(wish, seen, aside, () => this.#tellGone(seen));
      if (isAt(truth, place)) return this.#drop(id, wish), true;
      // others have been quicker: it is not put back, whatever the versions say
      if (!isAt(truth, seen)) break;
      try {
        this.#keep(wish, await client.send('projects/MoveTask', data, { expected: truth.version }), { ...truth, ...place });
        return true;
      } catch (error) {
        const problem = error instanceof Problem ? error : Problem.unreached();
        if (!problem.reasons.some(({ code }) => code === 'VersionConflict')) {
          return this.#refuse(wish, seen, aside, () => this.notices.refuse(id, `${this.label(seen)} was not moved`, problem));
        }
        await this.#newer(id, truth.version);
      }
    }
    return this.#refuse(wish, seen, aside, () => this.#tellMoved(seen, to));
  }

  #refuse(wish: number, seen: Card, aside: Card | null, tell: () => void): false {
    this.#drop(seen.id, wish);
    if (aside) this.notices.say(aside.id, `${this.label(aside)} was not moved`, `There was no room for it, and ${this.label(seen)} could not be moved aside. Move it again.`);
    else tell();
    return false;
  }

  #tellMoved(seen: Card, to: Target): void {
    const now = this.#truth(seen.id);
    if (!now) return this.#tellGone(seen);
    this.marked.set(now.id, true);
    setTimeout(() => this.marked.delete(now.id), MARKED_FOR);
    const where = now.column === seen.column ? `within “${now.column}”` : `to “${now.column}”`;
    const text = `Somebody else has moved it ${where} in the meantime, and there it stays. Your move was not made.`;
    const again = { label: `Move it to “${to.column}” all the same`, run: () => void this.move(this.card(now.id) ?? now, to) };
    this.notices.say(now.id, `${this.label(seen)} was moved meanwhile`, text, again);
  }

  #tellGone(seen: Card): void {
    this.notices.say(seen.id, `${this.label(seen)} was deleted meanwhile`, `Somebody else has taken “${seen.title}” off the board.`);
  }

  async #do<C extends keyof Commands>(id: string, wish: number, after: Card | null, command: C, data: Commands[C]): Promise<Problem | null> {
    try {
      this.#keep(wish, await client.send(command, data), after ?? id);
      return null;
    } catch (error) {
      this.#drop(id, wish);
      return error instanceof Problem ? error : Problem.unreached();
    }
  }

  /** What is known of a card that was decided: of the row and of the last answer, the newer one. */
  #truth(id: string): Card | undefined {
    const [row, accepted] = [this.#newest.get(id), this.#accepted.get(id)];
    return accepted && (!row || row.version < accepted.version) ? accepted : row;
  }

  #keep(wish: number, { versions, position }: Accepted, after: Card | string): void {
    const id = typeof after === 'string' ? after : after.id;
    const aggregate = `Task/${this.#framing().id}/${id}`;
    const version = BigInt(versions.find(({ aggregate_id }) => aggregate_id === aggregate)?.version ?? 0);
    if (typeof after !== 'string') this.#accepted.set(id, { ...after, version, isPending: false });
    this.#set(id, (this.#wishes.get(id) ?? []).map((it) => (it.number === wish ? { ...it, version } : it)).filter((it) => !isShown(it, this.#newest.get(id))));
    // rows that were read by then show it; live ones do as soon as it is there
    void this.rows.after(position).then(() => this.rows.standing === 'still' && this.#drop(id, wish));
    setTimeout(() => {
      this.#drop(id, wish);
      if (this.#accepted.get(id)?.version === version) this.#accepted.delete(id);
    }, SHOWN_WITHIN);
  }

  #wish(id: string, wanted: Omit<Wish, 'number' | 'version'>): number {
    const number = ++this.#last;
    this.#set(id, [...(this.#wishes.get(id) ?? []), { ...wanted, number, version: null }]);
    return number;
  }

  #drop(id: string, number: number): void {
    this.#set(id, (this.#wishes.get(id) ?? []).filter((wish) => wish.number !== number));
  }

  #set(id: string, wishes: readonly Wish[]): void {
    if (wishes.length > 0) this.#wishes.set(id, wishes);
    else this.#wishes.delete(id);
  }

  #inTurn<T>(id: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(id) ?? Promise.resolve()).then(work, work);
    this.#turns.set(id, turn);
    return turn;
  }

  /** Waits until the rows show something newer of a card than this version, or no card. */
  async #newer(id: string, version: bigint): Promise<void> {
    void this.rows.after('');
    await new Promise<void>((resolve) => {
      const done = () => (clearTimeout(timer), this.#waiting.delete(look), resolve());
      const timer = setTimeout(done, SEEN_WITHIN);
      const look = () => (this.#newest.get(id)?.version ?? version + 1n) > version && done();
      this.#waiting.add(look);
      look();
    });
  }
}

function isAt(one: Place, other: Place): boolean {
  return one.column === other.column && one.rank === other.rank;
}
