import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Guard } from './guard-client.ts';
import { readServiceLine, type LineReader, type LogLine, type LogSink } from './log-line.ts';
import type { Probe } from './probe.ts';

/** One process to keep running. */
export interface ProcessSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Processes that have to be ready before this one starts, and that end after it. */
  readonly after?: readonly string[];
  /** @default ready as soon as it runs */
  readonly ready?: Probe;
  /** After this it is told that the process is not ready yet. @default 30000 */
  readonly readyDeadlineMs?: number;
  /** Tells a process that hangs, which is killed and started again. @default it counts as alive while it runs */
  readonly alive?: Liveness;
  /** @default 'SIGTERM' */
  readonly stopSignal?: NodeJS.Signals;
  /** From the request to stop until it is killed. @default 12000 */
  readonly stopDeadlineMs?: number;
  /** Whether the rest is of use without it. @default false */
  readonly optional?: boolean;
  readonly readLine?: LineReader;
}

interface Liveness {
  /** Asked every 5 s once it was ready; three times in a row without an answer it hangs. */
  readonly probe: Probe;
  /** What has to be over before a new start can help, e.g. a full disk. @default nothing */
  readonly obstacle?: Probe;
}

export interface ProcessContext {
  readonly guard: Guard;
  readonly log: LogSink;
  /** First wait before a restart; doubles up to 60 times that. @default 500 */
  readonly firstWaitMs?: number;
  /** Between two looks at whether a process hangs, and how long an answer may take. @default 5000 */
  readonly aliveMs?: number;
}

/** A process that cannot be brought up: the rest needs it, so the start as a whole has failed. */
export class StartFailedError extends Error {
  override readonly name = 'StartFailedError';
  readonly code = 'START_FAILED';
  readonly process: string;

  constructor(process: string, why: string) {
    super(`${process} cannot be started: ${why}`);
    this.process = process;
  }
}

/** Deaths in a row before the first readiness after which a start has failed. */
const START_TRIES = 4;
/** A process that ran this long starts its back-off anew. */
const STEADY_MS = 60_000;
/** Exit code of a service whose configuration does not fit: another try cannot help. */
const CONFIG_EXIT = 78;
const TAIL_LINES = 8;
/** Looks in a row without an answer: one may fall into a moment in which the machine is busy or wakes up. */
const SILENT_LOOKS = 3;

interface Ending {
  readonly code: number | null;
  readonly text: string;
  readonly ranMs: number;
}

/**
 * Keeps one process running.
 *
 * starting → ready → (ended → waiting → starting …); `stop` leads from anywhere to stopped. A process that hangs is killed,
 * which is an end like any other. Each process leads a process group, so that what it started itself ends with it.
 */
export class SupervisedProcess {
  readonly spec: ProcessSpec;
  /** Resolves when it is ready for the first time; rejects with StartFailedError when it never will be. */
  readonly firstReady: Promise<void>;
  readonly #context: ProcessContext;
  readonly #stop = new AbortController();
  readonly #tail: string[] = [];
  readonly #settle: { resolve: () => void; reject: (error: Error) => void };
  #wasReady = false;
  #child: ChildProcess | null = null;
  #starts = 0;
  /** With the count of starts this tells a service which processes were in its place before, and are gone. */
  readonly #place = randomUUID().slice(0, 8);
  #loop: Promise<void> | null = null;

  constructor(spec: ProcessSpec, context: ProcessContext) {
    this.spec = spec;
    this.#context = context;
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    this.firstReady = promise;
    this.#settle = { resolve: () => resolve(undefined), reject };
    promise.catch(() => undefined);
  }

  /** Whether it runs right now, and how often it had to be started again. */
  get state(): { readonly name: string; readonly up: boolean; readonly restarts: number } {
    return { name: this.spec.name, up: this.#child !== null, restarts: Math.max(0, this.#starts - 1) };
  }

  start(): void {
    this.#loop ??= this.#keepRunning();
  }

  /** Asks it to stop and kills its group after the deadline. Returns when nothing of it is left. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#settle.reject(new StartFailedError(this.spec.name, 'stopped before it was ready'));
    await this.#loop;
  }

  /** Kills it now. */
  kill(): void {
    if (this.#child?.pid !== undefined) killGroup(this.#child.pid);
  }

  async #keepRunning(): Promise<void> {
    const stop = this.#stop.signal;
    const firstWaitMs = this.#context.firstWaitMs ?? 500;
    for (let deaths = 1; !stop.aborted; deaths++) {
      const ending = await this.#runOnce();
      if (stop.aborted) return;
      if (ending.ranMs > STEADY_MS) deaths = 1;
      const waitMs = firstWaitMs * 2 ** Math.min(deaths - 1, 6);
      if (!this.#wasReady && (deaths >= START_TRIES || ending.code === CONFIG_EXIT)) {
        this.#say('error', `${ending.text}; giving up`, this.#lastWords());
        return this.#settle.reject(new StartFailedError(this.spec.name, ending.text));
      }
      const again = `${ending.text}, starting it again in ${(waitMs / 1000).toFixed(1)} s`;
      if (deaths < 3) this.#say('warn', again);
      else this.#say('error', `keeps ending (${deaths} times in a row): ${again}`, this.#lastWords());
      await delay(waitMs, undefined, { signal: stop }).catch(() => undefined);
    }
  }

  #lastWords(): Record<string, unknown> {
    return this.#tail.length === 0 ? {} : { lastLines: this.#tail.join('\n') };
  }

