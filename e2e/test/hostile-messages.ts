import { readFileSync } from 'node:fs';
import { brotliCompressSync, deflateSync, zstdCompressSync } from 'node:zlib';

/** What a careless or ill-meaning publisher may put where events are expected. */
export interface Hostile {
  readonly what: string;
  readonly body: Buffer;
  /** @default 'application/json' */
  readonly contentType?: string;
  /** @default 'utf-8' */
  readonly contentEncoding?: string;
  readonly headers?: Readonly<Record<string, unknown>>;
  /** Reason under which it is kept aside → how often. */
  readonly poison?: Readonly<Record<string, number>>;
  /** Ids of tasks that it tells of all the same. */
  readonly tasks?: readonly string[];
}

/** An event that is good but for what `fields`, JSON text, adds or overwrites: of two keys the later one counts. */
function event(id: string, fields: string, type = 'task-received'): Buffer {
  return Buffer.from(
    `{"type": "${type}", "uuid": ${JSON.stringify(id)}, "hostname": "celery@odd", "pid": 1, "clock": 1, "timestamp": ${Date.now() / 1000}, "name": "odd.task"${fields === '' ? '' : `, ${fields}`}}`,
  );
}

const zeros = (bytes: number): Buffer => Buffer.alloc(bytes, '0');
const DEEP = 100_000;
const LARGE = 20_000_000;
const MANY = 1_000_000;
/** So many failures of one message are told one by one; the rest as one. */
const TOLD = 1_001;

