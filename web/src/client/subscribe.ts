import { EventReader, type ServerEvent } from './events.ts';
import { Mirror, type Row } from './mirror.ts';
import { Problem } from './problem.ts';
import type { ViewKey } from './types.ts';

/** How it is with a subscription: rows are as of `live` exact; `away`: not now, it is tried again; `off`: it has ended. */
export type Liveness = 'connecting' | 'live' | 'away' | 'off';

/** Who is told. */
export interface Listener<R> {
  /** All rows, in order, each time some have changed. Before it is live they may be some moments old, never wrong for long. */
  rows(rows: readonly R[]): void;
  /** How it is. `problem`: why it is `off`. */
  status?(liveness: Liveness, problem?: Problem): void;
}

/** Opens the stream behind the place that `lastId` names; '' from now. Throws a {@link Problem} when there is none. */
export type Opener = (lastId: string, signal: AbortSignal) => Promise<Response>;

/** A stream that is silent for so long is dead, in ms: a token comes every second. */
const SILENCE = 15_000;
const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 8_000;

/** Keeps a mirror of some rows, over as many connections as it takes. What it returns ends it. */
export function subscribe<R extends object>(open: Opener, key: ViewKey, listener: Listener<R>): () => void {
  const subscription = new Subscription(open, new Mirror<R>(key), listener);
  void subscription.run();
  return () => subscription.end();
}

class Subscription<R extends object> {
  readonly #open: Opener;
  readonly #mirror: Mirror<R>;
  readonly #listener: Listener<R>;
  #lastId = '';
  /** Whether the next snapshot takes the place of all rows. */
  #isFresh = true;
  #hasEnded = false;
  #connection = new AbortController();
  #woken: (() => void) | undefined;
  #liveness: Liveness | undefined;

  constructor(open: Opener, mirror: Mirror<R>, listener: Listener<R>) {
    this.#open = open;
    this.#mirror = mirror;
    this.#listener = listener;
  }

  async run(): Promise<void> {
    // a browser has six connections for all pages of a server: those that nobody sees give theirs back, and go on later
    // where they were
    const shown = () => {
      if (isHidden()) this.#connection.abort();
      else this.#woken?.();
    };
    globalThis.document?.addEventListener('visibilitychange', shown);
    let pause = FIRST_PAUSE;
    while (!this.#hasEnded) {
      if (isHidden()) {
        await this.#rest(undefined);
        continue;
      }
      this.#say('connecting');
      const before = this.#lastId;
      try {
        await this.#follow();
      } catch (error) {
        if (this.#hasEnded) break;
        if (error instanceof Problem && !error.isPassing) {
          this.#hasEnded = true;
          this.#say('off', error);
          break;
        }
      }
      if (this.#hasEnded) break;
      // who got on is not kept waiting for long
      if (this.#lastId !== before) pause = FIRST_PAUSE;
      if (!isHidden()) this.#say('away');
      await this.#rest(pause * (0.5 + Math.random() / 2));
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
    globalThis.document?.removeEventListener('visibilitychange', shown);
  }

  end(): void {
    this.#hasEnded = true;
    this.#connection.abort();
    this.#woken?.();
  }

  /** Reads one connection to its end. */
  async #follow(): Promise<void> {
    const connection = new AbortController();
    this.#connection = connection;
    let watch = setTimeout(() => connection.abort(), SILENCE);
    try {
      const response = await this.#open(this.#lastId, connection.signal);
      const reader = new EventReader();
      reader.lastId = this.#lastId;
      const text = new TextDecoder();
      const body = response.body?.getReader();
      while (body) {
        const { value, done } = await body.read();
        if (done) return;
        clearTimeout(watch);
        watch = setTimeout(() => connection.abort(), SILENCE);
        const events = reader.push(text.decode(value, { stream: true }));
        if (this.#hasEnded) return;
        this.#take(events);
        // only behind what it stands for
        this.#lastId = reader.lastId;
      }
    } finally {
      clearTimeout(watch);
      connection.abort();
    }
  }

  #take(events: readonly ServerEvent[]): void {
    let hasChanged = false;
    let isLive = false;
    for (const { event, data } of events) {
      switch (event) {
        case 'snapshot': {
          const { rows } = JSON.parse(data) as { rows: readonly R[] };
          if (this.#isFresh) this.#mirror.replace(rows);
          else rows.forEach((row) => this.#mirror.change(row as Row, row));
          this.#isFresh = false;
          hasChanged = true;
          break;
        }
        case 'change': {
          const { key, row } = JSON.parse(data) as { key: Row; row: R | null };
          this.#mirror.change(row ? (row as Row) : key, row);
          hasChanged = true;
          break;
        }
        case 'reset':
          this.#isFresh = true;
          this.#say('connecting');
          isLive = false;
          break;
        case 'live':
          isLive = true;
          break;
      }
    }
    // also of no rows, once that is known
    if (hasChanged || isLive) this.#listener.rows(this.#mirror.rows);
    if (isLive) this.#say('live');
  }

  #say(liveness: Liveness, problem?: Problem): void {
    if (liveness === this.#liveness) return;
    this.#liveness = liveness;
    this.#listener.status?.(liveness, problem);
  }

  /** Until it is woken, at most so many ms. */
  #rest(pause: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = pause === undefined ? undefined : setTimeout(resolve, pause);
      this.#woken = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function isHidden(): boolean {
  return globalThis.document?.visibilityState === 'hidden';
}
