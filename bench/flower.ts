import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { freePort, startRedis, waitFor } from '@meadow/testkit';
import { round } from './figure.ts';
import { startLoad, UNBOUNDED } from './load.ts';
import { cpuSeconds, memoryMb } from './processes.ts';
import type { Shape } from './traffic.ts';

/** Fewer than the pipeline gets: at 60 to 120 µs each this takes a while, and a mean needs no more. */
const EVENTS = 50_000;
/** What Flower can keep up with. */
const RATE = 4_000;

interface FlowerFigures {
  readonly version: string;
  readonly events: number;
  readonly cpu_us_per_event: number;
  readonly peak_mb: number;
}

/** Flower's cost for the same traffic where it is installed; otherwise why there is none. */
export async function flowerCost(shape: Shape, unbatchedShare: number): Promise<FlowerFigures | string> {
  const python = await findFlower();
  if (python === null) return 'no python here imports flower';
  const { command, version } = python;
  const port = await freePort();
  await using redis = await startRedis({ args: ['--client-output-buffer-limit', 'pubsub 0 0 0'] });
  const args = [
    '-m',
    'celery',
    '-b',
    redis.url,
    'flower',
    `--port=${port}`,
    '--address=127.0.0.1',
    '--max_tasks=100000',
  ];
  const child = spawn(command, args, { stdio: 'ignore' });
  try {
    const { pid } = child;
    if (pid === undefined) return 'flower did not start';
    await waitFor(async () => (await fetch(`http://127.0.0.1:${port}/healthcheck`)).ok, {
      what: 'flower to answer',
      deadlineMs: 30_000,
    });
    const before = cpuSeconds(pid);
    await using load = startLoad({
      ...{ redisPort: redis.port, shape, unbatchedShare, events: EVENTS, seconds: 60, rate: RATE },
      underWay: UNBOUNDED,
    });
    await load.finished;
    // it has caught up when a second costs it next to nothing
    let last = cpuSeconds(pid);
    await waitFor(
      () => {
        const now = cpuSeconds(pid);
        const idle = now - last < 0.05;
        last = now;
        return idle;
      },
      { what: 'flower to catch up', deadlineMs: 120_000, everyMs: 1_000 },
    );
    const { events } = load.sent();
    const cpu = round(((cpuSeconds(pid) - before) * 1e6) / events);
    return { version, events, cpu_us_per_event: cpu, peak_mb: memoryMb(pid).peak };
  } finally {
    const over = once(child, 'exit');
    if (child.kill('SIGKILL')) await over;
  }
}

async function findFlower(): Promise<{ command: string; version: string } | null> {
  const run = promisify(execFile);
  for (const command of ['/usr/bin/python3', 'python3']) {
    try {
      const { stdout } = await run(command, ['-c', 'import flower, celery; print(flower.__version__)']);
      return { command, version: stdout.trim() };
    } catch {
      // not with this one
    }
  }
  return null;
}
