import type { JsonValue } from '../json.ts';
import type { ReprNode } from './node.ts';

/**
 * The value as JSON data, or undefined when JSON cannot carry it for certain (see `ReprResult.exact`). Tuples become
 * arrays, as Celery's own serializer makes them. `1.0` and `1` are one number here: to publish again, use
 * {@link reprToJsonText}, which keeps them apart.
 */
export function reprToJson(node: ReprNode): JsonValue | undefined {
  switch (node.kind) {
    case 'none':
      return null;
    case 'bool':
    case 'int':
      return node.value;
    case 'bigint':
      return BigInt(node.digits);
    case 'float':
      return isFiniteText(node.text) ? Number(node.text) : undefined;
    case 'str':
      return isSure(node) ? node.value : undefined;
    case 'list':
    case 'tuple':
      return all(node.items, reprToJson);
    case 'dict': {
      const keys = keysOf(node);
      const values = all(node.entries, (entry) => reprToJson(entry.value));
      if (keys === undefined || values === undefined) return undefined;
      return Object.fromEntries(keys.map((key, i) => [key, values[i] ?? null]));
    }
    default:
      return undefined;
  }
}

/** The value as JSON text, digit for digit as Python's own serializer writes it, or undefined as {@link reprToJson}. */
export function reprToJsonText(node: ReprNode): string | undefined {
  switch (node.kind) {
    case 'none':
      return 'null';
    case 'bool':
    case 'int':
      return String(node.value);
    case 'bigint':
      return node.digits;
    case 'float':
      return isFiniteText(node.text) ? node.text : undefined;
    case 'str':
      return isSure(node) ? JSON.stringify(node.value) : undefined;
    case 'list':
    case 'tuple': {
      const items = all(node.items, reprToJsonText);
      return items === undefined ? undefined : `[${items.join(',')}]`;
    }
    case 'dict': {
      const keys = keysOf(node);
      const values = all(node.entries, (entry) => reprToJsonText(entry.value));
      if (keys === undefined || values === undefined) return undefined;
      return `{${keys.map((key, i) => `${JSON.stringify(key)}:${values[i] ?? 'null'}`).join(',')}}`;
    }
    default:
      return undefined;
  }
}

function isFiniteText(text: string): boolean {
  return Number.isFinite(Number(text));
}

function isSure(node: Extract<ReprNode, { kind: 'str' }>): boolean {
  return node.cut !== true && node.unsure !== true;
}

/** The keys of a dict that JSON can carry: strings, each once. Python's serializer would turn others into strings. */
function keysOf(node: Extract<ReprNode, { kind: 'dict' }>): string[] | undefined {
  const keys = all(node.entries, ({ key }) => (key.kind === 'str' && isSure(key) ? key.value : undefined));
  return keys !== undefined && new Set(keys).size === keys.length ? keys : undefined;
}

/** Maps every item, or gives up at the first that has no value. */
function all<Item, Value>(items: readonly Item[], map: (item: Item) => Value | undefined): Value[] | undefined {
  const values: Value[] = [];
  for (const item of items) {
    const value = map(item);
    if (value === undefined) return undefined;
    values.push(value);
  }
  return values;
}
