import { isTaskQueue, type ControlAsk, type ControlChannel } from '@meadow/broker';
import type { Bucket } from '@meadow/bus';
import { controlCommand, refusalIn, type ControlCommand } from '@meadow/celery';
import type { ControlPart, Mask, Pause } from '@meadow/contract';
import { setTimeout as delay } from 'node:timers/promises';
import { prettifyError, z } from 'zod';
import { activeQueuesIn, type ActiveQueue } from './active-queues.ts';
import { answersOf, conclude } from './commands.ts';
import { Refused, type Begin, type Done } from './recorded-action.ts';

/** How a worker knows a queue. */
type Known = Pick<ActiveQueue, 'exchange' | 'exchangeType' | 'routingKey' | 'hasArguments'>;
type WorkerPart = Extract<ControlPart, { kind: 'worker' }>;

/** A pause of a queue. Kept in the bucket `meadow_pauses` under `<cluster>.<queue in base64url>` until it is over. */
export const keptPause = z.object({
  /** Where the queue is, the password masked: of another broker it is another. */
  broker: z.string(),
  /** Unix seconds. */
  at: z.number(),
  actor: z.string(),
  /** Some take from it again; those that are kept have not said that they do. */
  isResumed: z.boolean(),
  /** Who took from it, and how they know it: to be told again as it was. */
  taken: z.array(
    z.object({
      exchange: z.string().nullable(),
      exchangeType: z.enum(['direct', 'topic', 'fanout', 'headers']),
      routingKey: z.string().nullable(),
      hasArguments: z.boolean(),
      workers: z.array(z.string()),
    }),
  ),
});
export type KeptPause = z.output<typeof keptPause>;

/** So long workers have to say which queues they take from. Where it is not known who is there, all of it is waited. */
const LOOK_MS = 2_000;
/** So long they have to say that they do what they were told. */
const ANSWER_MS = 4_000;
/** They say so before they do it: so long is looked whether they have. */
const EFFECT_MS = 5_000;
const EFFECT_LOOK_MS = 250;
/** A worker on Redis that waits for a message waits for a second: one that was told meanwhile gets it still. */
const LAST_WAIT_MS = 1_500;

export interface PausesOptions {
  readonly cluster: string;
  /** Where it is, the password masked. */
  readonly broker: string;
  readonly channel: ControlChannel;
  readonly mask: Mask;
  readonly bucket: Bucket<KeptPause>;
}

/** Queues of a cluster that workers were told to leave alone, and who took from each before. */
export class Pauses {
  readonly #options: PausesOptions;
  readonly #kept = new Map<string, KeptPause>();

  constructor(options: PausesOptions) {
    this.#options = options;
  }

  /** Takes up what the replica that held the cluster before has left. @throws BusError */
  async load(): Promise<void> {
    const { cluster, broker, bucket } = this.#options;
    const prefix = `${cluster}.`;
    for (const { key, value } of await bucket.all()) {
      if (!key.startsWith(prefix) || value.broker !== broker) continue;
      this.#kept.set(Buffer.from(key.slice(prefix.length), 'base64url').toString(), value);
    }
  }

  /** Null where it is not paused, or where some were told to take from it again. */
  of(queue: string): Pause | null {
    const kept = this.#kept.get(queue);
    return kept === undefined || kept.isResumed ? null : { at: kept.at, actor: kept.actor, workers: workersOf(kept) };
  }

