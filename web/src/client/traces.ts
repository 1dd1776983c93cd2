/** A page's part of a trace, as the gateway takes it. */
interface Span {
  readonly name: string;
  readonly traceparent: string;
  readonly parent?: string;
  readonly began_ms: number;
  readonly ms: number;
}

/** A click that is under way. */
export interface Click {
  /** For the header of the command (W3C Trace Context). */
  readonly traceparent: string;
  /** The click has its answer; whether the trace is recorded, the answer says. */
  end(isRecorded: boolean): void;
}

/** How long spans wait for others to be told with, in ms. */
const TOGETHER = 500;
/** So many are told at once; what is more is lost, as traces are no evidence. */
const MOST = 50;
/** A window that is hidden draws nothing: then a change counts as shown after so many ms. */
const DRAWN_WITHIN = 1_000;

/** The traces of a page: they begin with clicks, and end where changes are shown. */
export class Traces {
  readonly #tell: (body: string) => Promise<unknown>;
  #spans: Span[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `tell` sends a body to the gateway. */
  constructor(tell: (body: string) => Promise<unknown>) {
    this.#tell = tell;
  }

  /** Somebody clicks: a trace begins. */
  click(name: string): Click {
    const [traceparent, began] = [`00-${hex(16)}-${hex(8)}-01`, now()];
    return {
      traceparent,
      end: (isRecorded) => {
        if (isRecorded) this.#say({ name: `click ${name}`, traceparent, began_ms: began, ms: now() - began });
      },
    };
  }

  /** A change that belongs to the trace `parent` has come; it ends when the page has drawn it. */
  shown(name: string, parent: string): void {
    const trace = parent.split('-')[1] ?? '';
    const [traceparent, began] = [`00-${trace}-${hex(8)}-01`, now()];
    const end = once(() => this.#say({ name: `show ${name}`, traceparent, parent, began_ms: began, ms: now() - began }));
    setTimeout(end, DRAWN_WITHIN);
    // the frame after the one that is drawn with it
    globalThis.requestAnimationFrame?.(() => requestAnimationFrame(end));
  }

  #say(span: Span): void {
    if (this.#spans.length < MOST) this.#spans.push(span);
    this.#timer ??= setTimeout(() => {
      const spans = this.#spans;
      [this.#spans, this.#timer] = [[], undefined];
      // nobody waits for it, and nobody is to hear of it where it does not go
      void this.#tell(JSON.stringify({ spans })).catch(() => {});
    }, TOGETHER);
  }
}

/** Milliseconds since the epoch, with fractions where a clock has them. */
function now(): number {
  const { performance } = globalThis;
  return performance ? performance.timeOrigin + performance.now() : Date.now();
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    work();
  };
}

function hex(bytes: number): string {
  return [...crypto.getRandomValues(new Uint8Array(bytes))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
