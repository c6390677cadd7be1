import type { Method, WorkerFacts } from './abilities.ts';

/** What goes to workers: `method`, and beside it its arguments, under Celery's names. */
export interface Command {
  readonly method: Method;
  readonly [argument: string]: unknown;
}

/** One thing to be filled in. */
export interface Field {
  readonly name: string;
  readonly label: string;
  /** `count` and `seconds` are typed too, on a keypad where there is one. */
  readonly kind: 'count' | 'seconds' | 'text' | 'choice' | 'check';
  readonly initial: string;
  /** Below it, in small print. */
  readonly hint?: string;
  /** In it while it is empty: what empty means. */
  readonly placeholder?: string;
  readonly choices?: readonly { readonly value: string; readonly label: string }[];
  readonly suggestions?: readonly string[];
}

/** As typed; `yes` or '' where something is ticked or not. */
export type Values = Readonly<Record<string, string>>;

/** Something that can be done to workers, and how to ask for it. */
export interface Action {
  readonly method: Method;
  readonly title: string;
  /** On the button that does it. */
  readonly verb: string;
  /** What happens, in a sentence or two. */
  readonly says: string;
  readonly fields: readonly Field[];
  /** Looks like what it is: it ends something. */
  readonly danger?: boolean;
  /** Who does it has to type which worker, or how many, it is for. */
  readonly confirm?: boolean;
  /** For every worker of the cluster that hears it, whatever their names. */
  readonly everywhere?: boolean;
  /** How long answers are waited for, milliseconds. @default 5000 */
  readonly waitMs?: number;
  /** What becomes of one worker, where that can be told beforehand: `2 → 3 processes`. */
  readonly effect?: (values: Values, facts: WorkerFacts) => string;
  /** Throws `Problem`, in words for people. */
  readonly command: (values: Values) => Command;
}

/** What was filled in cannot be meant so. */
export class Problem extends Error {
  override readonly name = 'Problem';
}

/** What the fields hold at first. */
export function initialValues(action: Action): Values {
  return Object.fromEntries(action.fields.map((field) => [field.name, field.initial]));
}

const MOST_PROCESSES = 1_000;

function whole(values: Values, name: string, what: string, least = 1): number {
  const text = values[name]?.trim() ?? '';
  const value = Number(text);
  if (text === '' || !Number.isInteger(value) || value < least || value > MOST_PROCESSES) {
    throw new Problem(`${what} is a whole number from ${least} to ${MOST_PROCESSES}`);
  }
  return value;
}

function filled(values: Values, name: string, what: string): string {
  const text = values[name]?.trim() ?? '';
  if (text === '') throw new Problem(`${what} is empty: give one`);
  return text;
}

/** The size of a pool before and after; '' where it is not known. */
function resized({ stats }: WorkerFacts, by: number): string {
  const size = stats?.pool.size ?? null;
  if (stats === null || size === null || !Number.isInteger(by)) return '';
  const next = Math.max(0, size + by);
  const [one, many] = stats.pool.kind === 'prefork' ? ['process', 'processes'] : ['slot', 'slots'];
  return `${size} → ${next} ${next === 1 ? one : many}${next === 0 ? ': it would run nothing' : ''}`;
}

const HOW_MANY: Field = { name: 'n', label: 'By how many', kind: 'count', initial: '1' };

export const PING: Action = {
  method: 'ping',
  title: 'Ping',
  verb: 'Ping',
  says: 'Asks for a sign of life over the broker, as all commands go. Changes nothing.',
  fields: [],
  command: () => ({ method: 'ping' }),
};

export const SHUTDOWN: Action = {
  method: 'shutdown',
  title: 'Shut down',
  verb: 'Shut down',
  says: 'A warm shutdown: it takes no more tasks, finishes those that run, and ends. Only what started it can start it again.',
  fields: [],
  danger: true,
  confirm: true,
  waitMs: 15_000,
  command: () => ({ method: 'shutdown' }),
};

export const POOL_GROW: Action = {
  method: 'pool_grow',
  title: 'Grow the pool',
  verb: 'Grow',
  says: 'Adds to what runs tasks, and takes as many more messages ahead. Lasts until the worker is started again.',
  fields: [HOW_MANY],
  effect: (values, facts) => resized(facts, Number(values['n'])),
  command: (values) => ({ method: 'pool_grow', n: whole(values, 'n', 'the number') }),
};