  /** Tells those that take from a queue to leave it, and looks whether they have. @throws Refused, BrokerError, BusError */
  async *pause(queue: string, actor: string, begin: Begin): AsyncGenerator<WorkerPart, Done, undefined> {
    const began = performance.now();
    const { takers, answered, heard } = await this.#look(queue, null);
    const paused = this.of(queue);
    if (takers.size === 0 && paused !== null) {
      const since = new Date(paused.at * 1000).toISOString();
      throw new Refused(`queue "${queue}" is paused already, since ${since}, and no worker that answers takes from it`);
    }
    if (takers.size === 0) {
      const whom =
        answered.size === 0 ? 'no worker answered' : `none of the ${answered.size} that answered takes from it`;
      throw new Refused(`nobody is to be told to leave queue "${queue}": ${whom}`);
    }
    const known = [...takers.values()];
    if (known.some(({ isTransient }) => isTransient)) {
      const why = 'the broker deletes it, with what waits in it, when the last worker leaves it';
      throw new Refused(`queue "${queue}" cannot be paused: ${why}; declare it without auto_delete`);
    }
    const workers = [...takers.keys()];
    await begin(`${count(workers.length, 'worker takes', 'workers take')} from it`, workers);
    // kept before they are told, so that whatever ends here now they can be told again
    await this.#keep(queue, {
      ...{ broker: this.#options.broker, at: Date.now() / 1000, actor, isResumed: false },
      taken: takenBy(takers, this.#kept.get(queue)?.taken ?? []),
    });
    const parts = await this.#tell(queue, [[{ method: 'cancel_consumer', queue }, workers]], false, began);
    if (this.#options.channel.transport === 'redis') await delay(LAST_WAIT_MS);
    yield* parts;
    if (parts.every((part) => part.outcome === 'refused')) await this.#forget(queue);
    const { outcome, detail } = conclude(parts, workers);
    const unheard = heard === null ? 0 : heard - answered.size;
    const expires = known.map(({ expiresSeconds }) => expiresSeconds ?? Infinity).reduce((a, b) => Math.min(a, b));
    const said = [
      detail,
      'tasks that they hold already are run',
      'a worker that is started anew takes from the queue again',
      ...(unheard > 0 ? [`${count(unheard, 'worker', 'workers')} did not answer and may take from it`] : []),
      ...(expires < Infinity ? [`a queue that nobody uses for ${expires} s is deleted with what waits in it`] : []),
    ];
    return { outcome, detail: said.join('; '), count: null, answers: answersOf(parts) };
  }

  /**
   * Tells those that took from a queue when it was paused, and those named, to take from it, and looks whether they do.
   * @throws Refused, BrokerError, BusError
   */
  async *resume(queue: string, named: readonly string[], begin: Begin): AsyncGenerator<WorkerPart, Done, undefined> {
    const began = performance.now();
    const kept = this.#kept.get(queue);
    const workers = [...new Set([...(kept === undefined ? [] : workersOf(kept)), ...named])];
    if (workers.length === 0) {
      throw new Refused(`queue "${queue}" was not paused here: name the workers that are to take from it`);
    }
    if (!isTaskQueue(queue)) throw new Refused(`queue "${queue}" holds no tasks: no worker is to take from it`);
    // one that did not take from it has to be told how it is declared: by those that do
    const areKnown = kept !== undefined && named.every((worker) => workersOf(kept).includes(worker));
    const { takers } = await this.#look(queue, areKnown ? workers : null);
    const parts: WorkerPart[] = [];
    const orders = new Map<string, [command: ControlCommand, workers: string[]]>();
    const [other] = takers.values();
    const how = kept?.taken[0] ?? other;
    for (const worker of workers) {
      const before = kept?.taken.find((each) => each.workers.includes(worker));
      if (takers.has(worker)) {
        parts.push(partOf(worker, 'done', 'it takes from it', began));
      } else if (before === undefined && how?.hasArguments === true) {
        const words = 'not told: the queue has arguments, which a worker can be given by its configuration alone';
        parts.push(partOf(worker, 'refused', words, began));
      } else {
        const command = addConsumer(queue, before ?? how);
        const order = orders.get(JSON.stringify(command)) ?? [command, []];
        order[1].push(worker);
        orders.set(JSON.stringify(command), order);
      }
    }
    await begin(count(workers.length, 'worker', 'workers'), workers);
    parts.push(...(await this.#tell(queue, [...orders.values()], true, began)));
    yield* parts;
    const { outcome, detail } = conclude(parts, workers);
    const done = new Set(parts.filter((part) => part.outcome === 'done').map(({ worker }) => worker));
    const left = kept === undefined ? 0 : await this.#release(queue, kept, done);
    const said = [
      detail,
      ...(left > 0 ? [`${count(left, 'worker stays', 'workers stay')} remembered for the next time`] : []),
      ...(orders.size > 0 ? ['one that loses its connection to the broker may forget it: look again then'] : []),
    ];
    return { outcome, detail: said.join('; '), count: null, answers: answersOf(parts) };
  }

  /** Who takes from a queue. @param workers those that are waited for; null for all */
  async #look(
    queue: string,
    workers: readonly string[] | null,
  ): Promise<{
    readonly takers: ReadonlyMap<string, ActiveQueue>;
    readonly answered: ReadonlySet<string>;
    readonly heard: number | null;
  }> {
    const { replies, heard } = await this.#options.channel.ask({
      ...{ command: { method: 'active_queues' }, destination: null, waitMs: LOOK_MS },
      ...(workers === null ? {} : { awaited: workers }),
    });
    const takers = new Map<string, ActiveQueue>();
    for (const { worker, value } of replies) {
      const active = activeQueuesIn(value).find(({ name }) => name === queue);
      if (active !== undefined) takers.set(worker, active);
    }
    return { takers, answered: new Set(replies.map(({ worker }) => worker)), heard };
  }

