import { named, type EncodedTask } from '@meadow/celery';
import type { ClusterDefinition } from '@meadow/contract';
import { amqpError } from '../amqp/errors.ts';
import { withDeadline } from '../deadline.ts';
import type { BrokerFacts } from '../errors.ts';
import type { BrokerStatus } from '../event-source.ts';
import { HeldConnection } from '../held-connection.ts';
import type { Session } from '../keep-connected.ts';
import { redisError } from '../redis/errors.ts';
import { parseBrokerUrl, type AmqpTarget, type RedisTarget } from '../url.ts';
import { abortTasks, type AbortOutcome } from './abort.ts';
import { openAmqpOutlet } from './amqp-outlet.ts';
import { TaskSendError, unknownOutcome, type SendFailureFacts } from './errors.ts';
import { openRedisOutlet } from './redis-outlet.ts';

export type TaskSenderDefinition = Pick<
  ClusterDefinition,
  | 'name'
  | 'broker'
  | 'transportOptions'
  | 'tls'
  | 'resultBackend'
  | 'resultTransportOptions'
  | 'eventExchange'
  | 'controlExchange'
>;

export interface TaskSenderOptions {
  /** Ends the sender. */
  readonly signal: AbortSignal;
  /** Called on each change, synchronously. Must not throw. */
  readonly onStatus?: (status: BrokerStatus) => void;
  /** Appears in the broker's own list of connections. @default 'meadow-control' */
  readonly clientName?: string;
  /** For a connection that is being made, and then for the broker to take a task. @default 10_000 */
  readonly sendTimeoutMs?: number;
}

/** A task that a queue has. */
export interface SentTask {
  readonly taskId: string;
  /** The queues that have it; null where RabbitMQ routed it through an exchange, which it does not tell. */
  readonly queues: readonly string[] | null;
}

/** Sends tasks to one cluster, whatever its broker. Dispose it, or abort its signal, to end it. */
export interface TaskSender extends AsyncDisposable {
  readonly transport: 'redis' | 'amqp';
  readonly status: BrokerStatus;
  /**
   * Resolves when the broker has the task in a queue. Several may be under way.
   * @param signal ends the waiting for a connection; what has left is waited for until the deadline
   * @throws TaskSendError when it was not sent, or, as `SEND_OUTCOME_UNKNOWN`, may have been
   * @throws BrokerError when there is no connection: it was not sent
   */
  send(task: EncodedTask, signal?: AbortSignal): Promise<SentTask>;
  /**
   * Sets these tasks to `ABORTED` in the result backend, where those made from Celery's `AbortableTask` look. At most 1,000;
   * each has its outcome.
   * @throws z.ZodError for what is no id: nothing has been written
   * @throws BrokerError when the backend does not answer: some may have been aborted
   */
  abort(taskIds: readonly string[], signal?: AbortSignal): Promise<readonly AbortOutcome[]>;
}

/** One connection, as a sender uses it. */
export interface Outlet extends Session {
  send(task: EncodedTask): Promise<SentTask>;
}

export interface OutletOptions {
  readonly definition: TaskSenderDefinition;
  readonly clientName: string;
  readonly connectTimeoutMs: number;
  readonly signal: AbortSignal;
}

const CONNECT_TIMEOUT_MS = 10_000;
const SEND_TIMEOUT_MS = 10_000;
const MOST_ABORTS = 1_000;
const taskId = named('the task id');

/**
 * Opens a sender and returns at once, connected or not: a broker that is down is tried for ever, and told by `onStatus`.
 * Throws `BrokerConfigError` when the definition can never work.
 */
export function openTaskSender(definition: TaskSenderDefinition, options: TaskSenderOptions): TaskSender {
  return new Sender(definition, options);
}

