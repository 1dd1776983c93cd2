import { newId, Problem, shortId, type Accepted, type Commands } from '../client/index.ts';
import { client } from './session.svelte.ts';

/**
 * What somebody does with a form: one command, under one key until it is known what became of it. Whoever presses the button
 * again meanwhile, or after nobody has answered, sends the same command; another text is another command.
 */
export class Action<C extends keyof Commands> {
  /** Whether it is under way. */
  isBusy = $state(false);
  /** Why it was not done, if it was not. */
  problem = $state<Problem | null>(null);
  readonly #command: C;
  #key = newId();
  #sent = '';
  #id: string | null = null;
  readonly #isSecret: boolean;

  /** `isSecret`: what is sent is not kept to be compared, so each time it is another command. */
  constructor(command: C, { isSecret = false } = {}) {
    this.#command = command;
    this.#isSecret = isSecret;
  }

  /**
   * The id of what it makes, where nobody chooses one: the same until it is known what became of it. So whoever changes a text
   * of which nobody knows whether it has arrived makes no second thing of it.
   */
  id(prefix: string): string {
    return (this.#id ??= shortId(prefix));
  }

  /** Why this field is refused. */
  wrong(field: string): string | null {
    const reasons = this.problem?.reasons.filter((reason) => reason.field === field) ?? [];
    return reasons.length > 0 ? reasons.map(({ message }) => message).join('. ') : null;
  }

  /**
   * Does it; `null`: it was not done, and {@link problem} says why, or it is under way. `expected`: the version of what was
   * shown; where it is another by now, nothing is done.
   */
  async run(data: Commands[C], expected?: bigint): Promise<Accepted | null> {
    // a key and a script press a button that is out of use
    if (this.isBusy) return null;
    const text = JSON.stringify([data, expected], (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
    if (text !== this.#sent) this.#key = newId();
    this.#sent = this.#isSecret ? '' : text;
    this.isBusy = true;
    this.problem = null;
    try {
      const accepted = await client.send(this.#command, data, { key: this.#key, ...(expected !== undefined && { expected }) });
      this.#decided();
      return accepted;
    } catch (error) {
      this.problem = error instanceof Problem ? error : Problem.unreached();
      if (!this.problem.isPassing) this.#decided();
      return null;
    } finally {
      this.isBusy = false;
    }
  }

  /** Forgets why it was not done. */
  clear(): void {
    this.problem = null;
  }

  /** The next time is another command. */
  #decided(): void {
    this.#sent = '';
    this.#id = null;
  }
}
