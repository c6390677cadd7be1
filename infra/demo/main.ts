import { runCli, UsageError, type Companions, type StandaloneOptions } from '@meadow/standalone';
import { mkdirSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { planRabbitmq, planRedis } from './brokers.ts';
import { celeryProcesses, type DemoCluster } from './celery.ts';
import { DEMO_HELP, readDemoOptions } from './options.ts';

for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

// what is meant for `npm start` must not reach the demo's own Celery either
delete process.env['CELERY_BROKER_URL'];

const demo = readDemoOptions(process.argv.slice(2));
process.exit(await runCli(demo.rest, DEMO_HELP, prepare));

/** Adds the demo's clusters to what is watched, and their brokers, workers and traffic to what runs. */
async function prepare(options: StandaloneOptions): Promise<{ options: StandaloneOptions; companions: Companions }> {
  if (options.clusters.length > 0 || options.clustersFile !== null) {
    throw new UsageError('the demo brings its own clusters; to watch yours: npm start -- --broker URL');
  }
  const path = process.env['PATH'] ?? '';
  const redis = await planRedis(path);
  const rabbitmq = demo.rabbitmq ? await planRabbitmq(path) : null;
  const onRedis = (name: DemoCluster['name'], db: number): DemoCluster => {
    const url = `${redis.url}/${db}`;
    return { name, broker: url, results: url, servers: [redis.name] };
  };
  const clusters: DemoCluster[] = [onRedis('shop', 0), onRedis('analytics', 1)];
  if (rabbitmq !== null) {
    const { url, name } = rabbitmq;
    clusters.push({ name: 'logistics', broker: `${url}//`, results: `${redis.url}/2`, servers: [name, redis.name] });
  }
  const brokers = rabbitmq === null ? [redis] : [redis, rabbitmq];
  const { data } = options;
  const temporary = join(data, 'demo-brokers');
  const removes = !demo.keep && !demo.ownData;

  return {
    options: { ...options, clusters: clusters.map(({ name, broker }) => ({ name, broker })) },
    companions: {
      brokers: brokers.map(({ name }) => name),
      processes: () => {
        rmSync(removes ? data : temporary, { recursive: true, force: true });
        mkdirSync(temporary, { recursive: true });
        return [
          ...brokers.flatMap((broker) => broker.processes(temporary)),
          ...clusters.flatMap((cluster) => celeryProcesses(cluster, temporary)),
        ];
      },
      cleanUp: () => rm(removes ? data : temporary, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }),
      notes: removes ? ['a demo: its data is removed at the end (--keep keeps it)'] : [],
    },
  };
}
