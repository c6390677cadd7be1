import type { ClusterDefinition, Finding, Traffic } from '@meadow/contract';
import { BrokerError, type BrokerErrorCode } from '../errors.ts';
import { parseResultBackend } from '../results/backend.ts';
import { parseBrokerUrl } from '../url.ts';
import { examineAmqp } from './amqp.ts';
import { Checklist } from './checklist.ts';
import { examineRedis, examineResults } from './redis.ts';
import { Hearing } from './hearing.ts';

export interface ExamineOptions {
  readonly signal: AbortSignal;
  /** Of each connection. @default 5_000 */
  readonly timeoutMs?: number;
  /** How long to listen to the cluster's events; 0 for not at all. @default 0 */
  readonly listenMs?: number;
}

export interface Examination {
  readonly findings: readonly Finding[];
  /** What was heard; null when nobody listened. */
  readonly traffic: Traffic | null;
}

/** Which check a failure to connect decides; those before it have passed. */
const DECIDES: Readonly<Partial<Record<BrokerErrorCode, 'definition' | 'credentials' | 'place' | 'permissions'>>> = {
  BROKER_SCHEME_UNKNOWN: 'definition',
  BROKER_SCHEME_UNSUPPORTED: 'definition',
  BROKER_URL_INVALID: 'definition',
  BROKER_OPTION_INVALID: 'definition',
  BROKER_AUTH_FAILED: 'credentials',
  BROKER_DB_INVALID: 'place',
  BROKER_VHOST_NOT_FOUND: 'place',
  BROKER_PERMISSION_DENIED: 'permissions',
};

/**
 * Looks at a cluster's broker, and its result backend, as a doctor does: every finding with its remedy. Changes nothing:
 * broadcasts no command, and listens with a subscription or queue of its own that is gone afterwards. Never throws for
 * what is wrong with the cluster.
 */
export async function examineBroker(definition: ClusterDefinition, options: ExamineOptions): Promise<Examination> {
  const list = new Checklist();
  const { signal, timeoutMs = 5_000, listenMs = 0 } = options;
  const hearing = listenMs > 0 ? new Hearing() : null;
  const how = { signal, timeoutMs, listenMs, hearing };
  try {
    const broker = parseBrokerUrl(definition);
    if (broker.kind === 'redis') await examineRedis(broker.targets[0], definition, how, list);
    else await examineAmqp(broker.targets[0], definition, how, list);
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    list.failed(DECIDES[error.code] ?? 'reachable', error);
  }
  await results(definition, how, list);
  return { findings: list.findings, traffic: hearing?.traffic ?? null };
}

async function results(
  definition: ClusterDefinition,
  how: { readonly signal: AbortSignal; readonly timeoutMs: number },
  list: Checklist,
): Promise<void> {
  try {
    const backend = parseResultBackend(definition);
    if (backend === null) {
      list.warn(
        'result-backend',
        'none is named: an end whose event is lost stays unknown, and results are cut at 1,024 characters',
        "add resultBackend to the cluster's definition, e.g. redis://host:6379/0",
      );
    } else if (backend.kind === 'unreadable') {
      list.warn(
        'result-backend',
        `${backend.endpoint}: ${backend.reason}`,
        'nothing can be done but to use Redis for results',
      );
    } else {
      await examineResults(backend.targets[0], definition.name, how, list);
    }
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    list.fail('result-backend', error.message, error.remedy);
  }
}
