import { findProgram, freePort, MissingProgramError, tcpProbe, type ProcessSpec } from '@meadow/standalone';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { quiet } from './quiet.ts';

const HOST = '127.0.0.1';

export interface Broker {
  /** URL without database or virtual host. */
  readonly url: string;
  /** Called once the data directory is ours. */
  readonly processes: (data: string) => ProcessSpec[];
  /** The process to wait for. */
  readonly name: string;
}

/** A Redis that keeps nothing on disk. */
export async function planRedis(path: string): Promise<Broker> {
  const command = findProgram('redis-server', path);
  if (command === null) throw new MissingProgramError('redis-server', '  sudo apt-get install redis-server');
  const port = await freePort(HOST);
  const args = ['--bind', HOST, '--port', String(port), '--save', '', '--appendonly', 'no', '--loglevel', 'warning'];
  const ready = tcpProbe({ host: HOST, port }, { say: 'PING\r\n', pong: /^\+PONG/ });
  const name = 'redis-server';
  return {
    url: `redis://${HOST}:${port}`,
    processes: (data) => [{ name, command, args: [...args, '--dir', data], ready, readLine: quiet }],
    name,
  };
}

/** Debian's wrapper in /usr/sbin insists on root or the user rabbitmq; this is what it wraps. */
const RABBITMQ = ['/usr/lib/rabbitmq/bin/rabbitmq-server', '/opt/homebrew/sbin/rabbitmq-server'];

/** A RabbitMQ node with ports, cookie and data of its own, beside whatever else runs on this machine. */
export async function planRabbitmq(path: string): Promise<Broker> {
  const command = RABBITMQ.find((file) => existsSync(file)) ?? findProgram('rabbitmq-server', path);
  const epmd = findProgram('epmd', path);
  if (command === null || epmd === null) {
    throw new MissingProgramError('rabbitmq-server', '  sudo apt-get install rabbitmq-server');
  }
  const port = await freePort(HOST);
  const distPort = await freePort(HOST);
  const epmdPort = String(await freePort(HOST));
  const processes = (data: string): ProcessSpec[] => {
    const home = join(data, 'rabbitmq');
    mkdirSync(home, { recursive: true });
    const config = join(home, 'rabbitmq.conf');
    writeFileSync(config, `listeners.tcp.1 = ${HOST}:${port}\nlog.console = true\nlog.console.level = warning\n`);
    writeFileSync(join(home, 'enabled_plugins'), '[].\n');
    return [
      // Erlang would start its name server as a daemon that outlives everything: this way it is one of ours
      {
        name: 'epmd',
        command: epmd,
        args: ['-port', epmdPort, '-address', HOST],
        ready: tcpProbe({ host: HOST, port: Number(epmdPort) }),
        readLine: quiet,
      },
      {
        name: 'rabbitmq-server',
        command,
        args: [],
        after: ['epmd'],
        env: {
          HOME: home,
          ERL_EPMD_PORT: epmdPort,
          ERL_EPMD_ADDRESS: HOST,
          RABBITMQ_NODENAME: 'meadow-demo@localhost',
          RABBITMQ_CONFIG_FILE: config,
          RABBITMQ_ENABLED_PLUGINS_FILE: join(home, 'enabled_plugins'),
          RABBITMQ_MNESIA_BASE: home,
          RABBITMQ_LOG_BASE: home,
          RABBITMQ_LOGS: '-',
          RABBITMQ_PID_FILE: join(home, 'pid'),
          RABBITMQ_DIST_PORT: String(distPort),
          RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
        },
        ready: tcpProbe({ host: HOST, port }, { say: 'AMQP\x00\x00\x09\x01', pong: /capabilities/ }),
        readyDeadlineMs: 60_000,
        readLine: quiet,
      },
    ];
  };
  return { url: `amqp://guest:guest@${HOST}:${port}`, processes, name: 'rabbitmq-server' };
}