const [bomb = ''] = readFileSync(new URL('../../vectors/compression/python.jsonl', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line.includes('"bomb"'))
  .map((line) => (JSON.parse(line) as { bz2: string }).bz2);

const kept = (what: string, id: string, fields: string): Hostile => ({ what, body: event(id, fields), tasks: [id] });
const refused = (what: string, body: Buffer | string, reason: string, more: Partial<Hostile> = {}): Hostile => ({
  ...{ what, body: Buffer.from(body), poison: { [reason]: 1 } },
  ...more,
});
const compressed = (what: string, body: Buffer, compression: string): Hostile =>
  refused(what, body, 'CELERY_TOO_LARGE', { headers: { compression } });

/** The same on both brokers. */
export const HOSTILE: readonly Hostile[] = [
  refused('a pickle', "cos\nsystem\n(S'true'\ntR.", 'CELERY_PICKLE_REFUSED', {
    contentType: 'application/x-python-serialize',
    contentEncoding: 'binary',
  }),
  compressed('a gzip bomb', deflateSync(zeros(200_000_000)), 'application/x-gzip'),
  compressed('a bzip2 bomb', Buffer.from(bomb, 'base64'), 'application/x-bz2'),
  compressed('a zstd bomb', zstdCompressSync(zeros(100_000_000)), 'application/zstd'),
  compressed('a brotli bomb', brotliCompressSync(zeros(10_000_000)), 'application/x-brotli'),
  refused('an unknown compression', 'x', 'CELERY_COMPRESSION_UNSUPPORTED', { headers: { compression: 'lzma' } }),
  refused('a wrong charset', Buffer.from([0xe4, 0xf6]), 'CELERY_CHARSET_UNSUPPORTED', { contentEncoding: 'latin-1' }),
  refused('bytes that are not UTF-8', Buffer.from([0x5b, 0xc3, 0x28, 0x5d]), 'CELERY_TEXT_INVALID'),
  refused('an unknown content type', '<xml/>', 'CELERY_CONTENT_UNSUPPORTED', { contentType: 'text/xml' }),
  refused('nesting of 100,000', `${'['.repeat(DEEP)}${']'.repeat(DEEP)}`, 'CELERY_TOO_DEEP'),
  refused('text that is not JSON', '{"type": "task-sent", ', 'CELERY_JSON_INVALID'),
  refused('an integer of a million digits', event('digits', `"clock": ${'9'.repeat(MANY)}`), 'CELERY_JSON_INVALID'),
  {
    what: 'a task message',
    body: Buffer.from('[[1, 2], {"x": 1}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]'),
    headers: { lang: 'py', task: 'shop.add', id: 'not-an-event', retries: 0 },
    poison: { CELERY_EVENT_INVALID: 3 },
  },
  refused('a pidbox message', '{"method": "ping", "arguments": {}, "destination": null}', 'CELERY_EVENT_INVALID'),
  refused('a body of 20 MB', `{"x": "${'x'.repeat(LARGE)}"}`, 'CELERY_EVENT_INVALID'),
  {
    what: 'a batch of a million nothings',
    body: Buffer.from(`[${'0,'.repeat(MANY - 1)}0]`),
    poison: { CELERY_EVENT_INVALID: TOLD },
  },
  refused('NaN as time', event('nan', '"timestamp": NaN'), 'CELERY_EVENT_INVALID'),
  refused('Infinity as time', event('infinity', '"timestamp": Infinity'), 'CELERY_EVENT_INVALID'),
  refused('1e400 as time', event('1e400', '"timestamp": 1e400'), 'CELERY_EVENT_INVALID'),
  refused('an id of a million characters', event('u'.repeat(MANY), ''), 'CELERY_EVENT_INVALID'),
  kept('the end of time', 'odd-9999', '"timestamp": 253402300799'),
  { what: 'the beginning of time', body: event('odd-1970', '"timestamp": 0') },
  kept('a traceback of 20 MB', 'odd-traceback', `"traceback": "${'x'.repeat(LARGE)}"`),
  kept('a lone surrogate', 'odd-surrogate', String.raw`"args": "('\ud800',)", "name": "odd.\udfff"`),
  kept('negative numbers', 'odd-negative', '"pid": -7, "clock": -1, "retries": -3'),
  kept('an id with line breaks and quotes', 'odd-\n"\'\\\t`', ''),
  kept('NUL bytes', 'odd-nul', String.raw`"args": "\u0000", "queue": "\u0000"`),
  kept(
    'fields named as those of the prototype',
    'odd-proto',
    '"__proto__": {"pid": 1}, "constructor": 1, "toString": []',
  ),
  kept('a key twice', 'odd-second', '"uuid": "odd-first", "uuid": "odd-second"'),
  kept('huge integers', 'odd-huge', `"clock": ${'9'.repeat(400)}, "pid": ${'9'.repeat(30)}, "x": ${'9'.repeat(400)}`),
  kept(
    'values of other types',
    'odd-types',
    '"args": [1], "kwargs": {"a": 1}, "result": 5, "eta": 5, "runtime": "long"',
  ),
  kept('a thousand fields', 'odd-fields', Array.from({ length: 1000 }, (_, n) => `"f${n}": ${n}`).join(', ')),
];

/** What only Redis carries: the envelope itself may be anything. By reason. */
export const HOSTILE_ENVELOPES: readonly (readonly [string, Buffer | string])[] = [
  ['CELERY_ENVELOPE_INVALID', 'no json at all'],
  ['CELERY_ENVELOPE_INVALID', '{"body": 5}'],
  ['CELERY_ENVELOPE_INVALID', '[]'],
  ['CELERY_BASE64_INVALID', '{"body": "%%%", "properties": {"body_encoding": "base64"}}'],
  ['CELERY_TOO_DEEP', `{"body": ${'['.repeat(DEEP)}`],
  ['CELERY_TEXT_INVALID', Buffer.from([0xff, 0xfe, 0x00, 0x80])],
];

/** What only AMQP carries: header tables of types that JSON has no word for, as amqplib writes them. */
export const ODD_HEADERS: Readonly<Record<string, unknown>> = {
  time: { '!': 'timestamp', value: 1_700_000_000 },
  decimal: { '!': 'decimal', value: { digits: 123, places: 2 } },
  float: { '!': 'float', value: 1.5 },
  byte: { '!': 'int8', value: -5 },
  long: { '!': 'int64', value: 2 ** 60 },
  bytes: Buffer.from([0, 255, 10]),
  nothing: null,
  flag: true,
  nested: { list: [1, 'two', { three: [Buffer.from('x')] }] },
  ['__proto__x']: 'x',
};
