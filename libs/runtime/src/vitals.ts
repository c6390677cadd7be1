import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Gauge, type Registry } from 'prom-client';

/** What this process takes from its machine. */
export interface Vitals {
  /** Processor time since the last look, in cores; null at the first. */
  readonly cpu: number | null;
  readonly rssBytes: number;
  /** 99th percentile of how late timers fired since the last look; null when none did. */
  readonly loopDelaySeconds: number | null;
}

const RESOLUTION_MS = 20;

/** Begins to watch this process. @returns how it did since the call before */
export function watchVitals(): () => Vitals {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  let before = { at: performance.now(), used: process.cpuUsage() };
  let first = true;
  return () => {
    const now = { at: performance.now(), used: process.cpuUsage() };
    const usedMs = (now.used.user + now.used.system - before.used.user - before.used.system) / 1000;
    const cpu = first ? null : usedMs / Math.max(1, now.at - before.at);
    before = now;
    first = false;
    const loopDelaySeconds =
      delays.count === 0 ? null : Math.max(0, delays.percentile(99) / 1e9 - RESOLUTION_MS / 1000);
    delays.reset();
    return { cpu, rssBytes: process.memoryUsage.rss(), loopDelaySeconds };
  };
}

/** What a service may tell of the flow through it, as metrics of the same names in every service. */
export interface Flow {
  readonly hops: readonly {
    readonly hop: string;
    readonly cluster: string;
    readonly lag_seconds: number | null;
    readonly waiting: number | null;
  }[];
  readonly buffers: readonly {
    readonly name: string;
    readonly cluster: string;
    readonly used: number;
    readonly bound: number;
  }[];
}

/** Adds gauges of the flow to `/metrics`; `read` is called at each scrape. */
export function exposeFlow(registry: Registry, read: () => Flow): void {
  const registers = [registry];
  new Gauge({
    name: 'meadow_hop_lag_seconds',
    help: 'age of the oldest event before the hop, or how long the newest took to pass it',
    labelNames: ['hop', 'cluster'],
    registers,
    collect() {
      this.reset();
      for (const { hop, cluster, lag_seconds: lag } of read().hops) if (lag !== null) this.set({ hop, cluster }, lag);
    },
  });
  new Gauge({
    name: 'meadow_hop_waiting_messages',
    help: 'messages that wait before the hop',
    labelNames: ['hop', 'cluster'],
    registers,
    collect() {
      this.reset();
      for (const { hop, cluster, waiting } of read().hops) if (waiting !== null) this.set({ hop, cluster }, waiting);
    },
  });
  new Gauge({
    name: 'meadow_buffer_fill_ratio',
    help: 'how full a bounded buffer is, 0 to 1',
    labelNames: ['buffer', 'cluster'],
    registers,
    collect() {
      this.reset();
      for (const { name, cluster, used, bound } of read().buffers) this.set({ buffer: name, cluster }, used / bound);
    },
  });
}
