import { LOG_LEVELS, type LogLevel } from '@meadow/runtime';
import type { ClusterDefinitionInput } from '@meadow/contract';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readBrokers } from './brokers.ts';

/** What one machine's Meadow is told. */
export interface StandaloneOptions {
  readonly clusters: readonly ClusterDefinitionInput[];
  /** A YAML file of cluster definitions; null when there is none. */
  readonly clustersFile: string | null;
  /** Absolute path. */
  readonly data: string;
  readonly host: string;
  readonly port: number;
  /** null: 4222, or a free one. */
  readonly natsPort: number | null;
  /** null: 8123, or a free one. */
  readonly clickhousePort: number | null;
  /** Servers that run elsewhere; null: start our own. */
  readonly nats: string | null;
  readonly clickhouse: string | null;
  readonly logLevel: LogLevel;
  readonly logFormat: 'text' | 'json';
}

/** The command line does not fit. `message` tells what and what instead. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'USAGE';
}

export const HELP = `Meadow: watches Celery clusters. Starts everything it needs on this machine.

  npm start -- --broker redis://localhost:6379/0
  npm start -- --broker shop=redis://localhost:6379/0 --broker etl=amqp://user:password@rabbit:5672/etl

What to watch
  --broker [NAME=]URL     a cluster's broker; may be repeated. Without NAME, host and database name it.
                          redis:// rediss:// sentinel:// amqp:// amqps://, as Celery's broker_url
                          default: $CELERY_BROKER_URL if that is set
  --config FILE           YAML file with cluster definitions (masking, retention, TLS: docs/configuration.md)

Where it listens
  --port PORT             of the dashboard and its API                       default 5555
  --host ADDRESS          0.0.0.0 to be reachable from elsewhere             default 127.0.0.1
  --nats-port PORT        of the NATS server that is started                 default 4222, else a free one
  --clickhouse-port PORT  of the embedded ClickHouse (HTTP, loopback only)   default 8123, else a free one

What it works with
  --data DIR              where everything is kept                           default ./data
  --nats URL              use this NATS server, start none                   nats://host:4222
  --clickhouse URL        use this ClickHouse server, start none             http://user:password@host:8123

What it tells
  --log-level LEVEL       ${LOG_LEVELS.join(', ')}                          default info
  --log-format FORMAT     text or json (one object a line)                   default text
  -h, --help              this text

Workers send events when they run with -E (or worker_send_task_events = True). Ctrl-C stops everything.
`;

/**
 * Reads the command line; null when help was asked for.
 * @param cwd base of relative paths
 * @throws UsageError
 */
export function readOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  cwd: string,
): StandaloneOptions | null {
  const { values, positionals } = parse(args);
  if (values.help === true) return null;
  const [stray] = positionals;
  if (stray !== undefined) {
    const hint = stray.includes('://') ? `; a broker is given with --broker ${stray}` : '';
    throw new UsageError(`"${stray}" is not understood${hint}`);
  }
  const fromEnvironment = env['CELERY_BROKER_URL'];
  const brokers = values.broker ?? (fromEnvironment === undefined || fromEnvironment === '' ? [] : [fromEnvironment]);
  return {
    clusters: readBrokers(brokers),
    clustersFile: values.config === undefined ? null : resolve(cwd, values.config),
    data: resolve(cwd, values.data ?? 'data'),
    host: values.host ?? '127.0.0.1',
    port: readPort('--port', values.port) ?? 5555,
    natsPort: readPort('--nats-port', values['nats-port']),
    clickhousePort: readPort('--clickhouse-port', values['clickhouse-port']),
    nats: readUrl('--nats', values.nats, /^(nats|tls|wss?):\/\/[^/]+/, 'nats://host:4222'),
    clickhouse: readUrl('--clickhouse', values.clickhouse, /^https?:\/\/[^/]+/, 'http://user:password@host:8123'),
    logLevel: readWord('--log-level', values['log-level'] ?? 'info', LOG_LEVELS),
    logFormat: readWord('--log-format', values['log-format'] ?? 'text', ['text', 'json']),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        broker: { type: 'string', multiple: true },
        config: { type: 'string' },
        data: { type: 'string' },
        host: { type: 'string' },
        port: { type: 'string' },
        'nats-port': { type: 'string' },
        'clickhouse-port': { type: 'string' },
        nats: { type: 'string' },
        clickhouse: { type: 'string' },
        'log-level': { type: 'string' },
        'log-format': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error));
  }
}

function readPort(option: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new UsageError(`${option} ${text}: give a port, 1 to 65535`);
  return port;
}

function readUrl(option: string, text: string | undefined, form: RegExp, example: string): string | null {
  if (text === undefined) return null;
  if (!form.test(text) || !URL.canParse(text)) throw new UsageError(`${option}: not a URL of the form ${example}`);
  return text;
}

function readWord<W extends string>(option: string, text: string, words: readonly W[]): W {
  const found = words.find((word) => word === text);
  if (found === undefined) throw new UsageError(`${option} ${text}: choose one of ${words.join(', ')}`);
  return found;
}
