import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** Another instance works on the same data directory. */
export class DataInUseError extends Error {
  override readonly name = 'DataInUseError';
  readonly code = 'DATA_IN_USE';
  /** What the other instance tells about itself. */
  readonly holder: string;

  constructor(directory: string, holder: string) {
    super(`${directory} is in use by another Meadow (${holder})`);
    this.holder = holder;
  }
}

/** Ends registered process groups when this process dies, however suddenly, and holds the data directory's lock. */
export interface Guard extends AsyncDisposable {
  add(pid: number): void;
  remove(pid: number): void;
}

type GuardProcess = ChildProcessByStdio<Writable, Readable, null>;

/**
 * @param options.info one line that a second instance is shown, e.g. pid and address.
 * @throws DataInUseError when the lock of the directory is held.
 */
export async function openGuard(options: { readonly directory: string; readonly info: string }): Promise<Guard> {
  const directory = realpathSync(options.directory);
  const pids = new Set<number>();
  let ending = false;

  const start = async (): Promise<GuardProcess> => {
    const script = join(import.meta.dirname, 'guard.ts');
    const guard = spawn(process.execPath, [script, lockPath(directory), options.info], {
      stdio: ['pipe', 'pipe', 'inherit'],
      // a group of its own: Ctrl-C in the terminal must not reach it
      detached: true,
    });
    guard.stdin.on('error', () => undefined);
    const [answer] = (await once(createInterface({ input: guard.stdout }), 'line')) as [string];
    const [verdict, ...rest] = answer.split(' ');
    if (verdict === 'taken') throw new DataInUseError(options.directory, rest.join(' '));
    if (verdict !== 'locked') throw new Error(`cannot lock ${options.directory}: ${rest.join(' ')}`);
    for (const pid of pids) guard.stdin.write(`+${pid}\n`);
    guard.once('exit', () => {
      if (!ending) void start().then((next) => (current = next));
    });
    return guard;
  };

  let current = await start();
  return {
    add(pid) {
      pids.add(pid);
      current.stdin.write(`+${pid}\n`);
    },
    remove(pid) {
      pids.delete(pid);
      current.stdin.write(`-${pid}\n`);
    },
    async [Symbol.asyncDispose]() {
      ending = true;
      const ended = once(current, 'exit');
      current.stdin.end();
      await ended;
    },
  };
}

/** Linux has socket names without a file (written with an @), which vanish with their owner; elsewhere it is a file. */
function lockPath(directory: string): string {
  const id = createHash('sha256').update(directory).digest('hex').slice(0, 32);
  return process.platform === 'linux' ? `@meadow-${id}` : `/tmp/meadow-${id}.sock`;
}
