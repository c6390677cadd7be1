import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lines } from '../test/recorded.ts';
import { amqpEnvelope, decodeRedisEnvelope } from './envelope.ts';
import type { Envelope } from './envelope.ts';
import { extraOf } from './event.ts';
import { decodeEvents } from './event-decoder.ts';
import { PLAIN_FLAG, PLAIN_NUMBER, PLAIN_TEXT, PlainEvents } from './plain-events.ts';
import { numberIn } from './plain-number.ts';

type Fields = Record<string, unknown>;

const plain = new PlainEvents();

/** What was read, under Celery's names; a field that an event has not is left out. */
function found(): Fields[] {
  return Array.from({ length: plain.count }, (_, event) => {
    const fields: Fields = {};
    for (const [name, text] of Object.entries(PLAIN_TEXT)) {
      if (plain.start(event, text) !== -1) fields[name] = plain.text(event, text);
    }
    for (const [name, number] of Object.entries(PLAIN_NUMBER)) {
      const value = plain.number(event, number);
      if (!Number.isNaN(value)) fields[name] = value;
    }
    for (const [name, flag] of Object.entries(PLAIN_FLAG)) {
      const value = plain.flag(event, flag);
      if (value !== null) fields[name] = value;
    }
    expect(plain.hostname(event)).toBe(fields['hostname']);
    return fields;
  });
}

/** What `decodeEvents` finds; throws for anything that a plain message must not have. */
function decoded(envelope: Envelope): Fields[] {
  const { events, failures } = decodeEvents(envelope);
  expect(failures).toEqual([]);
  return events.map((event) => {
    expect(extraOf(event)).toBeNull();
    const { utcoffset: _, ...fields } = event as unknown as Fields;
    return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
  });
}

/** Whether it is taken, in memory that others' messages lie in too. */
function isPlain(payload: Buffer): boolean {
  const bytes = Buffer.concat([Buffer.from('…"}}'), payload, Buffer.from('"}}{"body": "')]);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return plain.readRedis({ bytes, view }, 6, 6 + payload.length);
}

/** @returns whether the message was plain, and then right */
function checkRedis(payload: Buffer): boolean {
  if (!isPlain(payload)) return false;
  expect(found()).toEqual(decoded(decodeRedisEnvelope(payload)));
  return true;
}

/** An envelope as kombu writes it. */
function kombu(body: string | Buffer, rest = REST): Buffer {
  return Buffer.from(`{"body": "${Buffer.from(body).toString('base64')}${rest}`);
}

const REST =
  '", "content-encoding": "utf-8", "content-type": "application/json", "headers": {"hostname": "w@h"}, "properties": {"delivery_mode": 1, "delivery_info": {"exchange": "celeryev", "routing_key": "task.multi"}, "priority": 0, "body_encoding": "base64", "delivery_tag": "51747e68-2131"}}';

const recorded = ['celery-5.2/redis-events.jsonl', 'celery-latest/redis-events.jsonl'].flatMap((file) =>
  lines<{ payload: string }>(file).map((line) => Buffer.from(line.payload)),
);
const bodies = recorded.map((payload) => Buffer.from(decodeRedisEnvelope(payload).body).toString());

test("nearly every message with task events that Celery's workers and clients sent is plain", () => {
  const withTasks = recorded.filter((payload) => {
    const { events } = decodeEvents(decodeRedisEnvelope(payload));
    return events.length > 0 && events.every((event) => event.type.startsWith('task-') && extraOf(event) === null);
  });
  expect(withTasks.length).toBeGreaterThan(100);
  const others = withTasks.filter((payload) => !checkRedis(payload));
  // a revoked task's signal is the one field that is looked at the long way
  for (const payload of others) {
    expect(JSON.stringify(decodeEvents(decodeRedisEnvelope(payload)).events)).toMatch(/"signum":[^n]/);
  }
});

const task = { type: 'task-received', uuid: 'u', hostname: 'w@h', timestamp: 1.5, clock: 3, pid: 4, utcoffset: 0 };
const text = (changes: Fields = {}): string => JSON.stringify({ ...task, ...changes });

test.each([
  text(),
  `[${text()}, ${text({ uuid: 'v', retries: 0, runtime: 1.2e-5 })}]`,
  '[]',
  ' [ ] ',
  text({ args: 'quote " backslash \\ line\nend é 😀 \ud800 \0', kwargs: '' }).replace(/[^ -~]/g, (char) =>
    char
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  ),
  '{"uuid":"a","uuid":"b","hostname":"x","hostname":"w@h","type":"task-x","timestamp":1,"timestamp":2.5,"pid":1,"pid":null}',
  text({ terminated: true, expired: false, requeue: null, signum: null, name: null, clock: null, pid: null }),
  text({ timestamp: 1795169474.1865022, runtime: -0.007024589000138803 }),
  text({ args: 'x'.repeat(65_536) }),
])('reads what is plain as the long way does: %#', (body) => {
  expect(checkRedis(kombu(body))).toBe(true);
  const message = { content: Buffer.from(body), properties: { contentType: 'application/json', headers: {} } };
  expect(plain.readAmqp(message)).toBe(true);
  expect(found()).toEqual(decoded(amqpEnvelope(message)));
});

