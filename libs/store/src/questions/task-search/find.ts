import { type TaskQuery } from '@meadow/contract';
import { z } from 'zod';
import { StoreError } from '../../errors.ts';
import type { Store } from '../../store.ts';
import { ask, type AskOptions } from '../options.ts';
import { conditionOf, seenBounds, type Condition } from './conditions.ts';
import { orderSql, type OrderSql, type Place, type TaskOrder } from './order.ts';
import { Deadline, storedSpan, stretches, type Stretch } from './stretch.ts';

/** Which tasks are looked for. */
export interface TaskSearch {
  readonly cluster?: string | undefined;
  /** All when left out. */
  readonly query?: TaskQuery | undefined;
  /** First seen from this time on, Unix seconds. */
  readonly from?: number | undefined;
  /** First seen before this time, Unix seconds. */
  readonly to?: number | undefined;
}

/** What is read of each task that was found: columns of `tasks_raw AS t`, and their schema. */
export interface Reading<Row extends TaskKey> {
  readonly columns: string;
  readonly row: z.ZodType<Row>;
}

interface TaskKey {
  readonly cluster: string;
  readonly task_id: string;
}

export interface Found<Row> {
  readonly rows: readonly { readonly row: Row; readonly place: Place }[];
  /** Where the search ended for want of time, with more behind it; null where it did not. */
  readonly stoppedAt: Place | null;
}

/** The search as conditions on `tasks_raw AS t`. */
export function conditionsOf({ cluster, query }: TaskSearch, database: string): Condition {
  const { sql, params } = query === undefined ? { sql: 'true', params: {} } : conditionOf(query, database);
  return cluster === undefined
    ? { sql, params }
    : { sql: `t.cluster = {cluster:String} AND ${sql}`, params: { ...params, cluster } };
}

/** When the tasks that are looked for may have been first seen; null when none can have been. */
export async function spanOf(store: Store, search: TaskSearch, options: AskOptions): Promise<Stretch | null> {
  const stored = await storedSpan(store, options);
  if (stored === null) return null;
  const bounds = search.query === undefined ? { from: null, to: null } : seenBounds(search.query);
  const micros = (seconds: number | null | undefined, otherwise: number): number =>
    seconds === null || seconds === undefined ? otherwise : Math.round(seconds * 1e6);
  const from = Math.max(stored.from, micros(search.from, stored.from), micros(bounds.from, stored.from));
  const to = Math.min(stored.to, micros(search.to, stored.to), micros(bounds.to, stored.to));
  return from < to ? { from, to } : null;
}

/** The most candidates of one statement. */
const MOST_CANDIDATES = 1_000;
/** Of ids in one statement, which as hex digits, twice, have to fit into ClickHouse's 256 KiB. */
const MOST_CHARACTERS = 25_000;
/** Until merges have seen to it, a task has a row for each time it was written. */
const VERSIONS = 4;

/**
 * Tasks in order, those behind `after`, at most `limit`; fewer only where there are no more, or the time was up.
 *
 * Reading with FINAL compares every row of the span with its neighbours, whatever is looked for, and lets no condition be
 * checked before wide columns are read: over 2.5 million tasks in five parts that took five times as long. So candidates are
 * looked for among all versions, by the columns that the conditions need, and the newest version of each candidate is read by its key
 * and judged once more. Where most candidates turn out to be old versions, FINAL is the quicker way after all.
 *
 * @throws StoreError STORE_TIMEOUT when the deadline passes before any stretch was read
 */
export async function findTasks<Row extends TaskKey>(
  store: Store,
  search: TaskSearch,
  order: TaskOrder,
  after: Place | null,
  limit: number,
  reading: Reading<Row>,
  options: AskOptions,
): Promise<Found<Row>> {
  const deadline = new Deadline(options);
  const span = await spanOf(store, search, deadline.options());
  const found: { row: Row; place: Place }[] = [];
  if (span === null) return { rows: found, stoppedAt: null };
  const condition = conditionsOf(search, store.database);
  const finder = new Finder(store, condition, orderSql(order), reading, deadline);
  let candidates: Candidate[] = [];
  // how far candidates were looked for; and up to where they were judged, so that `found` is whole
  let [place, judgedTo] = [after, after];
  const judge = async (): Promise<void> => {
    found.push(...(await finder.newestOf(candidates, limit - found.length)));
    candidates = [];
    judgedTo = place;
  };
  try {
    for (const stretch of stretchesBehind(span, order, after)) {
      for (let isFinal = false; found.length < limit; isFinal = true) {
        const wanted = Math.min(MOST_CANDIDATES, (limit - found.length) * (isFinal ? 1 : VERSIONS));
        const more = await finder.candidates(stretch, place, wanted, isFinal);
        candidates.push(...more);
        if (more.length < wanted) break;
        place = more.at(-1)?.place ?? place;
        await judge();
      }
      if (found.length >= limit) return { rows: found, stoppedAt: null };
      if (order.by !== 'seen') continue;
      // everything this side of the border was read; no task comes before, or behind, an id of ''
      place = { value: null, micros: order.desc ? stretch.from : stretch.to, id: '', cluster: '' };
      const isEnough = new Set(candidates.map(({ key }) => key)).size >= limit - found.length;
      // few are judged together at last; but not so late that what was found is lost
      if (candidates.length === 0 || isEnough || deadline.isHalfOver) await judge();
      if (deadline.leftMs === 0) return { rows: found, stoppedAt: judgedTo };
    }
    await judge();
    return { rows: found, stoppedAt: null };
  } catch (error) {
    const isLate = error instanceof StoreError && error.code === 'STORE_TIMEOUT';
    if (!isLate || judgedTo === after) throw error;
    return { rows: found, stoppedAt: judgedTo };
  }
}

