import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { instrument } from './instrument.ts';
import { createChance, MAX_INPUT, mutate } from './mutate.ts';
import type { FuzzJob, FuzzMessage } from './fuzz.ts';

/** What a module of targets exports as `targets`. */
interface Target {
  readonly name: string;
  readonly seeds: readonly Uint8Array[];
  /** Throws when a property does not hold. */
  readonly run: (input: Uint8Array) => void;
}

/** Executions a target gets before the next one's turn. By count and not by time, so that a seed repeats a run. */
const TURN = 100;
/**
 * An input that takes longer, three times in a row, is a find. A run decodes its input several times over, in code that
 * counts; alone it takes a third of that. Milliseconds.
 */
const SLOW_MS = 300;
const MAX_CORPUS = 4_000;

const job = workerData as FuzzJob;
const coverage = instrument(new RegExp(job.instrumented));
const inFlight = Buffer.from(job.inFlight);
const targets = await loadTargets();

async function loadTargets(): Promise<Target[]> {
  const modules = await Promise.all(
    job.modules.map(async (url) => (await import(url)) as { targets: readonly Target[] }),
  );
  const all = modules.flatMap((module) => module.targets);
  return job.only === null ? all : all.filter(({ name }) => name === job.only);
}

function tell(message: FuzzMessage): void {
  parentPort?.postMessage(message);
}

/** An interesting input: one that reached a place, or a number of times, that none before it had. */
class Corpus {
  readonly inputs: Uint8Array[] = [];
  readonly #seen = new Uint8Array(coverage.hits.length);
  places = 0;

  offer(input: Uint8Array): void {
    const { hits } = coverage;
    let news = false;
    for (let place = 0; place < hits.length; place++) {
      const count = hits[place]!;
      if (count === 0) continue;
      const magnitude = 1 << Math.min(7, 31 - Math.clz32(count));
      const before = this.#seen[place]!;
      if ((before & magnitude) !== 0) continue;
      if (before === 0) this.places++;
      this.#seen[place] = before | magnitude;
      news = true;
    }
    if (news && this.inputs.length < MAX_CORPUS) this.inputs.push(input);
  }
}

function loop(deadline: number): void {
  const chance = createChance(job.seed);
  const words = [...coverage.words].flatMap((word) => [Buffer.from(word), Buffer.from(`"${word}": `)]);
  const states = targets.map((target) => ({ target, corpus: new Corpus(), executions: 0 }));
  for (const { target, corpus } of states) {
    for (const seed of target.seeds) if (seed.length <= MAX_INPUT) tried(target, seed, corpus);
    if (corpus.inputs.length === 0) corpus.inputs.push(new Uint8Array(0));
  }
  while (Date.now() < deadline) {
    for (const state of states) {
      const { target, corpus } = state;
      for (let turn = 0; turn < TURN; turn++) {
        // newer inputs reach deeper: half of the picks are among the last eighth
        const { inputs } = corpus;
        const recent = Math.max(1, inputs.length >> 3);
        const base = chance.below(2) === 0 ? chance.pick(inputs) : inputs[inputs.length - 1 - chance.below(recent)]!;
        tried(target, mutate(base, chance.pick(inputs), words, chance), corpus);
        state.executions++;
        if (turn % 10 === 0 && Date.now() >= deadline) break;
      }
      const { rss } = process.memoryUsage();
      const facts = { executions: state.executions, places: corpus.places, corpus: corpus.inputs.length, rss };
      tell({ kind: 'progress', target: target.name, ...facts });
    }
  }
}

function tried(target: Target, input: Uint8Array, corpus: Corpus): void {
  announce(target, input);
  coverage.hits.fill(0);
  const began = performance.now();
  try {
    target.run(input);
  } catch (error) {
    found(target, input, error);
  }
  if (performance.now() - began > SLOW_MS && isSlow(target, input)) {
    found(target, input, new Error(`slow: over ${SLOW_MS} ms`));
  }
  corpus.offer(input);
}

/** Lets the main thread know what is being tried, should this thread hang or run out of memory. */
function announce(target: Target, input: Uint8Array): void {
  inFlight.writeUInt32LE(targets.indexOf(target), 0);
  inFlight.writeUInt32LE(input.length, 4);
  inFlight.set(input, 8);
  Atomics.add(new Int32Array(job.tries), 0, 1);
}

/** Twice more, since the machine may have been busy with something else. CPU time of this thread alone counts. */
function isSlow(target: Target, input: Uint8Array): boolean {
  for (let again = 0; again < 2; again++) {
    const before = process.threadCpuUsage();
    try {
      target.run(input);
    } catch {
      // told already
    }
    const used = process.threadCpuUsage(before);
    if ((used.user + used.system) / 1000 < SLOW_MS) return false;
  }
  return true;
}

const told = new Set<string>();

function found(target: Target, input: Uint8Array, error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  // one find a kind, not one an input: messages quote what they are about
  const place = text.split('\n').find((line) => line.includes('/src/') || line.includes('/test/')) ?? '';
  const key = `${target.name} ${text.split('\n')[0]?.slice(0, 40).replace(/\d+/g, '0')} ${place}`;
  if (told.has(key)) return;
  told.add(key);
  const id = createHash('sha256').update(input).digest('hex').slice(0, 12);
  tell({ kind: 'find', target: target.name, id, input: Uint8Array.from(input), error: text });
}

function replay(input: Uint8Array): void {
  for (const target of targets) {
    const began = performance.now();
    try {
      target.run(input);
    } catch (error) {
      found(target, input, error);
    }
    const milliseconds = Math.round(performance.now() - began);
    tell({ kind: 'progress', target: target.name, executions: 1, places: milliseconds, corpus: 1, rss: 0 });
  }
}

if (job.replay !== null) replay(job.replay);
else loop(job.deadline);
tell({ kind: 'end' });
