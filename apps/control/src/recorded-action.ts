import { BrokerError, QueueRefusal } from '@meadow/broker';
import type { ControlPart, Ended, Mask } from '@meadow/contract';
import { recordsOf, type Audit, type Recorded } from './audit.ts';
import type { Telemetry } from './telemetry.ts';

/** Not done because of what was asked, in words for people. */
export class Refused extends Error {
  override readonly name = 'Refused';
}

/** Records what is about to be done, as soon as it is known that it can be. @throws BusError: then it must not be done */
export type Begin = (detail: string, sample?: readonly unknown[]) => Promise<void>;

/** What came of it, and for its record what each part of it answered, secrets masked. */
export interface Done extends Ended {
  readonly answers?: readonly unknown[];
}

export type Work = (begin: Begin) => Promise<Done> | AsyncGenerator<ControlPart, Done, undefined>;

export interface RecordedDeps {
  readonly audit: Audit;
  readonly mask: Mask;
  readonly telemetry: Telemetry;
  /** Aborted when this replica gives the cluster up. */
  readonly signal: AbortSignal;
}

/**
 * Does what changes something, and records it: begun → done → its end. Work that ends before it has begun was refused or has
 * failed, and has changed nothing. Where the broker's answer was lost on the way, it may have been done: `unanswered`.
 * @throws what the work did
 */
export async function* recordedAction(
  about: Recorded,
  { audit, mask, telemetry, signal }: RecordedDeps,
  work: Work,
): AsyncGenerator<ControlPart, void, undefined> {
  const record = recordsOf(about, audit, mask);
  const { cluster, action } = about;
  let hasBegun = false;
  let done: Done;
  try {
    const doing = work(async (detail, sample = []) => {
      await record('begun', detail, sample);
      hasBegun = true;
    });
    done = doing instanceof Promise ? await doing : yield* doing;
  } catch (error) {
    const says = error instanceof Error ? error.message : String(error);
    if (!hasBegun || !(signal.aborted || isLost(error))) {
      const isRefused = error instanceof Refused || error instanceof QueueRefusal;
      telemetry.command(cluster, action, isRefused ? 'refused' : 'failed');
      await record(isRefused ? 'refused' : 'failed', says);
      throw error;
    }
    done = { outcome: 'unanswered', detail: `whether it was done is not known: ${says}`, count: null };
  }
  const { outcome, detail, count, answers } = done;
  telemetry.command(cluster, action, outcome);
  await record(outcome, detail, answers);
  yield { kind: 'ended', outcome, detail: mask(detail), count };
}

/** Whether what was sent may have been taken all the same. */
const isLost = (error: unknown): boolean =>
  error instanceof BrokerError && (error.code === 'BROKER_TIMEOUT' || error.code === 'BROKER_CLOSED');
