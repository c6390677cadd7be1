import { once } from 'node:events';
import { connect } from 'node:net';
import { setPriority } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { Traffic, type Publication } from './traffic.ts';
import type { LoadOptions, LoadReport } from './load.ts';

// A process of its own, so that its cost is nobody else's, and less urgent than what is measured. Speaks to Redis without
// a client: at 50,000 events/s a client would cost as much as the collector.

/** Events between two looks at the pace. */
const CHUNK = 1_000;
/** `:1\r\n`, with one subscriber. */
const REPLY_BYTES = 4;

setPriority(5);
const load = JSON.parse(process.argv[2] ?? '{}') as LoadOptions;
const traffic = new Traffic(load.shape, load.unbatchedShare);
const socket = connect(load.redisPort, '127.0.0.1');
await once(socket, 'connect');
let messages = 0;
let replies = 0;
let unheard = 0;
let stored = 0;
let stopping = false;
socket.on('data', (data) => {
  if (data.includes(0x2d)) throw new Error(`redis: ${data.toString()}`);
  replies += data.length;
  // `:0`: nobody was subscribed
  for (let at = data.indexOf(0x30); at >= 0; at = data.indexOf(0x30, at + 1)) unheard++;
});
process.on('message', (message: { stored: number; stop: boolean }) => {
  stored = message.stored;
  stopping = message.stop;
});
process.on('disconnect', () => process.exit());

const began = performance.now();
const telling = setInterval(tell, 100);
while (traffic.sent.events < load.events && performance.now() - began < load.seconds * 1000 && !stopping) {
  const chunk: Publication[] = [];
  const end = Math.min(load.events, traffic.sent.events + Math.min(CHUNK, load.rate === 0 ? CHUNK : load.rate / 50));
  const now = Date.now() / 1000;
  while (traffic.sent.events < end) chunk.push(...traffic.next(now));
  await write(chunk);
  while (traffic.sent.events - stored > load.underWay && !stopping) await delay(2);
  const ahead = load.rate === 0 ? 0 : (traffic.sent.events / load.rate) * 1000 - (performance.now() - began);
  if (ahead > 1) await delay(ahead);
}
await write(traffic.flush());
while (replies < messages * REPLY_BYTES) await delay(2);
clearInterval(telling);
tell(true);

function tell(done: unknown): void {
  const report: LoadReport = { sent: traffic.sent, unheard, done: done === true };
  process.send?.(report);
}

async function write(publications: readonly Publication[]): Promise<void> {
  if (publications.length === 0) return;
  let text = '';
  // all of it is ASCII: characters are bytes
  for (const { channel, payload } of publications) {
    text += `*3\r\n$7\r\nPUBLISH\r\n$${channel.length}\r\n${channel}\r\n$${payload.length}\r\n${payload}\r\n`;
  }
  messages += publications.length;
  if (!socket.write(text, 'latin1')) await once(socket, 'drain');
}
