import type { Outcome } from '../generated/envelope.ts';
import { recordFromJson } from '../json.ts';
import type { Command, View } from '../kinds.ts';
import { commandToJson, outcomeFromJson } from '../messages.ts';
import { Gateway, type GatewayOptions, type Querying, type Sending } from './gateway.ts';
import { Problem } from './problem.ts';
import type { Listener } from './subscribe.ts';

/** What became of a command, and what a reader must see to see it: for `after` of a query. */
export interface Answer extends Outcome {
  readonly position: string;
}

/** Commands, rows, and rows as they change, over HTTP: in browsers and in Node. */
export class HttpClient {
  readonly #gateway: Gateway;

  /** `base` is the address of a gateway, such as `http://127.0.0.1:8080`. */
  constructor(base = '', options: Omit<GatewayOptions, 'base'> = {}) {
    this.#gateway = new Gateway({ ...options, base });
  }

  /**
   * Sends a command, again and again until it is known what became of it: accepted or rejected. Throws a {@link Problem} where it is
   * none of both: a mistake, or nobody answered for all the time (`patience`, a minute). Send the very same command then.
   */
  async send(command: Command, sending: Omit<Sending, 'expected' | 'key'> = {}): Promise<Answer> {
    const { data, metadata } = commandToJson(command);
    try {
      const { position, ...outcome } = await this.#gateway.sendJson(command.domain, command.type, data!, metadata!, {
        ...sending,
        key: command.id,
      });
      return { ...outcomeFromJson(outcome), position };
    } catch (error) {
      if (!(error instanceof Problem) || !error.isRejection) throw error;
      return { ...outcomeFromJson({ ...error.document, status: 'rejected' }), position: '' };
    }
  }

  /** A page of rows of a view, by its partition key and any number of the columns behind it. */
  async query<R>(
    view: View<R>,
    key: Record<string, string>,
    querying: Querying = {},
  ): Promise<{ rows: R[]; cursor?: string }> {
    const { rows, ...page } = await this.#gateway.page(`views/${view.domain}/${view.name}`, key, querying);
    return { ...page, rows: rows.map((row) => recordFromJson(view, row)) };
  }

  /**
   * The rows of a key of a view as they change: all, or the first so many and what comes in front. It goes on where it was over as
   * many connections as it takes. What it returns ends it.
   */
  subscribe<R extends object>(
    view: View<R>,
    key: Record<string, string>,
    listener: Listener<R>,
    { limit }: { limit?: number } = {},
  ): () => void {
    const parameters = limit ? { ...key, limit: String(limit) } : key;
    // a row is read again only when it has changed
    const read = new WeakMap<object, R>();
    const rowOf = (json: object) => {
      const row = read.get(json) ?? recordFromJson(view, json);
      read.set(json, row);
      return row;
    };
    return this.#gateway.follow<object>(`${view.domain}/${view.name}`, parameters, view, {
      rows: (rows, generation) => listener.rows(rows.map(rowOf), generation),
      ...(listener.status && { status: listener.status.bind(listener) }),
    });
  }

  /** The public keys for which secrets of commands are sealed, newest first. */
  async keys(): Promise<readonly Uint8Array[]> {
    const keys = await this.#gateway.keys();
    return keys.map(({ public_key: key }) => Uint8Array.from(atob(key), (letter) => letter.charCodeAt(0)));
  }
}
