import { newId, Problem, type Accepted, type Commands } from '../client/index.ts';
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

  constructor(command: C) {
    this.#command = command;
  }

  /** Why this field is refused. */
  wrong(field: string): string | null {
    const reasons = this.problem?.reasons.filter((reason) => reason.field === field) ?? [];
    return reasons.length > 0 ? reasons.map(({ message }) => message).join('. ') : null;
  }

  /** What is wrong beside these fields, which show theirs. */
  rest(fields: readonly string[]): string[] {
    const reasons = this.problem?.reasons ?? [];
    return reasons.filter(({ field }) => field === null || !fields.includes(field)).map(({ message }) => message);
  }

  /** Does it; `null`: it was not done, and {@link problem} says why, or it is under way. */
  async run(data: Commands[C]): Promise<Accepted | null> {
    if (this.isBusy) return null;
    const text = JSON.stringify(data, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
    if (text !== this.#sent) this.#key = newId();
    this.#sent = text;
    this.isBusy = true;
    this.problem = null;
    try {
      const accepted = await client.send(this.#command, data, { key: this.#key });
      this.#sent = '';
      return accepted;
    } catch (error) {
      this.problem = error instanceof Problem ? error : Problem.unreached();
      // it is decided: the next time is another command
      if (!this.problem.isPassing) this.#sent = '';
      return null;
    } finally {
      this.isBusy = false;
    }
  }

  /** Forgets why it was not done. */
  clear(): void {
    this.problem = null;
  }
}
