import type { Queues } from '@meadow/broker';
import type { Looked, Mask, Peek, QueueFigures, ServerFacts, ShownText, WaitingMessage } from '@meadow/contract';

/** Figures that are no older are told again. */
const FIGURES_MS = 2_000;
const SERVER_MS = 3_000;
/** A queue that somebody asked for is looked at whenever others are, for so long. */
const WANTED_MS = 10_000;
/** Queues that the broker is asked for at a time. */
const MOST_AT_A_TIME = 10_000;

interface Seen {
  readonly figures: QueueFigures;
  /** When the look began, by `performance.now()`. */
  readonly beganMs: number;
  readonly looked: Looked;
}

interface Server {
  readonly facts: ServerFacts;
  readonly looked: Looked;
}

/**
 * What is seen of queues and their broker: asked for no sooner again than it grows old, however many look on, and one look at
 * a time. Nothing that a message holds leaves it unmasked.
 */
export class QueueLooks {
  readonly #queues: Queues;
  readonly #mask: Mask;
  /** By name; those that nobody wanted for a while are dropped. */
  readonly #seen = new Map<string, Seen>();
  /** When somebody wanted to know of a queue, in this order. */
  readonly #wantedMs = new Map<string, number>();
  #looking: Promise<void> | null = null;
  #server: (Server & { readonly beganMs: number }) | null = null;
  #asking: Promise<Server> | null = null;

  constructor(queues: Queues, mask: Mask) {
    this.#queues = queues;
    this.#mask = mask;
  }

  /** @returns one for each name, in their order, and the oldest look of these. @throws BrokerError */
  async figures(
    names: readonly string[],
    signal: AbortSignal,
  ): Promise<{ readonly queues: readonly QueueFigures[]; readonly looked: Looked }> {
    const sinceMs = performance.now() - FIGURES_MS;
    for (;;) {
      for (const name of names) this.#want(name);
      const seen = names.flatMap((name) => this.#seen.get(name) ?? []).filter(({ beganMs }) => beganMs > sinceMs);
      if (seen.length === names.length) {
        const looked = seen.map((each) => each.looked).reduce((oldest, each) => (each.at < oldest.at ? each : oldest));
        return { queues: seen.map(({ figures }) => figures), looked };
      }
      this.#looking ??= this.#look().finally(() => (this.#looking = null));
      await unlessAborted(this.#looking, signal);
    }
  }

  /** @throws BrokerError, QueueRefusal */
  async peek(name: string, offset: number, limit: number, signal: AbortSignal): Promise<Peek> {
    const peek = await this.#queues.peek(name, { offset, limit, signal });
    return { ...peek, messages: peek.messages.map((message) => maskedMessage(message, this.#mask)) };
  }

  /** @throws BrokerError */
  async server(signal: AbortSignal): Promise<Server> {
    if (this.#server !== null && performance.now() - this.#server.beganMs < SERVER_MS) return this.#server;
    this.#asking ??= this.#askServer().finally(() => (this.#asking = null));
    return unlessAborted(this.#asking, signal);
  }

  #want(name: string): void {
    this.#wantedMs.delete(name);
    this.#wantedMs.set(name, performance.now());
  }

  /** Looks at every queue that somebody wants, so that all who look on share the next look as well. */
  async #look(): Promise<void> {
    const beganMs = performance.now();
    for (const [name, wantedMs] of this.#wantedMs) {
      if (wantedMs > beganMs - WANTED_MS) break;
      this.#wantedMs.delete(name);
      this.#seen.delete(name);
    }
    const names = [...this.#wantedMs.keys()];
    for (let from = 0; from < names.length; from += MOST_AT_A_TIME) {
      const at = Date.now() / 1000;
      const { queues, degraded } = await this.#queues.figures(names.slice(from, from + MOST_AT_A_TIME));
      const looked = { at, degraded: degradedBy(degraded) };
      for (const figures of queues) {
        const nextId = figures.nextId === null ? null : maskedId(figures.nextId, this.#mask);
        this.#seen.set(figures.name, { figures: { ...figures, nextId }, beganMs, looked });
      }
    }
  }

  async #askServer(): Promise<Server> {
    const [beganMs, at] = [performance.now(), Date.now() / 1000];
    const { degraded, ...facts } = await this.#queues.facts();
    this.#server = { beganMs, facts, looked: { at, degraded: degradedBy(degraded) } };
    return this.#server;
  }
}

const degradedBy = (error: { readonly code: string; readonly message: string } | null): Looked['degraded'] =>
  error && { code: error.code, says: error.message };

/** Everything in it that somebody else has written, with secrets hidden. */
function maskedMessage(message: WaitingMessage, mask: Mask): WaitingMessage {
  const text = (value: string | null): string | null => (value === null ? null : mask(value));
  const shown = (value: ShownText | null): ShownText | null => value && { ...value, text: mask(value.text) };
  const id = (value: string | null): string | null => (value === null ? null : maskedId(value, mask));
  const { task, problem, args, kwargs, contentType, contentEncoding, compression } = message;
  return {
    ...message,
    ...{ contentType: text(contentType), contentEncoding: text(contentEncoding), compression: text(compression) },
    ...{ args: shown(args), kwargs: shown(kwargs) },
    problem: problem && { ...problem, says: mask(problem.says) },
    task: task && {
      ...task,
      ...{ id: maskedId(task.id, mask), task: mask(task.task), shadow: text(task.shadow) },
      ...{ eta: text(task.eta), expires: text(task.expires), origin: text(task.origin) },
      ...{ rootId: id(task.rootId), parentId: id(task.parentId), group: id(task.group) },
      ...{ argsrepr: text(task.argsrepr), kwargsrepr: text(task.kwargsrepr) },
    },
  };
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Digits of a uuid may look like a card's number, and are needed to find the task. */
const maskedId = (id: string, mask: Mask): string => (UUID.test(id) ? id : mask(id));

/** Waits for what others may wait for too. */
async function unlessAborted<T>(shared: Promise<T>, signal: AbortSignal): Promise<T> {
  // nobody may be left to hear how it ends
  shared.catch(() => undefined);
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([shared, promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
