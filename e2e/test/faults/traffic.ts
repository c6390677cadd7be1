import { randomUUID } from 'node:crypto';

/** One event as it was put on the wire, remembered by who sent it. */
export interface SentEvent {
  /** `<sender>/<clock>`: two events never share one. */
  readonly id: string;
  readonly type: string;
  readonly taskId: string;
  /** Of the task, also where the event itself does not carry it. */
  readonly name: string;
  /** Sender's clock, Unix seconds. */
  readonly at: number;
  /** Class of the exception; empty when there is none. */
  readonly exception: string;
  /** Seconds; null unless it succeeded. */
  readonly runtime: number | null;
}

/** A message as a Celery node hands it to its broker. */
export interface Message {
  readonly routingKey: string;
  readonly hostname: string;
  /** JSON */
  readonly body: string;
}

interface Task {
  readonly uuid: string;
  readonly index: number;
  readonly name: string;
  readonly worker: string;
}

interface Step {
  readonly task: Task;
  readonly type: 'sent' | 'received' | 'started' | 'retried' | 'failed' | 'succeeded';
  readonly retries: number;
}

const CLIENT = 'gen4242@web-1';
const NAMES = Array.from({ length: 40 }, (_, index) => `shop.tasks.step_${index}`);
const QUEUES = ['celery', 'mail', 'reports', 'images'];
const WORKERS = Array.from({ length: 20 }, (_, index) => `celery@worker-${index}`);
const TRACEBACK = `Traceback (most recent call last):\\n  File \\"/app/shop/tasks.py\\", line 88, in step\\n    raise ValueError('order is not payable')\\nValueError: order is not payable\\n`;
const TICK_MS = 10;
/** What a task comes to on average: sent, received, started, an end, and every fiftieth is retried once. */
const EVENTS_PER_TASK = 4 + 4 / 50;
/** Celery's own bound of one `task.multi`. */
const BUFFER = 24;
const HEARTBEAT_MS = 2_000;

/**
 * The nodes of one Celery cluster at a steady rate, as Celery 5.6 speaks: the client's `task-sent` one by one, the workers'
 * task events in `task.multi` lists flushed each turn of their loop, heartbeats every 2 s, a Lamport clock a node. Each
 * hundredth task fails, each fiftieth is retried once.
 */
export class CeleryNodes {
  readonly #eventsPerSecond: number;
  readonly #remember: (event: SentEvent) => void;
  readonly #clocks = new Map<string, number>();
  readonly #processed = new Map<string, number>();
  #steps = new Map<number, Step[]>();
  #lastMs: number;
  #tick: number;
  #owed = 0;
  #tasks = 0;
  #lastHeartbeatMs = 0;
  #lastAt = 0;

  constructor(eventsPerSecond: number, nowMs: number, remember: (event: SentEvent) => void) {
    this.#eventsPerSecond = eventsPerSecond;
    this.#remember = remember;
    this.#lastMs = nowMs;
    this.#tick = Math.floor(nowMs / TICK_MS);
  }

  /** Tasks that have not ended yet. */
  get busy(): boolean {
    return this.#steps.size > 0;
  }

  /** What the nodes say up to now. @param more whether new tasks are sent */
  *turn(nowMs: number, more: boolean): Generator<Message> {
    if (more) this.#owed += ((nowMs - this.#lastMs) / 1000) * (this.#eventsPerSecond / EVENTS_PER_TASK);
    this.#lastMs = nowMs;
    const now = Math.floor(nowMs / TICK_MS);
    // two turns may fall into one tick, whose steps have been taken then
    for (; this.#owed >= 1; this.#owed--) this.#plan(Math.max(now, this.#tick));
    for (; this.#tick <= now; this.#tick++) {
      const due = this.#steps.get(this.#tick);
      this.#steps.delete(this.#tick);
      if (due !== undefined) yield* this.#say(due, nowMs);
    }
    if (nowMs - this.#lastHeartbeatMs >= HEARTBEAT_MS) {
      this.#lastHeartbeatMs = nowMs;
      for (const worker of WORKERS) yield this.#heartbeat(worker);
    }
  }

  #plan(now: number): void {
    const index = this.#tasks++;
    const task = {
      uuid: randomUUID(),
      index,
      name: NAMES[index % NAMES.length] ?? '',
      worker: WORKERS[index % WORKERS.length] ?? '',
    };
    const at = (ticks: number, type: Step['type'], retries: number): void => {
      const list = this.#steps.get(now + ticks) ?? [];
      this.#steps.set(now + ticks, list);
      list.push({ task, type, retries });
    };
    at(0, 'sent', 0);
    at(2, 'received', 0);
    at(4, 'started', 0);
    const retried = index % 50 === 7;
    if (retried) {
      at(6, 'sent', 1);
      at(8, 'retried', 0);
      at(10, 'received', 1);
      at(12, 'started', 1);
    }
    at(retried ? 20 : 12, index % 100 === 3 ? 'failed' : 'succeeded', retried ? 1 : 0);
  }

