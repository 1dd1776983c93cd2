/** Whose profile is shown, as the address says it: `#/ada`; nobody's: the feed. */
class Route {
  author = $state<string | null>(read());

  constructor() {
    addEventListener('hashchange', () => {
      this.author = read();
      scrollTo({ top: 0 });
    });
  }
}

function read(): string | null {
  const found = /^#\/([^/]+)$/.exec(location.hash)?.[1];
  try {
    return found ? decodeURIComponent(found) : null;
  } catch {
    return null;
  }
}

/** The address of somebody's profile. */
export function profileOf(author: string): string {
  return `#/${encodeURIComponent(author)}`;
}

export const route = new Route();
