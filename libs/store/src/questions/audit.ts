import { auditRow, type AuditListRow, type AuditRow } from '@meadow/contract';
import { z } from 'zod';
import { seconds } from '../columns.ts';
import type { Store } from '../store.ts';
import { readCursor, writeCursor, type Cursor } from './cursor.ts';
import { ask, limitOf, type AskOptions } from './options.ts';

/** Which records; every condition given has to hold. */
export interface AuditFilter {
  readonly cluster?: string | undefined;
  readonly actor?: string | undefined;
  /** Substring of actor or address, ignoring case. */
  readonly who?: string | undefined;
  /** Exact name, or a prefix when it ends in `*`, e.g. `queue.*`. */
  readonly action?: string | undefined;
  /** `begun` is for what has not ended: of what has, only the end is found. */
  readonly outcomes?: readonly string[] | undefined;
  readonly targetKind?: string | undefined;
  /** Substring of a target's name, ignoring case. */
  readonly target?: string | undefined;
  /** Exact name of a worker that it was about, or that was heard of in the answers. */
  readonly worker?: string | undefined;
  /** Substring of actor, address, action, targets, arguments, detail, answers or request id, ignoring case. */
  readonly text?: string | undefined;
  /** From this time on, Unix seconds. */
  readonly from?: number | undefined;
  /** Before this time, Unix seconds. */
  readonly to?: number | undefined;
}

export interface AuditListInput extends AuditFilter {
  /** 1 to 200. @default 50 */
  readonly limit?: number | undefined;
  /** `next` of the page before. */
  readonly cursor?: string | undefined;
}

export interface AuditListPage {
  readonly rows: readonly AuditListRow[];
  /** Cursor of the next page; null when this is the last. */
  readonly next: string | null;
}

export interface AuditRequestInput {
  readonly cluster: string;
  readonly requestId: string;
}

const MOST_ROWS = 200;
/** Of an export: a page is 14 MB where every record is as long as it may be. */
const PAGE_ROWS = 100;

/**
 * Audit records newest first, without what each worker answered. Pages neither repeat nor leave out a record that was there
 * when the first was asked for. @throws StoreError STORE_BAD_CURSOR on a foreign cursor
 */
export async function auditList(store: Store, input: AuditListInput, options: AskOptions = {}): Promise<AuditListPage> {
  const limit = limitOf(input.limit, 50, MOST_ROWS);
  const after = input.cursor === undefined ? beginOf(input) : readCursor(input.cursor, OPERATION);
  const rows = await readPage(store, LIST_COLUMNS, input, after, limit + 1, options);
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    rows: page.map(({ micros: _, answers: __, ...row }) => row),
    next: rows.length > limit && last !== undefined ? writeCursor(last) : null,
  };
}

/**
 * All records that the filter lets through, newest first, whole, in pages of 100, one of which is in memory. Records
 * that are newer than the first page are not among them. The deadline is of one page.
 * @throws StoreError
 */
export async function* auditExport(
  store: Store,
  input: AuditFilter,
  options: AskOptions = {},
): AsyncGenerator<readonly AuditRow[]> {
  let after: Cursor | null = beginOf(input);
  while (after !== null) {
    const rows: Row[] = await readPage(store, ALL_COLUMNS, input, after, PAGE_ROWS, options);
    if (rows.length > 0) yield rows.map(({ micros: _, ...row }) => row);
    after = rows.length < PAGE_ROWS ? null : (rows.at(-1) ?? null);
  }
}

/** The records of one request, whole, oldest first, at most 200: an action's begin and its end. @throws StoreError */
export async function auditRequest(
  store: Store,
  input: AuditRequestInput,
  options: AskOptions = {},
): Promise<AuditRow[]> {
  return ask(
    store,
    'audit request',
    auditRow,
    `SELECT ${ALL_COLUMNS}
     FROM ${store.database}.audit AS a
     WHERE a.cluster = {cluster:String} AND a.request_id = {requestId:String}
     ORDER BY a.at, a.id
     LIMIT {limit:UInt32}`,
    { cluster: input.cluster, requestId: input.requestId, limit: MOST_ROWS },
    options,
  );
}

const OPERATION = 'audit list';
const rowSchema = auditRow.extend({ micros: z.number() });
type Row = z.output<typeof rowSchema>;

const ALL_COLUMNS = Object.keys(auditRow.shape)
  .map((name) => `${name === 'at' ? seconds('a.at') : `a.${name}`} AS ${name}`)
  .join(', ');
