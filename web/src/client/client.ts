import { newId } from './ids.ts';
import { toJson, type Json } from './json.ts';
import { Problem, type ProblemDocument, type Violation } from './problem.ts';
import type { Keyed } from './mirror.ts';
import { subscribe, type Gate, type Listener, type Liveness } from './subscribe.ts';
import { Traces } from './traces.ts';
import { VIEWS, type Commands, type Rows } from './types.ts';

/** What became of a command that was accepted. */
export interface Accepted {
  readonly command_id: string;
  /** Whether it was decided before, and this is the answer of then. */
  readonly duplicate: boolean;
  /** The versions of what it changed. */
  readonly versions: readonly { readonly aggregate_id: string; readonly version: string }[];
  /** What a reader must see to see it: for `after` of a query. */
  readonly position: string;
}

/** A page of rows, and where it goes on, if it does. */
export interface Page<R> {
  readonly rows: readonly R[];
  readonly cursor?: string;
}

/** A key for which a gateway seals secrets of commands. */
export interface SealingKey {
  readonly id: string;
  readonly algorithm: string;
  /** In base64. */
  readonly public_key: string;
}

/** A chirp as feeds have it. */
export interface FeedRow {
  readonly chirp_id: string;
  readonly author_id: string;
  readonly username: string;
  readonly content: string;
  /** RFC 3339. */
  readonly posted_at: string;
  readonly edited_at: string | null;
  /** Goes on behind it. */
  readonly cursor: string;
}

/** How feeds are told apart and ordered; the texts of their times are of one length. */
export const FEED: Keyed = {
  partition: [],
  clustering: ['-posted_at', '-chirp_id', '-author_id'],
  numbers: [],
  identity: ['author_id', 'chirp_id'],
};

/** How a client is made. */
export interface ClientOptions {
  /** What addresses begin with; by default the page's own gateway. */
  readonly base?: string;
  /** The token that says who asks, where the gateway wants one. */
  readonly token?: () => string | null;
  /** The user who acts, where the gateway believes everybody. */
  readonly user?: () => string | null;
  /** Hears of every answer that says that a token is missing or no good. */
  readonly onUnauthenticated?: (problem: Problem) => void;
  /** Hears of every other answer: that a token is good. */
  readonly onAnswered?: () => void;
  /** Lets streams through, where there is room for few of them. */
  readonly gate?: Gate;
}

interface Asking {
  readonly signal?: AbortSignal;
}

export interface Sending extends Asking {
  /** The command's name: the same key is the same command, however often it is sent. */
  readonly key?: string;
  /** How long to go on while the gateway cannot say what became of it, in ms. */
  readonly patience?: number;
  /** The version on which it is based: of another one it is refused (`VersionConflict`). */
  readonly expected?: bigint;
}

export interface Querying extends Asking {
  readonly limit?: number;
  readonly cursor?: string | undefined;
  /** Positions of answers: no older rows than these show. */
  readonly after?: string | undefined;
}

const LONGS = 'application/json; longs=string';
/** How long the gateway is to wait for an outcome, in s. */
const WAIT = 10;
/** How long a command is sent again, in ms, when nobody says. */
const PATIENCE = 60_000;
const FIRST_PAUSE = 200;
const LONGEST_PAUSE = 5_000;

/** Everything that pages ask a gateway: commands, outcomes, rows, and rows as they change. */
export class Client {
  readonly #options: ClientOptions;
  readonly #traces = new Traces((body) => this.#quietly('/v1/spans', body));

  constructor(options: ClientOptions = {}) {
    this.#options = options;
  }

