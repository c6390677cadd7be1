// Question: what does one Celery event cost to decode, from the bytes a Redis subscriber gets to a checked event?
// Command: node bench/decode.ts [seconds]      Prints one line of JSON; times are CPU microseconds per event.
import { readFileSync } from 'node:fs';
import { decodeEvents, decodeRedisEnvelope, extraOf } from '@meadow/celery';

const file = new URL('../vectors/celery-latest/redis-events.jsonl', import.meta.url);
const seconds = Number(process.argv[2] ?? 3);

interface Line {
  readonly payload: string;
}

const single = readFileSync(file, 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => (JSON.parse(line) as Line).payload);

const taskEvents = single
  .map((payload) => JSON.parse(payload) as Record<string, unknown>)
  .filter((envelope) => JSON.stringify(envelope['properties']).includes('task.'))
  .flatMap((envelope) => JSON.parse(Buffer.from(String(envelope['body']), 'base64').toString()) as unknown);
const template = JSON.parse(single[0] ?? '{}') as Record<string, unknown>;

/** The recorded events packed as a busy worker packs them: 24 a message, in Python's spacing. */
const batched: string[] = [];
for (let at = 0; at + 24 <= taskEvents.length; at += 24) {
  const body = JSON.stringify(taskEvents.slice(at, at + 24))
    .replaceAll('":', '": ')
    .replaceAll(',"', ', "');
  batched.push(JSON.stringify({ ...template, body: Buffer.from(body).toString('base64') }));
}

function measure(payloads: readonly string[], decode: (payload: string) => number): number {
  const rounds = (limit: number): { events: number; micros: number } => {
    const start = process.cpuUsage();
    let events = 0;
    let micros = 0;
    while (micros < limit) {
      for (const payload of payloads) events += decode(payload);
      const used = process.cpuUsage(start);
      micros = used.user + used.system;
    }
    return { events, micros };
  };
  rounds(500_000);
  const { events, micros } = rounds((seconds * 1e6) / 3);
  return Math.round((micros / events) * 1000) / 1000;
}

const decode = (payload: string): number => decodeEvents(decodeRedisEnvelope(payload)).events.length;

console.log(
  JSON.stringify({
    bench: 'decode',
    node: process.version,
    eventsPerBatch: 24,
    bytesPerEvent: Math.round(batched.reduce((sum, payload) => sum + payload.length, 0) / (batched.length * 24)),
    batchedMicrosPerEvent: measure(batched, decode),
    batchedWithExtraMicrosPerEvent: measure(batched, (payload) => {
      const { events } = decodeEvents(decodeRedisEnvelope(payload));
      for (const event of events) extraOf(event);
      return events.length;
    }),
    recordedMicrosPerEvent: measure(single, decode),
  }),
);
