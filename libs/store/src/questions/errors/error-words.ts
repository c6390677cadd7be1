import { DEFAULT_ERROR_RULES, errorRules, type ErrorRule, type ErrorStatus } from '@meadow/contract';
import { z } from 'zod';
import type { Store } from '../../store.ts';
import type { WriteOptions } from '../../writes.ts';
import { ask, type AskOptions } from '../options.ts';

/** What somebody says of a group; what is left out stays as it is. */
export interface ErrorGroupWords {
  readonly cluster: string;
  readonly fingerprint: string;
  readonly status?: ErrorStatus | undefined;
  /** '' for nobody. */
  readonly assignee?: string | undefined;
  readonly note?: string | undefined;
  /** Unix seconds: of two words on a matter the newer counts. */
  readonly at: number;
  readonly by: string;
}

/** Writes what somebody says of a group. @throws StoreError */
export async function insertErrorGroupWords(
  store: Store,
  { words: { at, ...said }, ...options }: WriteOptions & { readonly words: ErrorGroupWords },
): Promise<void> {
  await store.insert('error_changes', lineOf({ ...said, at: micros(at) }), options);
}

/** Writes rules that count from now on, also for what failed before. @throws StoreError */
export async function insertErrorRules(
  store: Store,
  {
    rules,
    at,
    by,
    ...options
  }: WriteOptions & { readonly rules: readonly ErrorRule[]; readonly at: number; readonly by: string },
): Promise<void> {
  await store.insert('error_rules_raw', lineOf({ at: micros(at), rules: JSON.stringify(rules), by }), options);
}

/** Whether there is a group of that name. @throws StoreError */
export async function isErrorGroup(
  store: Store,
  named: { readonly cluster: string; readonly fingerprint: string },
  options: AskOptions = {},
): Promise<boolean> {
  const rows = await ask(
    store,
    'is error group',
    z.object({}),
    `SELECT 1 FROM ${store.database}.error_groups_raw AS r
     WHERE r.cluster = {cluster:String} AND r.fingerprint = {fingerprint:String}
     LIMIT 1`,
    named,
    options,
  );
  return rows.length > 0;
}

export interface ErrorRulesNow {
  readonly rules: readonly ErrorRule[];
  /** Unix seconds at which they were written, and by whom; null for those that Meadow comes with. */
  readonly written: { readonly at: number; readonly by: string } | null;
}

/** The rules in force. @throws StoreError */
export async function errorRulesNow(store: Store, options: AskOptions = {}): Promise<ErrorRulesNow> {
  const [row] = await ask(
    store,
    'error rules',
    z.object({
      at: z.number(),
      by: z.string(),
      rules: z
        .string()
        .transform((text): unknown => JSON.parse(text))
        .pipe(errorRules),
    }),
    `SELECT toFloat64(r.at) AS at, r.rules AS rules, r.by AS by
     FROM ${store.database}.error_rules_raw AS r
     ORDER BY r.at DESC
     LIMIT 1`,
    {},
    options,
  );
  if (row === undefined) return { rules: DEFAULT_ERROR_RULES, written: null };
  return { rules: row.rules, written: { at: row.at, by: row.by } };
}

/** ClickHouse reads a plain number for a DateTime64 as microseconds. */
const micros = (seconds: number): number => Math.round(seconds * 1e6);

const lineOf = (row: object): Buffer => Buffer.from(`${JSON.stringify(row)}\n`);
