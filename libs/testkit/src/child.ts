import { spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { waitFor } from './wait-for.ts';

const LOG_TAIL_CHARS = 32_768;
const STOP_DEADLINE_MS = 15_000;

export interface Launch {
  /** Appears in errors: "redis-server". */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Added to this process' environment; undefined removes. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Called again and again until true. Output so far is `child.log()`. */
  readonly ready: (child: Child) => boolean | Promise<boolean>;
  /** @default 30_000 */
  readonly deadlineMs?: number;
}

/** A running process of ours in a process group of its own. */
export interface Child {
  readonly pid: number;
  /** The last 32 KiB of standard output and error, mixed as they came. */
  log(): string;
  /** True once it has ended. */
  ended(): boolean;
  /** SIGTERM, then SIGKILL to the group after 15 s. */
  stop(): Promise<void>;
  /** SIGKILL to the whole group; returns once it is gone. */
  kill9(): Promise<void>;
}

const running = new Set<number>();

/** Starts a process and waits until it is ready. On failure nothing stays behind and the error holds the log's tail. */
export async function startChild(launch: Launch): Promise<Child> {
  const child = await spawnGroup(launch);
  try {
    await waitFor(
      () => {
        if (child.ended()) throw new Error(`${launch.name} ended before it was ready`);
        return launch.ready(child);
      },
      { what: `${launch.name} to be ready`, deadlineMs: launch.deadlineMs ?? 30_000, everyMs: 30, giveUp: child.ended },
    );
  } catch (cause) {
    await child.kill9();
    throw new Error(`${launch.name} did not start; its last lines:\n${child.log().slice(-4000)}`, { cause });
  }
  return child;
}

async function spawnGroup(launch: Launch): Promise<Child> {
  // setpriv makes the kernel end the server even when this process is killed and can no longer clean up.
  const guard = findBinary('setpriv');
  const line = [launch.command, ...launch.args];
  const [command = launch.command, ...args] = guard === null ? line : [guard, '--pdeathsig', 'KILL', ...line];
  const env = { ...process.env, ...launch.env };
  const child = spawn(command, args, {
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(launch.cwd === undefined ? {} : { cwd: launch.cwd }),
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-LOG_TAIL_CHARS);
    });
  }
  const pid = await spawned(child);
  if (running.size === 0) process.once('exit', killAll);
  running.add(pid);
  const over = new Promise<void>((resolve) => {
    child.once('exit', () => {
      running.delete(pid);
      resolve();
    });
  });
  const kill9 = async (): Promise<void> => {
    signalGroup(pid, 'SIGKILL');
    await over;
  };
  return {
    pid,
    log: () => log,
    ended: () => !running.has(pid),
    kill9,
    async stop() {
      if (!running.has(pid)) return;
      process.kill(pid, 'SIGTERM');
      const timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), STOP_DEADLINE_MS);
      await over;
      clearTimeout(timer);
    },
  };
}

function spawned(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => {
      if (child.pid === undefined) reject(new Error('process without id'));
      else resolve(child.pid);
    });
  });
}

function signalGroup(pid: number, signal: 'SIGKILL'): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function killAll(): void {
  for (const pid of running) signalGroup(pid, 'SIGKILL');
}

/** Full path of a program on PATH, or in the system folders Debian keeps daemons in; null when absent. */
export function findBinary(name: string): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/bin'];
  for (const folder of folders) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this folder
    }
  }
  return null;
}
