import { amqpEnvelope, CeleryDecodeError, decodeEvents, decodeRedisEnvelope } from '@meadow/celery';
import type { Traffic } from '@meadow/contract';

/** A worker whose clock is off by less may only be far away. Seconds. */
const SKEW_SECONDS = 2;
/** Enough to judge by; the rest is not read. */
const ENOUGH_MESSAGES = 100_000;

/** Listens to a cluster for a while and keeps what `judgeTraffic` asks for. */
export class Hearing {
  readonly #beginMs = Date.now();
  readonly #workers = new Map<string, { beats: boolean; offset: number; version: string }>();
  readonly #counts = { sent: 0, received: 0, started: 0 };
  #messages = 0;

  redis(payload: Buffer): void {
    this.#take(() => decodeEvents(decodeRedisEnvelope(payload)));
  }

  amqp(message: Parameters<typeof amqpEnvelope>[0]): void {
    this.#take(() => decodeEvents(amqpEnvelope(message)));
  }

  get traffic(): Traffic {
    const workers = [...this.#workers];
    return {
      seconds: (Date.now() - this.#beginMs) / 1000,
      workers: workers.filter(([, { beats }]) => beats).length,
      quietWorkers: workers.filter(([, { beats }]) => !beats).length,
      ...this.#counts,
      versions: [...new Set(workers.flatMap(([, { version }]) => (version === '' ? [] : [version])))].sort(),
      skewed: workers
        .map(([worker, { offset }]) => ({ worker, seconds: offset }))
        .filter(({ seconds }) => Math.abs(seconds) > SKEW_SECONDS),
    };
  }

  get messages(): number {
    return this.#messages;
  }

  #take(decode: () => ReturnType<typeof decodeEvents>): void {
    this.#messages++;
    if (this.#messages > ENOUGH_MESSAGES) return;
    let decoded: ReturnType<typeof decodeEvents>;
    try {
      decoded = decode();
    } catch (error) {
      if (!(error instanceof CeleryDecodeError)) throw error;
      return;
    }
    const now = Date.now() / 1000;
    for (const event of decoded.events) {
      const { type } = event;
      if (type === 'task-sent') this.#counts.sent++;
      if (type === 'task-received') this.#counts.received++;
      if (type === 'task-started') this.#counts.started++;
      // who sends tasks is no worker
      if (type === 'task-sent' || type === 'worker-offline') continue;
      const offset = now - event.timestamp;
      const known = this.#workers.get(event.hostname);
      const version = 'sw_ver' in event && typeof event.sw_ver === 'string' ? event.sw_ver : (known?.version ?? '');
      this.#workers.set(event.hostname, {
        beats: type.startsWith('worker-') || known?.beats === true,
        offset: Math.abs(offset) < Math.abs(known?.offset ?? Infinity) ? offset : (known?.offset ?? offset),
        version,
      });
    }
  }
}
