import { ApiError } from '@meadow/api';
import { reportService } from '@meadow/bus';
import { workerPool, type ServiceFacts } from '@meadow/contract';
import { exposeFlow, replicaOf, watchVitals, type Logger } from '@meadow/runtime';
import type { SqlConsole, SqlLimits, Store } from '@meadow/store';
import { resolve } from 'node:path';
import type { Registry } from 'prom-client';
import { GatewayAudit } from './audit.ts';
import { BusLink } from './bus-link.ts';
import { isBuilt } from './dashboard.ts';
import { ClusterControl } from './control.ts';
import { ClusterDoctor } from './doctor.ts';
import { StoreErrors } from './error-groups.ts';
import { LiveHub, MAX_VIEWERS } from './live-feed.ts';
import { StoreMarks } from './marks.ts';
import { StoreQuestions } from './questions.ts';
import { BucketRegistry } from './registry.ts';
import { openServer, type GatewayServer } from './server.ts';
import { StoreTaskTypes } from './task-types.ts';
import { StoreSql } from './sql.ts';
import { createTelemetry } from './telemetry.ts';
import { StoreTrends } from './trends.ts';
import { StoreWorkflows } from './workflows.ts';

export interface GatewayOptions {
  readonly host: string;
  readonly port: number;
  readonly natsUrl: string;
  readonly dashboardDir: string;
  readonly store: Store;
  /** For statements of people; with the text of docs/sql.md, whose examples and words are shown. */
  readonly sql: { readonly console: SqlConsole; readonly limits: SqlLimits; readonly docs: string };
  readonly version: string;
  readonly log: Logger;
  readonly metrics: Registry;
}

/**
 * Answers as soon as it listens, whether NATS and ClickHouse are there or not. Disposing ends live streams with a word
 * to connect again, answers what is under way, and closes.
 */
export async function openGateway(options: GatewayOptions): Promise<GatewayServer> {
  const telemetry = createTelemetry(options.log, options.metrics);
  const now = (): number => Date.now() / 1000;
  const dashboardDir = resolve(options.dashboardDir);
  await using cleanUp = new AsyncDisposableStack();
  const stop = new AbortController();

  const registry = new BucketRegistry(telemetry, now);
  const id = `gateway-${replicaOf(process.env).id}`;
  const live: LiveHub = new LiveHub({
    source: () => {
      const { bus } = link;
      return bus === null ? null : (subject, signal) => bus.subscribe(subject, signal);
    },
    telemetry,
    now,
  });
  const facts = (): ServiceFacts => ({
    missing: link.problem(),
    hops: [],
    buffers: [{ name: 'live views', cluster: '', used: live.viewers, bound: MAX_VIEWERS, unit: 'items' }],
    brokers: [],
    stored_until: null,
  });
  const link: BusLink = new BusLink({
    url: options.natsUrl,
    telemetry,
    onLost: () =>
      live.interrupt(new ApiError('BUS_UNAVAILABLE', 'connection to NATS lost: live views resume when it is back')),
    onOpen: (bus) => {
      void registry.follow(bus, stop.signal);
      const told = { id, service: 'gateway', version: options.version, vitals: watchVitals(), facts };
      void reportService(bus, told, stop.signal);
    },
  });
  exposeFlow(options.metrics, facts);
  cleanUp.use(link);
  // before the connection goes, so that the watches end because they are told to
  cleanUp.defer(() => stop.abort());
  const questions = new StoreQuestions(options.store, telemetry, now, (cluster, worker) =>
    workerPool(worker, registry.poolRules(cluster)),
  );

  const doctor = new ClusterDoctor({ requests: () => link.bus?.requests ?? null, clusters: registry, questions });

  const control = new ClusterControl(() => link.bus?.requests ?? null);
  const workflows = new StoreWorkflows(options.store, telemetry, now);
  const taskTypes = new StoreTaskTypes(options.store, telemetry, now);
  const marks = new StoreMarks(options.store, telemetry, now);
  const trends = new StoreTrends(options.store, telemetry, now);
  const errors = new StoreErrors({
    ...{ store: options.store, telemetry, now },
    audit: new GatewayAudit({ events: () => link.bus?.events ?? null, replica: id, now }),
    clusters: () => registry.list().map(({ name }) => name),
  });
  const sql = new StoreSql({ ...options.sql, store: options.store, replica: id, telemetry, now });
  const { version } = options;

  const server = await openServer({
    ports: {
      questions,
      live,
      clusters: registry,
      bus: link,
      doctor,
      control,
      errors,
      marks,
      sql,
      trends,
      workflows,
      taskTypes,
      version,
      startedAt: now(),
      now,
    },
    host: options.host,
    port: options.port,
    dashboardDir,
    metrics: options.metrics,
    missing: async () => [link.problem(), await questions.problem()].filter((problem) => problem !== null),
    auditPages: (selection, signal) => questions.auditExport(selection, signal),
    taskPages: (search, signal) => questions.taskExport(search, signal),
    sql,
    telemetry,
  });
  cleanUp.use(server);
  cleanUp.defer(() => live.stop());
  telemetry.listening(server.url, isBuilt(dashboardDir));

  const open = cleanUp.move();
  return { url: server.url, [Symbol.asyncDispose]: () => open.disposeAsync() };
}
