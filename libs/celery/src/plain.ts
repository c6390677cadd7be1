import { Buffer } from 'node:buffer';
import { CeleryDecodeError } from './errors.ts';
import type { JsonObject, JsonValue } from './json.ts';
import { MAX_DEPTH, MAX_VALUES } from './limits.ts';

/**
 * Turns what the YAML library made into plain JSON values; integers a double holds become numbers. Shared references are
 * copied, so a cycle ends at the depth bound.
 * @throws CeleryDecodeError `CELERY_TOO_DEEP`, `CELERY_TOO_LARGE` beyond {@link MAX_VALUES} values
 */
export function plainValue(value: unknown): JsonValue {
  let budget = MAX_VALUES;

  function copy(item: unknown, depth: number): JsonValue {
    if (--budget < 0) {
      throw new CeleryDecodeError('CELERY_TOO_LARGE', `body of more than ${MAX_VALUES} values`, { limit: MAX_VALUES });
    }
    switch (typeof item) {
      case 'string':
      case 'number':
      case 'boolean':
        return item;
      case 'bigint':
        return numberOrBigInt(item);
      case 'object':
        break;
      default:
        return null;
    }
    if (item === null) return null;
    if (depth >= MAX_DEPTH) {
      throw new CeleryDecodeError('CELERY_TOO_DEEP', `body nested deeper than ${MAX_DEPTH}`, { limit: MAX_DEPTH });
    }
    if (Array.isArray(item)) return item.map((entry) => copy(entry, depth + 1));
    return copyObject(item, depth);
  }

  function copyObject(item: object, depth: number): JsonObject {
    // `fromEntries` defines keys; assigning `__proto__` would not.
    return Object.fromEntries(Object.entries(item).map(([key, entry]) => [key, copy(entry, depth + 1)]));
  }

  return copy(value, 0);
}

/** A number when a double holds the integer exactly. */
export function numberOrBigInt(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Bytes, which JSON has no word for, under a tag of the form kombu gives its own. */
export function taggedBytes(type: string, bytes: Uint8Array): JsonObject {
  return { __type__: type, __value__: Buffer.from(bytes).toString('base64') };
}
