import type { ReprView } from '@meadow/api';

export type ReprNode = ReprView['parsed'];

/** A branch of the tree: what stands before it and what it is. */
export interface Branch {
  /** Stays the same while the tree does. */
  readonly id: string;
  readonly label: ReprNode | string | null;
  readonly node: ReprNode;
}

/** What a node holds; null for a leaf. */
export function branchesOf(node: ReprNode): readonly Branch[] | null {
  switch (node.kind) {
    case 'list':
    case 'tuple':
    case 'set':
    case 'frozenset':
      return node.items.map((item, index) => ({
        id: String(index),
        label: isOrdered(node.kind) ? String(index) : null,
        node: item,
      }));
    case 'dict':
      return node.entries.map((entry, index) => ({ id: String(index), label: entry.key, node: entry.value }));
    case 'call':
      return [
        ...node.args.map((item, index) => ({ id: `a${index}`, label: null, node: item })),
        ...node.named.map(({ name, value }) => ({ id: `n${name}`, label: name, node: value })),
      ];
    default:
      return null;
  }
}

function isOrdered(kind: string): boolean {
  return kind === 'list' || kind === 'tuple';
}

/** The kind and size of a container: `list · 3`. */
export function headOf(node: ReprNode): string {
  const branches = branchesOf(node);
  const name = node.kind === 'call' ? node.name : node.kind;
  return branches === null ? name : `${name} · ${branches.filter((branch) => branch.node.kind !== 'elided').length}`;
}

/** A leaf as text. */
export function leafText(node: ReprNode): string {
  switch (node.kind) {
    case 'none':
      return 'None';
    case 'bool':
      return node.value ? 'True' : 'False';
    case 'int':
      return String(node.value);
    case 'bigint':
      return node.digits;
    case 'str':
      return node.value;
    case 'uuid':
    case 'decimal':
      return node.value;
    case 'float':
    case 'complex':
    case 'bytes':
    case 'datetime':
    case 'date':
    case 'time':
    case 'timedelta':
    case 'opaque':
    case 'elided':
      return node.text;
    case 'list':
    case 'tuple':
    case 'set':
    case 'frozenset':
    case 'dict':
    case 'call':
      return headOf(node);
    default:
      return node satisfies never;
  }
}

/** Every text in the tree is short enough to be read without folding. */
export function isShort(node: ReprNode, most = 5): boolean {
  const branches = branchesOf(node);
  return branches === null || branches.length <= most;
}
