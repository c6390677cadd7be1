import { openBus, type Bucket, type Bus } from '@meadow/bus';
import { BUCKETS, clusterStatus, TaskEventReader, type ClusterStatus, type GapRecord } from '@meadow/contract';
import { startNats, startService, waitFor, type NatsServer, type Service } from '@meadow/testkit';
import { connect } from 'amqplib';
import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

export interface Seed {
  readonly name: string;
  readonly broker: string;
}

/** Publishes events with ever new task ids, in messages of many as busy workers do, and remembers each. */
export class Sender implements AsyncDisposable {
  /** Task id → Unix seconds at which it was sent, by cluster. */
  readonly sent = new Map<string, Map<string, number>>();
  readonly #stop = new AbortController();
  readonly #flows: Promise<void>[] = [];
  #clock = 0;

  /** Begins to send to a cluster. @param perSecond events */
  start({ name, broker }: Seed, perSecond: number, perMessage = 20): void {
    const sent = new Map<string, number>();
    this.sent.set(name, sent);
    this.#flows.push(this.#flow(broker, sent, perSecond, perMessage));
  }

  async #flow(broker: string, sent: Map<string, number>, perSecond: number, perMessage: number): Promise<void> {
    const open = broker.startsWith('redis') ? openRedis : openAmqp;
    await using out = await open(broker);
    const began = performance.now();
    let count = 0;
    while (!this.#stop.signal.aborted) {
      for (const due = ((performance.now() - began) / 1000) * perSecond; count < due; count += perMessage) {
        const now = Date.now() / 1000;
        const events = Array.from({ length: perMessage }, () => this.#event(now));
        for (const { uuid } of events) sent.set(uuid, now);
        await out.publish(JSON.stringify(events));
      }
      await delay(20);
    }
  }

  #event(timestamp: number): { uuid: string } {
    const clock = ++this.#clock;
    const event = { type: 'task-sent', hostname: 'gen1@h', timestamp, pid: 1, clock, uuid: randomUUID(), name: 'a.b' };
    return event;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#flows);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

interface Out extends AsyncDisposable {
  publish(body: string): Promise<unknown>;
}

function openRedis(broker: string): Promise<Out> {
  const client = new Redis(broker);
  const db = new URL(broker).pathname.slice(1);
  const properties = { delivery_info: { exchange: 'celeryev', routing_key: 'task.multi' }, body_encoding: 'base64' };
  const envelope = { 'content-encoding': 'utf-8', 'content-type': 'application/json', headers: {}, properties };
  return Promise.resolve({
    publish: (body) =>
      client.publish(
        `/${db}.celeryev/task.multi`,
        JSON.stringify({ ...envelope, body: Buffer.from(body).toString('base64') }),
      ),
    [Symbol.asyncDispose]: () => {
      client.disconnect();
      return Promise.resolve();
    },
  });
}

async function openAmqp(broker: string): Promise<Out> {
  const model = await connect(broker);
  const channel = await model.createConfirmChannel();
  await channel.assertExchange('celeryev', 'topic', { durable: true });
  const properties = { contentType: 'application/json', contentEncoding: 'utf-8', deliveryMode: 1 };
  return {
    publish: (body) => {
      channel.publish('celeryev', 'task.multi', Buffer.from(body), properties);
      return Promise.resolve();
    },
    [Symbol.asyncDispose]: async () => {
      await channel.waitForConfirms();
      await model.close();
    },
  };
}

/** NATS, what arrives in its stream, and the collectors that put it there. */
export class Fleet implements AsyncDisposable {
  readonly nats: NatsServer;
  readonly bus: Bus;
  readonly #status: Bucket<ClusterStatus>;
  readonly #seeds: readonly Seed[];
  readonly #end = new AbortController();
  readonly #services: Service[] = [];
  /** Task ids in the stream, by cluster. */
  readonly arrived = new Map<string, Set<string>>();
  readonly gaps: GapRecord[] = [];

