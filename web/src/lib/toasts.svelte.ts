/** A short message at the edge of the page, which is also read aloud. */
export interface Toast {
  readonly id: number;
  readonly kind: 'good' | 'bad';
  readonly title: string;
  readonly text: string;
}

const SHOWN_FOR = 6_000;
let last = 0;

class Toasts {
  shown = $state<Toast[]>([]);

  /** Says that something was done. */
  good(title: string, text = ''): void {
    this.#show({ id: ++last, kind: 'good', title, text });
  }

  /** Says that something was not; it stays twice as long. */
  bad(title: string, text: string): void {
    this.#show({ id: ++last, kind: 'bad', title, text });
  }

  close(id: number): void {
    this.shown = this.shown.filter((toast) => toast.id !== id);
  }

  #show(toast: Toast): void {
    this.shown = [...this.shown.slice(-2), toast];
    setTimeout(() => this.close(toast.id), toast.kind === 'bad' ? 2 * SHOWN_FOR : SHOWN_FOR);
  }
}

export const toasts = new Toasts();
