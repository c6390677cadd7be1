import { FINAL_STATES } from '@meadow/contract';

/** A task of a workflow as it is stored. Times are Unix seconds; '' and null: not known. */
export interface WorkflowTask {
  readonly task_id: string;
  readonly parent_id: string;
  readonly name: string;
  readonly state: string;
  readonly queue: string;
  readonly worker: string;
  readonly sent_at: number | null;
  readonly received_at: number | null;
  readonly started_at: number | null;
  readonly finished_at: number | null;
  readonly first_seen_at: number;
  readonly runtime_seconds: number | null;
  readonly attempts: number;
  readonly exception: string;
  /** The runs of a task that was begun more than once, oldest first. */
  readonly runs: readonly WorkflowRun[];
}

export interface WorkflowRun {
  readonly started_at: number | null;
  readonly ended_at: number | null;
  readonly state: string;
}

/**
 * How it is known where a task belongs: `root` began it all, `told` names its parent; `assumed` does not, or names one that
 * cannot be: it is put beneath the root.
 */
export type Link = 'root' | 'told' | 'assumed';

/** A task in its place. */
export interface WorkflowMember extends Omit<WorkflowTask, 'parent_id' | 'first_seen_at'> {
  /** No event of it was heard: others name it. Everything but its id is unknown then, and its state ''. */
  readonly seen: boolean;
  /** Place of its parent in `members`; null for the root. */
  readonly parent: number | null;
  readonly link: Link;
  /** 0 for the root. */
  readonly depth: number;
  /** How many follow it that descend from it. */
  readonly descendants: number;
}

/** `failed`, `lost` and `stopped` (revoked or rejected): at least one task is; the first of these that holds. */
export type WorkflowState = 'running' | 'failed' | 'lost' | 'stopped' | 'succeeded' | 'unknown';

/** A step of the chain of tasks that determined the end. Lengths are seconds; null where a time is not known. */
export interface CriticalStep {
  /** Its place in `members`. */
  readonly member: number;
  /** From being sent to being started first. */
  readonly waited: number | null;
  /** From then to what came first: its end, or that it sent the next. Retries and the time between them are in it. */
  readonly ran: number | null;
  /** From its end to when the next was sent, where it had ended before: a chord waits for others. */
  readonly then: number | null;
}

/** A workflow: the tasks that one task began. Of groups and chords no event tells: their members are siblings here. */
export interface Workflow {
  readonly rootId: string;
  /** Of the root; '' when it is not known. */
  readonly name: string;
  readonly state: WorkflowState;
  /** Tasks seen, by state. */
  readonly totals: Readonly<Record<string, number>>;
  readonly seen: number;
  /** Named as parent, never heard of. */
  readonly unseen: number;
  /** Tasks seen of which nothing more is expected. */
  readonly ended: number;
  /** Longest way down from the root. */
  readonly depth: number;
  readonly startedAt: number | null;
  /** null while a task is open. */
  readonly endedAt: number | null;
  /** In order of a walk: each task is followed by those that descend from it. Siblings in the order in which they were sent. */
  readonly members: readonly WorkflowMember[];
  /** From the root to the task that ended last or, while tasks are open, to the open one that began first. */
  readonly critical: readonly CriticalStep[];
}

const FINAL: ReadonlySet<string> = new Set(FINAL_STATES);
const isEnded = (state: string): boolean => FINAL.has(state);

/** Puts the tasks of a workflow in order. Neither depth nor width has a bound; cycles are cut, and no task is left out. */
export function workflowOf(rootId: string, tasks: readonly WorkflowTask[]): Workflow {
  const members = placed(rootId, tasks);
  const seen = members.filter((member) => member.seen);
  const totals: Record<string, number> = {};
  for (const { state } of seen) totals[state] = (totals[state] ?? 0) + 1;
  const ended = seen.filter(({ state }) => isEnded(state));
  const isOver = ended.length === seen.length && seen.length > 0;
  const begins = seen.map(beginOf).filter((at) => at !== null);
  const ends = ended.map(({ finished_at }) => finished_at).filter((at) => at !== null);
  return {
    rootId,
    name: members[0]?.name ?? '',
    state: workflowState(totals),
    totals,
    seen: seen.length,
    unseen: members.length - seen.length,
    ended: ended.length,
    depth: members.reduce((most, { depth }) => Math.max(most, depth), 0),
    startedAt: begins.length === 0 ? null : begins.reduce((least, at) => Math.min(least, at)),
    endedAt: isOver && ends.length > 0 ? ends.reduce((most, at) => Math.max(most, at)) : null,
    members,
    critical: criticalPath(members, isOver),
  };
}

/** @param totals how many of its tasks are in each state */
export function workflowState(totals: Readonly<Record<string, number>>): WorkflowState {
  const some = (state: string): boolean => (totals[state] ?? 0) > 0;
  const states = Object.keys(totals).filter(some);
  if (states.length === 0) return 'unknown';
  if (!states.every(isEnded)) return 'running';
  if (some('FAILURE')) return 'failed';
  if (some('LOST')) return 'lost';
  return some('REVOKED') || some('REJECTED') ? 'stopped' : 'succeeded';
}