  async #runOnce(): Promise<Ending> {
    const { spec } = this;
    const startedAt = performance.now();
    this.#starts++;
    const child = spawn(spec.command, spec.args, {
      cwd: spec.cwd,
      env: { ...process.env, MEADOW_SUPERVISED: `${this.#place}.${this.#starts}`, ...spec.env },
      // our services watch stdin, which ends when this process does; the guard sees to the others
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    this.#child = child;
    const { pid } = child;
    if (pid !== undefined) this.#context.guard.add(pid);
    child.stdin.on('error', () => undefined);
    this.#tail.length = 0;
    this.#read(child.stdout);
    this.#read(child.stderr);

    const over = new AbortController();
    const ended = new Promise<{ code: number | null; text: string }>((resolve) => {
      child.once('error', (error) => resolve({ code: null, text: error.message }));
      child.once('exit', (code, signal) => {
        resolve({ code, text: signal === null ? `ended with code ${code}` : `was ended by ${signal}` });
      });
    });
    const running = AbortSignal.any([over.signal, this.#stop.signal]);
    const probing = pid === undefined ? null : this.#probe(running, startedAt);
    const onStop = (): void => void this.#askToEnd(child, ended);
    if (this.#stop.signal.aborted) onStop();
    this.#stop.signal.addEventListener('abort', onStop, { once: true });
    const ending = await ended;
    this.#stop.signal.removeEventListener('abort', onStop);
    over.abort();
    await probing;
    if (pid !== undefined) {
      killGroup(pid);
      this.#context.guard.remove(pid);
    }
    this.#child = null;
    return { ...ending, ranMs: performance.now() - startedAt };
  }

  async #askToEnd(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
    const deadlineMs = this.spec.stopDeadlineMs ?? 12_000;
    child.kill(this.spec.stopSignal ?? 'SIGTERM');
    const timer = setTimeout(() => {
      this.#say(
        this.spec.optional === true ? 'debug' : 'warn',
        `does not stop within ${deadlineMs / 1000} s, killing it`,
      );
      this.kill();
    }, deadlineMs);
    await ended;
    clearTimeout(timer);
  }

  async #probe(signal: AbortSignal, startedAt: number): Promise<void> {
    const deadlineMs = this.spec.readyDeadlineMs ?? 30_000;
    let told = false;
    while (!signal.aborted) {
      const attempt = AbortSignal.any([signal, AbortSignal.timeout(2_000)]);
      const missing = (await this.spec.ready?.(attempt)) ?? null;
      if (signal.aborted) return;
      if (missing === null) {
        this.#say(told ? 'info' : 'debug', `ready after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
        this.#wasReady = true;
        this.#settle.resolve();
        return this.#watch(signal);
      }
      if (!told && performance.now() - startedAt > deadlineMs) {
        told = true;
        this.#say('warn', `is not ready after ${deadlineMs / 1000} s: ${missing}; still waiting`);
      }
      await delay(50, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Kills it when it hangs, as soon as nothing stands in the way of a new start. */
  async #watch(signal: AbortSignal): Promise<void> {
    const { alive } = this.spec;
    if (alive === undefined) return;
    const everyMs = this.#context.aliveMs ?? 5_000;
    let silent = 0;
    let told = false;
    for (;;) {
      await delay(everyMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const missing = await alive.probe(AbortSignal.any([signal, AbortSignal.timeout(everyMs)]));
      silent = missing === null ? 0 : silent + 1;
      if (silent < SILENT_LOOKS) continue;
      const obstacle = (await alive.obstacle?.(signal)) ?? null;
      if (signal.aborted) return;
      if (obstacle === null) {
        this.#say('error', `hangs (${missing}), killing it`);
        return this.kill();
      }
      if (!told) this.#say('error', `hangs (${missing}); it is started again when this is over: ${obstacle}`);
      told = true;
    }
  }

  #read(stream: Readable): void {
    const read = this.spec.readLine ?? readServiceLine;
    createInterface({ input: stream }).on('line', (text) => {
      this.#tail.push(text);
      if (this.#tail.length > TAIL_LINES) this.#tail.shift();
      const line = read(this.spec.name, text, new Date());
      if (line !== null) this.#context.log(line);
    });
    stream.on('error', () => undefined);
  }

  #say(level: LogLine['level'], message: string, facts: Record<string, unknown> = {}): void {
    this.#context.log({
      service: 'supervisor',
      level,
      time: new Date(),
      message: `${this.spec.name} ${message}`,
      facts,
    });
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // nobody is left in it
  }
}