export const POOL_SHRINK: Action = {
  method: 'pool_shrink',
  title: 'Shrink the pool',
  verb: 'Shrink',
  says: 'Ends processes that are idle; while all are busy the worker refuses. Lasts until the worker is started again.',
  fields: [HOW_MANY],
  effect: (values, facts) => resized(facts, -Number(values['n'])),
  command: (values) => ({ method: 'pool_shrink', n: whole(values, 'n', 'the number') }),
};

/** @param facts of the worker, for what is there now */
export function autoscale({ stats }: Pick<WorkerFacts, 'stats'>): Action {
  const now = stats?.autoscaler ?? null;
  return {
    method: 'autoscale',
    title: 'Change the autoscaler’s range',
    verb: 'Set range',
    says: 'The pool grows and shrinks between the two as there is work. Lasts until the worker is started again.',
    fields: [
      { name: 'min', label: 'At least', kind: 'count', initial: now === null ? '' : String(now.min) },
      { name: 'max', label: 'At most', kind: 'count', initial: now === null ? '' : String(now.max) },
    ],
    effect: (values) => (now === null ? '' : `${now.min}–${now.max} → ${values['min']}–${values['max']}`),
    command: (values) => {
      const [min, max] = [whole(values, 'min', 'the least', 0), whole(values, 'max', 'the most')];
      if (min > max) throw new Problem('the least is above the most');
      return { method: 'autoscale', max, min };
    },
  };
}

export const POOL_RESTART: Action = {
  method: 'pool_restart',
  title: 'Restart the pool',
  verb: 'Restart',
  says: 'Each of its processes ends when its task has, and a new one takes its place. The main process stays.',
  fields: [{ name: 'reload', label: 'Load the modules of its tasks again', kind: 'check', initial: '' }],
  command: (values) => ({ method: 'pool_restart', reload: values['reload'] === 'yes' }),
};

export const ENABLE_EVENTS: Action = {
  method: 'enable_events',
  title: 'Send task events',
  verb: 'Switch on',
  says: 'It tells of its tasks from now on; without that, Meadow knows of it only that it is there.',
  fields: [],
  command: () => ({ method: 'enable_events' }),
};

export const DISABLE_EVENTS: Action = {
  method: 'disable_events',
  title: 'Stop task events',
  verb: 'Switch off',
  says: 'Meadow will hear no more of its tasks. One that was started with -E answers that they are off already, and goes on sending them.',
  fields: [],
  danger: true,
  command: () => ({ method: 'disable_events' }),
};

export const HEARTBEAT: Action = {
  method: 'heartbeat',
  title: 'Ask for a heartbeat',
  verb: 'Ask',
  says: 'It sends one at once, as it does by itself every two seconds.',
  fields: [],
  command: () => ({ method: 'heartbeat' }),
};

export const ADD_CONSUMER: Action = {
  method: 'add_consumer',
  title: 'Add a queue',
  verb: 'Add',
  says: 'It takes tasks of that queue too, which is declared if there is none of that name. Lasts until the worker is started again.',
  fields: [
    { name: 'queue', label: 'Queue', kind: 'text', initial: '' },
    { name: 'exchange', label: 'Exchange', kind: 'text', initial: '', placeholder: 'as the queue' },
    {
      ...{ name: 'exchange_type', label: 'Type of the exchange', kind: 'choice', initial: 'direct' },
      choices: ['direct', 'topic', 'fanout', 'headers'].map((value) => ({ value, label: value })),
    },
    { name: 'routing_key', label: 'Routing key', kind: 'text', initial: '', placeholder: 'as the queue' },
  ],
  command: (values) => ({
    method: 'add_consumer',
    queue: filled(values, 'queue', 'the queue'),
    exchange: values['exchange']?.trim() || null,
    exchange_type: values['exchange_type'],
    routing_key: values['routing_key']?.trim() || null,
  }),
};

/** @param last it has no other */
export function cancelConsumer(queue: string, last: boolean): Action {
  return {
    method: 'cancel_consumer',
    title: `Stop taking tasks of ${queue}`,
    verb: 'Stop taking',
    says: `What it took of ${queue} already is still run. Lasts until the worker is started again.${last ? ' It has no other queue: it will have nothing to do.' : ''}`,
    fields: [],
    danger: true,
    command: () => ({ method: 'cancel_consumer', queue }),
  };
}

const RATE = /^\d+(?:\.\d+)?(?:\/[smh])?$/;

/**
 * @param task '' when it is to be chosen
 * @param present what is set now, in Celery's form; '' for none or not known
 */
