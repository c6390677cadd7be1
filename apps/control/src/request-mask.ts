import { diffOf, parseJsonTree, writeJsonTree, type JsonTree, type TaskChange, type TaskRequest } from '@meadow/celery';
import type { Mask } from '@meadow/contract';

/** What stands in place of a secret, and the same as JSON. */
export const HIDDEN = '***';
const HIDDEN_TEXT = JSON.stringify(HIDDEN);

export interface MaskedRequest {
  readonly request: TaskRequest;
  /** Fields in which something is hidden. All others are exactly as they were. */
  readonly masked: readonly (keyof TaskRequest)[];
}

/** Hides secrets wherever an application may have put them. Of arguments every number stays as it is written. */
export function maskRequest(request: TaskRequest, mask: Mask): MaskedRequest {
  const shown = {
    args: maskArguments(request.args, mask),
    kwargs: maskArguments(request.kwargs, mask),
    headers: JSON.parse(mask.json(request.headers)) as TaskRequest['headers'],
    stamps: JSON.parse(mask.json(request.stamps)) as TaskRequest['stamps'],
    shadow: request.shadow === null ? null : mask(request.shadow),
  };
  const fields = Object.keys(shown) as (keyof typeof shown)[];
  const masked = fields.filter((field) => JSON.stringify(shown[field]) !== JSON.stringify(request[field]));
  const hidden = Object.fromEntries(masked.map((field) => [field, shown[field]])) as Partial<typeof shown>;
  return { request: { ...request, ...hidden }, masked };
}

/** What an edit has otherwise, secrets hidden: one that was changed for another is told, and neither of them. */
export function maskedDiff(original: TaskRequest, edited: TaskRequest, mask: Mask): readonly TaskChange[] {
  const pathOf = ({ path }: TaskChange): string => JSON.stringify(path);
  const { changes } = diffOf(maskRequest(original, mask).request, maskRequest(edited, mask).request);
  const shown = new Map(changes.map((change) => [pathOf(change), change]));
  return diffOf(original, edited).changes.map((change) => {
    const hide = (text: string | null): string | null => (text === null ? null : HIDDEN_TEXT);
    const hidden = { path: change.path, before: hide(change.before), after: hide(change.after) };
    return shown.get(pathOf(change)) ?? hidden;
  });
}

function maskArguments(text: string, mask: Mask): string {
  return writeJsonTree(maskTree(parseJsonTree(text), mask));
}

/** By the rules of `Mask.json`, without a number passing through a double. */
function maskTree(tree: JsonTree, mask: Mask): JsonTree {
  switch (tree.kind) {
    case 'scalar':
      return maskScalar(tree, mask);
    case 'array': {
      const { items } = tree;
      const [first, second] = items;
      // ["password", "x"] is a key and its text, as in a list of pairs
      const isPair = items.length === 2 && isText(first) && isText(second);
      if (isPair && isHiddenPair(textOf(first), mask)) return { kind: 'array', items: [first, SECRET] };
      return { kind: 'array', items: items.map((item) => maskTree(item, mask)) };
    }
    case 'object': {
      const members = new Map<string, JsonTree>();
      for (const [key, member] of tree.members) {
        let name = mask(key);
        while (members.has(name)) name += '*';
        members.set(name, isHidden(key, member, mask) ? SECRET : maskTree(member, mask));
      }
      return { kind: 'object', members };
    }
    default:
      return tree satisfies never;
  }
}

type Scalar = Extract<JsonTree, { kind: 'scalar' }>;
const SECRET: Scalar = { kind: 'scalar', text: HIDDEN_TEXT };

const isText = (tree: JsonTree | undefined): tree is Scalar => tree?.kind === 'scalar' && tree.text.startsWith('"');
const textOf = ({ text }: Scalar): string => JSON.parse(text) as string;

function maskScalar(scalar: Scalar, mask: Mask): Scalar {
  if (!scalar.text.startsWith('"')) return mask(scalar.text) === HIDDEN ? SECRET : scalar;
  const text = textOf(scalar);
  const masked = mask(text);
  return masked === text ? scalar : { kind: 'scalar', text: JSON.stringify(masked) };
}

/** Whether a key hides what belongs to it. */
function isHidden(key: string, member: JsonTree, mask: Mask): boolean {
  return Object.values(JSON.parse(mask.json({ [key]: likeOf(member) })) as object)[0] === HIDDEN;
}

/** Whether the first text of a pair is a key that hides the second. */
function isHiddenPair(first: string, mask: Mask): boolean {
  return mask(JSON.stringify([first, 'x'])) === JSON.stringify([first, HIDDEN]);
}

/** What is judged alike: a key hides nothing where nothing is there. */
function likeOf(tree: JsonTree): unknown {
  if (tree.kind === 'array') return tree.items.length === 0 ? [] : ['x'];
  if (tree.kind === 'object') return tree.members.size === 0 ? {} : { x: 'x' };
  if (tree.text === 'null' || tree.text === 'true' || tree.text === 'false' || tree.text === '""') {
    return JSON.parse(tree.text);
  }
  return 'x';
}