/** A task of which only its id is known. */
const unseenTask = (task_id: string): WorkflowTask => ({
  ...{ task_id, parent_id: '', name: '', state: '', queue: '', worker: '', exception: '', attempts: 0, runs: [] },
  ...{ sent_at: null, received_at: null, started_at: null, finished_at: null, runtime_seconds: null },
  first_seen_at: Number.POSITIVE_INFINITY,
});

interface Node {
  readonly task: WorkflowTask;
  readonly seen: boolean;
  readonly children: Node[];
  /** Earliest time known of it or of what it sent. */
  at: number;
  link: Link;
}

function placed(rootId: string, tasks: readonly WorkflowTask[]): WorkflowMember[] {
  const nodes = new Map<string, Node>();
  const add = (task: WorkflowTask, seen: boolean): Node => {
    const at = beginOf(task) ?? task.first_seen_at;
    const node: Node = { task, seen, children: [], at, link: 'assumed' };
    nodes.set(task.task_id, node);
    return node;
  };
  for (const task of tasks) add(task, true);
  const root = nodes.get(rootId) ?? add(unseenTask(rootId), false);
  root.link = 'root';
  for (const { task } of [...nodes.values()]) {
    const { parent_id } = task;
    if (task.task_id === rootId) continue;
    const parent = parent_id === '' ? root : (nodes.get(parent_id) ?? add(unseenTask(parent_id), false));
    const node = nodes.get(task.task_id);
    if (node === undefined) continue;
    if (parent_id !== '') node.link = 'told';
    parent.children.push(node);
    if (!parent.seen) parent.at = Math.min(parent.at, node.at);
  }
  // whoever was only named is somewhere beneath the root
  for (const node of nodes.values()) if (!node.seen && node !== root) root.children.push(node);
  for (const node of nodes.values()) node.children.sort(inOrder);
  return walk(root, nodes);
}

type Placed = Omit<WorkflowMember, 'descendants'> & { descendants: number };

const inOrder = (a: Node, b: Node): number => a.at - b.at || (a.task.task_id < b.task.task_id ? -1 : 1);

/** Children after their parents. What the root does not lead to, a cycle, is cut at its earliest task. */
function walk(root: Node, nodes: ReadonlyMap<string, Node>): WorkflowMember[] {
  const members: Placed[] = [];
  const reached = new Set<Node>();
  const visit = (start: Node, parent: number | null, depth: number): void => {
    const todo = [{ node: start, parent, depth }];
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      const { node, ...where } = next;
      if (reached.has(node)) continue;
      reached.add(node);
      const place = members.length;
      const { parent_id: _, first_seen_at: __, ...task } = node.task;
      members.push({ ...task, ...where, seen: node.seen, link: node.link, descendants: 0 });
      for (const child of node.children.toReversed()) todo.push({ node: child, parent: place, depth: where.depth + 1 });
    }
  };
  visit(root, null, 0);
  if (reached.size < nodes.size) {
    const cut = [...nodes.values()].filter((node) => !reached.has(node)).sort(inOrder);
    for (const node of cut) {
      if (reached.has(node)) continue;
      node.link = 'assumed';
      visit(node, 0, 1);
    }
  }
  for (let place = members.length - 1; place > 0; place--) {
    const member = members[place];
    const parent = members[member?.parent ?? 0];
    if (member !== undefined && parent !== undefined) parent.descendants += member.descendants + 1;
  }
  return members;
}

type Times = Pick<WorkflowMember, 'sent_at' | 'received_at' | 'started_at' | 'finished_at'>;

const beginOf = ({ sent_at, received_at, started_at }: Times): number | null => sent_at ?? received_at ?? started_at;

/** The times of different machines are compared here: what comes out negative is nothing. */
function span(from: number | null, to: number | null): number | null {
  return from === null || to === null ? null : Math.max(0, to - from);
}

function criticalPath(members: readonly WorkflowMember[], isOver: boolean): CriticalStep[] {
  let last: { readonly place: number; readonly at: number } | null = null;
  for (const [place, member] of members.entries()) {
    if (!member.seen || isEnded(member.state) !== isOver) continue;
    // of open tasks the one that began first
    const at = isOver ? member.finished_at : -(beginOf(member) ?? 0);
    if (at !== null && (last === null || at > last.at)) last = { place, at };
  }
  const path: number[] = [];
  for (let place = last?.place ?? null; place !== null; place = members[place]?.parent ?? null) path.push(place);
  path.reverse();
  return path.flatMap((place, index) => {
    const member = members[place];
    if (member === undefined) return [];
    const next = members[path[index + 1] ?? -1];
    const left = next === undefined ? null : beginOf(next);
    const { finished_at } = member;
    const startedAt = member.runs[0]?.started_at ?? member.started_at;
    const until = left === null ? finished_at : Math.min(left, finished_at ?? left);
    return [
      {
        member: place,
        waited: span(beginOf(member), startedAt),
        ran: span(startedAt, until),
        then: left === null ? null : span(finished_at ?? left, left),
      },
    ];
  });
}