  /** Tells workers, and looks whether what they said is so. @returns one part for each */
  async #tell(
    queue: string,
    orders: readonly (readonly [command: ControlAsk['command'], workers: readonly string[]])[],
    isTo: boolean,
    began: number,
  ): Promise<WorkerPart[]> {
    const { channel, mask } = this.#options;
    const asked = await Promise.all(
      orders.map(([command, destination]) => channel.ask({ command, destination, waitMs: ANSWER_MS })),
    );
    const replies = new Map(asked.flatMap((each) => each.replies).map((reply) => [reply.worker, reply]));
    const agreed = [...replies.values()].filter((reply) => refusalIn(reply) === null).map(({ worker }) => worker);
    const isSo = await this.#effect(queue, agreed, isTo);
    return orders
      .flatMap(([, workers]) => workers)
      .map((worker) => {
        const reply = replies.get(worker);
        if (reply === undefined) return partOf(worker, 'silent', 'no answer in time', began);
        const refusal = refusalIn(reply);
        if (refusal !== null) return partOf(worker, 'refused', mask(refusal), began);
        const said = isTo ? 'it takes from it' : 'it takes no more from it';
        if (isSo.get(worker) !== false) return partOf(worker, 'done', said, began);
        return partOf(worker, 'silent', `it agreed, and ${isTo ? 'does not take' : 'still takes'} from it`, began);
      });
  }

  /** Whether workers take from a queue, or do not, as they said; one that tells nothing any more is missing. */
  async #effect(queue: string, workers: readonly string[], isTo: boolean): Promise<ReadonlyMap<string, boolean>> {
    const isSo = new Map<string, boolean>();
    const untilMs = performance.now() + EFFECT_MS;
    for (let left = workers; left.length > 0; left = left.filter((worker) => isSo.get(worker) === false)) {
      const { replies } = await this.#options.channel.ask({
        ...{ command: { method: 'active_queues' }, destination: left, waitMs: LOOK_MS },
      });
      for (const worker of left) {
        const told = replies.filter((reply) => reply.worker === worker).map(({ value }) => activeQueuesIn(value));
        const takes = told.some((queues) => queues.some(({ name }) => name === queue));
        if (told.length > 0) isSo.set(worker, takes === isTo);
      }
      if (performance.now() > untilMs) break;
      await delay(EFFECT_LOOK_MS);
    }
    return isSo;
  }

  /** Forgets those that take from it again, and the pause with the last of them. @returns how many are left */
  async #release(queue: string, kept: KeptPause, done: ReadonlySet<string>): Promise<number> {
    const taken = kept.taken
      .map((each) => ({ ...each, workers: each.workers.filter((worker) => !done.has(worker)) }))
      .filter(({ workers }) => workers.length > 0);
    if (taken.length === 0) {
      await this.#forget(queue);
      return 0;
    }
    const rest = { ...kept, taken, isResumed: kept.isResumed || done.size > 0 };
    await this.#keep(queue, rest);
    return workersOf(rest).length;
  }

  async #keep(queue: string, pause: KeptPause): Promise<void> {
    await this.#options.bucket.put(this.#key(queue), pause);
    this.#kept.set(queue, pause);
  }

  async #forget(queue: string): Promise<void> {
    await this.#options.bucket.delete(this.#key(queue));
    this.#kept.delete(queue);
  }

  #key(queue: string): string {
    return `${this.#options.cluster}.${Buffer.from(queue).toString('base64url')}`;
  }
}

const workersOf = ({ taken }: KeptPause): string[] => taken.flatMap(({ workers }) => workers);

/** By how they know the queue; those of an earlier pause that have not taken it up again stay. */
function takenBy(takers: ReadonlyMap<string, ActiveQueue>, earlier: KeptPause['taken']): KeptPause['taken'] {
  const groups = new Map<string, KeptPause['taken'][number]>();
  const add = ({ exchange, exchangeType, routingKey, hasArguments }: Known, worker: string): void => {
    const known = { exchange, exchangeType, routingKey, hasArguments };
    const key = JSON.stringify(known);
    const group = groups.get(key) ?? { ...known, workers: [] };
    group.workers.push(worker);
    groups.set(key, group);
  };
  for (const [worker, queue] of takers) add(queue, worker);
  for (const group of earlier) for (const worker of group.workers) if (!takers.has(worker)) add(group, worker);
  return [...groups.values()];
}

/** @throws Refused for what cannot be told to workers */
function addConsumer(queue: string, how: Known | undefined): ControlCommand {
  const command = controlCommand.safeParse({
    ...{ method: 'add_consumer', queue, exchange: how?.exchange ?? null, routing_key: how?.routingKey ?? null },
    exchange_type: how?.exchangeType ?? 'direct',
  });
  if (!command.success) throw new Refused(prettifyError(command.error));
  return command.data;
}

const partOf = (worker: string, outcome: WorkerPart['outcome'], words: string, began: number): WorkerPart => ({
  ...{ kind: 'worker', worker, outcome, words, value: null },
  seconds: Math.round(performance.now() - began) / 1000,
});

const count = (number: number, one: string, more: string): string => `${number} ${number === 1 ? one : more}`;
