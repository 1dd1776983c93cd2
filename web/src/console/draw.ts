import type { Architecture, Edge, Element, Standing } from './ops.ts';

/** A box of the picture. */
export interface Box {
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly sub: string;
  readonly standing: Standing;
  /** The context that it leads to, if it stands for one. */
  readonly context: string | null;
  readonly x: number;
  readonly y: number;
}

/** An arrow between two boxes. */
export interface Arrow {
  readonly id: string;
  readonly from: Box;
  readonly to: Box;
  readonly kind: string;
  readonly tone: 'seen' | 'declared' | 'warn' | 'grey';
  readonly label: string;
  readonly path: string;
  /** Where the label stands. */
  readonly at: readonly [number, number];
}

export interface Drawing {
  readonly boxes: readonly Box[];
  readonly arrows: readonly Arrow[];
  readonly width: number;
  readonly height: number;
}

export const WIDTH = 176;
export const HEIGHT = 52;
const GAP_X = 80;
const GAP_Y = 18;
const MARGIN = 12;

/** Worst first: what one must look at decides how a whole context is drawn. */
const WORST: readonly Standing[] = ['undeclared', 'silent', 'live', 'declared', 'gone'];

interface Node extends Omit<Box, 'x' | 'y'> {
  readonly column: number;
}

interface Line {
  readonly from: string;
  readonly to: string;
  readonly kind: string;
  readonly declared: boolean;
  readonly observed: boolean | null;
  readonly rate: number | null;
  readonly lag: number | null;
  readonly seconds: number | null;
}

const COLUMNS: Record<string, number> = { caller: 0, gateway: 1, processor: 3, policy: 5, projector: 5, stranger: 5, service: 0, tables: 6 };
/** Where what is read goes back to whoever has asked. */
const BACK = ['queries', 'follows'];

function columnOf({ kind, topic, name }: Element): number {
  if (kind !== 'topic') return COLUMNS[kind] ?? 4;
  const called = topic ?? name;
  if (/\.(commands|steps)$/.test(called)) return 2;
  return called.endsWith('.changes') ? 6 : 4;
}

function lineOf({ from, to, kind, declared, observed, records_per_second, lag_records, lag_seconds }: Edge): Line {
  return { from, to, kind, declared, observed: observed ?? null, rate: records_per_second ?? null, lag: lag_records ?? null, seconds: lag_seconds ?? null };
}

function joined(lines: readonly Line[]): Line[] {
  const all = new Map<string, Line>();
  const sum = (one: number | null, other: number | null) => (one === null ? other : other === null ? one : one + other);
  const most = (one: number | null, other: number | null) => (one === null ? other : other === null ? one : Math.max(one, other));
  for (const line of lines) {
    const key = `${line.from} ${line.to} ${line.declared}`;
    const known = all.get(key);
    if (!known) {
      all.set(key, line);
      continue;
    }
    const observed = known.observed || line.observed ? true : known.observed === null && line.observed === null ? null : false;
    all.set(key, { ...known, observed, rate: sum(known.rate, line.rate), lag: sum(known.lag, line.lag), seconds: most(known.seconds, line.seconds) });
  }
  return [...all.values()];
}

/** The contexts and whoever is around them. */
export function landscape({ elements, edges, contexts }: Architecture): Drawing {
  const of = new Map(elements.map((element) => [element.id, element]));
  const nodes: Node[] = elements
    .filter(({ context, kind }) => context === null || kind === 'stranger')
    .map((element) => ({ ...nodeOf(element), column: element.kind === 'caller' || element.kind === 'service' ? 0 : element.kind === 'gateway' ? 1 : 3 }));
  for (const context of contexts) {
    const own = elements.filter((element) => element.context === context && element.kind !== 'stranger');
    const standing = WORST.find((standing) => own.some((element) => element.standing === standing)) ?? 'declared';
    const roles = own.filter(({ kind }) => ['processor', 'policy', 'projector'].includes(kind));
    const sub = `${roles.length} role${roles.length === 1 ? '' : 's'}, ${own.filter(({ kind }) => kind === 'topic').length} topics`;
    nodes.push({ id: `context:${context}`, kind: 'context', name: context, sub, standing, context, column: 2 });
  }
  const place = (id: string) => {
    const element = of.get(id);
    return element?.context && element.kind !== 'stranger' ? `context:${element.context}` : id;
  };
  const lines = edges.map(lineOf).map((line) => ({ ...line, from: place(line.from), to: place(line.to) }));
  return laid(nodes, joined(lines.filter(({ from, to }) => from !== to)));
}

