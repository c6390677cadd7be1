import { eventId } from '@meadow/contract';
import type { CustomEvent, TaskEvent, WorkerEvent } from '@meadow/celery';
import type { Mask } from './mask.ts';

/** What is the same for every line of one cluster. */
export interface LineContext {
  readonly cluster: string;
  readonly mask: Mask;
}

/** Texts longer than this lose their middle, so that one traceback of megabytes cannot fill the pipeline. Characters. */
export const LONGEST_TEXT = 65_536;
const KEPT_HEAD = 16_384;

/**
 * One line of a batch: the keys of `PipelineEvent`, in JSON, newline included. Written by hand rather than by
 * `JSON.stringify` of an object because it runs for every event: half the time, and absent fields cost nothing.
 * @param extra fields that Celery does not define; null when there are none
 */
export function taskLine(
  { cluster, mask }: LineContext,
  event: TaskEvent,
  extra: Readonly<Record<string, unknown>> | null,
  collectedAt: number,
): string {
  return (
    head(cluster, event, event.uuid, collectedAt) +
    `,"task_id":${quoted(event.uuid)}` +
    text('name', event.name) +
    secret('args', event.args, mask) +
    secret('kwargs', event.kwargs, mask) +
    integer('retries', event.retries) +
    text('eta', event.eta) +
    text('expires', event.expires) +
    text('root_id', event.root_id) +
    text('parent_id', event.parent_id) +
    text('queue', event.queue) +
    text('exchange', event.exchange) +
    text('routing_key', event.routing_key) +
    secret('result', event.result, mask) +
    number('runtime', event.runtime) +
    secret('exception', event.exception, mask) +
    secret('traceback', event.traceback, mask) +
    flag('terminated', event.terminated) +
    (event.signum === null || event.signum === undefined ? '' : text('signum', String(event.signum))) +
    flag('expired', event.expired) +
    flag('requeue', event.requeue) +
    unknown(extra, mask) +
    '}\n'
  );
}

/** The line of an event of no task and no worker's life, e.g. `audit-login`. */
export function customLine(
  { cluster, mask }: LineContext,
  event: CustomEvent,
  extra: Readonly<Record<string, unknown>> | null,
  collectedAt: number,
): string {
  return head(cluster, event, '', collectedAt) + unknown(extra, mask) + '}\n';
}

export function workerLine(
  { cluster, mask }: LineContext,
  event: WorkerEvent,
  extra: Readonly<Record<string, unknown>> | null,
  collectedAt: number,
): string {
  const load = event.loadavg;
  return (
    head(cluster, event, '', collectedAt) +
    number('freq', event.freq) +
    integer('active', event.active) +
    integer('processed', event.processed) +
    (load === null || load === undefined ? '' : `,"loadavg":[${load.filter(Number.isFinite).join(',')}]`) +
    text('sw_ident', event.sw_ident) +
    text('sw_ver', event.sw_ver) +
    text('sw_sys', event.sw_sys) +
    unknown(extra, mask) +
    '}\n'
  );
}

function head(
  cluster: string,
  event: TaskEvent | CustomEvent | WorkerEvent,
  uuid: string,
  collectedAt: number,
): string {
  const clock = event.clock ?? null;
  const pid = event.pid ?? null;
  const id = eventId(
    cluster,
    event.hostname,
    pid,
    clock === null ? null : Number(clock),
    event.type,
    uuid,
    event.timestamp,
  );
  return (
    `{"cluster":"${cluster}","event_id":"${id}","type":${quoted(event.type)}` +
    `,"timestamp":${microseconds(event.timestamp)},"collected_at":${collectedAt},"worker":${quoted(event.hostname)}` +
    integer('pid', pid) +
    integer('clock', clock)
  );
}

/** What the store's DateTime64(6) holds: 1970 to 2100. A wilder clock is clamped; the collector's own clock is beside it. */
const LATEST = 4_102_444_800;

function microseconds(seconds: number): number {
  return Math.round(Math.min(Math.max(seconds, 0), LATEST) * 1e6) / 1e6;
}

function quoted(value: string): string {
  const json = JSON.stringify(value);
  // a lone surrogate is legal in Python and here, but not in the store's UTF-8
  return json.includes('\\ud') ? JSON.stringify(value.toWellFormed()) : json;
}

function text(key: string, value: string | null | undefined): string {
  return value === null || value === undefined || value === '' ? '' : `,"${key}":${quoted(shortened(value))}`;
}

function secret(key: string, value: string | null | undefined, mask: Mask): string {
  // cut first: masking is linear, but the middle that goes need not be read
  return value === null || value === undefined || value === '' ? '' : `,"${key}":${quoted(mask(shortened(value)))}`;
}

function integer(key: string, value: number | bigint | null | undefined): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'bigint') return `,"${key}":${value}`;
  return Number.isSafeInteger(value) ? `,"${key}":${value}` : '';
}

function number(key: string, value: number | null | undefined): string {
  return value === null || value === undefined || !Number.isFinite(value) ? '' : `,"${key}":${value}`;
}

function flag(key: string, value: boolean | null | undefined): string {
  return value === null || value === undefined ? '' : `,"${key}":${value}`;
}

function unknown(extra: Readonly<Record<string, unknown>> | null, mask: Mask): string {
  if (extra === null) return '';
  const json = JSON.stringify(extra, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
  return text('extra', mask(json));
}

/** The text, or its beginning and end with a note between them of how much is gone. */
export function shortened(value: string): string {
  if (value.length <= LONGEST_TEXT) return value;
  const tail = LONGEST_TEXT - KEPT_HEAD;
  const cut = value.length - LONGEST_TEXT;
  return `${value.slice(0, KEPT_HEAD)}\n… ${cut} characters cut by Meadow …\n${value.slice(-tail)}`;
}
