import { openHealth, portNumber, type HealthServer } from '@meadow/runtime';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { UsageError } from './options.ts';
import type { ProcessState } from './supervisor/supervisor.ts';

/** Answers `/livez`, `/readyz` and `/metrics` for the supervisor itself; null when no port is set. @throws UsageError */
export async function openSupervisorHealth(
  env: Readonly<Record<string, string | undefined>>,
  states: () => readonly ProcessState[],
): Promise<HealthServer | null> {
  const told = env['MEADOW_HEALTH_PORT'] ?? '';
  const port = portNumber.safeParse(told === '' ? 0 : told);
  if (!port.success) throw new UsageError(`MEADOW_HEALTH_PORT: ${JSON.stringify(told)} is no port`);
  if (port.data === 0) return null;
  const host = env['MEADOW_HEALTH_HOST'] ?? '127.0.0.1';
  const metrics = new Registry();
  collectDefaultMetrics({ register: metrics });
  const registers = [metrics];
  new Gauge({
    name: 'meadow_standalone_process_up',
    help: '1 while the process runs',
    labelNames: ['process'],
    registers,
    collect() {
      for (const { name, up } of states()) this.set({ process: name }, up ? 1 : 0);
    },
  });
  new Gauge({
    name: 'meadow_standalone_process_restarts',
    help: 'how often the process had to be started again',
    labelNames: ['process'],
    registers,
    collect() {
      for (const { name, restarts } of states()) this.set({ process: name }, restarts);
    },
  });
  const ready = (): string | null => {
    const down = states().filter(({ up }) => !up);
    return down.length === 0 ? null : `not running: ${down.map(({ name }) => name).join(', ')}`;
  };
  return openHealth({ host, port: port.data, metrics, ready });
}
