import type { AuditListRow, AuditRecord } from '@meadow/contract';
import type { Look } from '../design/states.ts';

/** Whoever reads the audit need not know Celery: what each action is called, by what it is done to. */
export const ACTIONS = {
  Workers: {
    shutdown: 'Shut down',
    pool_grow: 'Grow the pool',
    pool_shrink: 'Shrink the pool',
    autoscale: 'Change the autoscaler’s range',
    pool_restart: 'Restart the pool',
    rate_limit: 'Set a rate limit',
    time_limit: 'Set time limits',
    add_consumer: 'Add a queue',
    cancel_consumer: 'Stop taking from a queue',
    enable_events: 'Send task events',
    disable_events: 'Stop task events',
    heartbeat: 'Ask for a heartbeat',
  },
  Tasks: {
    'task.send': 'Run a task',
    'task.retry': 'Retry tasks',
    'task.abort': 'Abort tasks',
    revoke: 'Revoke tasks',
    revoke_by_stamped_headers: 'Revoke tasks by their stamps',
  },
  Queues: {
    'queue.purge': 'Purge a queue',
    'queue.remove': 'Remove a message',
    'queue.move': 'Move messages',
    'queue.pause': 'Pause a queue',
    'queue.resume': 'Resume a queue',
  },
  Errors: {
    'errors.update': 'Resolve, ignore or note errors',
    'errors.rules': 'Change the rules for categories',
  },
  SQL: {
    'sql.run': 'Run a statement',
    'sql.export': 'Export a result',
  },
} as const satisfies Record<string, Readonly<Record<string, string>>>;

const WORDS = new Map<string, string>(Object.values(ACTIONS).flatMap((group) => Object.entries(group)));

/** An action in plain words; one that is not known is its own name, made readable. */
export function actionWords(action: string): string {
  const words = WORDS.get(action);
  if (words !== undefined) return words;
  const text = action.replaceAll(/[._]+/g, ' ').trim();
  return text === '' ? 'Unknown action' : text.charAt(0).toUpperCase() + text.slice(1);
}

const OUTCOMES: Readonly<Record<string, Look>> = {
  begun: { tone: 'run', icon: 'play', label: 'Running' },
  done: { tone: 'ok', icon: 'check', label: 'Done' },
  partly: { tone: 'warn', icon: 'minus', label: 'Partly' },
  refused: { tone: 'bad', icon: 'slash', label: 'Refused' },
  failed: { tone: 'bad', icon: 'cross', label: 'Failed' },
  unanswered: { tone: 'warn', icon: 'dashed', label: 'No answer' },
  stopped: { tone: 'off', icon: 'pause', label: 'Stopped' },
  sent: { tone: 'ok', icon: 'check', label: 'Sent' },
  aborted: { tone: 'ok', icon: 'check', label: 'Aborted' },
  silent: { tone: 'warn', icon: 'dashed', label: 'No answer' },
  unsure: { tone: 'warn', icon: 'help', label: 'Not known' },
};

/** What can come of a request, in the order of the filter. */
export const OUTCOME_NAMES = [
  ...(['begun', 'done', 'partly', 'refused', 'failed', 'unanswered', 'stopped'] as const),
] as const satisfies readonly AuditRecord['outcome'][];
export type OutcomeName = (typeof OUTCOME_NAMES)[number];

/** A begin that is older than this is no longer taken for something that runs. Seconds. */
const RUNS_AT_MOST = 900;

/** How an outcome looks: of a request, or of one worker or task in it. */
export function outcomeLook(outcome: string): Look {
  return OUTCOMES[outcome] ?? { tone: 'custom', icon: 'diamond', label: outcome === '' ? 'Unknown' : outcome };
}

/** How a request looks at `now`, Unix seconds, by its newest record. */
export function requestLook({ outcome, at }: Pick<AuditListRow, 'outcome' | 'at'>, now: number): Look {
  if (outcome !== 'begun' || now - at < RUNS_AT_MOST) return outcomeLook(outcome);
  return { tone: 'warn', icon: 'help', label: 'No end known' };
}

const SIGN_INS: Readonly<Record<string, string>> = {
  anonymous: 'not signed in',
  basic: 'password',
  oidc: 'single sign-on',
  token: 'API token',
  header: 'by the proxy',
  system: 'Meadow itself',
};

/** Who it was; how that is known and where it came from are `knownBy`. */
export function actorName({ actor, signed_in: by }: Pick<AuditListRow, 'actor' | 'signed_in'>): string {
  if (actor !== '') return actor;
  return by === 'system' ? 'Meadow' : 'Anonymous';
}

export function knownBy({ signed_in: by, address }: Pick<AuditListRow, 'signed_in' | 'address'>): string {
  return [address, SIGN_INS[by] ?? by].filter((part) => part !== '').join(' · ');
}

const KINDS: Readonly<Record<string, readonly [one: string, many: string]>> = {
  worker: ['worker', 'workers'],
  pool: ['pool', 'pools'],
  task: ['task', 'tasks'],
  queue: ['queue', 'queues'],
  error: ['group of errors', 'groups of errors'],
  database: ['database', 'databases'],
};

/** What it was on, in short: the first name, and how many more. */
export function targetWords({ target_kind: kind, targets }: Pick<AuditListRow, 'target_kind' | 'targets'>): {
  readonly first: string;
  readonly more: number;
  readonly kind: string;
} {
  const names = targetsIn(targets);
  const [one, many] = KINDS[kind] ?? [kind, kind];
  const more = Math.max(0, names.named.length - 1) + names.more;
  return {
    first: names.named[0] ?? 'the whole cluster',
    more,
    kind: names.named.length === 0 ? '' : more > 0 ? many : one,
  };
}

/** The names, and how many more there were than a record holds. */
export function targetsIn(targets: readonly string[]): { readonly named: readonly string[]; readonly more: number } {
  const [, left] = /^…and (\d+) more$/.exec(targets.at(-1) ?? '') ?? [];
  return left === undefined ? { named: targets, more: 0 } : { named: targets.slice(0, -1), more: Number(left) };
}
