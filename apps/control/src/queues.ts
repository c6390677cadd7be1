import type { ControlChannel, Move, Queues } from '@meadow/broker';
import type { Bucket } from '@meadow/bus';
import type { ControlPart, ControlQuestion, Mask } from '@meadow/contract';
import { setTimeout as delay } from 'node:timers/promises';
import type { Audit } from './audit.ts';
import { Pauses, type KeptPause } from './pauses.ts';
import { QueueLooks } from './queue-looks.ts';
import { recordedAction, Refused, type Begin, type Done, type Work } from './recorded-action.ts';
import type { Telemetry } from './telemetry.ts';

export interface QueuesDeps {
  readonly cluster: string;
  /** Where it is, the password masked. */
  readonly broker: string;
  readonly queues: Queues;
  readonly channel: ControlChannel;
  readonly pauses: Bucket<KeptPause>;
  readonly mask: Mask;
  readonly audit: Audit;
  readonly telemetry: Telemetry;
  readonly signal: AbortSignal;
}

type Look = Extract<ControlQuestion, { kind: 'queues' | 'peek' | 'broker' }>;
type Act = Extract<ControlQuestion, { kind: 'purge' | 'remove' | 'move' | 'pause' | 'resume' }>;
type ActOf<Kind extends Act['kind']> = Extract<Act, { kind: Kind }>;

/** Messages that are told in the record of a purge. */
const SAMPLE = 10;
/** Among so many a message that is removed is looked for, so that its record names it. */
const MOST_SHOWN = 100;
/** Between two words of how far a move is. */
const PROGRESS_MS = 250;

/** What of queues is looked at and done on one cluster. Whatever changes something is recorded before and after. */
export class ClusterQueues {
  readonly #deps: QueuesDeps;
  readonly #looks: QueueLooks;
  readonly #pauses: Pauses;

  constructor(deps: QueuesDeps) {
    this.#deps = deps;
    this.#looks = new QueueLooks(deps.queues, deps.mask);
    this.#pauses = new Pauses({ ...deps, bucket: deps.pauses });
  }

  /** Takes up the pauses of the replica that held the cluster before. @throws BusError */
  async takeUp(): Promise<void> {
    await this.#pauses.load();
  }

  /** @throws BrokerError in time, QueueRefusal */
  async *look(question: Look, signal: AbortSignal): AsyncGenerator<ControlPart, void, undefined> {
    switch (question.kind) {
      case 'queues': {
        const { queues, looked } = await this.#looks.figures(question.queues, signal);
        for (const figures of queues) yield { kind: 'queue', figures, paused: this.#pauses.of(figures.name) };
        yield { kind: 'looked', ...looked };
        return;
      }
      case 'peek': {
        const { queue, offset, limit } = question;
        const at = Date.now() / 1000;
        yield { kind: 'messages', peek: await this.#looks.peek(queue, offset, limit, signal), at };
        return;
      }
      case 'broker':
        yield { kind: 'server', ...(await this.#looks.server(signal)) };
        return;
      default:
        return question satisfies never;
    }
  }

  /**
   * What was begun is ended, whoever waits for it, but for a move, which `signal` stops between two messages.
   * @throws Refused, QueueRefusal, BrokerError, BusError: nothing was done then
   */
  act(question: Act, signal: AbortSignal): AsyncIterable<ControlPart> {
    switch (question.kind) {
      case 'purge':
        return this.#record(question, [question.queue], (begin) => this.#purge(question, begin));
      case 'remove':
        return this.#record(question, [question.queue], (begin) => this.#remove(question, begin));
      case 'move':
        return this.#record(question, [question.from, question.to], (begin) => this.#move(question, begin, signal));
      case 'pause':
        return this.#record(question, [question.queue], (begin) =>
          this.#pauses.pause(question.queue, question.by.actor, begin),
        );
      case 'resume':
        return this.#record(question, [question.queue], (begin) =>
          this.#pauses.resume(question.queue, question.workers, begin),
        );
      default:
        return question satisfies never;
    }
  }

  #record({ kind, by, request_id, ...args }: Act, targets: string[], work: Work): AsyncIterable<ControlPart> {
    const { cluster } = this.#deps;
    const about = { cluster, by, request_id, action: `queue.${kind}`, target_kind: 'queue', targets } as const;
    return recordedAction({ ...about, arguments: args }, this.#deps, work);
  }

  async #purge({ queue, confirm }: ActOf<'purge'>, begin: Begin): Promise<Done> {
    if (confirm !== queue) {
      throw new Refused(`"${confirm.slice(0, 255)}" is not "${queue}": type the queue's name to confirm that all goes`);
    }
    const { says, sample } = await this.#waiting(queue);
    await begin(says, sample);
    const count = await this.#deps.queues.purge(queue);
    return { outcome: 'done', detail: `${messages(count)} removed; those that workers hold stay`, count };
  }

  async #remove({ queue, handle }: ActOf<'remove'>, begin: Begin): Promise<Done> {
    const { queues } = this.#deps;
    await begin('', queues.transport === 'redis' ? await this.#shown(queue, handle) : []);
    if (await queues.remove(queue, handle)) return { outcome: 'done', detail: '1 message removed', count: 1 };
    const detail = 'the message is no longer there: a worker has taken it, or somebody removed it';
    return { outcome: 'refused', detail, count: 0 };
  }

  async *#move(
    { from, to, limit }: ActOf<'move'>,
    begin: Begin,
    signal: AbortSignal,
  ): AsyncGenerator<ControlPart, Done, undefined> {
    const { waiting, says } = await this.#waiting(from);
    const total = waiting === null ? limit : Math.min(waiting, limit ?? Infinity);
    await begin(says);
    const ends = AbortSignal.any([signal, this.#deps.signal]);
    const progress = { moved: 0 };
    const moving = this.#deps.queues.move(from, to, {
      ...(limit === null ? {} : { limit }),
      signal: ends,
      onProgress: (moved) => (progress.moved = moved),
    });
    moving.catch(() => undefined);
    try {
      for (let told = 0; !(await Promise.race([moving.then(() => true), delay(PROGRESS_MS, false)]));) {
        if (progress.moved === told) continue;
        told = progress.moved;
        yield { kind: 'progress', done: told, total: total !== null && total < told ? null : total };
      }
      return movedTo(to, await moving, ends.aborted);
    } catch (error) {
      if (!ends.aborted || error !== ends.reason) throw error;
      return { outcome: 'stopped', detail: 'stopped before anything was moved', count: 0 };
    }
  }