/** In a list by first sight, stretch by stretch; in another order the span has to be read as one. */
function stretchesBehind(span: Stretch, { by, desc }: TaskOrder, after: Place | null): Iterable<Stretch> {
  if (by !== 'seen') return [span];
  const { from, to } = span;
  if (after === null) return stretches(span, desc);
  const rest = desc ? { from, to: Math.min(to, after.micros + 1) } : { from: Math.max(from, after.micros), to };
  return stretches(rest, desc);
}

const candidate = z.object({
  cluster: z.string(),
  task_id: z.string(),
  micros: z.number(),
  value: z.union([z.number(), z.string(), z.null()]),
});

interface Candidate {
  readonly key: string;
  readonly place: Place;
}

const MICROS = 'toUnixTimestamp64Micro(t.first_seen_at)';

class Finder<Row extends TaskKey> {
  readonly #store: Store;
  readonly #condition: Condition;
  readonly #order: OrderSql;
  readonly #reading: Reading<Row>;
  readonly #deadline: Deadline;
  readonly #told = new Set<string>();

  constructor(store: Store, condition: Condition, order: OrderSql, reading: Reading<Row>, deadline: Deadline) {
    this.#store = store;
    this.#condition = condition;
    this.#order = order;
    this.#reading = reading;
    this.#deadline = deadline;
  }

  async candidates(stretch: Stretch, after: Place | null, limit: number, isFinal: boolean): Promise<Candidate[]> {
    const { value, orderBy, after: isAfter, params } = this.#order;
    const rows = await ask(
      this.#store,
      'task list',
      candidate,
      `SELECT t.cluster AS cluster, t.task_id AS task_id, ${MICROS} AS micros, ${value} AS value
       FROM ${this.#store.database}.tasks_raw AS t ${isFinal ? 'FINAL' : ''}
       WHERE t.first_seen_at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC')
         AND t.first_seen_at < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
         ${after === null ? '' : `AND ${isAfter}`}
         AND ${this.#condition.sql}
       ORDER BY ${orderBy}
       LIMIT {limit:UInt32}`,
      { ...this.#condition.params, ...stretch, ...(after === null ? {} : params(after)), limit },
      this.#deadline.options(),
    );
    return rows.map(({ cluster, task_id, micros, value: sortedBy }) => ({
      key: keyOf(cluster, task_id, micros),
      place: { value: sortedBy, micros, id: task_id, cluster },
    }));
  }

  /**
   * Those of which the newest version is looked for, too, and stands where the candidate does; each told once, at most
   * `wanted`.
   */
  async newestOf(candidates: readonly Candidate[], wanted: number): Promise<{ row: Row; place: Place }[]> {
    const found: { row: Row; place: Place }[] = [];
    const newest = new Map<string, { row: Row; value: Place['value'] } | null>();
    for (const [index, { key, place }] of candidates.entries()) {
      if (found.length === wanted) break;
      if (!newest.has(key)) await this.#readNewest(candidates.slice(index), wanted - found.length, newest);
      const now = newest.get(key) ?? null;
      if (now === null || now.value !== place.value || this.#told.has(key)) continue;
      this.#told.add(key);
      found.push({ row: now.row, place });
    }
    return found;
  }

  /** Adds the newest versions of the first candidates that are not known yet; null for what is no longer looked for. */
  async #readNewest(
    candidates: readonly Candidate[],
    wanted: number,
    newest: Map<string, { row: Row; value: Place['value'] } | null>,
  ): Promise<void> {
    const { columns, row } = this.#reading;
    const told = z.object({ found_micros: z.number(), found_value: candidate.shape.value, found: z.boolean() });
    const keys: Place[] = [];
    let characters = 0;
    for (const { key, place } of candidates) {
      if (newest.has(key)) continue;
      if (keys.length === wanted || (keys.length > 0 && characters + place.id.length > MOST_CHARACTERS)) break;
      newest.set(key, null);
      keys.push(place);
      characters += place.id.length;
    }
    const hexOf = (texts: readonly string[]): string =>
      `arrayMap(text -> unhex(text), splitByChar(',', '${texts.map((text) => Buffer.from(text).toString('hex')).join(',')}'))`;
    const hours = keys.map(({ micros }) => Math.floor(micros / 3_600_000_000) * 3600);
    const ids = hexOf(keys.map(({ id }) => id));
    const rows = await ask(
      this.#store,
      'task list',
      // a line is read twice: as the row, and for what was asked for beside it
      z
        .unknown()
        .transform((line) => [line, line] as const)
        .pipe(z.tuple([row, told])),
      `SELECT ${columns}, ${MICROS} AS found_micros, ${this.#order.value} AS found_value,
         CAST(${this.#condition.sql}, 'Bool') AS found
       FROM ${this.#store.database}.tasks_raw AS t
       -- the ids alone, too: by these, a filter leaves out what the key cannot
       WHERE t.task_id IN (SELECT arrayJoin(${ids}))
         AND (t.cluster, toStartOfHour(t.first_seen_at), t.task_id) IN (
           SELECT arrayJoin(arrayZip(
             ${hexOf(keys.map(({ cluster }) => cluster))},
             arrayMap(hour -> toDateTime(hour, 'UTC'), [${hours.join(', ')}]),
             ${ids}
           ))
         )
       ORDER BY t.version DESC
       LIMIT 1 BY t.cluster, t.task_id, t.first_seen_at`,
      this.#condition.params,
      this.#deadline.options(),
    );
    for (const [each, { found, found_micros, found_value }] of rows) {
      if (found) newest.set(keyOf(each.cluster, each.task_id, found_micros), { row: each, value: found_value });
    }
  }
}

const keyOf = (cluster: string, id: string, micros: number): string => JSON.stringify([cluster, id, micros]);
