import type { Act, Explanation, RowWrite } from './ops.ts';
import { placeText, plain } from './words.ts';

/** Something in the story of a command. */
export interface Moment {
  readonly key: string;
  /** In microseconds since the epoch; `null` where that is not known. */
  readonly at: number | null;
  readonly kind: 'asked' | 'decided' | 'event' | 'step' | 'rows' | 'answered' | 'waits';
  readonly title: string;
  /** The domain, where it is another one than the command's. */
  readonly elsewhere: string | null;
  readonly facts: readonly (readonly [string, string])[];
  readonly rows: readonly string[];
  readonly tone: '' | 'good' | 'bad' | 'warn';
  /** The aggregate whose history tells more. */
  readonly aggregate: string | null;
}

function rowText({ action, table, key, values }: RowWrite): string {
  switch (action) {
    case 'put':
      return `+ ${table} ${plain(key)}: ${plain(values)}`;
    case 'delete_after':
      return `− ${table} all behind ${plain(key)}`;
    default:
      return `− ${table} ${plain(key)}`;
  }
}

function ofActs(acts: readonly Act[], domain: string, elsewhere: string | null): Moment[] {
  const moments: Moment[] = [];
  for (const act of acts) {
    if (act.is_step) {
      const stands: [string, string][] = act.place ? [['stands', placeText(act.place)]] : [];
      const dead: [string, string][] = act.dead ? [['dead', act.dead.reason]] : [];
      const waits: [string, string][] = act.place && !act.is_decided && !act.dead ? [['waits', 'the processors have not come to it yet']] : [];
      const tone = act.dead ? 'bad' : waits.length > 0 ? 'warn' : '';
      moments.push({ key: `step ${act.id}`, at: act.at, kind: 'step', title: `Step ${act.type} for ${act.key}`, elsewhere, facts: [...stands, ...dead, ...waits], rows: [], tone, aggregate: null });
    }
    for (const event of act.events) {
      moments.push({
        key: `event ${event.id}`,
        at: event.recorded_at,
        kind: 'event',
        title: `${event.type} · ${event.aggregate_id} v${event.version}`,
        elsewhere,
        facts: [['stands', placeText(event.place)], ['data', plain(event.data)]],
        rows: [],
        tone: '',
        aggregate: `${domain}:${event.aggregate_id}`,
      });
      for (const { projection, applied, writes, more } of event.rows) {
        if (writes.length === 0 && more === 0) continue;
        const rows = [...writes.map(rowText), ...(more > 0 ? [`… and ${more} more`] : [])];
        const title = `Rows of ${projection} ${applied ? 'are in the tables' : 'are not in the tables yet'}`;
        moments.push({ key: `rows ${event.id} ${projection}`, at: event.recorded_at, kind: 'rows', title, elsewhere, facts: [], rows, tone: applied ? '' : 'warn', aggregate: null });
      }
    }
  }
  return moments;
}

/** The story of a command in its order: what was asked, what was decided, what followed, and the answer. */
export function timeline(told: Explanation): Moment[] {
  const moments: Moment[] = told.asked.map((asked, number) => ({
    key: `asked ${number}`,
    at: asked.at,
    kind: 'asked',
    title: `${number === 0 ? 'Asked' : 'Asked again'}: ${asked.type ?? 'a command of a type that this build does not know'}`,
    elsewhere: null,
    facts: [
      ['stands', placeText(asked.place)],
      ...(asked.metadata.user_id ? [['user', asked.metadata.user_id] as const] : []),
      ...(asked.data ? [['data', plain(asked.data)] as const] : []),
      ...(asked.traceparent ? [['trace', asked.traceparent.split('-')[1] ?? ''] as const] : []),
      ...(asked.dead ? [['dead', asked.dead.reason] as const] : []),
    ],
    rows: [],
    tone: asked.dead ? 'bad' : '',
    aggregate: null,
  }));
  moments.push(...ofActs(told.acts, told.domain, null));
  for (const { domain, acts } of told.elsewhere) moments.push(...ofActs(acts, domain, domain));
  told.outcomes.forEach((outcome, number) => {
    const isGood = outcome.status === 'accepted';
    moments.push({
      key: `answered ${number}`,
      at: outcome.recorded_at,
      kind: 'answered',
      title: `${outcome.duplicate ? 'Answered again' : 'Answered'}: ${outcome.status}${outcome.failure ? ` (${outcome.failure})` : ''}`,
      elsewhere: null,
      facts: [
        ['stands', placeText(outcome.place)],
        ...outcome.violations.map(({ code, field, message }) => ['because', `${code}${field ? ` on ${field}` : ''}: ${message}`] as const),
      ],
      rows: [],
      tone: isGood ? 'good' : 'bad',
      aggregate: null,
    });
  });
  const order = ['asked', 'waits', 'decided', 'step', 'event', 'rows', 'answered'];
  // of the same moment what causes comes first
  return moments
    .map((moment, number) => ({ moment, number }))
    .sort((one, other) => (one.moment.at ?? Infinity) - (other.moment.at ?? Infinity) || order.indexOf(one.moment.kind) - order.indexOf(other.moment.kind) || one.number - other.number)
    .map(({ moment }) => moment);
}

/** Where a command stands, in words. */
export function standingText({ standing }: Explanation): { readonly text: string; readonly tone: 'good' | 'bad' | 'warn' | '' } {
  switch (standing.state) {
    case 'answered':
      return standing.status === 'accepted' ? { text: 'accepted', tone: 'good' } : { text: 'rejected', tone: 'bad' };
    case 'ended':
      return { text: 'its process has ended; the outcome is not kept any more', tone: '' };
    case 'waiting':
      return { text: `waits to be decided, ${standing.records} records away`, tone: 'warn' };
    case 'open':
      return { text: `its process is open and awaits ${standing.step ?? 'a step'}`, tone: 'warn' };
    case 'dead':
      return { text: `in the dead topic: ${standing.reason}`, tone: 'bad' };
    case 'forgotten':
      return { text: 'was decided long ago; what became of it is not kept', tone: '' };
    default:
      return { text: 'was decided, and nothing shows what became of it', tone: 'bad' };
  }
}
