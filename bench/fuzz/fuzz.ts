import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { MAX_INPUT } from './mutate.ts';

/** Where the properties are: beside the code they hold for. */
const MODULES = ['libs/celery', 'libs/contract', 'libs/broker', 'apps/collector'].map(
  (project) => new URL(`../../${project}/test/fuzz-targets.ts`, import.meta.url).href,
);
const INSTRUMENTED = '/(libs/(celery|contract)|apps/collector)/src/|/libs/broker/src/[a-z-]*url\\.ts';
const CRASHERS = fileURLToPath(new URL('./crashers/', import.meta.url));
/** A thread busy with one input for so long hangs. */
const HANG_MS = 20_000;
/** No input of 64 KB may need more than this. */
const HEAP_MB = 400;

export interface FuzzOptions {
  readonly seconds: number;
  readonly seed: number;
  /** One target instead of all. */
  readonly only: string | null;
  /** Tries this input and nothing else. */
  readonly replay: Uint8Array | null;
}

export interface FuzzReport {
  readonly executions: number;
  readonly targets: Readonly<Record<string, { executions: number; places: number; corpus: number }>>;
  /** `<target>: <error> (<file of the input>)`, each kind once. */
  readonly finds: readonly string[];
  /** Highest resident memory, MB. */
  readonly peakMb: number;
}

/** What the thread is given. */
export interface FuzzJob extends Pick<FuzzOptions, 'seed' | 'only' | 'replay'> {
  readonly modules: readonly string[];
  readonly instrumented: string;
  /** Unix milliseconds. */
  readonly deadline: number;
  /** Target's number, length and bytes of the input being tried. */
  readonly inFlight: SharedArrayBuffer;
  /** Inputs tried so far. */
  readonly tries: SharedArrayBuffer;
}

export type FuzzMessage =
  | { kind: 'progress'; target: string; executions: number; places: number; corpus: number; rss: number }
  | { kind: 'find'; target: string; id: string; input: Uint8Array; error: string }
  | { kind: 'end' };

/**
 * Tries mutated recordings on every target, keeping those that reach code no input before them had reached. Each kind of
 * find is written to `crashers/` as the input and a text with the error and the seed. A thread that hangs or runs out of
 * memory is a find too; it ends the run.
 */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { seconds, seed, only, replay } = options;
  const inFlight = new SharedArrayBuffer(MAX_INPUT + 8);
  const tries = new SharedArrayBuffer(4);
  const deadline = Date.now() + seconds * 1000;
  const job: FuzzJob = { seed, only, replay, modules: MODULES, instrumented: INSTRUMENTED, deadline, inFlight, tries };
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: job,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  });
  const targets: Record<string, { executions: number; places: number; corpus: number }> = {};
  const finds: string[] = [];
  let peakMb = 0;
  const keep = (target: string, id: string, input: Uint8Array, error: string): void => {
    const file = `${target}-${id}`;
    mkdirSync(CRASHERS, { recursive: true });
    writeFileSync(`${CRASHERS}${file}.bin`, input);
    writeFileSync(`${CRASHERS}${file}.txt`, `seed ${seed}\ntarget ${target}\n${error}\n`);
    finds.push(`${target}: ${error.split('\n')[0] ?? ''} (${file}.bin)`);
  };
  const lastTried = (): Uint8Array => {
    const view = Buffer.from(inFlight);
    return Uint8Array.from(view.subarray(8, 8 + view.readUInt32LE(4)));
  };

  await new Promise<void>((resolve) => {
    let last = -1;
    const hanging = setInterval(() => {
      const now = new Int32Array(tries)[0] ?? 0;
      if (now === last && now > 0) {
        keep('hang', String(now), lastTried(), `no answer within ${HANG_MS} ms`);
        void worker.terminate();
      }
      last = now;
    }, HANG_MS);
    worker.on('message', (message: FuzzMessage) => {
      switch (message.kind) {
        case 'progress': {
          const { target, executions, places, corpus, rss } = message;
          targets[target] = { executions, places, corpus };
          peakMb = Math.max(peakMb, Math.round(rss / 1e6));
          return;
        }
        case 'find':
          return keep(message.target, message.id, message.input, message.error);
        case 'end':
          return void worker.terminate();
        default:
          return message satisfies never;
      }
    });
    worker.on('error', (error) => keep('thread', 'error', lastTried(), error.stack ?? error.message));
    worker.on('exit', () => {
      clearInterval(hanging);
      resolve();
    });
  });
  const executions = Object.values(targets).reduce((sum, target) => sum + target.executions, 0);
  return { executions, targets, finds, peakMb };
}
