import type { Workflow, WorkflowMember } from '@meadow/api';
import { memberName } from './workflow-look.ts';

/** Siblings of one name that are more than these are drawn as one. */
const MOST_ALIKE = 4;
/** Of siblings that were unfolded so many are drawn one by one. */
const MOST_UNFOLDED = 40;
const MOST_NODES = 400;
const MOST_LAYERS = 60;

export const NODE_WIDTH = 208;
export const NODE_HEIGHT = 46;
const LAYER_WIDTH = NODE_WIDTH + 56;
const LANE_HEIGHT = NODE_HEIGHT + 14;

/** What is drawn as one box. Pixels from the top left corner. */
export interface GraphNode {
  readonly key: string;
  /** `one` task; `alike`: siblings of one name; `rest`: those that unfolding left; `below`: what there is no room for. */
  readonly kind: 'one' | 'alike' | 'rest' | 'below';
  readonly name: string;
  /** How many tasks it stands for. */
  readonly count: number;
  /** The task, of `one`. */
  readonly member: WorkflowMember | null;
  /** States of its tasks; '' is of tasks that were not heard of. */
  readonly totals: Readonly<Record<string, number>>;
  readonly critical: boolean;
  readonly x: number;
  readonly y: number;
}

export interface Graph {
  readonly nodes: readonly GraphNode[];
  /** From a parent's right side to its child's left. */
  readonly edges: readonly { readonly key: string; readonly path: string; readonly critical: boolean }[];
  readonly width: number;
  readonly height: number;
}

interface Draft {
  readonly key: string;
  readonly kind: GraphNode['kind'];
  readonly places: readonly number[];
  readonly layer: number;
  readonly children: Draft[];
}

/** Tasks in layers from left to right, each behind its parent. @param unfolded keys of nodes to draw one by one */
export function graphOf({ members, critical }: Workflow, unfolded: ReadonlySet<string>): Graph {
  const children: number[][] = members.map(() => []);
  members.forEach(({ parent }, place) => {
    if (parent !== null) children[parent]?.push(place);
  });
  const root: Draft = { key: '0', kind: 'one', places: [0], layer: 0, children: [] };
  let count = 1;
  // by layers: where there is no room for all, every branch is drawn down to the same depth
  let layer = [root];
  while (layer.length > 0) {
    const next: Draft[] = [];
    for (const draft of layer) {
      const below = draft.places.flatMap((place) => children[place] ?? []);
      if (below.length === 0) continue;
      const drafts = grouped(draft, below, members, unfolded);
      const fits = count + drafts.length <= MOST_NODES && draft.layer + 1 < MOST_LAYERS;
      const hidden = childOf(draft, 'below', '', below);
      draft.children.push(...(fits ? drafts : [hidden]));
      count += fits ? drafts.length : 1;
      if (fits) next.push(...drafts);
    }
    layer = next;
  }
  const onPath = new Set(critical.map(({ member }) => member));
  return laidOut(root, (draft, x, y): GraphNode => {
    const { key, kind, places } = draft;
    const first = members[places[0] ?? 0];
    const totals: Record<string, number> = {};
    for (const place of places) {
      const state = members[place]?.state ?? '';
      totals[state] = (totals[state] ?? 0) + 1;
    }
    const descendants = places.reduce((sum, place) => sum + 1 + (members[place]?.descendants ?? 0), 0);
    return {
      ...{ key, kind, x, y, totals, critical: places.some((place) => onPath.has(place)) },
      name: first === undefined ? '' : memberName(first),
      count: kind === 'below' ? descendants : places.length,
      member: kind === 'one' ? (first ?? null) : null,
    };
  });
}

function childOf(parent: Draft, kind: GraphNode['kind'], name: string, places: readonly number[]): Draft {
  return { key: `${parent.key}/${kind} ${name}`, kind, places, layer: parent.layer + 1, children: [] };
}

function grouped(
  parent: Draft,
  places: readonly number[],
  members: readonly WorkflowMember[],
  unfolded: ReadonlySet<string>,
): Draft[] {
  const groups = new Map<string, number[]>();
  for (const place of places) {
    const member = members[place];
    if (member === undefined) continue;
    const name = memberName(member);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [place]);
    else group.push(place);
  }
  return [...groups].flatMap(([name, group]) => {
    const one = (place: number): Draft => childOf(parent, 'one', String(place), [place]);
    if (group.length <= MOST_ALIKE) return group.map(one);
    const all = childOf(parent, 'alike', name, group);
    if (!unfolded.has(all.key)) return [all];
    const rest = group.slice(MOST_UNFOLDED);
    return [
      ...group.slice(0, MOST_UNFOLDED).map(one),
      ...(rest.length > 0 ? [childOf(parent, 'rest', name, rest)] : []),
    ];
  });
}

function laidOut(root: Draft, nodeOf: (draft: Draft, x: number, y: number) => GraphNode): Graph {
  const nodes: GraphNode[] = [];
  const edges: Graph['edges'][number][] = [];
  let lanes = 0;
  let layers = 0;
  // layers are bounded, so is the depth of this
  const place = (draft: Draft): GraphNode => {
    layers = Math.max(layers, draft.layer + 1);
    const below = draft.children.map(place);
    const [first, last] = [below[0], below.at(-1)];
    const y = first === undefined || last === undefined ? lanes++ * LANE_HEIGHT : (first.y + last.y) / 2;
    const node = nodeOf(draft, draft.layer * LAYER_WIDTH, y);
    nodes.push(node);
    for (const child of below) {
      edges.push({ key: child.key, path: curve(node, child), critical: node.critical && child.critical });
    }
    return node;
  };
  place(root);
  return {
    nodes,
    edges,
    width: layers * LAYER_WIDTH - (LAYER_WIDTH - NODE_WIDTH),
    height: lanes * LANE_HEIGHT - (LANE_HEIGHT - NODE_HEIGHT),
  };
}

function curve(from: GraphNode, to: GraphNode): string {
  const [x1, y1, x2, y2] = [from.x + NODE_WIDTH, from.y + NODE_HEIGHT / 2, to.x, to.y + NODE_HEIGHT / 2];
  const middle = (x1 + x2) / 2;
  return `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`;
}
