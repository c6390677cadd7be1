/**
 * A process of its own that publishes Celery's events until SIGTERM, lets the tasks under way end, and ends. It writes down
 * what it sent: `<folder>/<cluster>.tsv`, a line an event.
 */
import { connect } from 'amqplib';
import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ledgerLine } from './ledger.ts';
import { CeleryNodes, type Message } from './traffic.ts';

interface Target {
  readonly name: string;
  readonly broker: string;
}

type Publish = (messages: readonly Message[]) => Promise<void>;

const TURN_MS = 10;

const [folder = '', rate = '', targets = '[]'] = process.argv.slice(2);
const ended: Promise<void>[] = [];
let stopping = false;
process.once('SIGTERM', () => (stopping = true));
for (const target of JSON.parse(targets) as Target[]) ended.push(run(target));
process.stdout.write('sending\n');
await Promise.all(ended);
process.stdout.write('all told\n');

async function run({ name, broker }: Target): Promise<void> {
  const file = openSync(join(folder, `${name}.tsv`), 'w');
  let lines = '';
  const { publish, close } = broker.startsWith('redis') ? openRedis(broker) : await openAmqp(broker);
  const nodes = new CeleryNodes(Number(rate), Date.now(), (event) => (lines += ledgerLine(event)));
  while (!stopping || nodes.busy) {
    await publish([...nodes.turn(Date.now(), !stopping)]);
    if (lines.length > 65_536) {
      writeSync(file, lines);
      lines = '';
    }
    await delay(TURN_MS);
  }
  writeSync(file, lines);
  closeSync(file);
  await close();
}

function openRedis(url: string): { publish: Publish; close: () => Promise<void> } {
  const client = new Redis(url);
  const db = new URL(url).pathname.slice(1) || '0';
  return {
    async publish(messages) {
      const pipeline = client.pipeline();
      for (const message of messages) {
        pipeline.publish(`/${db}.celeryev/${message.routingKey}`, envelope(message));
      }
      for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
    },
    close: async () => client.disconnect(),
  };
}

/** kombu's envelope for Redis. */
function envelope({ body, routingKey, hostname }: Message): string {
  return `{"body": "${Buffer.from(body).toString('base64')}", "content-encoding": "utf-8", "content-type": "application/json", "headers": {"hostname": "${hostname}"}, "properties": {"delivery_mode": 1, "delivery_info": {"exchange": "celeryev", "routing_key": "${routingKey}"}, "priority": 0, "body_encoding": "base64", "delivery_tag": "${randomUUID()}"}}`;
}

async function openAmqp(url: string): Promise<{ publish: Publish; close: () => Promise<void> }> {
  const connection = await connect(url);
  const channel = await connection.createConfirmChannel();
  await channel.assertExchange('celeryev', 'topic', { durable: true });
  return {
    // kombu publishes events without waiting for a confirmation: here one a turn tells that the broker has them
    async publish(messages) {
      for (const { routingKey, hostname, body } of messages) {
        channel.publish('celeryev', routingKey, Buffer.from(body), {
          contentType: 'application/json',
          contentEncoding: 'utf-8',
          deliveryMode: 1,
          headers: { hostname },
        });
      }
      await channel.waitForConfirms();
    },
    close: () => connection.close(),
  };
}
