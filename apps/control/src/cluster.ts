import { BrokerConfigError, openControlChannel, type ControlChannel } from '@meadow/broker';
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
import { sampleQueues } from './queue-sampler.ts';
import { Revokes, type OpenRevoke } from './revokes.ts';
import type { Telemetry } from './telemetry.ts';

export interface ClusterDeps {
  readonly replica: string;
  readonly bus: Bus;
  readonly leases: Bucket<LeaseRecord>;
  readonly revokes: Bucket<OpenRevoke>;
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
  telemetry.holding(name);
  const sampling = sampleQueues({ definition, replica: deps.replica, stream: bus.events, telemetry, signal });
  const answer = (asked: unknown, ends: AbortSignal): AsyncIterable<ControlPart> => {
    const question = controlQuestion.safeParse(asked);
    if (!question.success) throw new Error(prettifyError(question.error));
    if (question.data.kind === 'inspect') return inspections.answer(question.data, ends);
    return runCommand(question.data, { cluster: name, channel, mask, audit, revokes, telemetry }, ends);
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
