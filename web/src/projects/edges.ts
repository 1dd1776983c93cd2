/** So near to an edge it scrolls, in px. */
const NEAR = 56;
/** The most px of a frame. */
const FAST = 18;

/** Scrolls what lies under a pointer that holds something, as long as it is near an edge. */
export class Edges {
  #frame = 0;

  /** `scrolled` is called behind each step. */
  near(root: HTMLElement | null, x: number, y: number, scrolled: () => void): void {
    this.stop();
    if (!root) return;
    const list = document.elementFromPoint(x, y)?.closest<HTMLElement>('[data-list]');
    const box = root.getBoundingClientRect();
    const across = speed(x, Math.max(box.left, 0), Math.min(box.right, innerWidth));
    const area = list?.getBoundingClientRect();
    const along = area ? speed(y, Math.max(area.top, 0), Math.min(area.bottom, innerHeight)) : 0;
    const page = speed(y, 0, innerHeight);
    if (across === 0 && along === 0 && page === 0) return;
    const step = () => {
      const before = [root.scrollLeft, list?.scrollTop, scrollY];
      root.scrollLeft += across;
      if (list) list.scrollTop += along;
      if (page !== 0 && list?.scrollTop === before[1]) scrollBy(0, page);
      const isMoved = root.scrollLeft !== before[0] || list?.scrollTop !== before[1] || scrollY !== before[2];
      if (isMoved) scrolled();
      this.#frame = isMoved ? requestAnimationFrame(step) : 0;
    };
    this.#frame = requestAnimationFrame(step);
  }

  stop(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }
}

function speed(at: number, from: number, to: number): number {
  if (to - from < 3 * NEAR) return 0;
  if (at < from + NEAR) return -Math.ceil(FAST * Math.min(1, (from + NEAR - at) / NEAR));
  if (at > to - NEAR) return Math.ceil(FAST * Math.min(1, (at - to + NEAR) / NEAR));
  return 0;
}
