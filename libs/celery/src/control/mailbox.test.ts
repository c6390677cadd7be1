import { expect, test } from 'vitest';
import { lines } from '../../test/recorded.ts';
import { amqpMessage } from '../../test/wire.ts';
import { decodeRedisEnvelope, encodeRedisEnvelope, type Envelope } from '../envelope.ts';
import { controlCommand, isInspection } from './command.ts';
import { decodeControlReply, encodeControlRequest, refusalIn } from './mailbox.ts';

interface Recording {
  readonly transport: 'redis' | 'amqp';
  readonly request: { readonly payload: string };
  readonly request_body: {
    readonly method: string;
    readonly arguments: Record<string, unknown>;
    readonly destination: string[] | null;
    readonly pattern: string | null;
    readonly ticket?: string;
    readonly reply_to?: { readonly exchange: string; readonly routing_key: string };
  };
  readonly replies: readonly { readonly payload: string; readonly properties?: Record<string, unknown> }[];
}

const recorded = ['celery-5.2', 'celery-latest'].flatMap((celery) =>
  lines<Recording>(`${celery}/pidbox-requests-replies.jsonl`),
);

/** What Celery's own client leaves to defaults, or says in a form that newer workers know too. */
function asCommand({ method, arguments: args }: Recording['request_body']): Record<string, unknown> {
  const { reloader: _, ...given } = args;
  const told = Object.entries(given).filter(([key, value]) => value !== null || (key !== 'safe' && key !== 'signal'));
  const command: Record<string, unknown> = { method, ...Object.fromEntries(told) };
  if (typeof command['task_id'] === 'string') command['task_id'] = [command['task_id']];
  return command;
}

const body = (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes).toString());

test('what Celery asked in these runs is asked in the same words', () => {
  const asked = new Set<string>();
  for (const { request_body: said } of recorded) {
    const command = controlCommand.safeParse(asCommand(said));
    if (!command.success || said.pattern !== null) continue;
    asked.add(said.method);
    const reply =
      said.ticket === undefined || said.reply_to === undefined
        ? null
        : { ticket: said.ticket, exchange: said.reply_to.exchange, routingKey: said.reply_to.routing_key };
    const made = body(encodeControlRequest({ command: command.data, destination: said.destination, reply }));
    expect(made).toMatchObject({ ...said, arguments: expect.anything() as unknown });
    const own = (made as Recording['request_body']).arguments;
    for (const [key, value] of Object.entries(said.arguments)) {
      // a list of one id means the same, and what is null is as good as not said
      if (value !== null) expect([own[key]].flat(), `${said.method} ${key}`).toEqual([value].flat());
    }
  }
  const left = new Set(recorded.map(({ request_body: { method } }) => method)).difference(asked);
  expect([...left].toSorted()).toEqual(
    ['dump_active', 'election', 'hello', 'memdump', 'nosuchcommand', 'objgraph', 'terminate'].toSorted(),
  );
});

test('a request travels in an envelope with every part that the recorded ones have', () => {
  const [{ request }] = recorded.filter(({ transport }) => transport === 'redis') as [Recording];
  const message = {
    body: encodeControlRequest({ command: { method: 'ping' }, destination: null, reply: null }),
    ...{ contentType: 'application/json', contentEncoding: 'utf-8', headers: {}, properties: {} },
    ...{ exchange: 'celery.pidbox', routingKey: '', deliveryTag: 'tag' },
  };
  const made = JSON.parse(encodeRedisEnvelope(message)) as Record<string, object>;
  const theirs = JSON.parse(request.payload) as Record<string, object>;
  expect(Object.keys(made).toSorted()).toEqual(Object.keys(theirs).toSorted());
  expect({ ...made['properties'], delivery_tag: '' }).toEqual({ ...theirs['properties'], delivery_tag: '' });
  expect(body(decodeRedisEnvelope(JSON.stringify(made)).body)).toMatchObject({ method: 'ping', arguments: {} });
  expect(() => encodeRedisEnvelope({ ...message, contentType: null })).toThrow(TypeError);
  expect(() => encodeRedisEnvelope({ ...message, deliveryTag: '' })).toThrow(TypeError);
});