/** What is in a context, and what it is connected to. */
export function inside(picture: Architecture, context: string): Drawing {
  const own = new Set(picture.elements.filter((element) => element.context === context).map(({ id }) => id));
  const lines = picture.edges.filter(({ from, to }) => own.has(from) || own.has(to)).map(lineOf);
  const shown = new Set([...own, ...lines.flatMap(({ from, to }) => [from, to])]);
  const nodes: Node[] = [];
  const readers = new Map<string, Node>();
  for (const element of picture.elements.filter(({ id }) => shown.has(id))) {
    const node = nodeOf(element);
    const isOwn = own.has(element.id);
    const name = isOwn || !element.context || element.name.startsWith(`${element.context}.`) ? element.name : `${element.context} · ${element.name}`;
    // whoever sends stands beside the gateway: one column less to look through
    nodes.push({ ...node, name, column: element.kind === 'caller' ? 1 : columnOf(element), context: isOwn ? null : element.context });
    // the way back from the tables would cross everything else: whoever asks stands at both ends
    if (element.kind === 'caller' || element.kind === 'gateway') readers.set(element.id, { ...node, id: `${element.id}:reads`, column: 7 });
  }
  const back = lines.map((line) => (BACK.includes(line.kind) && readers.has(line.to) ? { ...line, to: `${line.to}:reads` } : line));
  const used = new Set(back.flatMap(({ from, to }) => [from, to]));
  const all = [...nodes, ...readers.values()].filter(({ id }) => used.has(id) || own.has(id));
  return laid(all, joined(back));
}

function nodeOf(element: Element): Node {
  const { id, kind, name, standing, instance_count, partitions, parts, context } = element;
  const sub = [
    kind === 'topic' ? (partitions ? `${partitions} partitions` : 'topic') : kind,
    ...(instance_count !== undefined ? [`${instance_count} here`] : []),
    ...(kind === 'tables' && parts ? [`${parts.length}`] : []),
  ].join(', ');
  return { id, kind, name, sub, standing, context, column: 0 };
}

/** Columns from left to right, in each the boxes one below the other, close to what leads to them. */
function laid(nodes: readonly Node[], lines: readonly Line[]): Drawing {
  const columns = [...new Set(nodes.map(({ column }) => column))].sort((one, other) => one - other);
  const placed = new Map<string, Box>();
  const centres = new Map<string, number>();
  let height = 0;
  columns.forEach((column, number) => {
    const here = nodes.filter((node) => node.column === column);
    const wanted = (id: string) => {
      const before = lines.filter(({ from, to }) => (to === id && centres.has(from)) || (from === id && centres.has(to)));
      if (before.length === 0) return Number.MAX_SAFE_INTEGER;
      return before.reduce((sum, { from, to }) => sum + (centres.get(to === id ? from : to) ?? 0), 0) / before.length;
    };
    const order = here.map((node, index) => ({ node, index, at: wanted(node.id) })).sort((one, other) => one.at - other.at || one.index - other.index);
    order.forEach(({ node }, row) => {
      const { column: _, ...rest } = node;
      const box = { ...rest, x: MARGIN + number * (WIDTH + GAP_X), y: MARGIN + row * (HEIGHT + GAP_Y) };
      placed.set(node.id, box);
      centres.set(node.id, box.y + HEIGHT / 2);
      height = Math.max(height, box.y + HEIGHT + MARGIN);
    });
  });
  const arrows = lines.flatMap((line): Arrow[] => {
    const [from, to] = [placed.get(line.from), placed.get(line.to)];
    return from && to ? [arrow(line, from, to)] : [];
  });
  return { boxes: [...placed.values()], arrows, width: 2 * MARGIN + columns.length * WIDTH + Math.max(0, columns.length - 1) * GAP_X, height };
}

function arrow(line: Line, from: Box, to: Box): Arrow {
  const isForward = to.x > from.x;
  const isBeside = to.x === from.x;
  const [x1, y1] = [isForward || isBeside ? from.x + WIDTH : from.x, from.y + HEIGHT / 2];
  const [x2, y2] = [isForward ? to.x : to.x + WIDTH, to.y + HEIGHT / 2];
  const bend = isBeside ? GAP_X * 0.7 : Math.max(GAP_X / 2, Math.abs(x2 - x1) / 3) * (isForward ? 1 : -1);
  const path = isBeside
    ? `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 + bend} ${y2} ${x2} ${y2}`
    : `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
  const tone = !line.declared ? 'warn' : line.observed === false || to.standing === 'silent' || from.standing === 'silent' ? 'grey' : line.observed ? 'seen' : 'declared';
  const at: [number, number] = [isBeside ? x1 + bend * 0.75 : (x1 + x2) / 2, (y1 + y2) / 2 - 4];
  return { id: `${line.from} ${line.to} ${line.declared}`, from, to, kind: line.kind, tone, label: labelOf(line), path, at };
}

function labelOf({ rate, lag, seconds }: Line): string {
  const parts = [];
  if (rate !== null && rate >= 0.05) parts.push(`${rate < 10 ? Math.round(rate * 10) / 10 : Math.round(rate)}/s`);
  if (lag !== null && lag > 0) parts.push(`${lag} behind${seconds && seconds >= 1 ? `, ${Math.round(seconds)} s` : ''}`);
  return parts.join(' · ');
}
