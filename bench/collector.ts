import { openBus } from '@meadow/bus';
import { freePort, startNats, startRedis, startService } from '@meadow/testkit';
import { Redis } from 'ioredis';
import { parseArgs } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { cpuSeconds, memoryMb } from './processes.ts';
import { envelope, taskTraffic } from './shapes.ts';

/** Events a `task.multi` holds when a worker is busy: Celery flushes at 24. */
const BATCH = 24;
/** The generator waits when this many events are under way. */
const UNDER_WAY = 60_000;
/** How often what was read is freed, as the aggregator does. */
const PURGE_MESSAGES = 100;

/**
 * The collector alone, Redis to JetStream: one JSON line with its CPU and NATS's per event, memory, and what was lost. The
 * traffic is made beforehand, so that the generator takes little of the machine.
 */
export async function collector(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      events: { type: 'string', default: '300000' },
      /** Share of tasks whose every event is a message of its own. */
      unbatched: { type: 'string', default: '0.1' },
      /** Whether `task-sent` comes in batches, too: no client does that. */
      pure: { type: 'boolean', default: false },
      rate: { type: 'string', default: '0' },
      node: { type: 'string', default: '' },
    },
  });
  const wanted = Number(values.events);
  const rate = Number(values.rate);
  const messages = traffic(Math.min(wanted, 50_000), Number(values.unbatched), values.pure);

  await using stack = new AsyncDisposableStack();
  const redis = stack.use(
    await startRedis({ port: await freePort(), args: ['--client-output-buffer-limit', 'pubsub 0 0 0'] }),
  );
  const nats = stack.use(await startNats());
  const service = stack.use(
    await startService('collector', {
      natsUrl: nats.url,
      clickhouseUrl: 'http://127.0.0.1:1',
      clusters: [{ name: 'bench', broker: redis.url }],
      env: values.node === '' ? {} : { NODE_OPTIONS: values.node },
    }),
  );
  const end = new AbortController();
  stack.defer(() => end.abort());
  const bus = stack.use(await openBus({ url: nats.url, name: 'bench', signal: end.signal }));
  const client = new Redis(redis.url);
  stack.defer(() => client.disconnect());
  while (Number(await client.pubsub('NUMPAT')) === 0) await delay(20);

  const stored = { events: 0, messages: 0, bytes: 0 };
  const reading = (async () => {
    for await (const batch of bus.events.read(1, end.signal)) {
      if (batch.kind !== 'task') continue;
      stored.bytes += batch.data.length;
      stored.events += batch.count;
      if (++stored.messages % PURGE_MESSAGES === 0) await bus.events.purgeThrough(batch.seq);
    }
  })();

  const before = { collector: cpuSeconds(service.pid), nats: cpuSeconds(nats.pid) };
  const began = performance.now();
  let published = 0;
  for (let index = 0; published < wanted;) {
    const pipeline = client.pipeline();
    for (let queued = 0; queued < (rate === 0 ? 2_000 : Math.min(2_000, rate / 50)); index++) {
      const message = messages[index % messages.length];
      if (message === undefined) throw new Error('no traffic');
      pipeline.publish(message.channel, message.payload);
      queued += message.events;
      published += message.events;
    }
    await pipeline.exec();
    while (published - stored.events > UNDER_WAY) await delay(2);
    const ahead = rate === 0 ? 0 : (published / rate) * 1000 - (performance.now() - began);
    if (ahead > 1) await delay(ahead);
  }
  const deadline = performance.now() + 10_000;
  while (stored.events < published && performance.now() < deadline) await delay(10);
  const seconds = (performance.now() - began) / 1000;
  const micros = (pid: number, from: number): number => round(((cpuSeconds(pid) - from) * 1e6) / published);
  process.stdout.write(
    `${JSON.stringify({
      bench: 'collector',
      at: new Date().toISOString(),
      events: published,
      events_per_second: Math.round(published / seconds),
      cpu_us_per_event: {
        collector: micros(service.pid, before.collector),
        nats: micros(nats.pid, before.nats),
      },
      lost: published - stored.events,
      bytes_per_event: Math.round(stored.bytes / stored.events),
      events_per_message: Math.round(stored.events / stored.messages),
      rss_mb: memoryMb(service.pid),
    })}\n`,
  );
  end.abort();
  await reading;
}

interface Message {
  readonly channel: string;
  readonly payload: Buffer;
  readonly events: number;
}

/** A while of traffic, to be sent again and again: the collector does not tell repeats from new events. */
function traffic(wanted: number, unbatchedShare: number, pure: boolean): Message[] {
  const messages: Message[] = [];
  const add = (key: string, body: string, sender: string, events: number): void => {
    messages.push({ channel: `/0.celeryev/${key}`, payload: Buffer.from(envelope(body, key, sender)), events });
  };
  let multi: string[] = [];
  let events = 0;
  for (let index = 0; events < wanted; index++) {
    const single = index % 1000 < unbatchedShare * 1000;
    for (const { type, json } of taskTraffic(index, Date.now() / 1000).events) {
      events++;
      const key = type.replaceAll('-', '.');
      if (single || (!pure && type === 'task-sent')) add(key, json, 'gen4242@web-1', 1);
      else if (multi.push(json) >= BATCH) {
        add('task.multi', `[${multi.join(', ')}]`, 'celery@worker-1', BATCH);
        multi = [];
      }
    }
  }
  return messages;
}

const round = (value: number): number => Math.round(value * 100) / 100;
