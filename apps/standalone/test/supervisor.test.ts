import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DataInUseError, openGuard, type Guard } from '../src/supervisor/guard-client.ts';
import type { LogLine } from '../src/supervisor/log-line.ts';
import { StartFailedError, type ProcessSpec } from '../src/supervisor/process.ts';
import { createSupervisor, type Supervisor } from '../src/supervisor/supervisor.ts';
import { fixture, readTrace } from './fixture-spec.ts';

let directory: string;
let trace: string;
let lines: LogLine[];
const open: (() => Promise<void>)[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'meadow-supervisor-'));
  trace = join(directory, 'trace');
  lines = [];
});

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
  rmSync(directory, { recursive: true, force: true });
});

async function supervise(specs: readonly ProcessSpec[]): Promise<Supervisor> {
  const guard: Guard = await openGuard({ directory, info: 'a test' });
  open.push(async () => guard[Symbol.asyncDispose]());
  const supervisor = createSupervisor(specs, { guard, log: (line) => lines.push(line), firstWaitMs: 20, aliveMs: 20 });
  open.push(() => supervisor.stop());
  return supervisor;
}

const said = (pattern: RegExp): LogLine[] => lines.filter(({ message }) => pattern.test(message));
const names = (what: string): string[] =>
  readTrace(trace)
    .filter((line) => line.includes(` ${what} `))
    .map((line) => line.split(' ')[0]!);
const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test('each process starts after those it needs, and they stop in reverse order', async () => {
  const specs = [
    fixture(trace, 'gateway', 'serve', { after: ['store', 'bus'] }),
    fixture(trace, 'store', 'serve', { after: ['bus'] }),
    fixture(trace, 'bus', 'serve'),
  ];
  const supervisor = await supervise(specs);
  await supervisor.start();
  expect(names('started')).toEqual(['bus', 'store', 'gateway']);
  await supervisor.stop();
  expect(names('stopped')).toEqual(['gateway', 'store', 'bus']);
});

test('a process that dies is started again, and is told about with its last lines when it keeps dying', async () => {
  const supervisor = await supervise([fixture(trace, 'frail', 'die', { optional: false })]);
  const ready = supervisor.start();
  await vi.waitFor(() => expect(said(/keeps ending \(4 times in a row\)/)).toHaveLength(1), 20_000);
  await ready;
  const waits = said(/starting it again in/).map(({ message }) => Number(/in ([\d.]+) s/.exec(message)?.[1]));
  expect(waits).toEqual([...waits].sort((a, b) => a - b));
  const told = said(/keeps ending/)[0]!;
  expect([told.level, told.facts['lastLines']]).toEqual(['error', expect.stringContaining('the reason is on stderr')]);
  expect(told.message).toContain('frail keeps ending (3 times in a row): ended with code 7');
});

test('a process that never comes up fails the start, and its supervisor can still be stopped', async () => {
  const never = fixture(trace, 'never', 'die', { ready: async () => 'not there' });
  const supervisor = await supervise([fixture(trace, 'good', 'serve'), never]);
  await expect(supervisor.start()).rejects.toThrow(StartFailedError);
  await supervisor.stop();
  expect(names('started').filter((name) => name === 'never')).toHaveLength(4);
  expect(names('stopped')).toEqual(['good']);
});

test('a program that does not exist fails the start with its name', async () => {
  const supervisor = await supervise([{ name: 'ghost', command: 'no-such-program', args: [] }]);
  await expect(supervisor.start()).rejects.toThrow(/ghost cannot be started: .*no-such-program ENOENT/);
});

test('an optional process that cannot be brought up does not fail the start', async () => {
  const never = fixture(trace, 'never', 'die', { ready: async () => 'not there', optional: true });
  const supervisor = await supervise([fixture(trace, 'good', 'serve'), never]);
  await supervisor.start();
  expect(names('started')).toContain('good');
});

test('a process that takes too long to become ready is told about, with what is missing', async () => {
  let missing: string | null = 'no connection to NATS';
  const slow = fixture(trace, 'slow', 'serve', { ready: async () => missing, readyDeadlineMs: 50 });
  const supervisor = await supervise([slow]);
  const ready = supervisor.start();
  await vi.waitFor(() => expect(said(/not ready after 0.05 s: no connection to NATS/)).toHaveLength(1), 10_000);
  missing = null;
  await ready;
});

