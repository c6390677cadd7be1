import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PatternMessages } from './pattern-messages.ts';
import { letGo, type Slab } from './slab.ts';

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
    (channel, { bytes }, begin, end) => messages.push([channel, bytes.toString('latin1', begin, end)]),
    (bytes) => (replies += bytes.toString('latin1')),
  );
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      const copied = chunk.copy(reader.room(), 0, at);
      reader.took(copied);
      at += copied;
    }
  }
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

test('memory serves again, but never while somebody looks at a message in it', () => {
  const kept: { payload: Buffer; was: string; slab: Slab }[] = [];
  const buffers = new Set<ArrayBufferLike>();
  let heard = 0;
  const reader = new PatternMessages(
    (_channel, slab, begin, end) => {
      const payload = slab.bytes.subarray(begin, end);
      slab.users++;
      heard++;
      kept.push({ payload, was: payload.toString('latin1'), slab });
      buffers.add(payload.buffer);
    },
    () => undefined,
  );
  const one = (n: number): Buffer => message('c', Buffer.alloc(10_000 + (n % 7), String(n)));
  for (let n = 0; n < 1_000; n++) {
    const bytes = one(n);
    for (let at = 0; at < bytes.length;) {
      const copied = bytes.copy(reader.room(), 0, at);
      reader.took(copied);
      at += copied;
    }
    // in any order, while 50 others are looked at
    if (kept.length <= 50) continue;
    const [gone] = kept.splice((n * 20) % kept.length, 1);
    expect(gone?.payload.toString('latin1')).toBe(gone?.was);
    if (gone !== undefined) letGo(gone.slab);
  }
  expect(heard).toBe(1_000);
  for (const { payload, was } of kept) expect(payload.toString('latin1')).toBe(was);
  // 10 MB came by
  expect(buffers.size).toBeLessThan(25);
});

test('a size that is promised takes no memory before the bytes have come', () => {
  const reader = new PatternMessages(
    () => undefined,
    () => undefined,
  );
  const head = Buffer.from('*4\r\n$8\r\npmessage\r\n$1\r\np\r\n$1\r\nc\r\n$99999999999999\r\nx');
  reader.took(head.copy(reader.room()));
  for (let read = 0; read < 3_000_000; read += 50_000) reader.took(Math.min(50_000, reader.room().length));
  expect(reader.room().length).toBeLessThan(4_000_000);
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
