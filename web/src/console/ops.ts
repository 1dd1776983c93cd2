/** What `/v1/ops/…` tells, as far as the console shows it; docs/openapi.json has all of it. */

export type Standing = 'declared' | 'live' | 'silent' | 'undeclared' | 'gone';

export interface Instance {
  readonly name: string;
  readonly client?: string;
  readonly host?: string;
  readonly partitions: number;
}

export interface Element {
  readonly id: string;
  readonly kind: string;
  readonly context: string | null;
  readonly name: string;
  readonly about: string;
  readonly technology: string;
  readonly standing: Standing;
  readonly group?: string;
  readonly topic?: string;
  readonly partitions?: number;
  readonly parts?: readonly string[];
  readonly instances?: readonly Instance[];
  readonly instance_count?: number;
  readonly records_per_second?: number;
}

export interface Edge {
  readonly from: string;
  readonly to: string;
  readonly kind: string;
  readonly about?: string;
  readonly declared: boolean;
  readonly observed?: boolean;
  readonly records_per_second?: number;
  readonly lag_records?: number;
  readonly lag_seconds?: number;
}

export interface Architecture {
  readonly sources: { readonly observed: string | null; readonly not_observed: string | null };
  readonly contexts: readonly string[];
  readonly elements: readonly Element[];
  readonly edges: readonly Edge[];
  readonly notes: readonly string[];
}

export interface RoleStatus {
  readonly role: string;
  readonly members: number;
  readonly partitions: number;
  readonly lag_records: number;
  readonly lag_seconds: number;
  readonly healthy: boolean;
  readonly tables?: 'live' | 'kept' | 'building';
  readonly dead_letters: number;
}

export interface Status {
  readonly healthy: boolean;
  readonly roles: readonly RoleStatus[];
}

export interface Fault {
  readonly kind: string;
  readonly at: string;
  readonly what: string;
  readonly seconds?: number;
  readonly stops: boolean;
  readonly next: string;
  readonly action: string;
}

export interface Version {
  readonly version: number;
  readonly standing: 'live' | 'kept' | 'building';
  readonly revision: string | null;
  readonly changed_at: string | null;
  readonly members: number;
  readonly events: number;
  readonly applied: number;
  readonly lag_records: number;
  readonly lag_seconds: number;
}

export interface Family {
  readonly domain: string;
  readonly family: string;
  readonly views: readonly string[];
  readonly versions: readonly Version[];
}

export interface DeadRecord {
  readonly domain: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly kind: string;
  readonly id: string | null;
  readonly type: string | null;
  readonly reason: string;
  readonly time: string;
  readonly done: string | null;
}

export interface DeadPage {
  readonly records: readonly DeadRecord[];
  readonly cursor: string | null;
  readonly registry_away: string | null;
}

export interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export interface RowWrite {
  readonly action: string;
  readonly table: string;
  readonly key: unknown;
  readonly values: unknown;
}

export interface Happened {
  readonly type: string;
  readonly id: string;
  readonly aggregate_id: string;
  readonly version: number;
  readonly recorded_at: number;
  readonly place: Place;
  readonly data: unknown;
  readonly rows: readonly { readonly projection: string; readonly applied: boolean; readonly writes: readonly RowWrite[]; readonly more: number }[];
}

export interface Act {
  readonly type: string;
  readonly is_step: boolean;
  readonly id: string;
  readonly key: string;
  readonly place: Place | null;
  readonly at: number | null;
  readonly is_decided: boolean;
  readonly dead: { readonly reason: string } | null;
  readonly events: readonly Happened[];
}

export interface Explanation {
  readonly domain: string;
  readonly command_id: string;
  readonly standing: { readonly state: string; readonly status?: string; readonly after_micros?: number | null; readonly records?: number; readonly step?: string | null; readonly reason?: string };
  readonly asked: readonly {
    readonly place: Place;
    readonly at: number;
    readonly type: string | null;
    readonly metadata: { readonly user_id?: string | null };
    readonly data: unknown;
    readonly traceparent: string | null;
    readonly dead: { readonly reason: string } | null;
  }[];
  readonly outcomes: readonly {
    readonly place: Place;
    readonly status: string;
    readonly duplicate: boolean;
    readonly recorded_at: number;
    readonly failure: string | null;
    readonly violations: readonly { readonly code: string; readonly message: string; readonly field?: string | null }[];
  }[];
  readonly acts: readonly Act[];
  readonly elsewhere: readonly { readonly domain: string; readonly event_id: string; readonly is_reacted: boolean; readonly acts: readonly Act[] }[];
}

export interface Change {
  readonly field: string;
  readonly before: unknown;
  readonly after: unknown;
}

export interface Told {
  readonly version: number;
  readonly type: string;
  readonly recorded_at: number;
  readonly place: Place;
  readonly command_id: string;
  readonly user_id: string | null;
  readonly data: unknown;
  readonly changes: readonly Change[];
}

export interface History {
  readonly domain: string;
  readonly aggregate_id: string;
  readonly version: number;
  readonly state: unknown;
  readonly events: readonly Told[];
  readonly next?: number;
}
