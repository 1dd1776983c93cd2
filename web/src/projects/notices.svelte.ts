import type { Problem } from '../client/index.ts';
import { sentences } from './words.ts';

/** Something that has happened to what somebody did, which stays until they have read it. */
export interface Notice {
  readonly id: number;
  /** What it is about: of one thing the last word counts. */
  readonly about: string;
  readonly title: string;
  readonly text: string;
  /** What may be done now. */
  readonly action: { readonly label: string; readonly run: () => void } | null;
}

/** No more are shown at once. */
const MOST = 3;
let last = 0;

/** What a board has to say. */
export class Notices {
  shown = $state.raw<readonly Notice[]>([]);

  say(about: string, title: string, text: string, action: Notice['action'] = null): void {
    const rest = this.shown.filter((notice) => notice.about !== about);
    this.shown = [...rest, { id: ++last, about, title, text, action }].slice(-MOST);
  }

  /** Says why something was not done. */
  refuse(about: string, title: string, problem: Problem): void {
    if (problem.status === 401) return this.say(about, title, 'Give a token, and do it again.');
    this.say(about, title, problem.isPassing ? 'Nobody has answered. It is shown as it was last known; do it again.' : sentences(problem));
  }

  close(id: number): void {
    this.shown = this.shown.filter((notice) => notice.id !== id);
  }
}
