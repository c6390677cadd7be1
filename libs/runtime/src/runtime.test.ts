import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { ConfigError, readConfig } from './config.ts';
import { openHealth } from './health.ts';
import { retry } from './retry.ts';

const schema = z.object({
  MEADOW_GATEWAY_PORT: z.coerce.number().int().max(65_535).default(5555),
  MEADOW_NATS_URL: z.string(),
});

test('names every variable that does not fit, with its value, but never repeats a URL that may hold a password', () => {
  const env = { MEADOW_GATEWAY_PORT: 'ninety', MEADOW_NATS_URL: '' };
  expect(() => readConfig(schema, env)).toThrow(ConfigError);
  expect(() => readConfig(schema, env)).toThrow(/MEADOW_GATEWAY_PORT: "ninety"[^]*MEADOW_NATS_URL: not set/);
  const secret = z.object({ MEADOW_NATS_URL: z.url({ protocol: /^nats$/ }) });
  expect(() => readConfig(secret, { MEADOW_NATS_URL: 'http://me:hunter2@host' })).not.toThrow(/hunter2/);
});

test('ignores the tcp:// that Kubernetes puts into <SERVICE>_PORT', () => {
  const config = readConfig(schema, { MEADOW_GATEWAY_PORT: 'tcp://10.0.0.1:5555', MEADOW_NATS_URL: 'nats://n' });
  expect(config.MEADOW_GATEWAY_PORT).toBe(5555);
});

test('readiness tells what is missing', async () => {
  let missing: string | null = 'no connection to NATS';
  await using health = await openHealth({ host: '127.0.0.1', port: 0, metrics: new Registry(), ready: () => missing });
  const ask = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${health.port}${path}`);
  expect((await ask('/livez')).status).toBe(200);
  const notReady = await ask('/readyz');
  expect([notReady.status, await notReady.text()]).toEqual([503, 'no connection to NATS\n']);
  missing = null;
  expect((await ask('/readyz')).status).toBe(200);
});

test('retries with growing waits until it succeeds, and gives up at once on what cannot be mended', async () => {
  const waits: number[] = [];
  let calls = 0;
  const work = async (): Promise<string> => {
    calls++;
    if (calls < 4) throw new Error('not yet');
    return 'done';
  };
  const options = {
    signal: AbortSignal.timeout(5_000),
    onRetry: (_: unknown, ms: number) => waits.push(ms),
    firstWaitMs: 3,
  };
  expect(await retry(work, options)).toBe('done');
  expect(waits).toHaveLength(3);
  calls = 0;
  await expect(retry(work, { ...options, retryable: () => false })).rejects.toThrow('not yet');
  expect(calls).toBe(1);
});
