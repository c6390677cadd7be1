import type { ClusterRegistry, Doctor, Questions } from '@meadow/api';
import type { Requests } from '@meadow/bus';
import { askDoctorSubject, findings, judgeTraffic, type Finding } from '@meadow/contract';
import { SharedAnswers } from './shared.ts';

export interface DoctorOptions {
  /** null while NATS is away. */
  readonly requests: () => Requests | null;
  readonly clusters: ClusterRegistry;
  readonly questions: Questions;
}

/** The collector tries for 5 s to reach the broker, and as long for the results. */
const ASK_TIMEOUT_MS = 15_000;
const KEEP_MS = 10_000;
const SPAN_SECONDS = 3600;
/** A worker whose clock is off by less may only be far away. */
const SKEW_SECONDS = 2;

/** The broker as the cluster's collector finds it, and the traffic as it is stored. */
export class ClusterDoctor implements Doctor {
  readonly #options: DoctorOptions;
  readonly #shared = new SharedAnswers();

  constructor(options: DoctorOptions) {
    this.#options = options;
  }

  examine(cluster: string): Promise<readonly Finding[]> {
    return this.#shared.ask(cluster, KEEP_MS, async () => {
      const [broker, traffic] = await Promise.all([this.#broker(cluster), this.#traffic(cluster)]);
      return [...broker, ...traffic];
    });
  }

  async #broker(cluster: string): Promise<readonly Finding[]> {
    const collector = { check: 'collector', title: 'A collector watches it', remedy: '' } as const;
    const { requests, clusters } = this.#options;
    const nats = requests();
    const status = clusters.list().find(({ name }) => name === cluster)?.status ?? null;
    if (nats === null) return [{ ...collector, verdict: 'unknown', says: 'NATS does not answer' }];
    try {
      const answer = await nats.ask(askDoctorSubject(cluster), {}, ASK_TIMEOUT_MS);
      if (answer !== null) {
        const says =
          status === null
            ? 'yes'
            : `${status.collector}${(status.standby ?? null) === null ? ', no standby' : ', with a standby'}`;
        return [{ ...collector, verdict: 'pass', says }, ...findings.parse(answer)];
      }
    } catch (error) {
      const says = error instanceof Error ? error.message : String(error);
      return [{ ...collector, verdict: 'fail', says, remedy: "read the collector's log" }];
    }
    // a definition that can never work is told and not held by anybody
    const says = status?.error?.message ?? 'none does';
    const remedy = (status?.error ?? null) === null ? 'start a collector, or define the cluster in one' : '';
    return [{ ...collector, verdict: 'fail', says, remedy }];
  }

  async #traffic(cluster: string): Promise<readonly Finding[]> {
    const { questions } = this.#options;
    const asked = Promise.all([questions.workers({ cluster }), questions.overview({ cluster, range: '1h' })]);
    const heard = await asked.catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
    // what the broker was found to be is told all the same
    if (typeof heard === 'string') {
      const remedy = 'see the system page for what is wrong with the store';
      return [{ check: 'traffic', title: 'What was heard can be looked up', verdict: 'unknown', says: heard, remedy }];
    }
    const [lines, { counts }] = heard;
    const alive = lines.filter(({ state }) => state === 'online' || state === 'quiet');
    return judgeTraffic({
      seconds: SPAN_SECONDS,
      workers: alive.filter(({ state }) => state === 'online').length,
      quietWorkers: alive.filter(({ state }) => state === 'quiet').length,
      sent: counts.sent,
      received: counts.received,
      started: counts.started,
      versions: [...new Set(alive.map(({ sw_ver: version }) => version).filter((version) => version !== ''))].sort(),
      skewed: alive.flatMap(({ worker, clock_offset_seconds: seconds }) =>
        seconds !== null && Math.abs(seconds) > SKEW_SECONDS ? [{ worker, seconds }] : [],
      ),
    });
  }
}
