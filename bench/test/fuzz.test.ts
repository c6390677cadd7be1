import { expect, test } from 'vitest';
import { fuzz } from '../fuzz/fuzz.ts';

test('half a minute of mutated recordings breaks no property of any decoder', async () => {
  const report = await fuzz({ seconds: 30, seed: 20261121, only: null, replay: null });
  expect(report.finds).toEqual([]);
  const targets = Object.entries(report.targets);
  expect(targets.length).toBeGreaterThanOrEqual(12);
  // an input that reaches what none before it reached is kept: without counters there would be none
  for (const [target, { executions, corpus }] of targets) {
    expect({ target, ran: executions > 50, grew: corpus > 5 }).toEqual({ target, ran: true, grew: true });
  }
}, 120_000);
