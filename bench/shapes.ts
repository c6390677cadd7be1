import { randomUUID } from 'node:crypto';

/**
 * Celery's traffic for one task that succeeds (sent, received, started, succeeded), as workers of Celery 5.6 publish it on
 * Redis. Every hundredth task fails with a traceback instead; every fiftieth retries once before it succeeds.
 */
export interface TaskTraffic {
  /** Channel suffix and event, in order. */
  readonly events: readonly { readonly type: string; readonly json: string }[];
}

const NAMES = Array.from(
  { length: 40 },
  (_, index) => `shop.tasks.${['orders', 'mail', 'reports', 'images'][index % 4]}.step_${index}`,
);
const QUEUES = ['celery', 'mail', 'reports', 'images'];
const WORKERS = Array.from({ length: 20 }, (_, index) => `celery@worker-${index}`);
const TRACEBACK = `Traceback (most recent call last):\\n  File \\"/app/celery/app/trace.py\\", line 451, in trace_task\\n    R = retval = fun(*args, **kwargs)\\n  File \\"/app/shop/tasks.py\\", line 88, in step\\n    raise ValueError('order is not payable')\\nValueError: order is not payable\\n`;

let clock = 1;

/** Where a task differs from the usual one. */
export interface TaskVariation {
  readonly worker?: string;
  /** Python repr, JSON-escaped. */
  readonly args?: string;
  readonly traceback?: string;
  /** Each fails, not one in a hundred. */
  readonly failing?: boolean;
  /** Started, and never heard of again. */
  readonly neverEnds?: boolean;
  /** Random unless given. */
  readonly uuid?: string;
  readonly name?: string;
}

/** The name of one of a group of workers. */
export const worker = (group: string, index: number): string => `${group}-${index}`;

export function taskTraffic(index: number, now: number, variation: TaskVariation = {}): TaskTraffic {
  const { uuid = randomUUID(), traceback = TRACEBACK, failing = false, neverEnds = false } = variation;
  const name = variation.name ?? NAMES[index % NAMES.length] ?? '';
  const runner = variation.worker ?? WORKERS[index % WORKERS.length] ?? '';
  const args = variation.args ?? `(${index}, 'customer-${index % 977}')`;
  const queue = QUEUES[index % QUEUES.length] ?? '';
  const who = (hostname: string, pid: number, type: string, at: number): string =>
    `{"hostname": "${hostname}", "utcoffset": 0, "pid": ${pid}, "clock": ${clock++}, "uuid": "${uuid}", "timestamp": ${at}, "type": "${type}"`;
  const call = (retries: number): string =>
    `"name": "${name}", "args": "${args}", "kwargs": "{'priority': ${index % 9}, 'note': 'from the bench'}", "root_id": "${uuid}", "parent_id": null, "retries": ${retries}, "eta": null, "expires": null`;
  const events: { type: string; json: string }[] = [];
  const add = (type: string, hostname: string, pid: number, offset: number, rest: string): void => {
    events.push({ type, json: `${who(hostname, pid, type, now + offset)}${rest}}` });
  };
  const run = (retries: number, offset: number): void => {
    add(
      'task-sent',
      'gen4242@web-1',
      4242,
      offset,
      `, ${call(retries)}, "queue": "${queue}", "exchange": "", "routing_key": "${queue}"`,
    );
    add('task-received', runner, 77, offset + 0.01, `, ${call(retries)}`);
    add('task-started', runner, 77, offset + 0.02, '');
  };
  run(0, 0);
  if (neverEnds) return { events };
  if (index % 50 === 7) {
    add('task-retried', runner, 77, 0.05, `, "exception": "ConnectionError('no route')", "traceback": "${traceback}"`);
    run(1, 0.1);
  }
  if (failing || index % 100 === 3) {
    add(
      'task-failed',
      runner,
      77,
      0.3,
      `, "exception": "ValueError('order is not payable')", "traceback": "${traceback}"`,
    );
  } else {
    add(
      'task-succeeded',
      runner,
      77,
      0.3,
      `, "result": "{'total': ${index}, 'ok': True}", "runtime": ${0.01 + (index % 1000) / 1000}`,
    );
  }
  return { events };
}

/** kombu's envelope for Redis around a JSON body. */
export function envelope(body: string, routingKey: string, hostname: string): string {
  return `{"body": "${Buffer.from(body).toString('base64')}", "content-encoding": "utf-8", "content-type": "application/json", "headers": {"hostname": "${hostname}"}, "properties": {"delivery_mode": 1, "delivery_info": {"exchange": "celeryev", "routing_key": "${routingKey}"}, "priority": 0, "body_encoding": "base64", "delivery_tag": "${randomUUID()}"}}`;
}
