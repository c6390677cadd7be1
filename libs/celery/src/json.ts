import { CeleryDecodeError } from './errors.ts';
import { readJson } from './json-reader.ts';
import { holdsLongInteger, isTooDeep } from './json-scan.ts';
import { MAX_BYTES, MAX_DEPTH } from './limits.ts';

/** What Python's JSON can say: JSON plus NaN and the infinities (as numbers) and integers of any size (as bigint). */
export type JsonValue = null | boolean | number | bigint | string | JsonValue[] | JsonObject;

/** A JSON object. Keys come from outside: ask with `Object.hasOwn` where an inherited name would matter. */
export interface JsonObject {
  [key: string]: JsonValue;
}

/**
 * Reads JSON as Python writes it: `NaN`, `Infinity` and `-Infinity` are numbers, an integer that a double cannot hold is
 * a bigint, lone surrogates survive, `__proto__` is an ordinary own key.
 *
 * Bounds: {@link MAX_BYTES} UTF-16 units, {@link MAX_DEPTH} levels, {@link MAX_INT_DIGITS} digits an integer.
 * @throws CeleryDecodeError `CELERY_JSON_INVALID`, `CELERY_TOO_DEEP` or `CELERY_TOO_LARGE`
 */
export function parsePythonJson(text: string): JsonValue {
  return parseUnscanned(text, 0);
}

/** {@link parsePythonJson} for a text whose start, up to `from`, is known to hold no brackets but one, and no number. */
export function parseUnscanned(text: string, from: number): JsonValue {
  if (text.length > MAX_BYTES) {
    throw new CeleryDecodeError('CELERY_TOO_LARGE', `json text of ${text.length} characters`, { limit: MAX_BYTES });
  }
  if (isTooDeep(text, from)) {
    throw new CeleryDecodeError('CELERY_TOO_DEEP', `json nested deeper than ${MAX_DEPTH}`, { limit: MAX_DEPTH });
  }
  if (holdsLongInteger(text, from)) return readJson(text);
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    // NaN or an error: the reader knows which, and where.
    return readJson(text);
  }
}

/**
 * Writes JSON that Python's `json.loads` reads to the same value: the reverse of {@link parsePythonJson}.
 * @throws CeleryDecodeError `CELERY_TOO_DEEP` beyond {@link MAX_DEPTH} levels, cycles included
 */
export function stringifyPythonJson(value: JsonValue): string {
  return write(value, 0);
}

function write(value: JsonValue, depth: number): string {
  if (typeof value === 'number') {
    if (Number.isNaN(value)) return 'NaN';
    if (Number.isFinite(value)) return writeFinite(value);
    return value > 0 ? 'Infinity' : '-Infinity';
  }
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (depth >= MAX_DEPTH) {
    throw new CeleryDecodeError('CELERY_TOO_DEEP', `value nested deeper than ${MAX_DEPTH}`, { limit: MAX_DEPTH });
  }
  if (Array.isArray(value)) return `[${value.map((item) => write(item, depth + 1)).join(',')}]`;
  const entries = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}:${write(item, depth + 1)}`);
  return `{${entries.join(',')}}`;
}

/** A whole double beyond 2^53 gets an exponent, or it would come back as the integer it never was. */
function writeFinite(value: number): string {
  if (Object.is(value, -0)) return '-0.0';
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? value.toExponential() : JSON.stringify(value);
}