  *#say(steps: readonly Step[], nowMs: number): Generator<Message> {
    const lists = new Map<string, string[]>();
    for (const step of steps) {
      const hostname = step.type === 'sent' ? CLIENT : step.task.worker;
      const body = this.#event(step, hostname, nowMs);
      if (step.type === 'sent') yield { routingKey: 'task.sent', hostname, body };
      else lists.set(hostname, [...(lists.get(hostname) ?? []), body]);
    }
    for (const [hostname, bodies] of lists) {
      for (let start = 0; start < bodies.length; start += BUFFER) {
        const body = `[${bodies.slice(start, start + BUFFER).join(', ')}]`;
        yield { routingKey: 'task.multi', hostname, body };
      }
    }
  }

  #event(step: Step, hostname: string, nowMs: number): string {
    const { task, type, retries } = step;
    const clock = this.#forward(hostname);
    // one after another, by a microsecond at least, as nodes do that call time() for each
    this.#lastAt = Math.max(nowMs * 1000, this.#lastAt + 1);
    const at = this.#lastAt / 1e6;
    const runtime = type === 'succeeded' ? 0.01 + (task.index % 1000) / 1000 : null;
    const exception = type === 'failed' ? 'ValueError' : type === 'retried' ? 'ConnectionError' : '';
    this.#remember({
      id: `${hostname}/${clock}`,
      type: `task-${type}`,
      taskId: task.uuid,
      name: task.name,
      at,
      exception,
      runtime,
    });
    if (type === 'succeeded' || type === 'failed') {
      this.#processed.set(hostname, (this.#processed.get(hostname) ?? 0) + 1);
    }
    const queue = QUEUES[task.index % QUEUES.length] ?? '';
    const call = `"name": "${task.name}", "args": "(${task.index}, 'customer-${task.index % 977}')", "kwargs": "{'note': 'faults'}", "root_id": "${task.uuid}", "parent_id": null, "retries": ${retries}, "eta": null, "expires": null`;
    const rest = {
      sent: `, ${call}, "queue": "${queue}", "exchange": "", "routing_key": "${queue}"`,
      received: `, ${call}`,
      started: '',
      retried: `, "exception": "ConnectionError('no route')", "traceback": "${TRACEBACK}"`,
      failed: `, "exception": "ValueError('order is not payable')", "traceback": "${TRACEBACK}"`,
      succeeded: `, "result": "{'total': ${task.index}}", "runtime": ${runtime}`,
    }[type];
    const pid = hostname === CLIENT ? 4242 : 77;
    return `{"hostname": "${hostname}", "utcoffset": 0, "pid": ${pid}, "clock": ${clock}, "uuid": "${task.uuid}"${rest}, "timestamp": ${at.toFixed(6)}, "type": "task-${type}"}`;
  }

  #heartbeat(worker: string): Message {
    const body = `{"hostname": "${worker}", "utcoffset": 0, "pid": 77, "clock": ${this.#forward(worker)}, "freq": 2.0, "active": 1, "processed": ${this.#processed.get(worker) ?? 0}, "loadavg": [0.5, 0.4, 0.3], "sw_ident": "py-celery", "sw_ver": "5.6.0", "sw_sys": "Linux", "timestamp": ${(this.#lastMs / 1000).toFixed(6)}, "type": "worker-heartbeat"}`;
    return { routingKey: 'worker.heartbeat', hostname: worker, body };
  }

  #forward(hostname: string): number {
    const clock = (this.#clocks.get(hostname) ?? 0) + 1;
    this.#clocks.set(hostname, clock);
    return clock;
  }
}
