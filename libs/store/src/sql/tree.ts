/** A node of ClickHouse's syntax tree, as `EXPLAIN AST` prints it. */
export interface Node {
  /** What it is, e.g. `Function` or `TableIdentifier`. */
  readonly kind: string;
  /** What is printed of it, e.g. a function's name; empty for most. */
  readonly text: string;
  readonly children: readonly Node[];
}

interface Open extends Node {
  readonly children: Node[];
  readonly expected: number;
}

const LINE = /^( *)([A-Za-z]+(?:::[A-Za-z]+)?)(?: (.*))?$/;
const CHILDREN = /(?:^| )\(children (\d+)\)$/;
const ALIAS = /(?:^| )\(alias ([^()]*)\)$/;

/**
 * Reads the lines of `EXPLAIN AST`: each line one node, indented by its depth, with the number of its children. Null when they
 * are anything else, or do not add up.
 */
export function readTree(lines: readonly string[]): Node | null {
  const path: Open[] = [];
  let root: Open | null = null;
  for (const line of lines) {
    const [, indent, kind, rest = ''] = LINE.exec(line) ?? [];
    if (indent === undefined || kind === undefined) return null;
    const depth = indent.length;
    if (depth > path.length || (depth === 0) !== (root === null)) return null;
    if (path.slice(depth).some(isShort)) return null;
    const node = nodeOf(kind, rest);
    path.length = depth;
    path.at(-1)?.children.push(node);
    root ??= node;
    path.push(node);
  }
  return root === null || path.some(isShort) || hasExtra(root) ? null : root;
}

function nodeOf(kind: string, rest: string): Open {
  // a text may look like anything, and a literal has no children
  if (kind === 'Literal') return { kind, text: rest, children: [], expected: 0 };
  const expected = Number(CHILDREN.exec(rest)?.[1] ?? 0);
  const text = rest.replace(CHILDREN, '').replace(ALIAS, '');
  return { kind, text, children: [], expected };
}

const isShort = (node: Open): boolean => node.children.length < node.expected;

/** Whether a node got more children than it was printed with. */
function hasExtra(node: Node): boolean {
  return node.children.length > (node as Open).expected || node.children.some(hasExtra);
}
