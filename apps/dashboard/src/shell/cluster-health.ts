import type { ClusterLine } from '@meadow/api';
import type { Look } from '../design/states.ts';

/** A collector's report older than this says nothing of now, in seconds. */
const REPORT_STALE_SECONDS = 15;

/** Whether a cluster is being heard, in one look and one line of what to do when it is not. */
export interface ClusterHealth {
  readonly kind: 'connected' | 'connecting' | 'failed' | 'unreported';
  readonly look: Look;
  /** '' when all is well. */
  readonly remedy: string;
  /** Unix seconds; null when not known. */
  readonly since: number | null;
}

/** @param now Unix seconds */
export function clusterHealth(line: ClusterLine, now: number): ClusterHealth {
  const { status } = line;
  if (status === null) {
    return {
      kind: 'unreported',
      look: { tone: 'idle', icon: 'dashed', label: 'Unreported' },
      remedy: 'No collector has taken up this cluster yet. Check that a collector is running.',
      since: null,
    };
  }
  if (now - status.reportedAt > REPORT_STALE_SECONDS) {
    return {
      kind: 'unreported',
      look: { tone: 'warn', icon: 'cloudOff', label: 'No report' },
      remedy: 'Its collector stopped reporting. Events are not being collected: start a collector.',
      since: status.reportedAt,
    };
  }
  switch (status.state) {
    case 'connected':
      return {
        kind: 'connected',
        look: { tone: 'ok', icon: 'check', label: 'Connected' },
        remedy: '',
        since: status.since,
      };
    case 'connecting':
      return {
        kind: 'connecting',
        look: { tone: 'run', icon: 'plug', label: 'Connecting' },
        remedy: '',
        since: status.since,
      };
    case 'failed':
      return {
        kind: 'failed',
        look: { tone: 'bad', icon: 'alert', label: 'Failed' },
        remedy: status.error?.message ?? 'The broker cannot be reached.',
        since: status.since,
      };
    default:
      return status.state satisfies never;
  }
}