test.each([
  text({ tenant: 'acme' }),
  text({ type: 'worker-heartbeat' }),
  text({ type: 'audit-login' }),
  text({ uuid: '' }),
  text({ uuid: null }),
  text({ uuid: 'u'.repeat(1025) }),
  text({ args: [1] }),
  text({ args: 1 }),
  text({ name: 7 }),
  text({ clock: -1 }),
  text({ clock: 1.5 }),
  text({ pid: 2 ** 60 }),
  text({ timestamp: -1 }),
  text({ timestamp: 1e12 }),
  text({ timestamp: '1' }),
  text({ terminated: 1 }),
  text({ signum: 9 }),
  text({ args: 'x'.repeat(65_537) }),
  text().replace('1.5', '1.5.5'),
  text().replace('1.5', '01.5'),
  text().replace('1.5', '12345678901234567890'),
  text().replace('1.5', 'NaN'),
  text().replace('"u"', '"\\u00e"'),
  text().replace('"u"', '"\\x"'),
  text().replace('"uuid"', '"uu\\u0069d"'),
  text({ args: 'é' }),
  text({ args: 'tab' }).replace('tab', '\t'),
  `[${text()},]`,
  `[${text()}`,
  `${text()} x`,
  `[${text()}, 1]`,
  '{}',
  '',
])('leaves to the long way what is not plain: %#', (body) => {
  expect(isPlain(kombu(body))).toBe(false);
});

test.each([
  ['"w@h"}', '"w@h", "compression": "zlib"}'],
  ['{"hostname": "w@h"}', '{}'],
  ['application/json', 'application/x-yaml'],
  ['utf-8', 'binary'],
  ['base64', 'utf-8'],
  ['w@h', 'w\\u0040h'],
  ['w@h', 'é'],
  ['51747e68-2131', '"'],
  ['}}', '}, "body": "W10="}'],
  ['}}', '}'],
  ['}}', '}} '],
])('leaves an envelope that says anything else to the long way: %s → %s', (usual, other) => {
  expect(checkRedis(kombu('[]'))).toBe(true);
  expect(isPlain(kombu('[]', REST.replace(usual, other)))).toBe(false);
});

test('wherever in a text a byte stands, it is plain where the long way takes it for itself', () => {
  for (let byte = 0; byte < 256; byte++) {
    for (let before = 0; before < 9; before++) {
      const [head = '', tail = ''] = text({ args: `${'x'.repeat(before)}|${'x'.repeat(9 - before)}` }).split('|');
      const body = Buffer.concat([Buffer.from(head), Buffer.of(byte), Buffer.from(tail)]);
      const itself = byte >= 0x20 && byte <= 0x7f && byte !== 0x22 && byte !== 0x5c;
      // a quote ends the text, and what follows it is no JSON; a backslash begins an escape that there is not
      expect(checkRedis(kombu(body))).toBe(itself);
    }
  }
});

test('a body about as long as the memory for it is read, wherever in it the last text begins', () => {
  for (let length = 16_370; length < 16_400; length++) {
    for (const name of ['', 'n', 'nn', 'nnn']) {
      const args = 'x'.repeat(length - text({ name, args: '' }).length);
      const content = Buffer.from(text({ name, args }));
      const message = { content, properties: { contentType: 'application/json', headers: {} } };
      expect(new PlainEvents().readAmqp(message)).toBe(true);
    }
  }
});

test('an event keeps nothing of the one before it', () => {
  checkRedis(kombu(text({ args: 'a', runtime: 1, terminated: true, traceback: 'x\ny' })));
  expect(checkRedis(kombu(text()))).toBe(true);
});

/** Changes that are likely to reach what is special: bytes, pieces of JSON, cuts and repeats. */
const change = fc.record({
  at: fc.double({ min: 0, max: 0.999, noNaN: true }),
  remove: fc.oneof(fc.constant(0), fc.nat({ max: 20 })),
  insert: fc.oneof(
    fc.constantFrom(
      '"',
      '\\',
      '\\u0041',
      '\\ud83d',
      '\\n',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      ' ',
      '0',
      '-',
      '.',
      'e5',
      '=',
    ),
    fc.constantFrom(
      'null',
      'true',
      'false',
      'NaN',
      '1e999',
      '12345678901234567',
      '1.0',
      '-0',
      '\0',
      '\x7f',
      'é',
      '\ud800',
    ),
    fc.constantFrom(
      '"uuid": "x", ',
      '"type": null, ',
      '"signum": 15, ',
      '"x": 1, ',
      '"args": {}, ',
      '"compression": 1, ',
    ),
    fc.constantFrom('"runtime": 1e-7, ', '"timestamp": 1795169474.18650221, ', '"body": "", ', '"properties": {}, '),
    fc.string({ maxLength: 5 }),
  ),
});
const changed = (original: string, changes: readonly { at: number; remove: number; insert: string }[]): string =>
  changes.reduce((value, { at, remove, insert }) => {
    const start = Math.floor(at * value.length);
    return value.slice(0, start) + insert + value.slice(start + remove);
  }, original);

