import { CeleryDecodeError, parseJsonTree, type JsonTree } from '@meadow/celery/request';

/** Where a text is no JSON. Lines and columns begin at 1. */
export interface JsonFault {
  readonly says: string;
  /** Null where it is the whole that is wrong. */
  readonly at: { readonly line: number; readonly column: number; readonly offset: number } | null;
}

/** What keeps a text from being JSON; null for nothing. */
export function jsonFault(text: string): JsonFault | null {
  try {
    parseJsonTree(text);
    return null;
  } catch (error) {
    if (!(error instanceof CeleryDecodeError)) throw error;
    const { offset } = error.facts;
    if (typeof offset !== 'number') return { says: error.message, at: null };
    const before = text.slice(0, offset).split('\n');
    const says = error.message.replace(/^not json: /, '').replace(/ at \d+$/, '');
    return { says, at: { line: before.length, column: (before.at(-1)?.length ?? 0) + 1, offset } };
  }
}

/** What is longer is broken into lines. Characters. */
const LONGEST_LINE = 72;
const INDENT = '  ';

/** JSON laid out for reading, every number as it is written. What is no JSON stays as it is. */
export function laidOut(text: string): string {
  if (jsonFault(text) !== null) return text;
  return inLines(parseJsonTree(text), '');
}

function inLines(tree: JsonTree, indent: string): string {
  const line = inLine(tree);
  if (tree.kind === 'scalar' || indent.length + line.length <= LONGEST_LINE) return line;
  const deeper = indent + INDENT;
  if (tree.kind === 'array') {
    return `[\n${tree.items.map((item) => deeper + inLines(item, deeper)).join(',\n')}\n${indent}]`;
  }
  const members = Array.from(
    tree.members,
    ([key, value]) => `${deeper}${JSON.stringify(key)}: ${inLines(value, deeper)}`,
  );
  return `{\n${members.join(',\n')}\n${indent}}`;
}

function inLine(tree: JsonTree): string {
  switch (tree.kind) {
    case 'scalar':
      return tree.text;
    case 'array':
      return `[${tree.items.map(inLine).join(', ')}]`;
    case 'object':
      return `{${Array.from(tree.members, ([key, value]) => `${JSON.stringify(key)}: ${inLine(value)}`).join(', ')}}`;
    default:
      return tree satisfies never;
  }
}
