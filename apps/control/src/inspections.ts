import type { ControlAsk, ControlChannel } from '@meadow/broker';
import { refusalIn, type ControlReply } from '@meadow/celery';
import { INSPECTIONS, type Inspection, type InspectionPart, type Mask } from '@meadow/contract';
import { setTimeout as delay } from 'node:timers/promises';

/** So old an answer is asked for again, when somebody wants it: what changes by itself sooner than what people change. */
const FRESH_MS: Readonly<Record<Inspection, number>> = {
  ...{ active: 5_000, reserved: 5_000, scheduled: 5_000, stats: 5_000 },
  ...{ active_queues: 10_000, revoked: 30_000, registered: 30_000, conf: 60_000 },
};
/** So long workers have for an answer, which is taken whenever it comes. */
const WAIT_MS = 5_000;
/** Who asks first, when nothing is known, waits at most so long for it. */
const FIRST_ANSWER_MS = 1_000;
/** What a worker said is forgotten when it has said nothing for so long. */
const FORGOTTEN_MS = 10 * 60_000;
/** Of a longer list the first are passed on; any other answer is told as too long instead. Characters of JSON. */
const LONGEST_ANSWER = 1_000_000;
const MOST_WORKERS = 20_000;

/** What a worker says of a task beside its name. */
const TASK_FACTS = ['rate_limit', 'soft_time_limit', 'time_limit'];

const commandOf = (of: Inspection): ControlAsk['command'] =>
  of === 'registered' ? { method: of, taskinfoitems: TASK_FACTS } : { method: of };

interface Told {
  readonly atMs: number;
  readonly value: unknown;
  readonly omitted: number;
  readonly error: string | null;
}

const NOTHING: Omit<Told, 'atMs'> = { value: null, omitted: 0, error: null };

interface Kept {
  readonly answers: Map<string, Told>;
  askedAtMs: number;
  asking: Promise<void> | null;
}

/**
 * What workers told of themselves last. All of a cluster are asked at once, and no sooner again than an answer grows old,
 * however many want to know; nobody waits for a worker that is silent.
 */
export class Inspections {
  readonly #channel: ControlChannel;
  readonly #mask: Mask;
  readonly #kept = new Map<Inspection, Kept>(
    INSPECTIONS.map((of) => [of, { answers: new Map(), askedAtMs: -Infinity, asking: null }]),
  );

  constructor(channel: ControlChannel, mask: Mask) {
    this.#channel = channel;
    this.#mask = mask;
  }

  /** What is known now; waits for a moment where nothing is. @throws BrokerError when nothing is known and the broker cannot be asked */
  async *answer(
    { of, workers }: { readonly of: readonly Inspection[]; readonly workers: readonly string[] | null },
    signal: AbortSignal,
  ): AsyncGenerator<InspectionPart, void, undefined> {
    const asking = of.map((each) => this.#refresh(each));
    const isUnknown = (each: Inspection): boolean => this.#keptOf(each).answers.size === 0;
    if (of.some(isUnknown)) {
      const first = Promise.all(asking.filter((_, index) => isUnknown(of[index] ?? 'stats')));
      await Promise.race([first, delay(FIRST_ANSWER_MS, undefined, { signal, ref: false })]);
    }
    for (const each of of) yield* this.known(each, workers);
  }

  /** Asks, unless that was done just now; waits for a moment, as answers may come later. Never rejects but for `signal`. */
  async refresh(of: Inspection, signal: AbortSignal): Promise<void> {
    const asking = this.#refresh(of).catch(() => undefined);
    await Promise.race([asking, delay(FIRST_ANSWER_MS, undefined, { signal, ref: false })]);
  }

  /** What workers told last, without asking. */
  *known(of: Inspection, workers: readonly string[] | null = null): Generator<InspectionPart> {
    const { answers } = this.#keptOf(of);
    for (const worker of workers ?? answers.keys()) {
      const told = answers.get(worker);
      const at = told === undefined ? null : told.atMs / 1000;
      const { value, omitted, error } = told ?? NOTHING;
      yield { kind: 'inspection', of, worker, at, value, omitted, error };
    }
  }

  #keptOf(of: Inspection): Kept {
    const kept = this.#kept.get(of);
    if (kept === undefined) throw new TypeError(`no inspection "${of}"`);
    return kept;
  }

  /** Asks all workers, unless that is under way or was done just now. */
  #refresh(of: Inspection): Promise<void> {
    const kept = this.#keptOf(of);
    if (kept.asking !== null) return kept.asking;
    if (performance.now() - kept.askedAtMs < FRESH_MS[of]) return Promise.resolve();
    kept.askedAtMs = performance.now();
    const asking = this.#ask(of, kept.answers).finally(() => (kept.asking = null));
    // whoever waits for it hears of a failure; when nobody does, the next who asks will
    asking.catch(() => (kept.askedAtMs = -Infinity));
    return (kept.asking = asking);
  }

  async #ask(of: Inspection, answers: Map<string, Told>): Promise<void> {
    const forgotten = Date.now() - FORGOTTEN_MS;
    for (const [worker, { atMs }] of answers) if (atMs < forgotten) answers.delete(worker);
    await this.#channel.ask({
      ...{ command: commandOf(of), destination: null, waitMs: WAIT_MS },
      onReply: (reply) => {
        if (answers.size < MOST_WORKERS || answers.has(reply.worker)) answers.set(reply.worker, this.#told(reply));
      },
    });
  }

  #told(reply: ControlReply): Told {
    const atMs = Date.now();
    const refusal = refusalIn(reply);
    if (refusal !== null) return { ...NOTHING, atMs, error: this.#mask(refusal) };
    const text = this.#mask.json(reply.value);
    const value = JSON.parse(text) as unknown;
    if (text.length <= LONGEST_ANSWER) return { ...NOTHING, atMs, value };
    if (!Array.isArray(value)) {
      return { ...NOTHING, atMs, error: `its answer has ${text.length} characters, too many to be shown here` };
    }
    const first = firstOf(value, LONGEST_ANSWER);
    return { ...NOTHING, atMs, value: first, omitted: value.length - first.length };
  }
}

/** As many of a list as fit. */
function firstOf(list: readonly unknown[], characters: number): readonly unknown[] {
  let left = characters;
  const end = list.findIndex((item) => (left -= JSON.stringify(item).length + 1) < 0);
  return end === -1 ? list : list.slice(0, end);
}
