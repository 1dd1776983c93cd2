import { Gateway, type Accepted, type GatewayOptions, type Json, type Keyed, type Listener, type Page, type Querying, type SealingKey, type Sending } from './sdk.ts';
import { VIEWS, type Commands, type Rows } from './types.ts';

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

/** Everything that pages ask a gateway, by the names of the schemas: commands, outcomes, rows, and rows as they change. */
export class Client {
  readonly #gateway: Gateway;

  constructor(options: GatewayOptions = {}) {
    this.#gateway = new Gateway(options);
  }

  /**
   * Sends a command, again and again under the same key until it is known what became of it. Throws a `Problem`: a rejection, a
   * mistake, or that nobody answered for all the time.
   */
  send<C extends keyof Commands>(command: C, data: Commands[C], sending: Sending = {}): Promise<Accepted> {
    const [domain, type] = command.split('/') as [string, string];
    return this.#gateway.sendJson(domain, type, data as unknown as Json, undefined, sending);
  }

  /** What became of a command, by the `Location` of an answer that did not wait for it. */
  outcome(location: string, sending: Sending = {}): Promise<Accepted> {
    return this.#gateway.outcome(location, sending);
  }

  /** A page of rows of a view. */
  query<V extends keyof Rows>(view: V, key: Record<string, string>, querying: Querying = {}): Promise<Page<Rows[V]>> {
    return this.#gateway.page(`views/${view}`, key, querying);
  }

  /** A page of a user's feed, newest first. */
  feed(user: string, querying: Querying = {}): Promise<Page<FeedRow>> {
    return this.#gateway.page(`feeds/${encodeURIComponent(user)}`, {}, querying);
  }

  /** The document that says what there is. */
  document(signal?: AbortSignal): Promise<unknown> {
    return this.#gateway.document(signal);
  }

  /** The keys for which secrets are sealed, newest first. None: then no secret can be sent. */
  keys(signal?: AbortSignal): Promise<readonly SealingKey[]> {
    return this.#gateway.keys(signal);
  }

  /** The rows of a key of a view as they change: all, or the first so many and what comes in front. The answer ends it. */
  subscribe<V extends keyof Rows>(
    view: V,
    key: Record<string, string>,
    listener: Listener<Rows[V]>,
    { limit }: { readonly limit?: number } = {},
  ): () => void {
    return this.#gateway.follow(view, limit ? { ...key, limit: String(limit) } : key, VIEWS[view], listener);
  }

  /** The first so many chirps of a user's feed, and what comes in front of them. The answer ends it. */
  subscribeFeed(user: string, limit: number, listener: Listener<FeedRow>): () => void {
    return this.#gateway.follow('chirp/feed', { user_id: user, limit: String(limit) }, FEED, listener, true);
  }
}
