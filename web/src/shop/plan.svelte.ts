import { untrack } from 'svelte';
import { SvelteMap } from 'svelte/reactivity';
import { newId, Problem, shortId, type Accepted, type Commands, type Rows } from '../client/index.ts';
import { client } from '../lib/session.svelte.ts';
import { rowsOf, type Shown } from '../lib/view.svelte.ts';

/** A slot as the page shows it. */
export interface Slot {
  readonly id: string;
  readonly title: string;
  readonly location: string | null;
  readonly description: string | null;
  /** Its first instant, and the first behind it, in µs: others may have put it between two seconds, and there it stays. */
  readonly start: bigint;
  readonly end: bigint;
  /** Whether that is what somebody wants, and nobody has decided yet. */
  readonly isPending: boolean;
}

/** What is wanted of a slot: another place (or a first one), or that it goes. */
interface Wish {
  readonly number: number;
  readonly slot: Slot | null;
  /** The version that shows it; from then on the rows say how it is. */
  readonly version: bigint | null;
}

/** What was taken back, and why. */
export interface Refusal {
  readonly title: string;
  readonly problem: Problem;
}

/** What is known of a calendar. Its rows are its slots: one without any looks like one that was never begun, or was removed. */
export type Being = 'unknown' | 'none' | 'there' | 'removed';

/** How long the rows may take to show what was accepted before they are believed as they are, in ms. */
const SHOWN_WITHIN = 10_000;

/** A calendar: its slots as they are, and as somebody at this page wants them until it is known whether they will be. */
export class Plan {
  readonly rows: Shown<Rows['calendar/calendar_timeslots']>;
  /** What was taken back last. */
  refusal = $state.raw<Refusal | null>(null);
  #being = $state<Being>('unknown');
  readonly being = $derived.by<Being>(() => (this.rows.rows.length > 0 ? 'there' : this.#being));
  readonly #calendar: string;
  #last = 0;
  readonly #wishes = new SvelteMap<string, Wish>();

  readonly slots = $derived.by(() => {
    const slots = new Map<string, Slot>();
    for (const row of this.rows.rows) slots.set(row.timeslot_id, slotOf(row));
    for (const [id, { slot }] of this.#wishes) {
      if (slot) slots.set(id, slot);
      else slots.delete(id);
    }
    return [...slots.values()].sort((one, other) => (one.start < other.start ? -1 : 1));
  });

  constructor(calendar: string) {
    this.#calendar = calendar;
    this.#being = kept(calendar);
    this.rows = rowsOf('calendar/calendar_timeslots', { calendar_id: calendar });
  }

  /** Watches the rows for what was wished; to be called in a component. */
  watch(): void {
    $effect(() => {
      const rows = new Map(this.rows.rows.map((row) => [row.timeslot_id, row]));
      untrack(() => {
        if (rows.size > 0 && this.#being !== 'there') this.learn('there');
        for (const [id, { slot, version }] of this.#wishes) {
          const row = rows.get(id);
          const isShown = slot ? row && version !== null && BigInt(row.version) >= version : version !== null && !row;
          if (isShown) this.#wishes.delete(id);
        }
      });
    });
    $effect(() => () => this.rows.end());
  }

  /** Puts a slot in. Throws the {@link Problem} that is in the way. */
  async schedule(slot: Omit<Slot, 'id' | 'isPending'>, id = shortId('slot'), key = newId()): Promise<void> {
    const data: Commands['calendar/ScheduleTimeslot'] = {
      calendar_id: this.#calendar,
      timeslot_id: id,
      title: slot.title,
      start: slot.start,
      end: slot.end,
      location: slot.location,
      description: slot.description,
    };
    await this.#wish({ ...slot, id, isPending: true }, id, () => client.send('calendar/ScheduleTimeslot', data, { key }));
  }

  /** Moves a slot; back again if it cannot be there. Throws the {@link Problem} that is in the way. */
  async reschedule(slot: Slot, start: bigint, end: bigint, key = newId()): Promise<void> {
    const data = { calendar_id: this.#calendar, timeslot_id: slot.id, start, end };
    const wanted = { ...slot, start, end, isPending: true };
    await this.#wish(wanted, slot.id, () => client.send('calendar/RescheduleTimeslot', data, { key }));
  }

  /** Takes a slot out. Throws the {@link Problem} that is in the way. */
  async remove(slot: Slot, key = newId()): Promise<void> {
    const data = { calendar_id: this.#calendar, timeslot_id: slot.id };
    await this.#wish(null, slot.id, () => client.send('calendar/RemoveScheduledTimeslot', data, { key }));
  }

  /** Learns from the answer to a command what is there. */
  learn(being: Being | Problem): void {
    const found = being instanceof Problem ? beingOf(being) : being;
    if (found === 'unknown') return;
    this.#being = found;
    keep(this.#calendar, found);
  }

  /** Does what nobody waits for, and says so if it was taken back. */
  async try(title: string, doing: Promise<void>): Promise<boolean> {
    this.refusal = null;
    try {
      await doing;
      return true;
    } catch (error) {
      this.refusal = { title, problem: error instanceof Problem ? error : Problem.unreached() };
      return false;
    }
  }

  async #wish(slot: Slot | null, id: string, send: () => Promise<Accepted>): Promise<void> {
    // who wants something else of the same slot meanwhile has the last word
    const number = ++this.#last;
    const set = (wish: Wish | null) => {
      if (this.#wishes.get(id)?.number !== number) return;
      if (wish) this.#wishes.set(id, wish);
      else this.#wishes.delete(id);
    };
    this.#wishes.set(id, { number, slot, version: null });
    try {
      const { versions, position } = await send();
      this.learn('there');
      const version = versions.find(({ aggregate_id }) => aggregate_id === `Timeslot/${this.#calendar}/${id}`)?.version;
      set({ number, slot: slot && { ...slot, isPending: false }, version: BigInt(version ?? 0) });
      await this.rows.after(position);
      // rows that were read by now show it; live ones do as soon as it is there
      if (this.rows.standing === 'still') set(null);
      else setTimeout(() => set(null), SHOWN_WITHIN);
    } catch (error) {
      set(null);
      if (error instanceof Problem) this.learn(error);
      throw error;
    }
  }
}

function slotOf(row: Rows['calendar/calendar_timeslots']): Slot {
  const { timeslot_id, title, location, description, start, end } = row;
  return { id: timeslot_id, title, location, description, start: BigInt(start), end: BigInt(end), isPending: false };
}

/** What a refusal says of the calendar. */
function beingOf({ reasons }: Problem): Being {
  switch (reasons.find(({ field }) => field === 'calendar_id')?.code) {
    case 'NotFound':
      return 'none';
    case 'AlreadyExists':
      return 'there';
    case 'Removed':
    case 'InvalidState':
      return 'removed';
    default:
      return 'unknown';
  }
}

const place = (calendar: string) => `millrace.calendar.${calendar}`;

/** What this tab has learnt of it. */
function kept(calendar: string): Being {
  try {
    const found = sessionStorage.getItem(place(calendar));
    return found === 'there' || found === 'removed' ? found : 'unknown';
  } catch {
    return 'unknown';
  }
}

function keep(calendar: string, being: Being): void {
  try {
    sessionStorage.setItem(place(calendar), being);
  } catch {
    // it is learnt again
  }
}
