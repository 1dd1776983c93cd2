import { Problem } from '../client/index.ts';
import { client } from '../lib/session.svelte.ts';

/** The pause between two looks, in ms: each asks every server, and several operators may look. */
const EVERY = 4_000;
/** The same while nobody answers. */
const LATER = 6_000;

/** Something that is asked for again and again, as long as somebody looks. To be made in a component. */
export class Polled<T> {
  value = $state.raw<T | null>(null);
  problem = $state.raw<Problem | null>(null);
  /** When it was told last. */
  at = $state<number | null>(null);

  constructor(path: string, given: () => Record<string, string> = () => ({})) {
    $effect(() => {
      const parameters = given();
      const asking = new AbortController();
      void this.#look(path, parameters, asking.signal);
      return () => asking.abort();
    });
  }

  async #look(path: string, given: Record<string, string>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let pause = EVERY;
      // nobody looks at a window that is hidden
      if (document.visibilityState === 'visible') {
        try {
          const value = await client.operations<T>(path, given, signal);
          if (signal.aborted) return;
          [this.value, this.problem, this.at] = [value, null, Date.now()];
        } catch (error) {
          if (signal.aborted) return;
          this.problem = error instanceof Problem ? error : Problem.unreached();
          // who may not ask is not asked to ask again
          if (this.problem.status === 403 || this.problem.status === 401) return;
          pause = LATER;
        }
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pause);
        signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
      });
    }
  }
}

/** Something that is looked for when somebody asks. */
export class Sought<T> {
  value = $state.raw<T | null>(null);
  problem = $state.raw<Problem | null>(null);
  isAsking = $state(false);
  #asking: AbortController | null = null;

  /** Looks for it; whether it was found. What was asked before is given up. */
  async ask(path: string, given: Record<string, string>): Promise<boolean> {
    this.#asking?.abort();
    const asking = (this.#asking = new AbortController());
    this.isAsking = true;
    try {
      const value = await client.operations<T>(path, given, asking.signal);
      if (asking.signal.aborted) return false;
      [this.value, this.problem] = [value, null];
      return true;
    } catch (error) {
      if (asking.signal.aborted) return false;
      [this.value, this.problem] = [null, error instanceof Problem ? error : Problem.unreached()];
      return false;
    } finally {
      if (this.#asking === asking) this.isAsking = false;
    }
  }
}
