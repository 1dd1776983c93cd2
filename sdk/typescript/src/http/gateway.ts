import { newId } from '../ids.ts';
import { toJson, type Json } from '../json.ts';
import type { Keyed } from './mirror.ts';
import { Problem, type ProblemDocument, type Violation } from './problem.ts';
import { subscribe, type Gate, type Listener, type Liveness } from './subscribe.ts';

/** What became of a command that was accepted, as the gateway's JSON has it. */
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

/** How a client is made. */
export interface GatewayOptions {
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

/** What a gateway is asked, without types of messages and rows: {@link HttpClient} has them. */
export class Gateway {
  readonly #options: GatewayOptions;

  constructor(options: GatewayOptions = {}) {
    this.#options = options;
  }

  /**
   * Sends a command, again and again under the same key until it is known what became of it. `metadata` is sent as it is; where it is
   * left out it is who acts and what is expected. Throws a {@link Problem}: a rejection, a mistake, or that nobody answered for
   * all the time.
   */
  async sendJson(domain: string, type: string, data: Json, metadata?: Json, sending: Sending = {}): Promise<Accepted> {
    const { key = newId(), patience = PATIENCE, expected, signal } = sending;
    const user = this.#options.token?.() ? null : this.#options.user?.();
    const said = { ...(user && { user_id: user }), ...(expected !== undefined && { expected_version: expected }) };
    const body = toJson({ data, metadata: metadata ?? (Object.keys(said).length > 0 ? said : undefined) });
    const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': key, Prefer: `wait=${WAIT}` };
    const until = Date.now() + patience;
    return this.#persistently(until, signal, async () => {
      const response = await this.#ask(`/v1/commands/${domain}/${type}`, {
        method: 'POST',
        headers,
        body,
        signal: signal ?? null,
      });
      if (response.status !== 202) return accepted(response);
      const location = response.headers.get('Location') ?? '';
      return this.outcome(location, { patience: until - Date.now(), ...(signal && { signal }) });
    });
  }

  /** What became of a command, by the `Location` of an answer that did not wait for it. */
  async outcome(location: string, { patience = PATIENCE, signal }: Sending = {}): Promise<Accepted> {
    const address = `${location}${location.includes('?') ? '&' : '?'}timeout=${WAIT}`;
    return this.#persistently(Date.now() + patience, signal, async () => {
      const response = await this.#ask(address, { signal: signal ?? null });
      return accepted(response);
    });
  }

  /** A page of rows, by the address beneath `/v1`. */
  async page<R>(
    path: string,
    key: Record<string, string>,
    { limit, cursor, after, signal }: Querying = {},
  ): Promise<Page<R>> {
    const parameters = new URLSearchParams(key);
    if (limit) parameters.set('limit', String(limit));
    if (cursor) parameters.set('cursor', cursor);
    const headers: Record<string, string> = { Prefer: `wait=${WAIT}` };
    if (after) headers['Millrace-After'] = after;
    const response = await this.#ask(`/v1/${path}?${parameters}`, { headers, signal: signal ?? null });
    return (await response.json()) as Page<R>;
  }

  /** The document that says what there is. */
  async document(signal?: AbortSignal): Promise<unknown> {
    const response = await this.#ask('/openapi.json', { signal: signal ?? null });
    return response.json();
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

  /** Follows the rows of a key, by the address beneath `/v1/streams`. What it returns ends it. */
  follow<R extends object>(
    path: string,
    key: Record<string, string>,
    keyed: Keyed,
    listener: Listener<R>,
    mayCome = false,
  ): () => void {
    const open = (lastId: string, signal: AbortSignal) => {
      const headers: Record<string, string> = { Accept: 'text/event-stream; longs=string' };
      if (lastId) headers['Last-Event-ID'] = lastId;
      return this.#ask(`/v1/streams/${path}?${new URLSearchParams(key)}`, { headers, signal, cache: 'no-store' });
    };
    const status = (liveness: Liveness, problem?: Problem) => {
      // credentials that expire in mid-stream
      if (problem?.status === 401) this.#options.onUnauthenticated?.(problem);
      listener.status?.(liveness, problem);
    };
    const told = { rows: (rows: readonly R[], generation: number) => listener.rows(rows, generation), status };
    return subscribe<R>(open, keyed, told, this.#options.gate, mayCome);
  }

  /** Asks once. Throws a {@link Problem} where the answer is one, or there is none. */
  async #ask(address: string, request: RequestInit): Promise<Response> {
    const headers = new Headers({ Accept: LONGS, ...(request.headers as Record<string, string> | undefined) });
    const token = this.#options.token?.();
    if (token) headers.set('Authorization', `Bearer ${token}`);
    let response: Response;
    try {
      response = await fetch((this.#options.base ?? '') + address, { ...request, headers });
    } catch (error) {
      if (request.signal?.aborted) throw error;
      throw Problem.unreached();
    }
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
    const { failure = null, violations = [], ...rest } = outcome;
    const detail = violations[0]?.message ?? 'The command was rejected.';
    const type = 'urn:millrace:problem:rejected';
    const document: ProblemDocument = {
      ...rest,
      type,
      title: 'The command was rejected',
      status: 422,
      detail,
      failure,
      violations,
    };
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