  /**
   * Sends a command, again and again under the same key until it is known what became of it. Throws a {@link Problem}: a
   * rejection, a mistake, or that nobody answered for all the time.
   */
  async send<C extends keyof Commands>(command: C, data: Commands[C], sending: Sending = {}): Promise<Accepted> {
    const { key = newId(), patience = PATIENCE, expected, signal } = sending;
    const user = this.#options.token?.() ? null : this.#options.user?.();
    const said = { ...(user && { user_id: user }), ...(expected !== undefined && { expected_version: expected }) };
    const metadata = Object.keys(said).length > 0 ? said : undefined;
    const body = toJson({ data: data as unknown as Json, metadata });
    const click = this.#traces.click(command);
    let isRecorded = false;
    const heard = (answer: Response) => (isRecorded ||= answer.headers.has('traceresponse'));
    const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': key, Prefer: `wait=${WAIT}`, traceparent: click.traceparent };
    const until = Date.now() + patience;
    try {
      return await this.#persistently(until, signal, async () => {
        const request = { method: 'POST', headers, body, signal: signal ?? null };
        const response = await this.#ask(`/v1/commands/${command}`, request, heard);
        if (response.status !== 202) return await accepted(response);
        const location = response.headers.get('Location') ?? '';
        return await this.outcome(location, { patience: until - Date.now(), ...(signal && { signal }) });
      });
    } finally {
      click.end(isRecorded);
    }
  }

  /** What became of a command, by the `Location` of an answer that did not wait for it. */
  async outcome(location: string, { patience = PATIENCE, signal }: Sending = {}): Promise<Accepted> {
    const address = `${location}${location.includes('?') ? '&' : '?'}timeout=${WAIT}`;
    return this.#persistently(Date.now() + patience, signal, async () => {
      const response = await this.#ask(address, { signal: signal ?? null });
      return accepted(response);
    });
  }

  /** A page of rows of a view. */
  query<V extends keyof Rows>(view: V, key: Record<string, string>, querying: Querying = {}): Promise<Page<Rows[V]>> {
    return this.#page(`/v1/views/${view}`, key, querying);
  }

  /** A page of a user's feed, newest first. */
  feed(user: string, querying: Querying = {}): Promise<Page<FeedRow>> {
    return this.#page(`/v1/feeds/${encodeURIComponent(user)}`, {}, querying);
  }

  /** The document that says what there is. */
  async document(signal?: AbortSignal): Promise<unknown> {
    const response = await this.#ask('/openapi.json', { signal: signal ?? null });
    return response.json();
  }

  /** What operators are told of the whole: `status`, `history`, with what it takes. */
  async operations<T>(path: string, given: Record<string, string> = {}, signal?: AbortSignal): Promise<T> {
    const parameters = new URLSearchParams(given).toString();
    const response = await this.#ask(`/v1/ops/${path}${parameters && `?${parameters}`}`, { signal: signal ?? null, cache: 'no-store' });
    return (await response.json()) as T;
  }

  /** The keys for which secrets are sealed, newest first. None: then no secret can be sent. */
  async keys(signal?: AbortSignal): Promise<readonly SealingKey[]> {
    try {
      const response = await this.#ask('/v1/keys', { signal: signal ?? null });
      return ((await response.json()) as { keys: readonly SealingKey[] }).keys;
    } catch (error) {
      if (error instanceof Problem && error.status === 404) return [];
      throw error;
    }
  }

  /** The rows of a key of a view as they change: all, or the first so many and what comes in front. The answer ends it. */
  subscribe<V extends keyof Rows>(
    view: V,
    key: Record<string, string>,
    listener: Listener<Rows[V]>,
    { limit }: { readonly limit?: number } = {},
  ): () => void {
    return this.#subscribe(`/v1/streams/${view}`, limit ? { ...key, limit: String(limit) } : key, VIEWS[view], listener);
  }

  /** The first so many chirps of a user's feed, and what comes in front of them. The answer ends it. */
  subscribeFeed(user: string, limit: number, listener: Listener<FeedRow>): () => void {
    return this.#subscribe('/v1/streams/chirp/feed', { user_id: user, limit: String(limit) }, FEED, listener, true);
  }

  #subscribe<R extends object>(
    path: string,
    key: Record<string, string>,
    keyed: Keyed,
    listener: Listener<R>,
    mayCome = false,
  ): () => void {
    const open = (lastId: string, signal: AbortSignal) => {
      const headers: Record<string, string> = { Accept: 'text/event-stream; longs=string' };
      if (lastId) headers['Last-Event-ID'] = lastId;
      return this.#ask(`${path}?${new URLSearchParams(key)}`, { headers, signal, cache: 'no-store' });
    };
    const status = (liveness: Liveness, problem?: Problem) => {
      // credentials that expire in mid-stream
      if (problem?.status === 401) this.#options.onUnauthenticated?.(problem);
      listener.status?.(liveness, problem);
    };
    const told = { rows: (rows: readonly R[], generation: number) => listener.rows(rows, generation), status };
    const name = path.replace('/v1/streams/', '');
    return subscribe<R>(open, keyed, told, this.#options.gate, mayCome, (parent) => this.#traces.shown(name, parent));
  }

  async #page<R>(path: string, key: Record<string, string>, { limit, cursor, after, signal }: Querying): Promise<Page<R>> {
    const parameters = new URLSearchParams(key);
    if (limit) parameters.set('limit', String(limit));
    if (cursor) parameters.set('cursor', cursor);
    const headers: Record<string, string> = { Prefer: `wait=${WAIT}` };
    if (after) headers['Millrace-After'] = after;
    const response = await this.#ask(`${path}?${parameters}`, { headers, signal: signal ?? null });
    return (await response.json()) as Page<R>;
  }

  /** Tells something that nobody waits for, and of which no failure is anybody's affair. */
  #quietly(address: string, body: string): Promise<Response> {
    const headers = this.#authorized({ 'Content-Type': 'application/json' });
    return fetch((this.#options.base ?? '') + address, { method: 'POST', headers, body, keepalive: true });
  }

  #authorized(given: Record<string, string>): Headers {
    const headers = new Headers(given);
    const token = this.#options.token?.();
    if (token) headers.set('Authorization', `Bearer ${token}`);
    return headers;
  }

  /** Asks once. Throws a {@link Problem} where the answer is one, or there is none; `heard` sees every answer. */
  async #ask(address: string, request: RequestInit, heard?: (answer: Response) => void): Promise<Response> {
    const headers = this.#authorized({ Accept: LONGS, ...(request.headers as Record<string, string> | undefined) });
    let response: Response;
    try {
      response = await fetch((this.#options.base ?? '') + address, { ...request, headers });
    } catch (error) {
      if (request.signal?.aborted) throw error;
      throw Problem.unreached();
    }
    heard?.(response);
    if (response.status !== 401) this.#options.onAnswered?.();
    if (response.ok) return response;
    const problem = await Problem.of(response);
    if (problem.status === 401) this.#options.onUnauthenticated?.(problem);
    throw problem;
  }

  /** Asks until there is an answer. */
  async #persistently<T>(until: number, signal: AbortSignal | undefined, ask: () => Promise<T>): Promise<T> {
    for (let pause = FIRST_PAUSE; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
      try {
        return await ask();
      } catch (error) {
        const mayPass = error instanceof Problem && (error.isPassing || error.kind === 'no-outcome');
        if (!mayPass || Date.now() + pause > until) throw error;
      }
      await rest(pause, signal);
    }
  }
}

interface OutcomeDocument extends Omit<Accepted, 'position'> {
  readonly status: 'accepted' | 'rejected';
  readonly failure?: string | null;
  readonly violations?: readonly Violation[];
}

async function accepted(response: Response): Promise<Accepted> {
  const outcome = (await response.json()) as OutcomeDocument;
  if (outcome.status === 'rejected') {
    // one that was looked for is told as it is, and not as a problem
    const { failure = null, violations = [] } = outcome;
    const detail = violations[0]?.message ?? 'The command was rejected.';
    const type = 'urn:millrace:problem:rejected';
    const document: ProblemDocument = { type, title: 'The command was rejected', status: 422, detail, failure, violations };
    throw new Problem(document);
  }
  return { ...outcome, position: response.headers.get('Millrace-Position') ?? '' };
}

/** Waits so many ms. */
export function rest(pause: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', end);
      resolve();
    }, pause);
    signal?.addEventListener('abort', end, { once: true });
    if (signal?.aborted) end();
  });
}