export function rateLimit(task: string, present: string, names: readonly string[] = []): Action {
  return {
    method: 'rate_limit',
    title: task === '' ? 'Set a rate limit' : 'Set the rate limit',
    verb: 'Set limit',
    says: 'Of starts of this task on each worker, not in all. Lasts until the worker is started again.',
    fields: [
      ...(task === ''
        ? [{ name: 'task', label: 'Task', kind: 'text', initial: '', suggestions: names } satisfies Field]
        : []),
      {
        ...{
          name: 'rate',
          label: task === '' ? 'Rate limit' : `Rate limit of ${task}`,
          kind: 'text',
          initial: present,
        },
        ...{ placeholder: '30/m', hint: 'A number and /s, /m or /h; 0 sets none.' },
      },
    ],
    command: (values) => {
      const rate = values['rate']?.trim() ?? '';
      if (!RATE.test(rate)) throw new Problem('a rate is a number and /s, /m or /h, such as 30/m; 0 sets none');
      return { method: 'rate_limit', task_name: task || filled(values, 'task', 'the task'), rate_limit: rate };
    },
  };
}

/** Time limits of a task on one worker, in seconds; null is none. */
export interface TimeLimits {
  readonly soft: number | null;
  readonly hard: number | null;
}

export function timeLimit(task: string, present: TimeLimits): Action {
  const keeps = (seconds: number | null): string => (seconds === null ? 'stays: none' : `stays: ${seconds}`);
  return {
    method: 'time_limit',
    title: 'Set time limits',
    verb: 'Set limits',
    says: `Of ${task}, from its next start on. At the soft limit it is told so by an exception, at the hard one its process is ended. Lasts until the worker is started again.`,
    fields: [
      {
        ...{ name: 'soft', label: 'Soft limit, seconds', kind: 'seconds', initial: '' },
        placeholder: keeps(present.soft),
      },
      {
        ...{ name: 'hard', label: 'Hard limit, seconds', kind: 'seconds', initial: '' },
        ...{ placeholder: keeps(present.hard), hint: 'Empty keeps a limit; 0 sets none.' },
      },
    ],
    command: (values) => {
      const [soft, hard] = [limitIn(values, 'soft'), limitIn(values, 'hard')];
      if (soft === undefined && hard === undefined) throw new Problem('both limits are empty: give one');
      if (soft && hard && soft >= hard)
        throw new Problem('the soft limit is not below the hard one: nothing would meet it');
      return {
        ...{ method: 'time_limit', task_name: task },
        ...(soft === undefined ? {} : { soft }),
        ...(hard === undefined ? {} : { hard }),
      };
    },
  };
}

/** @returns undefined to keep it, null for none */
function limitIn(values: Values, name: string): number | null | undefined {
  const text = values[name]?.trim() ?? '';
  if (text === '') return undefined;
  const seconds = Number(text);
  if (!Number.isFinite(seconds) || seconds < 0) throw new Problem('a time limit is a number of seconds');
  return seconds === 0 ? null : seconds;
}

const SIGNAL: Field = {
  name: 'signal',
  label: 'Signal',
  kind: 'choice',
  initial: 'SIGTERM',
  choices: [
    { value: 'SIGTERM', label: 'SIGTERM: ends its process' },
    { value: 'SIGUSR1', label: 'SIGUSR1: raises SoftTimeLimitExceeded in it' },
    { value: 'SIGKILL', label: 'SIGKILL: cannot be caught' },
  ],
};

interface TaskName {
  readonly id: string;
  readonly name: string;
}

/** Ends a task that runs. */
export function terminate({ id, name }: TaskName): Action {
  return {
    method: 'revoke',
    title: 'End a running task',
    verb: 'End it',
    says: `${name} ${id} is revoked, and the process that runs it is sent a signal. If it has just ended, the signal meets whatever runs there then.`,
    fields: [SIGNAL],
    danger: true,
    command: (values) => ({ method: 'revoke', task_id: [id], terminate: true, signal: values['signal'] }),
  };
}

/** Keeps a task from being started. */
export function revoke({ id, name }: TaskName): Action {
  return {
    method: 'revoke',
    title: 'Revoke a task',
    verb: 'Revoke',
    says: `${name} ${id} is not started by any worker that hears this, wherever its message goes. Workers remember that for three hours.`,
    fields: [
      {
        ...{ name: 'terminate', label: 'End it if it has been started by then (SIGTERM)', kind: 'check', initial: '' },
        hint: 'A task that waits in the pool already can still start otherwise.',
      },
    ],
    danger: true,
    everywhere: true,
    command: (values) => ({ method: 'revoke', task_id: [id], terminate: values['terminate'] === 'yes' }),
  };
}
