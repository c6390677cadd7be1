import { randomUUID } from 'node:crypto';
import { envelope, taskTraffic, worker } from './shapes.ts';

/** What a load is made of; see README. */
export const SHAPES = ['mixed', 'batched', 'unbatched', 'args', 'tracebacks', 'heartbeats', 'soak', 'timed'] as const;
export type Shape = (typeof SHAPES)[number];

/** What was sent, to be compared with what is stored. */
export interface Sent {
  events: number;
  tasks: number;
  readonly byType: Record<string, number>;
}

/** A PUBLISH on Redis. */
export interface Publication {
  readonly channel: string;
  readonly payload: string;
}

/** Celery flushes a worker's buffered events at 24. */
const BATCH = 24;
const LONG_ARGS = `('${'x'.repeat(1_000)}', 7)`;
const TRACEBACK_BYTES = 5_000_000;
/** Workers that beat, each once every two seconds. */
export const BEATING_WORKERS = 5_000;
/** A pod lives for so many tasks of its own; then one of another name takes its place. */
const TASKS_OF_A_POD = 2_000;
const PODS = 20;
/** Of so many tasks at the start of a soak one in four never ends: what is held of open tasks is at its bound from then on. */
const FILLING_TASKS = 60_000;

/** Events without end, in the messages in which Celery would send them. Counts what it gives out. */
export class Traffic {
  readonly sent: Sent = { events: 0, tasks: 0, byType: {} };
  readonly #shape: Shape;
  readonly #unbatchedShare: number;
  #index = 0;
  #multi: string[] = [];

  /** @param unbatchedShare of tasks whose workers send each event alone */
  constructor(shape: Shape, unbatchedShare: number) {
    this.#shape = shape;
    this.#unbatchedShare = shape === 'batched' ? 0 : shape === 'unbatched' ? 1 : unbatchedShare;
  }

  /** The messages of the next task, or of the next heartbeat. Unix seconds. */
  next(now: number): Publication[] {
    const index = this.#index++;
    if (this.#shape === 'heartbeats') return [this.#heartbeat(index % BEATING_WORKERS, 'celery@beat', now)];
    const messages: Publication[] = [];
    const pod = this.#shape === 'soak' ? this.#pod(index, now, messages) : null;
    const { events } = taskTraffic(index, now, {
      ...(pod === null ? {} : { worker: pod }),
      ...(this.#shape === 'args' ? { args: LONG_ARGS } : {}),
      ...(this.#shape === 'tracebacks' ? { failing: true, traceback: traceback() } : {}),
      neverEnds: this.#shape === 'soak' && index % (index < FILLING_TASKS ? 4 : 200) === 3,
      ...(this.#shape === 'timed' ? { uuid: timedId(now) } : {}),
    });
    this.sent.tasks++;
    const single = this.#shape === 'tracebacks' || index % 1000 < this.#unbatchedShare * 1000;
    for (const { type, json } of events) {
      this.#count(type);
      if (single || type === 'task-sent') messages.push(publication(json, type.replaceAll('-', '.'), 'gen4242@web-1'));
      else if (this.#multi.push(json) >= BATCH) messages.push(...this.flush());
    }
    return messages;
  }

  /** What is buffered, as a worker that stops sends it. */
  flush(): Publication[] {
    if (this.#multi.length === 0) return [];
    const body = `[${this.#multi.join(', ')}]`;
    this.#multi = [];
    return [publication(body, 'task.multi', 'celery@worker-1')];
  }

  #count(type: string): void {
    this.sent.events++;
    this.sent.byType[type] = (this.sent.byType[type] ?? 0) + 1;
  }

  /** The pod that runs a task; a new one says hello, and each beats now and then. */
  #pod(index: number, now: number, messages: Publication[]): string {
    const slot = index % PODS;
    const name = `celery@pod-${Math.floor(index / PODS / TASKS_OF_A_POD)}`;
    if (Math.floor(index / PODS) % 100 === 0) messages.push(this.#heartbeat(slot, name, now));
    return worker(name, slot);
  }

  #heartbeat(slot: number, name: string, now: number): Publication {
    const hostname = worker(name, slot);
    this.#count('worker-heartbeat');
    const { events } = this.sent;
    const json = `{"hostname": "${hostname}", "utcoffset": 0, "pid": 77, "clock": ${events}, "freq": 2.0, "sw_ident": "py-celery", "sw_ver": "5.6.3", "sw_sys": "Linux", "active": ${events % 9}, "processed": ${events}, "loadavg": [0.31, 0.27, 0.22], "timestamp": ${now}, "type": "worker-heartbeat"}`;
    return publication(json, 'worker.heartbeat', hostname);
  }
}

function publication(body: string, routingKey: string, hostname: string): Publication {
  return { channel: `/0.celeryev/${routingKey}`, payload: envelope(body, routingKey, hostname) };
}

/** Of this many, no two alike. */
function traceback(): string {
  const frame = `  File \\"/app/shop/recursion.py\\", line 12, in down\\n    return down(depth + 1)\\n`;
  const frames = frame.repeat(TRACEBACK_BYTES / frame.length);
  return `Traceback (most recent call last):\\n${frames}RecursionError: ${randomUUID()}\\n`;
}

/** An id that begins with the time it was made at, milliseconds, so that whoever sees it knows its age. */
function timedId(now: number): string {
  const time = Math.floor(now * 1000)
    .toString(16)
    .padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}${randomUUID().slice(13)}`;
}

/** Unix milliseconds at which an id was made. */
export function timeOf(id: string): number {
  return parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
