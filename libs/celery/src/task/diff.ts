import { parseJsonTree, writeJsonTree, type JsonTree } from './json-tree.ts';
import type { TaskRequest } from './request.ts';

/** One place where two requests differ. */
export interface TaskChange {
  /** From the request's field inwards: `['kwargs', 'user', 'id']`, `['args', 0]`, `['queue']`. */
  readonly path: readonly (string | number)[];
  /** JSON text; null where there was nothing. */
  readonly before: string | null;
  /** JSON text; null where nothing is left. */
  readonly after: string | null;
}

export interface TaskDiff {
  /** In the order of the request's fields; at most 1,000. */
  readonly changes: readonly TaskChange[];
  /** How many more there are. */
  readonly omitted: number;
}

const MOST_CHANGES = 1_000;
type Path = TaskChange['path'];

/**
 * What an edited draft has otherwise, as deep as it goes: a list that changed its length differs place by place. 1.0 and 1
 * differ, and so does nothing that is merely written otherwise.
 */
export function diffOf(original: TaskRequest, edited: TaskRequest): TaskDiff {
  const changes: TaskChange[] = [];
  let omitted = 0;
  const note = (path: Path, before: JsonTree | undefined, after: JsonTree | undefined): void => {
    if (changes.length === MOST_CHANGES) omitted++;
    else
      changes.push({ path, before: before ? writeJsonTree(before) : null, after: after ? writeJsonTree(after) : null });
  };
  compare([], treeOf(original), treeOf(edited), note);
  return { changes, omitted };
}

/** The whole request as one tree, arguments among it. */
function treeOf(request: TaskRequest): JsonTree {
  const { args, kwargs, ...rest } = request;
  const members = new Map<string, JsonTree>();
  for (const key of Object.keys(request)) {
    if (key === 'args') members.set(key, parseJsonTree(args));
    else if (key === 'kwargs') members.set(key, parseJsonTree(kwargs));
    else members.set(key, parseJsonTree(JSON.stringify(rest[key as keyof typeof rest])));
  }
  return { kind: 'object', members };
}

type Note = (path: Path, before: JsonTree | undefined, after: JsonTree | undefined) => void;

function compare(path: Path, before: JsonTree | undefined, after: JsonTree | undefined, note: Note): void {
  if (before?.kind === 'object' && after?.kind === 'object') {
    for (const key of new Set([...before.members.keys(), ...after.members.keys()])) {
      compare([...path, key], before.members.get(key), after.members.get(key), note);
    }
  } else if (before?.kind === 'array' && after?.kind === 'array') {
    const length = Math.max(before.items.length, after.items.length);
    for (let index = 0; index < length; index++)
      compare([...path, index], before.items[index], after.items[index], note);
  } else if (!isSame(before, after)) note(path, before, after);
}

function isSame(before: JsonTree | undefined, after: JsonTree | undefined): boolean {
  return before?.kind === 'scalar' && after?.kind === 'scalar' && before.text === after.text;
}