test('every recorded reply is read: whose it is, to what, and whether it is a refusal', () => {
  let read = 0;
  const refusals = new Set<string>();
  for (const { transport, request_body: said, replies } of recorded) {
    for (const { payload, properties = {} } of replies) {
      const envelope: Envelope =
        transport === 'redis' ? decodeRedisEnvelope(payload) : amqpMessage(payload, properties as never);
      const reply = decodeControlReply(envelope);
      expect(reply.worker).toMatch(/^w[123]@proto$/);
      expect(reply.ticket).toBe(said.ticket);
      const refusal = refusalIn(reply);
      if (refusal !== null) refusals.add(refusal);
      else if (said.method === 'ping') expect(reply.value).toEqual({ ok: 'pong' });
      read++;
    }
  }
  expect(read).toBeGreaterThan(200);
  expect([...refusals]).toEqual(
    expect.arrayContaining([
      "KeyError('nosuchcommand')",
      'unknown task',
      "ValueError('Autoscale not enabled')",
      expect.stringMatching(/^NotImplementedError/) as string,
    ]),
  );
});

test('a reply of nobody, or of two, is none', () => {
  const envelope = (value: unknown): Envelope => ({
    body: Buffer.from(JSON.stringify(value)),
    ...{ contentType: 'application/json', contentEncoding: 'utf-8', headers: {}, properties: {} },
  });
  for (const value of [{}, { a: 1, b: 2 }, [], 'a', null]) {
    expect(() => decodeControlReply(envelope(value))).toThrow(
      expect.objectContaining({ code: 'CELERY_REPLY_INVALID' }) as Error,
    );
  }
  expect(decodeControlReply(envelope({ w: null }))).toEqual({ ticket: null, worker: 'w', value: null });
});

test.each([
  [{ method: 'add_consumer', queue: '' }, /the queue is empty/],
  [{ method: 'cancel_consumer', queue: 'a\nb' }, /control character/],
  [{ method: 'cancel_consumer', queue: 'é'.repeat(128) }, /longer than 255 bytes/],
  [{ method: 'revoke', task_id: [] }, /no task is named/],
  [{ method: 'revoke', task_id: ['x'], signal: 'KILL; rm' }, /SIGTERM/],
  [{ method: 'revoke_by_stamped_headers', headers: {} }, /no header is named/],
  [{ method: 'rate_limit', task_name: 'a', rate_limit: 'bogus' }, /a rate is a number/],
  [{ method: 'time_limit', task_name: 'a', soft: 0, hard: null }, /above 0/],
  [{ method: 'time_limit', task_name: 'a', hard: 5 }, /soft/],
  [{ method: 'autoscale', max: 1, min: 2 }, /min is above max/],
  [{ method: 'pool_grow', n: 1.5 }, /whole number/],
  [{ method: 'ping', payload: 1 }, /payload/],
  [{ method: 'hello', from_node: 'w' }, /method/],
])('%j never leaves', (command, why) => {
  const request = { command: command as never, destination: null, reply: null };
  expect(() => encodeControlRequest(request)).toThrow(why);
});

test('a request names its workers or is for all: an empty list, which would reach all, never leaves', () => {
  const to = (destination: string[] | null) => () =>
    encodeControlRequest({ command: { method: 'shutdown' }, destination, reply: null });
  expect(to([])).toThrow(/no worker is named/);
  expect(to([''])).toThrow(/the worker is empty/);
  expect(body(to(['w@h'])())).toMatchObject({ destination: ['w@h'] });
  expect(isInspection('stats')).toBe(true);
  expect(isInspection('shutdown')).toBe(false);
});