  /** How many messages wait, and on Redis which are next: on RabbitMQ to look at them is to take and put them back. */
  async #waiting(
    queue: string,
  ): Promise<{ readonly waiting: number | null; readonly says: string; readonly sample: readonly unknown[] }> {
    const { queues, signal } = this.#deps;
    if (queues.transport === 'redis') {
      const { ready, messages: shown } = await this.#looks.peek(queue, 0, SAMPLE, signal);
      const sample = shown.map(({ task }) => ({ id: task?.id ?? null, task: task?.task ?? null }));
      return { waiting: ready, says: `${messages(ready)} before`, sample };
    }
    const [figures] = (await queues.figures([queue])).queues;
    const waiting = figures?.ready ?? null;
    // its management api counts every few seconds
    return { waiting, says: `${messages(waiting)} before, as RabbitMQ counted last`, sample: [] };
  }

  /** What a message is that a look has shown, where it is still among the first. */
  async #shown(queue: string, handle: string): Promise<readonly unknown[]> {
    const { messages: shown } = await this.#looks.peek(queue, 0, MOST_SHOWN, this.#deps.signal);
    const task = shown.find((message) => message.handle === handle)?.task ?? null;
    return task === null ? [] : [{ id: task.id, task: task.task }];
  }
}

/** @param isStopped by somebody; else it gave up by itself */
function movedTo(to: string, { moved, left, leftBecause, ended, error, doubled }: Move, isStopped: boolean): Done {
  const words = [
    `${messages(moved)} moved to queue "${to}"`,
    ...(left > 0 ? [`${messages(left)} left where they were: ${leftBecause ?? 'they cannot be moved unchanged'}`] : []),
    ...(doubled > 0 ? [`at most ${doubled} more may be in both queues`] : []),
    ...(error === null ? [] : [error.message]),
  ];
  const isWhole = left === 0 && (ended === 'all' || ended === 'limit');
  const outcome = isWhole ? 'done' : ended === 'stopped' && isStopped ? 'stopped' : 'partly';
  return { outcome, detail: words.join('; '), count: moved };
}

const messages = (count: number | null): string =>
  count === null ? 'an unknown number of messages' : `${count} ${count === 1 ? 'message' : 'messages'}`;
