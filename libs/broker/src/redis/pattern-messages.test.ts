import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PatternMessages } from './pattern-messages.ts';

const bulk = (text: Buffer | string): Buffer => {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')]);
};
const message = (channel: string, payload: Buffer): Buffer =>
  Buffer.concat([Buffer.from('*4\r\n'), bulk('pmessage'), bulk('/0.celeryev/*'), bulk(channel), bulk(payload)]);

interface Heard {
  readonly messages: [string, string][];
  readonly replies: string;
}

function hear(chunks: readonly Buffer[]): Heard {
  const messages: [string, string][] = [];
  let replies = '';
  const reader = new PatternMessages(
    (channel, payload) => messages.push([channel, payload.toString('latin1')]),
    (bytes) => (replies += bytes.toString('latin1')),
  );
  for (const chunk of chunks) reader.write(chunk);
  return { messages, replies };
}

const REPLIES = [
  '+OK\r\n',
  '-ERR pmessage\r\n',
  ':12\r\n',
  '$-1\r\n',
  '*-1\r\n',
  '*0\r\n',
  '$8\r\npmessage\r\n',
  '*2\r\n$4\r\npong\r\n$0\r\n\r\n',
  '*3\r\n$10\r\npsubscribe\r\n$13\r\n/0.celeryev/*\r\n:1\r\n',
  '*2\r\n*1\r\n+a\r\n*4\r\n$8\r\npmessage\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n',
];

const piece = fc.oneof(
  fc.record({ reply: fc.constantFrom(...REPLIES) }),
  fc.record({
    channel: fc.oneof(fc.constantFrom('/0.celeryev/task.multi', '/0.celeryev/task.sent'), fc.string()),
    payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  }),
);

test('wherever the socket cuts, messages come whole and in order, and every other reply is handed on as it came', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.array(fc.nat({ max: 400 })), (pieces, cuts) => {
      const all = Buffer.concat(
        pieces.map((one) => ('reply' in one ? Buffer.from(one.reply) : message(one.channel, one.payload))),
      );
      const chunks: Buffer[] = [];
      let at = 0;
      for (const cut of cuts) {
        chunks.push(all.subarray(at, at + cut));
        at += cut;
      }
      chunks.push(all.subarray(at));
      expect(hear(chunks.filter((chunk) => chunk.length > 0))).toEqual({
        messages: pieces.flatMap((one) =>
          'reply' in one ? [] : [[Buffer.from(one.channel).toString(), one.payload.toString('latin1')]],
        ),
        replies: pieces.map((one) => ('reply' in one ? one.reply : '')).join(''),
      });
    }),
    { numRuns: 500 },
  );
});

test('a message of many chunks is put together once', () => {
  const payload = Buffer.alloc(20_000_000, 'x');
  const all = message('c', payload);
  const chunks = Array.from({ length: Math.ceil(all.length / 8_192) }, (_, index) =>
    all.subarray(index * 8_192, (index + 1) * 8_192),
  );
  const started = performance.now();
  expect(hear(chunks).messages[0]?.[1]?.length).toBe(payload.length);
  expect(performance.now() - started).toBeLessThan(2_000);
});
