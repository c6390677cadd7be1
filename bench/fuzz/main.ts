import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fuzz } from './fuzz.ts';

// npm run fuzz -- [--minutes 60] [--seed N] [--target repr] [--replay crashers/repr-….bin]
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string' },
    target: { type: 'string' },
    replay: { type: 'string' },
  },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const seconds = Number(values.minutes) * 60;
if (!(seconds > 0) || !Number.isInteger(seed)) throw new Error('--minutes takes a number above 0, --seed a whole one');
process.stderr.write(`seed ${seed}, ${seconds} s\n`);
const began = performance.now();
const replay = values.replay === undefined ? null : readFileSync(values.replay);
const report = await fuzz({ seconds, seed, only: values.target ?? null, replay });
const took = Math.round((performance.now() - began) / 1000);
process.stdout.write(
  `${JSON.stringify({ bench: 'fuzz', at: new Date().toISOString(), seed, seconds: took, ...report, met: report.finds.length === 0 })}\n`,
);
process.exitCode = report.finds.length === 0 ? 0 : 1;
