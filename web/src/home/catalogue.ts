/** What the gateway's document says of what runs here. */
export interface DomainEntry {
  readonly name: string;
  readonly commands: readonly { name: string; about: string }[];
  readonly views: readonly { name: string; about: string; keys: readonly string[] }[];
}

interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly parameters?: readonly { readonly name?: string; readonly in?: string }[];
}

interface OpenApi {
  readonly info?: { readonly version?: string };
  readonly paths?: Record<string, { readonly get?: Operation; readonly post?: Operation }>;
}

const NO_KEYS = ['limit', 'cursor'];

/** The domains of a document, in its order. */
export function catalogue(document: OpenApi): { version: string; domains: DomainEntry[] } {
  const domains = new Map<string, { name: string; commands: DomainEntry['commands'][number][]; views: DomainEntry['views'][number][] }>();
  const domain = (name: string) => {
    const found = domains.get(name) ?? { name, commands: [], views: [] };
    domains.set(name, found);
    return found;
  };
  for (const [path, { get, post }] of Object.entries(document.paths ?? {})) {
    const [, kind, of = '', name = ''] = /^\/v1\/(commands|views)\/([^/{]+)\/([^/{]+)$/.exec(path) ?? [];
    if (kind === 'commands') domain(of).commands.push({ name, about: first(post) });
    if (kind === 'views') {
      const keys = (get?.parameters ?? []).filter((it) => it.in === 'query').map((it) => it.name ?? '');
      domain(of).views.push({ name, about: first(get), keys: keys.filter((key) => key && !NO_KEYS.includes(key)) });
    }
  }
  return { version: document.info?.version ?? '', domains: [...domains.values()] };
}

/** The first sentence or so of what is said of an operation. */
function first(operation: Operation | undefined): string {
  return (operation?.description ?? operation?.summary ?? '').split('\n\n')[0] ?? '';
}