test('whatever a body or an envelope is changed into: what is taken for plain is what the long way finds', () => {
  let taken = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...bodies),
      fc.constantFrom(...recorded),
      fc.array(change, { minLength: 1, maxLength: 3 }),
      (body, payload, changes) => {
        if (checkRedis(kombu(changed(body, changes)))) taken++;
        if (checkRedis(Buffer.from(changed(payload.toString(), changes)))) taken++;
      },
    ),
    { numRuns: 5_000 },
  );
  expect(taken).toBeGreaterThan(20);
});

test('whatever fields an event has, in whatever order and number: what is taken for plain is what the long way finds', () => {
  const names = [...Object.keys(PLAIN_TEXT), ...Object.keys(PLAIN_NUMBER), ...Object.keys(PLAIN_FLAG)];
  const value = fc.oneof(
    fc.constantFrom(
      'null',
      'true',
      'false',
      '""',
      '"x"',
      '"task-x"',
      '0',
      '7',
      '-1',
      '1.5',
      '1e3',
      '2.7e61',
      '1.0',
      '-0.0',
    ),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((double) => JSON.stringify(double)),
    fc.string({ unit: 'grapheme' }).map((string) => JSON.stringify(string)),
    fc.string().map((string) => JSON.stringify(string).replace(/[a-f]/g, (char) => `\\u006${char === 'a' ? 1 : 'A'}`)),
  );
  const field = fc.tuple(fc.constantFrom(...names, 'utcoffset', 'signum', 'other'), value);
  const usual: fc.Arbitrary<[string, string][]> = fc.tuple<[string, string][]>(
    fc.tuple(fc.constant('type'), fc.constantFrom('"task-received"', '"task-x"')),
    fc.tuple(fc.constant('uuid'), fc.constantFrom('"u1"', '"u2"')),
    fc.tuple(fc.constant('hostname'), fc.constantFrom('"w@h"', '"w@i"')),
    fc.tuple(fc.constant('timestamp'), fc.constantFrom('1', '1795169474.18650221')),
  );
  const fitting = fc.oneof(
    fc.tuple(
      fc.constantFrom('args', 'result', 'traceback', 'name', 'eta'),
      fc.string().map((string) => JSON.stringify(string)),
    ),
    fc.tuple(fc.constantFrom('clock', 'pid', 'retries'), fc.nat().map(String)),
    fc.tuple(fc.constantFrom('terminated', 'expired', 'requeue', 'runtime', 'name'), fc.constant('null')),
  );
  const event = fc
    .tuple(usual, fc.array(fitting, { maxLength: 6 }), fc.oneof(fc.constant([]), fc.array(field, { maxLength: 2 })))
    .chain(([needed, some, more]) => {
      const all: [string, string][] = [...needed, ...some, ...more];
      return fc.shuffledSubarray(all, { minLength: needed.length + some.length });
    })
    .map((fields) => `{${fields.map(([name, raw]) => `"${name}": ${raw}`).join(', ')}}`);
  let taken = 0;
  fc.assert(
    fc.property(fc.array(event, { maxLength: 4 }), (events) => {
      if (checkRedis(kombu(`[${events.join(',')}]`))) taken++;
    }),
    { numRuns: 2_000 },
  );
  expect(taken).toBeGreaterThan(300);
});

test('every number is the double that JSON.parse makes of it', () => {
  const parsed = (digits: string): number => {
    const bytes = Buffer.from(`x${digits}`);
    return numberIn(bytes, 1, bytes.length);
  };
  const number = fc.oneof(
    fc
      .double({ noNaN: true, noDefaultInfinity: true })
      .filter((value) => !Number.isInteger(value) || Math.abs(value) < 1e15)
      .map((value) => JSON.stringify(value)),
    fc.double({ min: 2 ** 30, max: 2 ** 32, noNaN: true }).map((value) => JSON.stringify(value)),
    fc
      .tuple(fc.integer({ min: 2 ** 30 - 9, max: 2 ** 32 + 9 }), fc.stringMatching(/^\d{1,12}$/))
      .map(([whole, fraction]) => `${whole}.${fraction}`),
    fc.tuple(fc.nat({ max: 999_999 }), fc.stringMatching(/^\d{1,25}$/)).map(([whole, rest]) => `${whole}.${rest}`),
    fc.nat({ max: 999_999_999_999_999 }).map(String),
  );
  fc.assert(
    fc.property(number, (digits) => {
      expect(parsed(digits)).toBe(JSON.parse(digits));
    }),
    { numRuns: 10_000 },
  );
  // between two doubles, as near to the middle as so many digits come
  for (const digits of [
    '1795169474.0000001192',
    '4294967295.000000238',
    '2147483648.000000119',
    '1073741824.999999881',
  ])
    expect(parsed(digits)).toBe(Number(digits));
});
