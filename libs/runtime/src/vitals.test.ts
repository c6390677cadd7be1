import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { exposeFlow, watchVitals, type Flow } from './vitals.ts';

test('processor time is of the time since the last look, and not known at the first', () => {
  const look = watchVitals();
  expect(look()).toMatchObject({ cpu: null });
  const until = performance.now() + 60;
  while (performance.now() < until);
  const { cpu, rssBytes } = look();
  expect(cpu).toBeGreaterThan(0.3);
  expect(cpu).toBeLessThan(3);
  expect(rssBytes).toBeGreaterThan(10_000_000);
});

test('the flow is on /metrics as it is at the scrape; what is not known has no line', async () => {
  const registry = new Registry();
  let flow: Flow = {
    hops: [{ hop: 'collector-nats', cluster: 'a', lag_seconds: 2, waiting: null }],
    buffers: [{ name: 'rounds', cluster: 'a', used: 1, bound: 4 }],
  };
  exposeFlow(registry, () => flow);
  const lines = async (): Promise<string[]> =>
    (await registry.metrics()).split('\n').filter((line) => /^meadow/.test(line));
  expect(await lines()).toEqual([
    'meadow_hop_lag_seconds{hop="collector-nats",cluster="a"} 2',
    'meadow_buffer_fill_ratio{buffer="rounds",cluster="a"} 0.25',
  ]);
  flow = { hops: [], buffers: [] };
  expect(await lines()).toEqual([]);
});
