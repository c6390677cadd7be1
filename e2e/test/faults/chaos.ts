import { setTimeout as delay } from 'node:timers/promises';
import type { System } from './system.ts';

export interface ChaosOptions {
  /** Names of `System.parts`. */
  readonly parts: readonly string[];
  /** Each part is killed so often. */
  readonly rounds: number;
  readonly random: () => number;
  /** @default 1500 */
  readonly downMs?: number;
}

/**
 * `kill -9`s the parts in random order, each once a round, and starts each again after a random while, so that sometimes
 * several are gone at once. Returns when all are back: who was killed when, for the error message.
 */
export async function killAndRestart(system: System, options: ChaosOptions): Promise<readonly string[]> {
  const { parts, rounds, random, downMs = 1_500 } = options;
  const told: string[] = [];
  let back: Promise<unknown> = Promise.resolve();
  for (let round = 0; round < rounds; round++) {
    for (const name of shuffled(parts, random)) {
      const part = system.parts.get(name);
      if (part === undefined) throw new Error(`there is no part ${name}`);
      await delay(500 + random() * 3_000);
      told.push(`${new Date().toISOString().slice(11, 23)} ${name}`);
      await part.kill9();
      const down = random() * downMs;
      const restarted = delay(down).then(() => part.restart());
      // who fails to come back is told by the last await
      back = Promise.all([back, restarted]);
      back.catch(() => undefined);
    }
    await back;
  }
  return told;
}

/**
 * `kill -9`s the first part and, while it is away, the one that was handing on to it: what that had in hand is in no process
 * any more. Then starts both again.
 */
export async function killWithFeeder(system: System, receiver: string, feeder: string): Promise<void> {
  const parts = [receiver, feeder].map((name) => {
    const part = system.parts.get(name);
    if (part === undefined) throw new Error(`there is no part ${name}`);
    return part;
  });
  for (const part of parts) {
    await part.kill9();
    await delay(1_000);
  }
  for (const part of parts) await part.restart();
}

/** Random numbers from 0 to 1 that a seed repeats (mulberry32). The seed comes from MEADOW_FAULTS_SEED, or from the clock. */
export function seededRandom(): { seed: number; random: () => number } {
  const seed = Number(process.env['MEADOW_FAULTS_SEED'] ?? Date.now() % 2 ** 31);
  let state = seed;
  return {
    seed,
    random() {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    },
  };
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, order: random() }))
    .sort((one, other) => one.order - other.order)
    .map(({ item }) => item);
}
