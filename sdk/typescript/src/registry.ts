import { BadMessage } from './bad.ts';
import { type Reading, UnknownSchema } from './reading.ts';
import type { Topic } from './kinds.ts';

const TYPE = 'application/vnd.schemaregistry.v1+json';

/** A schema registry with Confluent's REST API. */
export class Registry {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;

  /** `headers` are sent with every request, such as `Authorization`. */
  constructor(base: string, headers: Readonly<Record<string, string>> = {}) {
    this.#base = base.replace(/\/+$/, '');
    this.#headers = headers;
  }

  /**
   * The id under which a topic's schema is registered. Nothing is registered: where it is not, the deployment is of another version
   * than this package.
   */
  async idOf(subject: string, topic: Topic): Promise<number> {
    const body = JSON.stringify({ schemaType: 'AVRO', schema: topic.schema });
    const response = await this.#ask(`/subjects/${encodeURIComponent(subject)}`, {
      method: 'POST',
      headers: { 'Content-Type': TYPE },
      body,
    });
    if (response.ok) return ((await response.json()) as { id: number }).id;
    if (response.status !== 404) throw new Error(`registry ${this.#base}: ${response.status} ${await response.text()}`);
    throw new Error(
      `registry ${this.#base}: the schema of ${topic.name} that this package was made with is not registered under ${subject}; ` +
        'the deployment is older, or of another kind: take the package of its version',
    );
  }

  /** The schema of an id; `undefined`: there is none. */
  async schema(id: number): Promise<string | undefined> {
    const response = await this.#ask(`/schemas/ids/${id}?deleted=true`, {});
    if (response.status === 404) return undefined;
    if (!response.ok) throw new Error(`registry ${this.#base}: ${response.status} ${await response.text()}`);
    return ((await response.json()) as { schema: string }).schema;
  }

  /** The message in a frame, whose schema is asked for if it is not known. */
  async read<M>(
    reading: { read(framed: Uint8Array): M; learn: Reading<never>['learn'] },
    framed: Uint8Array,
  ): Promise<M> {
    try {
      return reading.read(framed);
    } catch (error) {
      if (!(error instanceof UnknownSchema)) throw error;
      const schema = await this.schema(error.schemaId);
      if (schema === undefined) throw new BadMessage('', `the registry has no schema ${error.schemaId}`);
      reading.learn(error.schemaId, schema);
      return reading.read(framed);
    }
  }

  #ask(path: string, request: RequestInit): Promise<Response> {
    return fetch(this.#base + path, { ...request, headers: { Accept: TYPE, ...this.#headers, ...request.headers } });
  }
}