class Sender implements TaskSender {
  readonly transport: 'redis' | 'amqp';
  readonly #facts: BrokerFacts;
  readonly #definition: TaskSenderDefinition;
  readonly #options: TaskSenderOptions;
  readonly #sendTimeoutMs: number;
  readonly #held: HeldConnection<RedisTarget, Outlet> | HeldConnection<AmqpTarget, Outlet>;
  /** Ids of the tasks under way. */
  readonly #sending = new Set<string>();

  constructor(definition: TaskSenderDefinition, options: TaskSenderOptions) {
    const broker = parseBrokerUrl(definition);
    this.transport = broker.kind;
    this.#facts = { cluster: definition.name, endpoint: broker.targets[0].endpoint };
    this.#definition = definition;
    this.#options = options;
    this.#sendTimeoutMs = options.sendTimeoutMs ?? SEND_TIMEOUT_MS;
    const { name } = definition;
    const common = {
      ...{ facts: this.#facts, timeoutMs: this.#sendTimeoutMs, signal: options.signal },
      onStatus: (status: BrokerStatus) => options.onStatus?.(status),
    };
    this.#held =
      broker.kind === 'redis'
        ? new HeldConnection<RedisTarget, Outlet>({
            ...common,
            targets: broker.targets,
            open: (target, signal) => openRedisOutlet(target, this.#outletOptions(signal)),
            toError: (error, target) => redisError(error, target, name),
          })
        : new HeldConnection<AmqpTarget, Outlet>({
            ...common,
            targets: broker.targets,
            open: (target, signal) => openAmqpOutlet(target, this.#outletOptions(signal)),
            toError: (error, target) => amqpError(error, target, name),
          });
  }

  get status(): BrokerStatus {
    return this.#held.status;
  }

  async send(task: EncodedTask, signal?: AbortSignal): Promise<SentTask> {
    const facts = { ...this.#facts, taskId: task.id };
    this.#refuseMachinery(task, facts);
    if (this.#sending.has(task.id)) {
      const remedy = 'give each task an id of its own';
      throw new TaskSendError('SEND_TWICE', facts, 'a task of this id is just being sent', remedy);
    }
    this.#sending.add(task.id);
    try {
      const outlet = await this.#held.link(signal);
      return await withDeadline(outlet.send(task), {
        ms: this.#sendTimeoutMs,
        // what is stuck on the way must not arrive when nobody expects it any more
        giveUp: () => void outlet.close(),
        onTimeout: () => unknownOutcome(facts, 'the broker did not answer in time'),
      });
    } finally {
      this.#sending.delete(task.id);
    }
  }

  abort(taskIds: readonly string[], signal?: AbortSignal): Promise<readonly AbortOutcome[]> {
    for (const id of taskIds) taskId.parse(id);
    if (taskIds.length > MOST_ABORTS)
      throw new RangeError(`${taskIds.length} tasks to abort: name at most ${MOST_ABORTS}`);
    return abortTasks(this.#definition, taskIds, {
      clientName: this.#options.clientName ?? DEFAULT_NAME,
      signal: signal === undefined ? this.#held.signal : AbortSignal.any([this.#held.signal, signal]),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held[Symbol.asyncDispose]();
  }

  /** What has names of its own in this cluster; the usual names are refused with the request. */
  #refuseMachinery({ exchange, routingKey }: EncodedTask, facts: SendFailureFacts): void {
    const { eventExchange, controlExchange } = this.#definition;
    const name = exchange === '' ? routingKey : exchange;
    if (name !== eventExchange && !name.startsWith(`${eventExchange}.`) && name !== `${controlExchange}.pidbox`) return;
    throw new TaskSendError('SEND_UNROUTABLE', facts, `"${name}" is not for tasks`, 'name the queue of a worker');
  }

  #outletOptions(signal: AbortSignal): OutletOptions {
    const clientName = this.#options.clientName ?? DEFAULT_NAME;
    return { definition: this.#definition, clientName, connectTimeoutMs: CONNECT_TIMEOUT_MS, signal };
  }
}

const DEFAULT_NAME = 'meadow-control';
