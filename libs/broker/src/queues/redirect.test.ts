import { decodeRedisEnvelope } from '@meadow/celery';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { redirected } from './redirect.ts';

const recorded = ['celery-5.2', 'celery-latest'].flatMap((celery) =>
  readFileSync(new URL(`../../../../vectors/${celery}/redis-task-messages.jsonl`, import.meta.url), 'utf8')
    .split('\n')
    .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as { readonly payload?: unknown }]))
    .flatMap(({ payload }) => (typeof payload === 'string' && payload.startsWith('{"body"') ? [payload] : [])),
);

/** What is in an envelope beside its address. */
function beside(payload: string): unknown {
  const { delivery_info: _, ...properties } = (JSON.parse(payload) as { properties: Record<string, unknown> })
    .properties;
  return { ...(JSON.parse(payload) as object), properties };
}

test('every recorded message is redirected, and nothing else in it changes', () => {
  expect(recorded.length).toBeGreaterThan(50);
  for (const payload of recorded) {
    const anew = redirected(Buffer.from(payload), 'an"other/é')?.toString() ?? '';
    expect(decodeRedisEnvelope(anew).properties['delivery_info']).toMatchObject({
      ...{ exchange: '', routing_key: 'an"other/é' },
    });
    expect(beside(anew)).toEqual(beside(payload));
    const [before, after] = [payload, anew].map((text) => text.replace(/"delivery_info": \{[^}]*\}/, ''));
    expect(after).toBe(before);
  }
});

const payload = (info: string, more = ''): Buffer =>
  Buffer.from(`{"body":"eyJ9","headers":{},${more}"properties":{"delivery_tag":"t","body_encoding":"base64",${info}}}`);

test('what stands in an address beside queue and exchange stays, and what is odd to Python stays odd', () => {
  const odd = payload(
    '"delivery_info" : { "routing_key":"a", "exchange" : "x" ,"redelivered":true}',
    '"n":[NaN,1e999,12345678901234567890123,"\\ud800 \\"properties\\":{"],"\\u0070":0,',
  );
  expect(redirected(odd, 'b')?.toString()).toBe(
    odd.toString().replace('"routing_key":"a", "exchange" : "x"', '"routing_key":"b", "exchange" : ""'),
  );
});

test('of members of one name the last counts, as for Python', () => {
  const twice = payload('"delivery_info":{"exchange":"","routing_key":"a","routing_key":"b"}');
  expect(redirected(twice, 'c')?.toString()).toContain('"routing_key":"a","routing_key":"c"');
});

test.each([
  ['no json', Buffer.from('hello')],
  ['no object', Buffer.from('[]')],
  ['no properties', Buffer.from('{"body":"","headers":{"properties":{"delivery_info":{}}}}')],
  ['no address', payload('"a":1')],
  ['half an address', payload('"delivery_info":{"exchange":""}')],
  ['an address that is a text', payload('"delivery_info":"exchange"')],
  ['no delivery tag', Buffer.from('{"body":"","properties":{"delivery_info":{"exchange":"","routing_key":"a"}}}')],
  [
    'a body that is cut',
    Buffer.from(payload('"delivery_info":{"exchange":"","routing_key":"a"}').toString().replace('eyJ9', 'eyJ')),
  ],
  ['an end that is cut', payload('"delivery_info":{"exchange":"","routing_key":"a"}').subarray(0, -1)],
])('%s is left alone', (_what, message) => {
  expect(redirected(message, 'b')).toBeNull();
});
