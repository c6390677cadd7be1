import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { startChild, type Child } from './child.ts';

/** Debian's Celery belongs to Debian's python; another one may come first on PATH. */
const PYTHON = '/usr/bin/python3';

/** Folder of the Celery application made for tests; `celeryApp` is the module in it. */
export const celeryFolder = fileURLToPath(new URL('../celery', import.meta.url));
export const celeryApp = 'garden';

export interface CelerySettings {
  /** Broker URL as Celery takes it. */
  readonly brokerUrl: string;
  /** @default results are not kept */
  readonly backendUrl?: string;
  /** Celery settings by their lower-case names, put over the test application's own. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

export interface CeleryWorkerOptions extends CelerySettings {
  /** Module of the application. @default the test application `garden` */
  readonly app?: string;
  /** @default the test application's folder */
  readonly cwd?: string;
  /** Further arguments of `celery worker`. @default ['--concurrency', '2'] */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Node name before the @. @default 'tester' */
  readonly name?: string;
  /** @default 30_000 */
  readonly deadlineMs?: number;
}

export interface CeleryWorker extends AsyncDisposable {
  readonly pid: number;
  /** Node name before the @. */
  readonly name: string;
  log(): string;
  /** True once its process has ended. */
  ended(): boolean;
  /** Warm shutdown, SIGKILL after 15 s. */
  stop(): Promise<void>;
  kill9(): Promise<void>;
}

/** A real Celery worker, ready to take tasks when this returns. Its events are on (`-E`) unless `settings` switch them off. */
export async function startCeleryWorker(options: CeleryWorkerOptions): Promise<CeleryWorker> {
  const name = options.name ?? 'tester';
  const events = options.settings?.['worker_send_task_events'] === false ? [] : ['-E'];
  const worker: Child = await startChild({
    name: `celery worker ${name}`,
    command: PYTHON,
    args: [
      ...['-m', 'celery', '-A', options.app ?? celeryApp, '-b', options.brokerUrl, 'worker', ...events],
      ...['-n', `${name}@%h`, '--loglevel', 'INFO', ...(options.args ?? ['--concurrency', '2'])],
    ],
    cwd: options.cwd ?? celeryFolder,
    env: { ...celeryEnvironment(options), ...options.env },
    deadlineMs: options.deadlineMs ?? 30_000,
    ready: (child) => / ready\.\n/.test(child.log()),
  });
  return Object.assign(worker, { name, [Symbol.asyncDispose]: () => worker.kill9() });
}

/** Environment that configures the test application, for `runPython` scripts that import it. */
export function celeryEnvironment(options: CelerySettings): Record<string, string> {
  return {
    PYTHONDONTWRITEBYTECODE: '1',
    PYTHONUNBUFFERED: '1',
    // Celery warns at length about root; it is meant here.
    C_FORCE_ROOT: '1',
    GARDEN_BROKER: options.brokerUrl,
    GARDEN_BACKEND: options.backendUrl ?? '',
    GARDEN_SETTINGS: JSON.stringify(options.settings ?? {}),
  };
}

export interface PythonOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** @default the test application's folder, so that `import garden` works */
  readonly cwd?: string;
  readonly args?: readonly string[];
  /** @default 60_000 */
  readonly deadlineMs?: number;
}

/** Runs a Python program given as text; returns its standard output. Throws, with its errors, when it fails. */
export function runPython(script: string, options: PythonOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      PYTHON,
      ['-c', script, ...(options.args ?? [])],
      {
        cwd: options.cwd ?? celeryFolder,
        env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', ...options.env },
        timeout: options.deadlineMs ?? 60_000,
        killSignal: 'SIGKILL',
        maxBuffer: 64 * 1024 * 1024,
      },
      (cause, stdout, stderr) => {
        if (cause === null) resolve(stdout);
        else reject(new Error(`python ended with ${cause.code ?? cause.signal}:\n${stderr.slice(-4000)}`, { cause }));
      },
    );
  });
}
