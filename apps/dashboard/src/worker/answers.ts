import { isObject, listOf, numberOf, textOf } from '../control/untyped.ts';

/** What stands in the place of a secret, by Celery and by Meadow. */
const MASKS: ReadonlySet<unknown> = new Set(['********', '***']);

/** A text; what is hidden reads as not told. */
const unmasked = (value: unknown): string => (MASKS.has(value) ? '' : textOf(value));

/** A queue that a worker takes tasks from. */
export interface ActiveQueue {
  readonly name: string;
  readonly exchange: string;
  readonly exchangeType: string;
  readonly routingKey: string;
  /** What is unlike the usual: `auto-delete`, `x-max-priority: 10`. */
  readonly traits: readonly string[];
}

/** Reads an answer to `active_queues`. */
export function readQueues(value: unknown): readonly ActiveQueue[] {
  return listOf(value)
    .filter(isObject)
    .map((queue) => {
      const exchange = isObject(queue['exchange']) ? queue['exchange'] : {};
      const given = isObject(queue['queue_arguments']) ? Object.entries(queue['queue_arguments']) : [];
      return {
        name: textOf(queue['name']),
        exchange: textOf(exchange['name']),
        exchangeType: textOf(exchange['type']),
        routingKey: unmasked(queue['routing_key']),
        traits: [
          ...(queue['durable'] === false ? ['not durable'] : []),
          ...(queue['exclusive'] === true ? ['exclusive'] : []),
          ...(queue['auto_delete'] === true ? ['auto-delete'] : []),
          ...given.map(([name, argument]) => `${name}: ${valueText(argument)}`),
        ],
      };
    });
}

/** A task that a worker has. */
export interface TaskNow {
  readonly id: string;
  readonly name: string;
  /** As one would call it: `14, "x", retry=true`. */
  readonly call: string;
  readonly queue: string;
  /** By the worker's clock, Unix seconds; null while it has not begun. */
  readonly startedAt: number | null;
  /** When it may begin, Unix seconds; null for at once. */
  readonly eta: number | null;
  /** Of the process that runs it. */
  readonly pid: number | null;
  readonly redelivered: boolean;
}

/** Reads an answer to `active` or `reserved`, and to `scheduled`, where each task is in an entry with its time. */
export function readTasks(value: unknown): readonly TaskNow[] {
  return listOf(value)
    .filter(isObject)
    .flatMap((entry) => {
      const task = isObject(entry['request']) ? entry['request'] : entry;
      const id = textOf(task['id']);
      if (id === '') return [];
      const delivery = isObject(task['delivery_info']) ? task['delivery_info'] : {};
      const eta = Date.parse(textOf(entry['eta']));
      return {
        id,
        name: textOf(task['name']) || textOf(task['type']),
        call: callText(task['args'], task['kwargs']),
        queue: unmasked(delivery['routing_key']),
        startedAt: numberOf(task['time_start']),
        eta: Number.isNaN(eta) ? null : eta / 1000,
        pid: numberOf(task['worker_pid']),
        redelivered: delivery['redelivered'] === true,
      };
    });
}

/** Longer texts are cut: the task's own page has all that was heard. Characters. */
const LONGEST_CALL = 200;

/** Arguments come as values; as texts of Python from workers before 5.1, which are shown as they are. */
function callText(args: unknown, kwargs: unknown): string {
  const parts = [
    ...(Array.isArray(args) ? args.map(valueText) : [textOf(args).replace(/^\((.*?),?\)$/s, '$1')]),
    ...(isObject(kwargs)
      ? Object.entries(kwargs).map(([name, argument]) => `${name}=${valueText(argument)}`)
      : [textOf(kwargs).replace(/^\{\}$/, '')]),
  ];
  const text = parts.filter((part) => part !== '').join(', ');
  return text.length > LONGEST_CALL ? `${text.slice(0, LONGEST_CALL - 1)}…` : text;
}

/** A task that a worker knows. Limits are as the worker tells them; null is none. */
export interface KnownTask {
  readonly name: string;
  /** Celery's form: `60/m`. */
  readonly rateLimit: string | null;
  /** Seconds. */
  readonly softLimit: number | null;
  readonly hardLimit: number | null;
}

/** Reads an answer to `registered`: texts such as `name [rate_limit=60/m time_limit=30]`. */
export function readRegistered(value: unknown): readonly KnownTask[] {
  return listOf(value).flatMap((item) => {
    const text = textOf(item);
    const [, name = '', told = ''] = /^(.*?)(?: \[([^[\]]*)\])?$/s.exec(text) ?? [];
    if (name === '') return [];
    const attributes = new Map(told.split(' ').map((pair) => splitOnce(pair)));
    const seconds = (attribute: string): number | null => Number(attributes.get(attribute) ?? 0) || null;
    const rate = attributes.get('rate_limit') ?? '';
    return {
      name,
      rateLimit: /^0*(?:\.0*)?(?:\/[smh])?$/.test(rate) ? null : rate,
      softLimit: seconds('soft_time_limit'),
      hardLimit: seconds('time_limit'),
    };
  });
}

function splitOnce(pair: string): [string, string] {
  const at = pair.indexOf('=');
  return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
}

/** Ids of tasks that a worker would not start. */
export function readRevoked(value: unknown): readonly string[] {
  return listOf(value)
    .map(textOf)
    .filter((id) => id !== '');
}

export interface Setting {
  readonly name: string;
  /** In one line. */
  readonly text: string;
  /** On several lines, where it does not fit into one; null where it does. */
  readonly long: string | null;
  /** Hidden, by Celery or by Meadow. */
  readonly masked: boolean;
}

const LONGEST_LINE = 100;

/** Reads an answer to `conf`, in order of names. */
export function readConf(value: unknown): readonly Setting[] {
  return Object.entries(isObject(value) ? value : {})
    .map(([name, setting]) => {
      const text = valueText(setting);
      const long = typeof setting === 'object' && text.length > LONGEST_LINE;
      return { name, text, long: long ? JSON.stringify(setting, null, 2) : null, masked: MASKS.has(setting) };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A value as JSON in one line, with a space behind what separates. */
function valueText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(valueText).join(', ')}]`;
  if (!isObject(value)) return JSON.stringify(value) ?? '';
  const entries = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${valueText(item)}`);
  return `{${entries.join(', ')}}`;
}