  private constructor(nats: NatsServer, bus: Bus, status: Bucket<ClusterStatus>, seeds: readonly Seed[]) {
    this.nats = nats;
    this.bus = bus;
    this.#status = status;
    this.#seeds = seeds;
    void this.#read();
  }

  static async start(seeds: readonly Seed[]): Promise<Fleet> {
    const nats = await startNats();
    const bus = await openBus({ url: nats.url, name: 'test', signal: AbortSignal.timeout(20_000) });
    await bus.events.ensure();
    const status = await bus.bucket(BUCKETS.status, (value) => clusterStatus.parse(value), { ttlMs: 60_000 });
    return new Fleet(nats, bus, status, seeds);
  }

  async collector(): Promise<Service> {
    const service = await startService('collector', {
      natsUrl: this.nats.url,
      clickhouseUrl: '',
      clusters: this.#seeds,
    });
    this.#services.push(service);
    return service;
  }

  async status(cluster: string): Promise<ClusterStatus | null> {
    return (await this.#status.get(cluster))?.value ?? null;
  }

  /** The collector that tells the cluster's status, as one of those started here; null when none does. */
  async holder(cluster: string): Promise<Service | null> {
    const told = await this.status(cluster);
    return this.#services.find(({ pid }) => told?.collector.includes(`-${pid}-`)) ?? null;
  }

  /** How many of the clusters each of these collectors holds. */
  async loads(services: readonly Service[]): Promise<number[]> {
    const holders = await Promise.all(this.#seeds.map(({ name }) => this.holder(name)));
    return services.map((service) => holders.filter((holder) => holder === service).length);
  }

  /** Waits until every cluster is connected, held and, when asked for, has somebody who stands by. */
  async settled(services: readonly Service[], deadlineMs = 15_000): Promise<void> {
    const each = this.#seeds.length / services.length;
    await waitFor(
      async () => {
        const told = await Promise.all(this.#seeds.map(({ name }) => this.status(name)));
        if (!told.every((status) => status?.state === 'connected' && (services.length === 1 || status.standby)))
          return false;
        const loads = await this.loads(services);
        return (
          loads.every((load) => load >= Math.floor(each) - 1 && load <= Math.ceil(each)) && sum(loads) === told.length
        );
      },
      { what: `${services.length} collectors to share ${this.#seeds.length} clusters`, deadlineMs, everyMs: 100 },
    );
  }

  /** What was sent and is not in the stream. */
  missing(cluster: string, sender: Sender): { id: string; at: number }[] {
    const arrived = this.arrived.get(cluster);
    const sent = sender.sent.get(cluster) ?? new Map<string, number>();
    return [...sent].filter(([id]) => arrived?.has(id) !== true).map(([id, at]) => ({ id, at }));
  }

  /** Waits until everything that was sent is in the stream. */
  async everything(sender: Sender, deadlineMs = 30_000): Promise<void> {
    const missing = (): number => sum([...sender.sent.keys()].map((name) => this.missing(name, sender).length));
    await waitFor(() => missing() === 0, { what: 'every event', deadlineMs, everyMs: 250 }).catch((cause: unknown) => {
      throw new Error(`${missing()} events are missing; gaps ${JSON.stringify(this.gaps)}`, { cause });
    });
  }

  async #read(): Promise<void> {
    const reader = new TaskEventReader();
    for await (const { kind, cluster, data } of this.bus.events.read(1, this.#end.signal)) {
      if (kind === 'gap') {
        const lines = Buffer.from(data).toString().split('\n').slice(0, -1);
        this.gaps.push(...lines.map((line) => JSON.parse(line) as GapRecord));
      } else if (kind === 'task') {
        const arrived = this.arrived.get(cluster) ?? new Set();
        this.arrived.set(cluster, arrived);
        reader.begin(data);
        while (reader.next()) arrived.add(reader.taskId);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await Promise.all(this.#services.map((service) => service.kill9()));
    await this.bus[Symbol.asyncDispose]();
    await this.nats[Symbol.asyncDispose]();
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
