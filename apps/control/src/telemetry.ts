import type { BrokerConfigError, BrokerStatus } from '@meadow/broker';
import { describeError, type Logger } from '@meadow/runtime';
import { Counter, Gauge, type Registry } from 'prom-client';

/** Every fact about control that an operator may want: one function each, log and metric together. */
export interface Telemetry {
  holding(cluster: string): void;
  released(cluster: string): void;
  connected(cluster: string, status: BrokerStatus): void;
  failed(cluster: string, error: unknown): void;
  /** A definition that can never work. */
  undefinable(cluster: string, error: BrokerConfigError): void;
  strayReply(cluster: string, why: 'late' | 'unreadable'): void;
  /** A look at the queues; null when it did not fail. Said once, until it changes. */
  queuesLook(cluster: string, error: unknown): void;
  command(cluster: string, method: string, outcome: string): void;
}

export function createTelemetry(log: Logger, registry: Registry): Telemetry {
  const registers = [registry];
  const commands = new Counter({
    ...{ name: 'meadow_control_commands_total', help: 'commands, by what came of them' },
    ...{ labelNames: ['cluster', 'method', 'outcome'], registers },
  });
  const stray = new Counter({
    ...{ name: 'meadow_control_stray_replies_total', help: 'answers that came late or cannot be read' },
    ...{ labelNames: ['cluster', 'why'], registers },
  });
  const unseen = new Counter({
    ...{ name: 'meadow_control_queue_looks_failed_total', help: 'looks at the queues that failed' },
    ...{ labelNames: ['cluster'], registers },
  });
  const blind = new Set<string>();
  const gauge = (name: string, help: string): Gauge<'cluster'> =>
    new Gauge({ name, help, labelNames: ['cluster'], registers });
  const held = gauge('meadow_control_held', '1 while this replica answers for the cluster');
  const connected = gauge('meadow_control_connected', '1 while the broker can be sent commands');
  return {
    holding(cluster) {
      held.set({ cluster }, 1);
      log.info({ cluster }, 'answering for the cluster');
    },
    released(cluster) {
      blind.delete(cluster);
      held.remove({ cluster });
      connected.remove({ cluster });
      log.info({ cluster }, 'no longer answering for the cluster');
    },
    connected(cluster, { state, error }) {
      connected.set({ cluster }, state === 'connected' ? 1 : 0);
      // the collector warns of the same broker: once is enough
      if (state === 'failed') log.info({ cluster, code: error.code }, error.message);
    },
    undefinable(cluster, { code, message }) {
      log.info({ cluster, code }, message);
    },
    failed(cluster, error) {
      log.error({ cluster, error: describeError(error) }, 'the cluster cannot be controlled');
    },
    queuesLook(cluster, error) {
      if (error === null) {
        if (blind.delete(cluster)) log.info({ cluster }, 'the queues are seen again');
        return;
      }
      unseen.inc({ cluster });
      if (blind.has(cluster)) return;
      blind.add(cluster);
      log.info({ cluster, error: describeError(error) }, 'the queues are not seen');
    },
    strayReply: (cluster, why) => stray.inc({ cluster, why }),
    command(cluster, method, outcome) {
      commands.inc({ cluster, method, outcome });
      log.info({ cluster, method, outcome }, 'command');
    },
  };
}
