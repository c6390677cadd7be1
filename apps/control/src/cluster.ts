import { BrokerConfigError, openControlChannel, openQueues, parseBrokerUrl, type ControlChannel } from '@meadow/broker';
import { withLease, type Bucket, type Bus, type LeaseRecord, type Share } from '@meadow/bus';
import {
  askControlSubject,
  controlQuestion,
  createMask,
  type ClusterDefinition,
  type ControlPart,
} from '@meadow/contract';
import { setTimeout as delay } from 'node:timers/promises';
import { prettifyError } from 'zod';
import type { Audit } from './audit.ts';
import { runCommand } from './commands.ts';
import { Inspections } from './inspections.ts';
import { KnownQueues, type KeptQueues } from './known-queues.ts';
import type { KeptPause } from './pauses.ts';
import { sampleQueues } from './queue-sampler.ts';
import { Revokes, type OpenRevoke } from './revokes.ts';
import { ClusterQueues } from './queues.ts';
import { ClusterTasks } from './tasks.ts';
import type { Telemetry } from './telemetry.ts';

export interface ClusterDeps {
  readonly replica: string;
  readonly bus: Bus;
  readonly leases: Bucket<LeaseRecord>;
  readonly revokes: Bucket<OpenRevoke>;
  readonly pauses: Bucket<KeptPause>;
  readonly queues: Bucket<KeptQueues>;
  readonly share: Share;
  readonly audit: Audit;
  readonly telemetry: Telemetry;
}

const FAULT_WAIT_MS = 2_000;
/** Questions of one cluster that are answered at a time; who asks more is told to try again. */
const AT_A_TIME = 100;

/**
 * Answers what is asked of one cluster while it is this replica's share, until `signal` is aborted. One replica at a time does,
 * by a lease: workers are asked once, however many look on.
 */
export async function watchCluster(
  definition: ClusterDefinition,
  deps: ClusterDeps,
  signal: AbortSignal,
): Promise<void> {
  const { name } = definition;
  const { share, telemetry } = deps;
  while (!signal.aborted) {
    await share.until(() => share.roleOf(name) === 'primary', signal);
    if (signal.aborted) return;
    const over = new AbortController();
    void share.until(() => share.roleOf(name) !== 'primary', over.signal).then(() => over.abort());
    const ends = AbortSignal.any([signal, over.signal]);
    try {
      const isGone = (holder: string): boolean => share.isGone(holder);
      await withLease(deps.leases, `control.${name}`, deps.replica, ends, (held) => serve(definition, deps, held), {
        isGone,
      });
    } catch (error) {
      if (ends.aborted) continue;
      telemetry.failed(name, error);
      await delay(FAULT_WAIT_MS, undefined, { signal }).catch(() => undefined);
    } finally {
      over.abort();
    }
  }
}

async function serve(definition: ClusterDefinition, deps: ClusterDeps, signal: AbortSignal): Promise<void> {
  const { name } = definition;
  const { audit, telemetry, bus } = deps;
  const { requests } = bus;
  const mask = createMask(definition.masking);
  const options = { atMost: AT_A_TIME, signal };
  let opened: ControlChannel;
  try {
    opened = openControlChannel(definition, {
      ...{ signal, clientName: `meadow control ${deps.replica}` },
      onStatus: (status) => telemetry.connected(name, status),
      onStrayReply: (why) => telemetry.strayReply(name, why),
    });
  } catch (error) {
    if (!(error instanceof BrokerConfigError)) throw error;
    telemetry.undefinable(name, error);
    // it can never work: whoever asks is told so, until the definition is another
    return requests.answerInParts(askControlSubject(name), () => failing(error), options);
  }
  await using channel = opened;
  const inspections = new Inspections(channel, mask);
  const revokes = new Revokes({ cluster: name, channel, bus, bucket: deps.revokes, telemetry, signal });
  await revokes.resume();
  const shared = { definition, replica: deps.replica, channel, mask, audit, telemetry, signal };
  await using onBroker = openQueues(definition, { signal, clientName: `meadow control ${deps.replica} queues` });
  const at = { cluster: name, broker: parseBrokerUrl(definition).targets[0].endpoint, queues: onBroker };
  const queues = new ClusterQueues({ ...shared, ...at, pauses: deps.pauses });
  await queues.takeUp();
  await using tasks = new ClusterTasks({ ...shared, stream: bus.events });
  telemetry.holding(name);
  const sampling = sampleQueues({
    ...{ cluster: name, queues: onBroker, replica: deps.replica, stream: bus.events, telemetry, signal },
    known: new KnownQueues({ ...at, inspections, bucket: deps.queues }),
  });
  const answer = (asked: unknown, ends: AbortSignal): AsyncIterable<ControlPart> => {
    const question = controlQuestion.safeParse(asked);
    if (!question.success) throw new Error(prettifyError(question.error));
    switch (question.data.kind) {
      case 'command':
        return runCommand(question.data, { cluster: name, channel, mask, audit, revokes, telemetry }, ends);
      case 'inspect':
        return inspections.answer(question.data, ends);
      case 'queues':
      case 'peek':
      case 'broker':
        return queues.look(question.data, ends);
      case 'purge':
      case 'remove':
      case 'move':
      case 'pause':
      case 'resume':
        return queues.act(question.data, ends);
      case 'draft':
        return tasks.draft(question.data, ends);
      case 'send':
      case 'retry':
      case 'abort':
        return tasks.act(question.data, ends);
      default:
        return question.data satisfies never;
    }
  };
  try {
    await requests.answerInParts(askControlSubject(name), answer, options);
  } finally {
    await sampling;
    telemetry.released(name);
  }
}

// eslint-disable-next-line require-yield -- as iterable as an answer
async function* failing(error: Error): AsyncGenerator<never> {
  await Promise.reject(error);
}