const LIST_COLUMNS = ALL_COLUMNS.replace('a.answers AS', "'' AS");

/** Later than any record: the year 2255. */
const END_OF_TIME = 9e9;
const beginOf = ({ to }: AuditFilter): Cursor => ({
  micros: Math.ceil((to ?? END_OF_TIME) * 1e6),
  id: '',
  cluster: '',
});

async function readPage(
  store: Store,
  columns: string,
  filter: AuditFilter,
  after: Cursor,
  limit: number,
  options: AskOptions,
): Promise<Row[]> {
  const { conditions, params } = conditionsOf(filter, `${store.database}.audit`);
  const key = 'a.cluster, a.at, a.id';
  const order = 'ORDER BY a.at DESC, a.id DESC, a.cluster DESC';
  return ask(
    store,
    OPERATION,
    rowSchema,
    // the inner part reads of every record only what the filter needs; the outer the page's long texts
    `SELECT ${columns}, toUnixTimestamp64Micro(a.at) AS micros
     FROM ${store.database}.audit AS a
     WHERE (${key}) IN (
         SELECT ${key}
         FROM ${store.database}.audit AS a
         WHERE a.at <= fromUnixTimestamp64Micro({upper:Int64}, 'UTC')
           AND (a.at, a.id, a.cluster)
             < (fromUnixTimestamp64Micro({upper:Int64}, 'UTC'), {afterId:String}, {afterCluster:String})
           ${conditions.map((condition) => `AND (${condition})`).join('\n           ')}
         ${order}
         LIMIT {limit:UInt32}
     )
     ${order}`,
    { ...params, upper: after.micros, afterId: after.id, afterCluster: after.cluster, limit },
    options,
  );
}

const TEXTS = ['actor', 'address', 'action', 'arguments', 'detail', 'answers', 'request_id'] as const;

function conditionsOf(filter: AuditFilter, table: string) {
  const conditions: string[] = [];
  const params: Record<string, unknown> = {};
  const where = (condition: string, name: string, value: unknown): void => {
    conditions.push(condition);
    params[name] = value;
  };
  const holds = (text: string, name: string): string => `positionCaseInsensitiveUTF8(${text}, {${name}:String}) > 0`;
  const { cluster, actor, who, action, outcomes, targetKind, target, worker, text, from } = filter;
  if (cluster !== undefined) where('a.cluster = {cluster:String}', 'cluster', cluster);
  if (actor !== undefined) where('a.actor = {actor:String}', 'actor', actor);
  if (who !== undefined && who !== '') where(`${holds('a.actor', 'who')} OR ${holds('a.address', 'who')}`, 'who', who);
  if (action?.endsWith('*') === true) where('startsWith(a.action, {action:String})', 'action', action.slice(0, -1));
  else if (action !== undefined) where('a.action = {action:String}', 'action', action);
  if (outcomes !== undefined && outcomes.length > 0) {
    where('a.outcome IN {outcomes:Array(String)}', 'outcomes', outcomes);
    const ended = `SELECT cluster, request_id FROM ${table} WHERE outcome != 'begun'`;
    if (outcomes.includes('begun')) {
      conditions.push(`a.outcome != 'begun' OR (a.cluster, a.request_id) NOT IN (${ended})`);
    }
  }
  if (targetKind !== undefined) where('a.target_kind = {targetKind:String}', 'targetKind', targetKind);
  if (target !== undefined && target !== '') {
    where(`arrayExists(name -> ${holds('name', 'target')}, a.targets)`, 'target', target);
  }
  if (worker !== undefined) {
    const isTarget = "a.target_kind = 'worker' AND has(a.targets, {worker:String})";
    where(`(${isTarget}) OR position(a.answers, {answered:String}) > 0`, 'worker', worker);
    // as the first of the names in an answer
    params['answered'] = `{"worker":${JSON.stringify(worker)},`;
  }
  if (text !== undefined && text !== '') {
    const inTexts = TEXTS.map((name) => holds(`a.${name}`, 'text'));
    const inTargets = `arrayExists(name -> ${holds('name', 'text')}, a.targets)`;
    where([...inTexts, inTargets].join(' OR '), 'text', text);
  }
  if (from !== undefined) {
    where("a.at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')", 'from', Math.floor(from * 1e6));
  }
  return { conditions, params };
}
