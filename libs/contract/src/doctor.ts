import { z } from 'zod';

/** What one check of a cluster came to. */
const finding = z.object({
  /** Stable name of the check, e.g. `credentials`. */
  check: z.string(),
  title: z.string(),
  /** `unknown`: it could not be looked at, or there was nothing to judge by. */
  verdict: z.enum(['pass', 'warn', 'fail', 'unknown']),
  /** What was found, a line. */
  says: z.string(),
  /** What to do, exactly; '' where nothing is to be done. Never holds a secret. */
  remedy: z.string(),
});
export type Finding = z.output<typeof finding>;
export const findings = z.array(finding);

/** What was heard of a cluster over a span: the evidence of `judgeTraffic`. */
export interface Traffic {
  readonly seconds: number;
  /** Workers that sent heartbeats, and those heard by their tasks alone. */
  readonly workers: number;
  readonly quietWorkers: number;
  readonly sent: number;
  readonly received: number;
  readonly started: number;
  /** Celery's versions, as workers tell them. */
  readonly versions: readonly string[];
  /** Workers whose clock is off, seconds behind the collector's. */
  readonly skewed: readonly { readonly worker: string; readonly seconds: number }[];
}

/** Judges what a cluster's workers send, or do not. */
export function judgeTraffic(traffic: Traffic): Finding[] {
  const { seconds, workers, quietWorkers, sent, received, started, versions, skewed } = traffic;
  const span = seconds >= 3600 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds)} s`;
  const heard = workers + quietWorkers;
  const make = (check: string, title: string) => ({
    pass: (says: string): Finding => ({ check, title, verdict: 'pass', says, remedy: '' }),
    warn: (says: string, remedy: string): Finding => ({ check, title, verdict: 'warn', says, remedy }),
    fail: (says: string, remedy: string): Finding => ({ check, title, verdict: 'fail', says, remedy }),
    unknown: (says: string, remedy = ''): Finding => ({ check, title, verdict: 'unknown', says, remedy }),
  });
  const alive = make('workers', 'Workers are heard');
  const events = make('task-events', 'Workers send task events');
  const clients = make('task-sent', 'Clients send task-sent');
  const beats = make('heartbeats', 'Workers send heartbeats');
  const version = make('versions', 'Versions of Celery');
  const clocks = make('clocks', 'Clocks agree');
  const old = versions.filter((each) => Number.parseInt(each, 10) < 5);
  return [
    heard > 0
      ? alive.pass(`${heard} in ${span}`)
      : alive.fail(
          `none in ${span}`,
          'start a worker with events (celery -A proj worker -E), and check that the url names the same database or virtual host, and transportOptions the same global_keyprefix and fanout_prefix, as the application',
        ),
    received + started > 0
      ? events.pass(`${received + started} in ${span}`)
      : heard > 0
        ? events.warn(
            `none in ${span}: no task ran, or workers do not send them`,
            'set worker_send_task_events = True or start workers with -E; for running ones: celery -A proj control enable_events',
          )
        : events.unknown('no worker was heard'),
    sent > 0
      ? clients.pass(`${sent} in ${span}`)
      : received > 0
        ? clients.warn(
            `none in ${span}: queues and waiting times of tasks are not known`,
            'set task_send_sent_event = True where tasks are sent from',
          )
        : clients.unknown('no task was seen'),
    quietWorkers > 0
      ? beats.warn(
          `${quietWorkers} of ${heard} send none: nobody can tell when they die`,
          'start workers without --without-heartbeat',
        )
      : workers > 0
        ? beats.pass(`${workers} workers`)
        : beats.unknown('no worker was heard'),
    versions.length === 0
      ? version.unknown('no worker was heard')
      : old.length > 0
        ? version.warn(
            versions.join(', '),
            `Celery ${old.join(', ')} is no longer maintained: its events are read, and some facts are missing; use 5.2 or newer`,
          )
        : version.pass(versions.join(', ')),
    heard === 0
      ? clocks.unknown('no worker was heard')
      : skewed.length === 0
        ? clocks.pass('within 2 s of the collector')
        : clocks.warn(
            skewed
              .slice(0, 5)
              .map(
                ({ worker, seconds: behind }) =>
                  `${worker} ${Math.abs(behind).toFixed(1)} s ${behind > 0 ? 'behind' : 'ahead'}`,
              )
              .join(', ') + (skewed.length > 5 ? `, and ${skewed.length - 5} more` : ''),
            'check NTP on these hosts',
          ),
    make('track-started', 'task_track_started').pass('not needed: task-started events tell when a task begins'),
  ];
}
