import { EventReader, type ServerEvent } from './events.ts';
import { Mirror, type Keyed, type Row } from './mirror.ts';
import { Problem, type ProblemDocument } from './problem.ts';

/**
 * How it is with a subscription. `live`: rows are those of one moment, which is now but for the way here. `away`: they are as
 * they were; it is tried again. `waiting`: the same, as there is no room for it now. `off`: it has ended.
 */
export type Liveness = 'connecting' | 'live' | 'waiting' | 'away' | 'off';

/** Who is told. */
export interface Listener<R> {
  /**
   * All rows, in order, each time some have changed. `generation` is another number whenever a snapshot has replaced them: of a
   * stream with a limit, whoever has read on behind the last row has to begin there anew.
   */
  rows(rows: readonly R[], generation: number): void;
  /** How it is. `problem`: why it is `off`. */
  status?(liveness: Liveness, problem?: Problem): void;
}

/** Opens the stream behind the place that `lastId` names; '' from now. Throws a {@link Problem} when there is none. */
export type Opener = (lastId: string, signal: AbortSignal) => Promise<Response>;

/** Calls `work` as soon as there is room for one more stream, and keeps that room until it ends. */
export type Gate = (signal: AbortSignal, work: () => Promise<void>) => Promise<void>;

/** A stream that is silent for so long is dead, in ms: a sign of life comes every 15 s. */
const SILENCE = 40_000;
const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 8_000;

/**
 * Keeps a mirror of some rows, over as many connections as it takes. What it returns ends it. `mayCome`: where there is no such
 * stream (404) it is not there yet, as tables are some moments behind the answer to a command; else there never is. `traced` hears of
 * the traces to which changes belong, once they are told.
 */
export function subscribe<R extends object>(
  open: Opener,
  key: Keyed,
  listener: Listener<R>,
  gate?: Gate,
  mayCome = false,
  traced?: (parent: string) => void,
): () => void {
  const subscription = new Subscription(open, new Mirror<R>(key), listener, gate ?? ((_, work) => work()), mayCome, traced);
  void subscription.run();
  return () => subscription.end();
}

class Subscription<R extends object> {
  readonly #open: Opener;
  readonly #mirror: Mirror<R>;
  readonly #listener: Listener<R>;
  readonly #gate: Gate;
  readonly #mayCome: boolean;
  readonly #traced: ((parent: string) => void) | undefined;
  /** Where it goes on; '' where nothing is known. */
  #lastId = '';
  /** What has come of a snapshot that is not whole yet. */
  #parts: R[] = [];
  #hasEnded = false;
  #connection = new AbortController();
  #woken: (() => void) | undefined;
  #liveness: Liveness | undefined;

  constructor(open: Opener, mirror: Mirror<R>, listener: Listener<R>, gate: Gate, mayCome: boolean, traced?: (parent: string) => void) {
    this.#open = open;
    this.#mirror = mirror;
    this.#listener = listener;
    this.#gate = gate;
    this.#mayCome = mayCome;
    this.#traced = traced;
  }

  async run(): Promise<void> {
    // a browser has six connections for all pages of a server: those that nobody sees give theirs back, and go on later
    // where they were
    const shown = () => (isHidden() ? this.#connection.abort() : this.#woken?.());
    globalThis.document?.addEventListener('visibilitychange', shown);
    let pause = FIRST_PAUSE;
    while (!this.#hasEnded) {
      if (isHidden()) {
        await this.#rest();
        continue;
      }
      const before = this.#lastId;
      try {
        await this.#follow();
      } catch (error) {
        const isOver = error instanceof Problem && !error.isPassing && !(this.#mayCome && error.status === 404);
        if (isOver && !this.#hasEnded) {
          this.#hasEnded = true;
          this.#say('off', error);
        }
      }
      if (this.#hasEnded) break;
      // who got on is not kept waiting for long
      if (this.#lastId !== before) pause = FIRST_PAUSE;
      if (!isHidden()) {
        this.#say('away');
        await this.#rest(pause * (0.5 + Math.random() / 2));
        pause = Math.min(pause * 2, LONGEST_PAUSE);
      }
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
    this.#say('waiting');
    await this.#gate(connection.signal, async () => {
      this.#say('connecting');
      let watch = setTimeout(() => connection.abort(), SILENCE);
      try {
        const response = await this.#open(this.#lastId, connection.signal);
        const [reader, text] = [new EventReader(), new TextDecoder()];
        // of a snapshot that was cut off nothing is left
        this.#parts = [];
        const body = response.body?.getReader();
        while (body) {
          const { value, done } = await body.read();
          if (done || this.#hasEnded) return;
          clearTimeout(watch);
          watch = setTimeout(() => connection.abort(), SILENCE);
          this.#take(reader.push(text.decode(value, { stream: true })));
        }
      } finally {
        clearTimeout(watch);
        connection.abort();
      }
    });
  }

  /** Takes what came at once, and tells it at once. */
  #take(events: readonly ServerEvent[]): void {
    let hasChanged = false;
    let isLive = this.#liveness === 'live';
    let failed: Problem | undefined;
    const traces: string[] = [];
    for (const { event, data, id } of events) {
      switch (event) {
        case 'snapshot': {
          const { rows, more } = JSON.parse(data) as { rows: readonly R[]; more?: boolean };
          this.#parts.push(...rows);
          if (more) break;
          this.#mirror.replace(this.#parts);
          this.#parts = [];
          hasChanged = true;
          break;
        }
        case 'change': {
          const { key, row, traceparent } = JSON.parse(data) as { key: Row; row: R | null; traceparent?: string };
          this.#mirror.change(key, row);
          if (traceparent) traces.push(traceparent);
          hasChanged = true;
          break;
        }
        case 'reset':
          // what follows is a snapshot; until it is whole, what is shown stays, and nothing goes on from here
          this.#parts = [];
          this.#lastId = '';
          isLive = false;
          break;
        case 'live':
          isLive = true;
          hasChanged = true;
          break;
        case 'error':
          failed = new Problem(JSON.parse(data) as ProblemDocument);
          break;
      }
      if (id !== undefined) this.#lastId = id;
    }
    if (hasChanged) this.#listener.rows(this.#mirror.rows, this.#mirror.generation);
    traces.forEach((parent) => this.#traced?.(parent));
    if (isLive) this.#say('live');
    else if (this.#liveness === 'live') this.#say('connecting');
    if (failed) throw failed;
  }

  #say(liveness: Liveness, problem?: Problem): void {
    if (liveness === this.#liveness || (this.#hasEnded && liveness !== 'off')) return;
    this.#liveness = liveness;
    this.#listener.status?.(liveness, problem);
  }

  /** Until it is woken, at most so many ms. */
  #rest(pause?: number): Promise<void> {
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
