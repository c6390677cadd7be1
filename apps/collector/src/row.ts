import { eventId, type PipelineEvent, type TaskEventFields, type Mask } from '@meadow/contract';
import type { CeleryEvent, CustomEvent, TaskEvent, WorkerEvent } from '@meadow/celery';

/** What is the same for every row of one cluster. */
export interface RowContext {
  readonly cluster: string;
  readonly mask: Mask;
}

/** Fields that Celery does not define; null when there are none. */
type Extra = Readonly<Record<string, unknown>> | null;

/**
 * Texts longer than this lose their middle, so that one traceback of megabytes cannot fill the pipeline, and a row of such
 * texts fits a message of NATS. Bytes of UTF-8.
 */
export const LONGEST_TEXT = 65_536;
const KEPT_HEAD = 16_384;

/** What is stored of a task's event: secrets hidden, long texts cut. */
export function taskEvent(
  context: RowContext,
  event: TaskEvent,
  extra: Extra,
  collectedAt: number,
): TaskEventFields & { readonly task_id: string } {
  const { mask } = context;
  return {
    ...common(context, event, event.uuid, collectedAt),
    task_id: event.uuid,
    name: text(event.name),
    args: secret(event.args, mask),
    kwargs: secret(event.kwargs, mask),
    retries: event.retries,
    eta: text(event.eta),
    expires: text(event.expires),
    root_id: text(event.root_id),
    parent_id: text(event.parent_id),
    queue: text(event.queue),
    exchange: text(event.exchange),
    routing_key: text(event.routing_key),
    result: secret(event.result, mask),
    runtime: event.runtime,
    exception: secret(event.exception, mask),
    traceback: secret(event.traceback, mask),
    terminated: event.terminated,
    signum: event.signum === null || event.signum === undefined ? null : text(String(event.signum)),
    expired: event.expired,
    requeue: event.requeue,
    extra: unknown(extra, mask),
  };
}

/** What is stored of an event of no task and no worker's life, e.g. `audit-login`. */
export function customEvent(
  context: RowContext,
  event: CustomEvent,
  extra: Extra,
  collectedAt: number,
): TaskEventFields {
  return { ...common(context, event, '', collectedAt), extra: unknown(extra, context.mask) };
}

/** One line of a batch of workers' events: a `PipelineEvent` in JSON, newline included. */
export function workerLine(context: RowContext, event: WorkerEvent, extra: Extra, collectedAt: number): string {
  const { timestamp, pid, clock, ...base } = common(context, event, '', collectedAt);
  const line: { [Key in keyof PipelineEvent]: PipelineEvent[Key] | null | undefined } = {
    cluster: context.cluster,
    ...base,
    timestamp: microseconds(timestamp),
    pid: known(pid),
    clock: known(clock),
    freq: known(event.freq),
    active: known(event.active),
    processed: known(event.processed),
    loadavg: event.loadavg?.filter(Number.isFinite),
    sw_ident: text(event.sw_ident),
    sw_ver: text(event.sw_ver),
    sw_sys: text(event.sw_sys),
    extra: unknown(extra, context.mask),
  };
  return `${JSON.stringify(line, (_, value: unknown) => (typeof value === 'string' ? value.toWellFormed() : (value ?? undefined)))}\n`;
}

function common({ cluster }: RowContext, event: CeleryEvent, uuid: string, collectedAt: number): TaskEventFields {
  const { type, timestamp, hostname, pid = null, clock = null } = event;
  return {
    event_id: eventId(cluster, hostname, pid, clock, type, uuid, timestamp),
    type,
    timestamp,
    collected_at: collectedAt,
    worker: hostname,
    pid,
    clock,
  };
}

/** What the store's DateTime64(6) holds: 1970 to 2100. A wilder clock is clamped; the collector's own clock is beside it. */
const LATEST = 4_102_444_800;

function microseconds(seconds: number): number {
  return Math.round(Math.min(Math.max(seconds, 0), LATEST) * 1e6) / 1e6;
}

/** JSON would make null of what it has no word for. */
function known(value: number | null | undefined): number | undefined {
  return value === null || !Number.isFinite(value) ? undefined : value;
}

function text(value: string | null | undefined): string | undefined {
  return value === null || value === undefined || value === '' ? undefined : shortened(value);
}

function secret(value: string | null | undefined, mask: Mask): string | undefined {
  // cut first: masking is linear, but the middle that goes need not be read
  return value === null || value === undefined || value === '' ? undefined : mask(shortened(value));
}

function unknown(extra: Extra, mask: Mask): string | undefined {
  if (extra === null) return undefined;
  const json = mask.json(extra);
  // a JSON text that loses its middle would be JSON no more
  return Buffer.byteLength(json) > LONGEST_TEXT ? JSON.stringify({ cut: shortened(json).slice(0, KEPT_HEAD) }) : json;
}

/** The text, or its beginning and end with a note between them of how much is gone. */
export function shortened(value: string): string {
  // three bytes a character is the most that UTF-8 takes
  if (value.length <= LONGEST_TEXT / 3 || Buffer.byteLength(value) <= LONGEST_TEXT) return value;
  const kept = LONGEST_TEXT - KEPT_HEAD;
  const head = Buffer.from(value.slice(0, KEPT_HEAD))
    .toString('utf8', 0, KEPT_HEAD)
    .replace(/\ufffd+$/, '');
  const tail = Buffer.from(value.slice(-kept))
    .subarray(-kept)
    .toString()
    .replace(/^\ufffd+/, '');
  return `${head}\n… ${value.length - head.length - tail.length} characters cut by Meadow …\n${tail}`;
}
