import { excerpt } from '../errors.ts';
import type { ReprNode } from '../repr/node.ts';
import type { JsonTree } from './json-tree.ts';

/** Why JSON cannot have a value for certain: the first place that leaves a doubt, and what is there. */
interface ReprDoubt {
  readonly where: string;
  readonly what: string;
  /** A text that can be read in two ways; otherwise a value that JSON does not have. */
  readonly isUnsure: boolean;
}

export type ReprTree =
  /** `hasTuples`: there is a tuple inside, which JSON has as an array. */
  { readonly tree: JsonTree; readonly hasTuples: boolean } | { readonly tree: null; readonly doubt: ReprDoubt };

/** The value that was certainly meant, every digit kept. NaN and the infinities are in Python's JSON. @param where `args` */
export function treeOfRepr(node: ReprNode, where: string): ReprTree {
  let hasTuples = false;
  let doubt: ReprDoubt | null = null;

  function read(value: ReprNode, place: string): JsonTree | null {
    switch (value.kind) {
      case 'none':
        return scalar('null');
      case 'bool':
      case 'int':
        return scalar(String(value.value));
      case 'bigint':
        return scalar(value.digits);
      case 'float':
        return scalar(FLOATS.get(value.text) ?? value.text);
      case 'str':
        return isCertain(value, place) ? scalar(JSON.stringify(value.value)) : null;
      case 'tuple':
        hasTuples ||= place !== where;
        return array(value.items, place);
      case 'list':
        return array(value.items, place);
      case 'dict':
        return object(value.entries, place);
      default:
        return noteDoubt(place, described(value));
    }
  }

  function array(values: readonly ReprNode[], place: string): JsonTree | null {
    const items = values.map((value, index) => read(value, `${place}[${index}]`));
    return items.every((item) => item !== null) ? { kind: 'array', items } : null;
  }

  function object(
    entries: readonly { readonly key: ReprNode; readonly value: ReprNode }[],
    place: string,
  ): JsonTree | null {
    const members = new Map<string, JsonTree>();
    for (const { key, value } of entries) {
      if (key.kind !== 'str') return noteDoubt(place, `a key that is no text: ${described(key)}`);
      if (!isCertain(key, `a key of ${place}`)) return null;
      if (members.has(key.value))
        return noteDoubt(place, `a key that is there twice: ${excerpt(JSON.stringify(key.value), 60)}`);
      const item = read(value, `${place}[${excerpt(JSON.stringify(key.value), 60)}]`);
      if (item === null) return null;
      members.set(key.value, item);
    }
    return { kind: 'object', members };
  }

  function isCertain(value: Extract<ReprNode, { kind: 'str' }>, place: string): boolean {
    if (value.cut !== true && value.unsure !== true) return true;
    doubt ??= { where: place, what: excerpt(JSON.stringify(value.value), 60), isUnsure: true };
    return false;
  }

  function noteDoubt(place: string, what: string): null {
    doubt ??= { where: place, what, isUnsure: false };
    return null;
  }

  const tree = read(node, where);
  return tree === null
    ? { tree, doubt: doubt ?? { where, what: described(node), isUnsure: false } }
    : { tree, hasTuples };
}

const FLOATS: ReadonlyMap<string, string> = new Map([
  ['nan', 'NaN'],
  ['inf', 'Infinity'],
  ['-inf', '-Infinity'],
]);

function scalar(text: string): JsonTree {
  return { kind: 'scalar', text };
}

function described(node: ReprNode): string {
  switch (node.kind) {
    case 'call':
      return `${excerpt(node.name, 60)}(…)`;
    case 'opaque':
    case 'complex':
      return excerpt(node.text, 60);
    case 'elided':
      return 'something that was left out';
    default:
      return `a ${node.kind}`;
  }
}
