/**
 * A process of its own that outlives a supervisor killed without warning. It holds the lock of the data directory and is
 * told the process groups that were started (`+pid` and `-pid` lines on stdin). When stdin ends it asks what is still
 * there to end, then kills it; only then is the lock free, so a second start never meets remains of the first.
 *
 * usage: node guard.ts <lock path> <what to tell whoever finds the lock taken>
 */
import { unlinkSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

const DEADLINE_MS = 10_000;
const [lockName = '', info = ''] = process.argv.slice(2);
const path = lockName.replace(/^@/, '\0');
const groups = new Set<number>();

/** Signals the process itself, or with `-pid` its whole group. @returns whether there was anything to signal. */
function signal(target: number, name: NodeJS.Signals | 0): boolean {
  try {
    process.kill(target, name);
    return true;
  } catch {
    return false;
  }
}

async function endEverything(): Promise<void> {
  for (const pid of groups) signal(pid, 'SIGTERM');
  const deadline = Date.now() + DEADLINE_MS;
  while (Date.now() < deadline && [...groups].some((pid) => signal(-pid, 0))) await delay(50);
  for (const pid of groups) signal(-pid, 'SIGKILL');
}

function takeLock(retried: boolean): void {
  const lock = createServer((socket) => socket.on('error', () => socket.destroy()).end(info));
  lock.once('listening', () => process.stdout.write('locked\n'));
  lock.once('error', () => {
    let holder = '';
    createConnection(path)
      .on('data', (chunk: Buffer) => (holder += chunk.toString()))
      .on('end', () => process.stdout.write(`taken ${holder}\n`, () => process.exit(1)))
      .on('error', (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ECONNREFUSED' || retried) {
          process.stdout.write(`failed ${error.message}\n`, () => process.exit(1));
          return;
        }
        // a socket file whose owner is dead
        unlinkSync(path);
        takeLock(true);
      });
  });
  lock.listen(path);
  lock.unref();
}

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => undefined);
process.stdout.on('error', () => undefined);
const orders = createInterface({ input: process.stdin });
orders.on('line', (line) => {
  const pid = Number(line.slice(1));
  if (line.startsWith('+')) groups.add(pid);
  else groups.delete(pid);
});
orders.on('close', () => void endEverything().finally(() => process.exit(0)));
takeLock(false);