test('a process that ignores SIGTERM is killed after its deadline, with what it started itself', async () => {
  const supervisor = await supervise([fixture(trace, 'deaf', 'family', { stopDeadlineMs: 100 })]);
  await supervisor.start();
  await vi.waitFor(() => expect(names('started')).toContain('deaf-child'), 10_000);
  await supervisor.stop();
  expect(said(/does not stop within 0.1 s, killing it/)).toHaveLength(1);
  const pids = readTrace(trace).map((line) => Number(line.split(' ')[2]));
  await vi.waitFor(() => expect(pids.filter(alive)).toEqual([]), 5_000);
});

test('a process that hangs is killed and started again, but not before that can help', async () => {
  let full: string | null = 'no room on the disk';
  const starts = (): number => names('started').length;
  let looks = 0;
  const probe = async (): Promise<string | null> => {
    const wasKilled = said(/killing it/).length > 0;
    return !wasKilled && ++looks > 1 ? 'no answer' : null;
  };
  const supervisor = await supervise([
    fixture(trace, 'bus', 'serve', { alive: { probe, obstacle: async () => full } }),
  ]);
  await supervisor.start();
  await vi.waitFor(() => expect(said(/bus hangs \(no answer\); .*: no room on the disk/)).toHaveLength(1), 10_000);
  const before = looks;
  await vi.waitFor(() => expect(looks).toBeGreaterThan(before + 5), 10_000);
  expect([starts(), said(/hangs/).length]).toEqual([1, 1]);
  full = null;
  await vi.waitFor(() => expect(starts()).toBe(2), 10_000);
  expect(said(/bus hangs \(no answer\), killing it/)).toHaveLength(1);
  expect(supervisor.states).toEqual([{ name: 'bus', up: true, restarts: 1 }]);
});

test('a process that is to stop is looked at no more: nobody would answer', async () => {
  let looks = 0;
  let late = false;
  const probe = async (signal: AbortSignal): Promise<string | null> => {
    looks++;
    late ||= signal.aborted;
    return null;
  };
  const supervisor = await supervise([fixture(trace, 'bus', 'serve', { alive: { probe } })]);
  await supervisor.start();
  await vi.waitFor(() => expect(looks).toBeGreaterThan(1), 10_000);
  await supervisor.stop();
  expect(late).toBe(false);
});

test('a process that was silent for a moment is left alone', async () => {
  let looks = 0;
  const probe = async (): Promise<string | null> => (++looks % 3 === 0 ? null : 'no answer');
  const supervisor = await supervise([fixture(trace, 'bus', 'serve', { alive: { probe } })]);
  await supervisor.start();
  await vi.waitFor(() => expect(looks).toBeGreaterThan(12), 10_000);
  expect(names('started')).toEqual(['bus']);
});

test('lines of a process arrive with its name, its level and its facts', async () => {
  const supervisor = await supervise([fixture(trace, 'talker', 'serve')]);
  await supervisor.start();
  await vi.waitFor(() => expect(said(/talker speaks/)).toHaveLength(1), 5_000);
  expect(said(/talker speaks/)[0]).toMatchObject({ service: 'talker', level: 'info', facts: { answer: 42 } });
});

test('a directory that is worked on is refused to a second instance, which is told by whom', async () => {
  await supervise([]);
  const second = openGuard({ directory, info: 'second' });
  await expect(second).rejects.toThrow(DataInUseError);
  await expect(second).rejects.toThrow(/in use by another Meadow \(a test\)/);
});

test('kill -9 of the supervisor leaves no process, and the lock is held until they are gone', async () => {
  const script = join(import.meta.dirname, 'supervisor-process.ts');
  const supervisor = spawn(process.execPath, [script, directory, trace], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(supervisor.stdout, 'data');
  await vi.waitFor(() => expect(names('started')).toHaveLength(3), 10_000);
  const pids = readTrace(trace).map((line) => Number(line.split(' ')[2]));
  expect(pids.filter(alive)).toEqual(pids);
  supervisor.kill('SIGKILL');
  await once(supervisor, 'exit');
  await expect(openGuard({ directory, info: 'second' })).rejects.toThrow(DataInUseError);
  await vi.waitFor(() => expect(pids.filter(alive)).toEqual([]), 20_000);
  const next = await vi.waitFor(() => openGuard({ directory, info: 'next' }), 5_000);
  await next[Symbol.asyncDispose]();
}, 40_000);
