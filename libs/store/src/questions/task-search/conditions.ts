import type {
  ArgumentPattern,
  NumberField,
  NumberSpan,
  TaskField,
  TaskQuery,
  TaskTerm,
  TextField,
  TextValue,
} from '@meadow/contract';

/** A condition on `tasks_raw AS t`, its values as parameters. */
export interface Condition {
  readonly sql: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** Whether all terms of a query hold for a row; never NULL. @param database where the workers' pools are looked up */
export function conditionOf(query: TaskQuery, database: string): Condition {
  const writer = new ConditionWriter(database);
  const parts = query.terms.map((term) => `${term.not ? 'NOT ' : ''}(${writer.term(term)})`);
  return { sql: parts.length === 0 ? 'true' : parts.join('\n           AND '), params: writer.params };
}

/** First seen within, Unix seconds; null where the query sets no bound. */
export interface SeenBounds {
  readonly from: number | null;
  readonly to: number | null;
}

/** What a query says of when tasks were first seen, by which whole parts of the table are left out. */
export function seenBounds(query: TaskQuery): SeenBounds {
  let [from, to]: [number | null, number | null] = [null, null];
  for (const term of query.terms) {
    if (term.kind !== 'number' || term.field !== 'seen' || term.not) continue;
    const [span, ...more] = term.spans;
    if (span === undefined || more.length > 0) continue;
    if (span.min !== null) from = Math.max(from ?? span.min, span.min);
    // of what is in it, the condition itself is the judge
    if (span.max !== null) to = Math.min(to ?? span.max + 1, span.max + 1);
  }
  return { from, to };
}

const TEXTS: Readonly<Record<TextField, string>> = {
  ...{ id: 't.task_id', state: 't.state', name: 't.name', queue: 't.queue', worker: 't.worker', pool: 'w.pool' },
  ...{ client: 't.client', root: 't.root_id', parent: 't.parent_id', cluster: 't.cluster', args: 't.args' },
  ...{ kwargs: 't.kwargs', result: 't.result', exception: 't.exception', traceback: 't.traceback' },
  ...{ error: 't.fingerprint', reason: 't.end_reason', progress: 't.progress', exchange: 't.exchange' },
  routing_key: 't.routing_key',
};

const FREE_TEXTS = ['t.name', 't.task_id', 't.args', 't.kwargs', 't.result', 't.exception'];

interface NumberColumn {
  readonly sql: string;
  readonly type: 'number' | 'time';
  readonly isNullable: boolean;
}
const number = (sql: string, isNullable = true): NumberColumn => ({ sql, type: 'number', isNullable });
const time = (sql: string, isNullable = true): NumberColumn => ({ sql, type: 'time', isNullable });

const NUMBERS: Readonly<Record<NumberField, NumberColumn>> = {
  retries: number('t.retries'),
  attempts: number('t.attempts', false),
  runtime: number('t.runtime_seconds'),
  wait: number('t.wait_seconds'),
  seen: time('t.first_seen_at', false),
  sent: time('t.sent_at'),
  received: time('t.received_at'),
  started: time('t.started_at'),
  finished: time('t.finished_at'),
  updated: time('t.updated_at', false),
  eta: time("parseDateTime64BestEffortOrNull(t.eta, 6, 'UTC')"),
};

const isNumberField = (field: TaskField): field is NumberField => Object.hasOwn(NUMBERS, field);

class ConditionWriter {
  readonly params: Record<string, unknown> = {};
  readonly #database: string;
  #count = 0;

  constructor(database: string) {
    this.#database = database;
  }

