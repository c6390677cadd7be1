import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { cpuSeconds } from './processes.ts';
import type { Sent, Shape } from './traffic.ts';

/** JSON has no infinity. */
export const UNBOUNDED = Number.MAX_SAFE_INTEGER;

export interface LoadOptions {
  readonly redisPort: number;
  readonly shape: Shape;
  readonly unbatchedShare: number;
  /** Ends after so many, */
  readonly events: number;
  /** or so long, whichever comes first. */
  readonly seconds: number;
  /** Events per second; 0 = as fast as the pipeline takes them. */
  readonly rate: number;
  /** The generator waits when so many are published and not stored. */
  readonly underWay: number;
}

/** What the generator tells. */
export interface LoadReport {
  readonly sent: Sent;
  /** Messages that Redis took while nobody was subscribed. */
  readonly unheard: number;
  readonly done: boolean;
}

export interface Load extends AsyncDisposable {
  /** Published so far. */
  sent(): Sent;
  /** Messages that Redis took while nobody was subscribed. */
  unheard(): number;
  /** Says how many events are stored, by which the generator paces itself. */
  stored(events: number): void;
  /** Asks for the end. */
  stop(): void;
  readonly finished: Promise<void>;
  /** CPU of the generator, seconds. */
  cpu(): number;
}

/** Starts the generator. */
export function startLoad(options: LoadOptions): Load {
  const child = fork(fileURLToPath(new URL('./generator.ts', import.meta.url)), [JSON.stringify(options)]);
  let last: LoadReport = { sent: { events: 0, tasks: 0, byType: {} }, unheard: 0, done: false };
  let cpu = 0;
  const { pid } = child;
  const finished = new Promise<void>((resolve, reject) => {
    child.on('message', (report: LoadReport) => {
      last = report;
      if (pid !== undefined && !child.killed) cpu = cpuSeconds(pid);
      if (report.done) resolve();
    });
    child.once('exit', (code) => (last.done ? resolve() : reject(new Error(`the generator ended with ${code}`))));
  });
  finished.catch(() => undefined);
  return {
    sent: () => last.sent,
    unheard: () => last.unheard,
    stored: (events) => child.connected && child.send({ stored: events, stop: false }),
    stop: () => child.connected && child.send({ stored: 0, stop: true }),
    finished,
    cpu: () => cpu,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const over = once(child, 'exit');
      child.kill('SIGKILL');
      await over;
    },
  };
}
