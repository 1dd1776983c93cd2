/** A schema of somebody else, as a tree whose names are resolved. */
export type Node =
  | { readonly type: 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'string' | 'bytes' }
  | { readonly type: 'array' | 'map'; readonly of: Node }
  | { readonly type: 'union'; readonly branches: readonly Node[] }
  | { readonly type: 'fixed'; readonly name: string; readonly size: number }
  | {
      readonly type: 'enum';
      readonly name: string;
      readonly symbols: readonly string[];
      readonly default?: string | undefined;
    }
  | RecordNode;

/** A record; `fields` are filled in behind its name, as they may hold it. */
export interface RecordNode {
  readonly type: 'record';
  readonly name: string;
  readonly fields: { readonly name: string; readonly of: Node; readonly default?: unknown }[];
}

const PRIMITIVES = new Set(['null', 'boolean', 'int', 'long', 'float', 'double', 'string', 'bytes']);
/** Schemas are nested no deeper. */
const DEEPEST = 64;

/** Reads a schema. Throws an `Error` that says what is wrong with it. */
export function parseSchema(text: string): Node {
  const named = new Map<string, Node>();
  const read = (json: unknown, namespace: string, depth: number): Node => {
    if (depth > DEEPEST) throw new Error(`the schema is nested deeper than ${DEEPEST} levels`);
    const inner = (of: unknown, space = namespace) => read(of, space, depth + 1);
    if (typeof json === 'string') {
      if (PRIMITIVES.has(json)) return { type: json as 'null' };
      const found = named.get(json.includes('.') || !namespace ? json : `${namespace}.${json}`) ?? named.get(json);
      if (!found) throw new Error(`the schema does not define ${json}`);
      return found;
    }
    if (Array.isArray(json)) return { type: 'union', branches: json.map((branch) => inner(branch)) };
    if (typeof json !== 'object' || json === null) throw new Error(`${JSON.stringify(json)} is no schema`);
    const schema = json as Record<string, unknown>;
    const { type } = schema;
    if (type === 'array') return { type, of: inner(schema.items) };
    if (type === 'map') return { type, of: inner(schema.values) };
    if (type !== 'record' && type !== 'error' && type !== 'enum' && type !== 'fixed') return inner(type);
    const own = String(schema.name);
    const space = own.includes('.') ? own.slice(0, own.lastIndexOf('.')) : String(schema.namespace ?? namespace);
    const name = own.includes('.') || !space ? own : `${space}.${own}`;
    if (type === 'fixed' || type === 'enum') {
      const node: Node =
        type === 'fixed'
          ? { type, name, size: Number(schema.size) }
          : { type, name, symbols: schema.symbols as string[], default: schema.default as string | undefined };
      named.set(name, node);
      return node;
    }
    const node: RecordNode = { type: 'record', name, fields: [] };
    named.set(name, node);
    for (const field of schema.fields as Record<string, unknown>[]) {
      const of = inner(field.type, space);
      node.fields.push({ name: String(field.name), of, ...('default' in field && { default: field.default }) });
    }
    return node;
  };
  return read(JSON.parse(text), '', 0);
}
