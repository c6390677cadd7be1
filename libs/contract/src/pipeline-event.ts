import { jsonLine } from './json-line.ts';

/**
 * One Celery event as it travels on NATS and lies in ClickHouse: a flat object, column names as keys. A task's event is
 * written as the row that `TaskEventWriter` makes of it, a worker's as one JSON line. A key that the event did not carry
 * is left out, so that the column takes its default. Times are Unix seconds, UTC, to the microsecond.
 */
export interface PipelineEvent {
  readonly cluster: string;
  /** 16 hex digits, the same for whoever hears the event: see `eventId`. */
  readonly event_id: string;
  readonly type: string;
  /** The sender's clock. Celery's `utcoffset` is ignored on purpose: it shifts true times. */
  readonly timestamp: number;
  /** The collector's clock. */
  readonly collected_at: number;
  /** Celery's `hostname`: the node name of a worker, or `gen<pid>@host` of a client. */
  readonly worker: string;
  readonly pid?: number;
  readonly clock?: number;

  readonly task_id?: string;
  readonly name?: string;
  readonly args?: string;
  readonly kwargs?: string;
  readonly retries?: number;
  readonly eta?: string;
  readonly expires?: string;
  readonly root_id?: string;
  readonly parent_id?: string;
  readonly queue?: string;
  readonly exchange?: string;
  readonly routing_key?: string;
  readonly result?: string;
  readonly runtime?: number;
  readonly exception?: string;
  readonly traceback?: string;
  readonly terminated?: boolean;
  readonly signum?: string;
  readonly expired?: boolean;
  readonly requeue?: boolean;
  /** Why Meadow, not Celery, says that the task ended; absent on Celery's own events. */
  readonly end_reason?: string;

  readonly freq?: number;
  readonly active?: number;
  readonly processed?: number;
  readonly loadavg?: readonly number[];
  readonly sw_ident?: string;
  readonly sw_ver?: string;
  readonly sw_sys?: string;

  /** JSON object of the fields that Celery's own events do not have. */
  readonly extra?: string;
}

/** A message that could not be decoded, kept aside: at most the first 64 KiB of it. */
export interface PoisonRecord {
  readonly cluster: string;
  readonly collected_at: number;
  /** Stable code of the decoding error. */
  readonly reason: string;
  readonly detail: string;
  readonly content_type: string;
  readonly routing_key: string;
  /** Whole size of the message, bytes. */
  readonly size: number;
  /** Text with secrets masked; empty where it is no text, which could not be masked, and after a message's first failure. */
  readonly body: string;
}

type Told = Pick<PoisonRecord, 'cluster' | 'reason' | 'detail' | 'size' | 'body'> & Partial<PoisonRecord>;

/** A record as a JSON line, newline included. @param told where it came from and when matters only where it is known */
export function poisonLine(told: Told): string {
  const record: PoisonRecord = {
    ...{ collected_at: Date.now() / 1000, content_type: '', routing_key: '' },
    ...told,
    detail: told.detail.slice(0, 1_000),
  };
  return jsonLine(record);
}

/** A span in which events of a cluster may have been missed. */
export interface GapRecord {
  readonly cluster: string;
  readonly collector: string;
  readonly started_at: number;
  readonly ended_at: number;
  /**
   * Connection lost, our buffer or our queue at its bound, broker restarted; or no collector listened, which only a broker
   * that keeps nothing makes a gap; or most workers' heartbeats did not come while the connection stood.
   */
  readonly reason:
    'disconnected' | 'overflow' | 'queue-overflow' | 'broker-restarted' | 'collector-down' | 'heartbeats-missed';
  /** Best estimate of the events missed; null when nothing is known. */
  readonly estimated_events: number | null;
}
