import type { Inspection, InspectionPart } from '@meadow/contract';
import type { Api } from '../api/api.ts';
import { readSettings, type Settings } from '../control/abilities.ts';
import { cpuShare, readStats, type Stats } from '../control/stats.ts';

/** What is known of a worker from its own answers. */
export interface Known {
  /** The newest of each kind; one that was asked for and has not answered is there without a time. */
  readonly parts: ReadonlyMap<Inspection, InspectionPart>;
  readonly stats: Stats | null;
  readonly settings: Settings | null;
  /** Of one core, by the main process, between its last two answers to `stats`; null when not known yet. */
  readonly cpu: number | null;
}

/** The part of the API that tells of workers. */
type Asked = Pick<Api, 'inspect' | 'run'>;

/** So long after an answer of its own a shared one may be from before, milliseconds: pages ask every three seconds. */
const HOLD_MS = 4_000;
const WAIT_MS = 3_000;
/** What a worker says of a task beside its name, when it is asked for it, as control does. */
const TASK_FACTS = ['rate_limit', 'soft_time_limit', 'time_limit'];

/**
 * What one worker answers, kept while its page is open. Answers are shared: control asks a cluster once, however many
 * look on. After something was done to the worker it is asked itself, so that the page shows what came of it.
 */
export class WorkerAnswers {
  readonly #api: Asked;
  readonly #cluster: string;
  readonly #worker: string;
  readonly #nowMs: () => number;
  readonly #parts = new Map<Inspection, InspectionPart>();
  /** Answers of its own, until a shared one is surely newer. Clocks are not compared: a browser's may be off. */
  readonly #own = new Map<Inspection, { readonly untilMs: number; seenAt: number }>();
  #cpu: number | null = null;

  constructor(api: Asked, cluster: string, worker: string, nowMs: () => number = () => Date.now()) {
    this.#api = api;
    this.#cluster = cluster;
    this.#worker = worker;
    this.#nowMs = nowMs;
  }

  /** @throws Fault */
  async ask(of: readonly Inspection[], signal: AbortSignal): Promise<Known> {
    const parts = await this.#api.inspect({ cluster: this.#cluster, of, workers: [this.#worker] }, signal);
    for (const part of parts) this.#keep(part);
    return this.known();
  }

  /** Asks this worker itself. One that is silent leaves what is known as it is. @throws Fault */
  async askAnew(of: readonly Inspection[]): Promise<void> {
    await Promise.all(of.map(async (each) => this.#askAnew(each)));
  }

  known(): Known {
    const settings = readSettings(this.#parts.get('conf')?.value);
    const stats = readStats(this.#parts.get('stats')?.value, settings?.workerPool);
    return { parts: new Map(this.#parts), stats, settings, cpu: this.#cpu };
  }

  async #askAnew(of: Inspection): Promise<void> {
    const command = of === 'registered' ? { method: of, taskinfoitems: TASK_FACTS } : { method: of };
    const { workers } = await this.#api.run({
      ...{ cluster: this.#cluster, command, workers: [this.#worker], waitMs: WAIT_MS },
    });
    const told = workers.find(({ worker, outcome }) => worker === this.#worker && outcome === 'done');
    if (told === undefined) return;
    const now = this.#nowMs();
    this.#own.set(of, { untilMs: now + HOLD_MS, seenAt: 0 });
    this.#parts.set(of, {
      ...{ kind: 'inspection', of, worker: this.#worker, at: now / 1000, value: told.value, omitted: 0, error: null },
    });
  }

  #keep(part: InspectionPart): void {
    const before = this.#parts.get(part.of);
    // control forgets what a worker said ten minutes ago, and everything when it is started anew
    if (part.at === null && before?.at) return;
    const own = this.#own.get(part.of);
    if (own !== undefined) {
      const at = part.at ?? 0;
      if (this.#nowMs() < own.untilMs || at <= own.seenAt) {
        own.seenAt = Math.max(own.seenAt, at);
        return;
      }
      this.#own.delete(part.of);
    } else if (part.of === 'stats' && before?.at && part.at !== null && part.at > before.at) {
      const after = readStats(part.value);
      this.#cpu = after === null ? null : cpuShare(readStats(before.value), after, part.at - before.at);
    }
    this.#parts.set(part.of, part);
  }
}

/** An answer so old was not given anew when it was asked for: each kind is asked for as often as it changes. Seconds. */
export const STALE_SECONDS: Readonly<Record<Inspection, number>> = {
  ...{ stats: 20, active: 20, reserved: 20, scheduled: 20, active_queues: 30 },
  ...{ registered: 75, revoked: 75, conf: 135 },
};
