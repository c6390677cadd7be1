import type { EventStream } from '@meadow/bus';
import { insertLoss, lossMeasuredUntil, measureLoss, type LossRow, type Store } from '@meadow/store';
import { setTimeout as delay } from 'node:timers/promises';

export interface LossOptions {
  readonly store: Store;
  readonly stream: Pick<EventStream, 'state'>;
  readonly onMeasured: (rows: readonly LossRow[]) => void;
  readonly signal: AbortSignal;
  /** Unix seconds. */
  readonly now: () => number;
}

const LOSS_WINDOW_SECONDS = 30;
/**
 * A window is measured this long after its end: workers hold events back for seconds (measured up to 7.5 s at a warm
 * shutdown), collectors hold heartbeats for 5 s, and the clocks of collectors and NATS differ a little.
 */
const SETTLE_SECONDS = 20;
const LOOK_INTERVAL_MS = 5_000;
/** What is older than this is left unmeasured: the starts to compare with are kept for twelve hours only. */
const OLDEST_SECONDS = 6 * 3_600;

/**
 * Measures loss window by window, as each is complete in the store, until `signal` is aborted; ends by an error that a new
 * start may mend. One at a time in the whole installation: run it under a lease. Windows in which the stream is behind are
 * measured when it has caught up.
 */
export async function measureLossOverTime(options: LossOptions): Promise<void> {
  const { store, stream, onMeasured, signal, now } = options;
  let next = await lossMeasuredUntil(store, { signal });
  while (!signal.aborted) {
    const closed = closedUntil(now(), (await stream.state()).firstAt);
    const oldest = wholeWindows(closed - (next === null ? LOSS_WINDOW_SECONDS : OLDEST_SECONDS));
    next = Math.max(next ?? 0, oldest);
    for (; next + LOSS_WINDOW_SECONDS <= closed; next += LOSS_WINDOW_SECONDS) {
      const rows = await measureLoss(store, { from: next, to: next + LOSS_WINDOW_SECONDS }, { signal });
      await insertLoss(store, { rows, token: `loss/${next}`, signal });
      onMeasured(rows);
    }
    await delay(LOOK_INTERVAL_MS, undefined, { signal });
  }
}

/** Everything collected before this is stored. @param firstAt when NATS took the oldest message that may not be stored yet */
function closedUntil(now: number, firstAt: number | null): number {
  return Math.min(now, firstAt ?? now) - SETTLE_SECONDS;
}

function wholeWindows(at: number): number {
  return Math.floor(at / LOSS_WINDOW_SECONDS) * LOSS_WINDOW_SECONDS;
}
