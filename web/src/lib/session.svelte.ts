import { Client, type Problem } from '../client/index.ts';
import { gate } from './gate.ts';
import { subjectOf, userOf } from './who.ts';

/** Who is at the page: somebody who says so, or somebody with a token, as the gateway wants it. */
class Session {
  /** Whether the gateway asks for a token; `null` until it is known. */
  wantsToken = $state<boolean | null>(null);
  /** The user who acts; `null`: nobody yet. Somebody whose token has expired stays, with all that was typed, until another comes. */
  user = $state<string | null>(null);
  /** Why a token is asked for (again). */
  complaint = $state<string | null>(null);
  /** Whether the dialog is open that asks who is there. */
  isAsking = $state(false);
  #token: string | null = null;
  /** Whether the token was good for something. */
  #isProven = false;
  readonly #renewed = new Set<() => void>();

  readonly client = new Client({
    token: () => this.#token,
    user: () => this.user,
    onUnauthenticated: (problem) => this.#unauthenticated(problem),
    onAnswered: () => (this.#isProven = this.#token !== null),
    gate,
  });

  constructor() {
    // a token goes with the tab: it is no more on this machine than it must be
    this.#token = kept(() => sessionStorage.getItem('millrace.token'));
    const user = kept(() => (this.#token ? sessionStorage : localStorage).getItem('millrace.user'));
    if (this.#token) this.wantsToken = true;
    this.user = user;
  }

  /** What the issuer of the token calls the user; `null` where there is no token. */
  get subject(): string | null {
    return this.#token && subjectOf(this.#token);
  }

  /** Somebody says who they are; believed where no token is asked for. */
  become(user: string): void {
    this.user = user;
    this.isAsking = false;
    kept(() => localStorage.setItem('millrace.user', user));
  }

  /** Somebody has a token. Returns what is wrong with it, if that can be seen here. */
  async present(token: string): Promise<string | null> {
    const found = await userOf(token.trim());
    if ('wrong' in found) return found.wrong;
    const isSame = this.user === found.user;
    this.#token = token.trim();
    this.#isProven = false;
    this.user = found.user;
    this.complaint = null;
    this.isAsking = false;
    kept(() => {
      sessionStorage.setItem('millrace.token', token.trim());
      sessionStorage.setItem('millrace.user', found.user);
    });
    if (isSame) this.#renewed.forEach((goOn) => goOn());
    return null;
  }

  /** Has somebody hear that the same user has another token. What it returns ends that. */
  onRenewed(goOn: () => void): () => void {
    this.#renewed.add(goOn);
    return () => this.#renewed.delete(goOn);
  }

  /** Nobody is there any more. */
  leave(): void {
    this.#forgetToken();
    this.user = null;
    kept(() => localStorage.removeItem('millrace.user'));
    this.isAsking = true;
  }

  #forgetToken(): void {
    this.#token = null;
    kept(() => {
      sessionStorage.removeItem('millrace.token');
      sessionStorage.removeItem('millrace.user');
    });
  }

  #unauthenticated(problem: Problem): void {
    this.wantsToken = true;
    // of several that were under way the first had the token
    if (this.#token) {
      this.complaint = this.#isProven
        ? `Your token is not good any more. What you have written is still here: give a new one of ${this.user}, and go on.`
        : `The gateway does not take this token. It says: ${problem.message}`;
    }
    this.#forgetToken();
    this.isAsking = true;
  }
}

function kept<T>(ask: () => T): T | null {
  try {
    return ask();
  } catch {
    // a browser that keeps nothing: then it lasts as long as the page
    return null;
  }
}

export const session = new Session();
export const client = session.client;
