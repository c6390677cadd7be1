import { CeleryDecodeError } from './errors.ts';
import { parsePythonJson } from './json.ts';
import type { JsonObject, JsonValue } from './json.ts';
import { MAX_BYTES } from './limits.ts';
import { jsonToRepr, rawMember } from './repr/from-json.ts';
import { utf8Text } from './text.ts';

/** What a worker wrote to the result backend about one task. Texts are in the words of events: Python reprs. */
export interface StoredResult {
  /** Celery's, or the name of a state of the application's own, e.g. `PROGRESS`. */
  readonly state: string;
  /** When the task was done, seconds since the epoch, UTC; null in states on the way. */
  readonly doneAt: number | null;
  /** Of a success, in full. */
  readonly result: string | null;
  /** `ValueError('boom')`, of a failure or revocation. */
  readonly exception: string | null;
  readonly traceback: string | null;
  /** JSON object of what a state on the way comes with; a meta that is no object is its member `meta`. */
  readonly meta: string | null;
  readonly parentId: string | null;
  /** Known with Celery's `result_extended` only, as are the four below. */
  readonly name: string | null;
  readonly args: string | null;
  readonly kwargs: string | null;
  readonly worker: string | null;
  readonly retries: number | null;
}

/** States in which the backend holds an exception. */
const RAISED = new Set(['FAILURE', 'RETRY', 'REVOKED']);
/** First byte of every pickle since protocol 2. */
const PICKLE = 0x80;

/**
 * Reads what Celery's key-value backends keep under `celery-task-meta-<id>`, written with the serializer `json`.
 * @throws CeleryDecodeError `CELERY_PICKLE_REFUSED`, `CELERY_RESULT_INVALID`, or what JSON and its bounds give
 */
export function decodeStoredResult(payload: Uint8Array): StoredResult {
  if (payload[0] === PICKLE) {
    throw new CeleryDecodeError('CELERY_PICKLE_REFUSED', `result of ${payload.length} bytes is a pickle`);
  }
  if (payload.length > MAX_BYTES) {
    throw new CeleryDecodeError('CELERY_TOO_LARGE', `result of ${payload.length} bytes`, { limit: MAX_BYTES });
  }
  const text = utf8Text(payload);
  const meta = parsePythonJson(text);
  const state = isObject(meta) ? meta['status'] : null;
  if (!isObject(meta) || typeof state !== 'string' || state === '') {
    throw new CeleryDecodeError('CELERY_RESULT_INVALID', 'a stored result without status');
  }
  const result = meta['result'] ?? null;
  const raised = RAISED.has(state);
  const onTheWay = !raised && state !== 'SUCCESS';
  const { retries, args } = meta;
  return {
    state,
    doneAt: secondsOf(stringOf(meta['date_done'])),
    result: state === 'SUCCESS' ? reprOf(text, 'result') : null,
    exception: raised ? exceptionOf(result, text) : null,
    traceback: stringOf(meta['traceback']),
    meta:
      onTheWay && result !== null ? JSON.stringify(isObject(result) ? result : { meta: result }, bigintAsText) : null,
    parentId: stringOf(meta['parent_id']),
    name: stringOf(meta['name']),
    args: Array.isArray(args) ? tupleOf(reprOf(text, 'args') ?? '', args.length) : null,
    kwargs: isObject(meta['kwargs']) ? reprOf(text, 'kwargs') : null,
    worker: stringOf(meta['worker']),
    retries: typeof retries === 'number' && Number.isSafeInteger(retries) ? retries : null,
  };
}

function reprOf(text: string, member: string): string | null {
  const raw = rawMember(text, member);
  return raw === null ? null : jsonToRepr(raw);
}

/** Positional arguments read as a tuple everywhere else. */
function tupleOf(list: string, length: number): string {
  return `(${list.slice(1, -1)}${length === 1 ? ',' : ''})`;
}

/** `exc_message` is the exception's arguments, or one text of old workers. */
function exceptionOf(result: JsonValue, text: string): string | null {
  if (!isObject(result)) return result === null ? null : reprOf(text, 'result');
  const type = stringOf(result['exc_type']);
  const message = rawMember(rawMember(text, 'result') ?? '', 'exc_message');
  if (type === null) return reprOf(text, 'result');
  if (message === null) return `${type}()`;
  const repr = jsonToRepr(message);
  return `${type}(${Array.isArray(result['exc_message']) ? repr.slice(1, -1) : repr})`;
}

const ISO = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:?\d\d)?$/;

/** Celery before 5.4 writes UTC without saying so. */
function secondsOf(iso: string | null): number | null {
  const match = iso === null ? null : ISO.exec(iso);
  if (match === null) return null;
  const ms = Date.parse(`${match[1] ?? ''}${match[3] ?? 'Z'}`);
  return Number.isNaN(ms) ? null : ms / 1000 + Number(match[2] ?? 0);
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function stringOf(value: JsonValue | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
