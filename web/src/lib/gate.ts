import type { Gate } from '../client/index.ts';

/**
 * How many streams all windows of this browser may have together: over HTTP/1.1 it makes six connections to a server and no
 * more, and commands need some of them.
 */
const ROOM = 4;

/** Lets so many streams of all windows through, by locks that the browser gives back when a window is closed. */
export const gate: Gate = async (signal, work) => {
  const locks = navigator.locks;
  // only for pages that came encrypted or from this machine; others must do without
  if (!locks) return work();
  const place = await free(signal);
  try {
    await work();
  } finally {
    place();
  }
};

/** Takes the first place that is free; what it returns gives it back. */
function free(signal: AbortSignal): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const others = new AbortController();
    let isTaken = false;
    signal.addEventListener('abort', () => (others.abort(), reject(signal.reason)), { once: true });
    for (let place = 0; place < ROOM; place++) {
      const held = () => {
        if (isTaken) return;
        isTaken = true;
        others.abort();
        return new Promise<void>((release) => resolve(release));
      };
      navigator.locks.request(`millrace.stream.${place}`, { signal: others.signal }, held).catch(() => undefined);
    }
  });
}
