import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';

/** This process among the replicas of its service. */
export interface Replica {
  /** Never used again by another process. */
  readonly id: string;
  /** Whether that replica is known to be dead, as this one was started in its place. */
  readonly replaces: (id: string) => boolean;
}

/**
 * A supervisor tells in `MEADOW_SUPERVISED` which of its starts of the service this is, as `<8 hex digits>.<number>`. It
 * starts one only when the one before has ended; without a supervisor nothing is known of others.
 */
export function replicaOf(env: Readonly<Record<string, string | undefined>>): Replica {
  const [, place, start] = /^([0-9a-f]{8})\.(\d+)$/.exec(env['MEADOW_SUPERVISED'] ?? '') ?? [];
  if (place === undefined) {
    return { id: `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`, replaces: () => false };
  }
  const prefix = `${hostname()}-${place}-`;
  return {
    id: `${prefix}${start}`,
    replaces: (id) => id.startsWith(prefix) && Number(id.slice(prefix.length)) < Number(start),
  };
}
