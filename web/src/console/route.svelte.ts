/** The parts of the console, by their addresses. */
export const PARTS = [
  { at: '', name: 'System' },
  { at: 'roles', name: 'Roles' },
  { at: 'views', name: 'Views' },
  { at: 'faults', name: 'Faults' },
  { at: 'dead', name: 'Dead letters' },
  { at: 'command', name: 'Command' },
  { at: 'history', name: 'History' },
] as const;
export type Part = (typeof PARTS)[number]['at'];

class Route {
  part = $state<Part>('');
  /** What stands behind the part: a context, a command, an aggregate. */
  rest = $state('');

  constructor() {
    this.#read();
    addEventListener('hashchange', () => this.#read());
  }

  #read(): void {
    const [, kind = '', rest = ''] = /^#\/?([^/]*)\/?(.*)$/s.exec(location.hash) ?? [];
    const part = PARTS.find(({ at }) => at === kind)?.at;
    // a context stands behind the first part, which has no name
    [this.part, this.rest] = part ? [part, decoded(rest)] : ['', kind === 'context' ? decoded(rest) : ''];
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

/** The address of a part, or of something in it. */
export function addressOf(part: Part, rest = ''): string {
  if (part === '') return rest ? `#/context/${encodeURIComponent(rest)}` : '#/';
  return rest ? `#/${part}/${encodeURIComponent(rest)}` : `#/${part}`;
}

export const route = new Route();