  term(term: TaskTerm): string {
    switch (term.kind) {
      case 'free': {
        const text = this.#param('String', term.text);
        return FREE_TEXTS.map((column) => contains(column, term.text, text)).join(' OR ');
      }
      case 'text':
        return this.#text(term.field, term.values);
      case 'number':
        return term.spans.map((span) => this.#span(NUMBERS[term.field], span)).join(' OR ');
      case 'has':
        return this.#presence(term.field);
      case 'argument': {
        const column = `t.${term.of}`;
        return term.patterns.map((pattern) => this.#argument(column, pattern)).join(' OR ');
      }
      default:
        return term satisfies never;
    }
  }

  #text(field: TextField, values: readonly TextValue[]): string {
    const exact = values.filter(({ how }) => how === 'exact').map(({ value }) => value);
    const others = values.filter(({ how }) => how !== 'exact');
    const columnOf = ({ how }: Pick<TextValue, 'how'>): string =>
      field === 'exception' && how !== 'contains' ? 't.exception_type' : TEXTS[field];
    const parts = [
      ...(exact.length === 0 ? [] : [this.#oneOf(columnOf({ how: 'exact' }), exact)]),
      ...others.map((value) =>
        value.how === 'glob'
          ? this.#glob(columnOf(value), value.value)
          : contains(columnOf(value), value.value, this.#param('String', value.value)),
      ),
    ];
    return field === 'pool' ? this.#ofPool(parts.join(' OR ')) : parts.join(' OR ');
  }

  #ofPool(condition: string): string {
    return `(t.cluster, t.worker) IN (SELECT w.cluster, w.worker FROM ${this.#database}.workers AS w FINAL WHERE ${condition})`;
  }

  #oneOf(column: string, values: readonly string[]): string {
    const [value, ...more] = values;
    return more.length === 0
      ? `${column} = ${this.#param('String', value)}`
      : `${column} IN ${this.#param('Array(String)', values)}`;
  }

  #glob(column: string, value: string): string {
    const head = value.slice(0, -1);
    if (value.endsWith('*') && !head.includes('*')) return `startsWith(${column}, ${this.#param('String', head)})`;
    const pattern = value.replace(/[\\%_]/g, '\\$&').replaceAll('*', '%');
    return `${column} LIKE ${this.#param('String', pattern)}`;
  }

  #span(column: NumberColumn, { min, minIncluded, max, maxIncluded }: NumberSpan): string {
    const bound = (value: number): string =>
      column.type === 'number'
        ? this.#param('Float64', value)
        : `fromUnixTimestamp64Micro(${this.#param('Int64', Math.round(value * 1e6))}, 'UTC')`;
    const parts = [
      ...(min === null ? [] : [`${column.sql} ${minIncluded ? '>=' : '>'} ${bound(min)}`]),
      ...(max === null ? [] : [`${column.sql} ${maxIncluded ? '<=' : '<'} ${bound(max)}`]),
    ];
    // what is not known is in no span, and so in what is none of it
    return column.isNullable ? `ifNull(${parts.join(' AND ')}, false)` : parts.join(' AND ');
  }

  #presence(field: TaskField): string {
    if (field === 'pool') return this.#ofPool("w.pool != ''");
    if (!isNumberField(field)) return `${TEXTS[field]} != ''`;
    const { sql, isNullable } = NUMBERS[field];
    return isNullable ? `isNotNull(${sql})` : 'true';
  }

  /** Looking for a text is many times quicker than for an expression, and leaves few rows to look at. */
  #argument(column: string, { source, ignoreCase, needles }: ArgumentPattern): string {
    const expression = this.#param('String', ignoreCase ? `(?i)${source}` : source);
    const within =
      needles.length === 0 ? '' : `multiSearchAny(${column}, ${this.#param('Array(String)', needles)}) AND `;
    return `(${within}match(${column}, ${expression}))`;
  }

  #param(type: string, value: unknown): string {
    const name = `q${this.#count++}`;
    this.params[name] = value;
    return `{${name}:${type}}`;
  }
}

/** Ignoring case: of ASCII that takes half the time. */
function contains(column: string, text: string, param: string): string {
  // eslint-disable-next-line no-control-regex -- ASCII begins with control characters
  const isAscii = /^[\x00-\x7f]*$/.test(text);
  return `${isAscii ? 'positionCaseInsensitive' : 'positionCaseInsensitiveUTF8'}(${column}, ${param}) > 0`;
}
