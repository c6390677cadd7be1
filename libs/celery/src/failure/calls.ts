import { unqualified } from '../fold/exception.ts';

/** A call of a traceback, by what stays the same when lines shift and the code is installed elsewhere. */
export interface Call {
  /** Of the user's own code: its folder and its module, `shop.tasks`; of a library, from its package on, `celery.app.trace`. */
  readonly module: string;
  readonly name: string;
  /** In installed packages, Celery or the standard library rather than in the user's own code. */
  readonly library: boolean;
}

/** What one exception of a chain went through. */
export interface Raised {
  /** Class with its module, as the traceback tells it; '' when that is cut off. */
  readonly type: string;
  /** Outermost first; a call that recurs is named once. */
  readonly calls: readonly Call[];
  /** Of an exception group: the classes in it, each once, in order of name. */
  readonly members: readonly string[];
}

/** Longest traceback that is looked at: Meadow keeps no longer ones. UTF-16 units. */
const LOOKED_AT = 70_000;

const CALL = /^ {2}File "(.{1,1000})", line \d+, in (.{1,300})$/;
const HEADING = /^(?:Exception Group )?Traceback \(most recent call last\):$/;
const CHAINED = /^(?:During handling of the above exception|The above exception was the direct cause)/;
const TYPE = /^([\p{L}_][\p{L}\p{N}_.]{0,299})(?::|$)/u;

/**
 * The exceptions of a traceback, in the order in which they were raised. A traceback within a message counts for nothing, and
 * neither do lines of code, their carets and their numbers.
 */
export function raisedIn(traceback: string): Raised[] {
  const raised: Open[] = [];
  let open: Open | null = null;
  let isChained = true;
  for (const whole of traceback.slice(0, LOOKED_AT).split('\n')) {
    const line = open?.isGroup === true || whole.startsWith('  + ') ? beside(whole, open) : whole.trimEnd();
    if (line === null) continue;
    if (line.startsWith('  ')) {
      const [, file, name] = (line.startsWith('  File "') ? CALL.exec(line) : null) ?? [];
      if (file === undefined || name === undefined || open?.isEnded === true) continue;
      // the heading may have been cut off
      if (open === null) raised.push((open = begin(false)));
      isChained = false;
      addCall(open, file, name);
    } else if (HEADING.test(line)) {
      if (isChained) raised.push((open = begin(line !== whole.trimEnd())));
      isChained = false;
    } else if (CHAINED.test(line)) {
      isChained = true;
      if (open !== null) open.isGroup = false;
    } else if (open === null || open.isEnded) {
      continue;
    } else if (line !== '') {
      const [, type] = TYPE.exec(line) ?? [];
      // anything else is where a cut traceback goes on
      if (type !== undefined) open.type = type;
      open.isEnded = type !== undefined;
    }
  }
  return raised.map(({ type, calls, members }) => ({ type, calls: [...calls.values()], members: [...members].sort() }));
}

interface Open {
  type: string;
  readonly calls: Map<string, Call>;
  readonly members: Set<string>;
  isEnded: boolean;
  /** Whether it is told as a group is, with a margin. */
  isGroup: boolean;
  /** Whether the class of a member is to come. */
  awaitsMember: boolean;
}

function begin(isGroup: boolean): Open {
  return { type: '', calls: new Map(), members: new Set(), isEnded: false, isGroup, awaitsMember: false };
}

/** A line of a group without its margin; null for those of its members, of which only the class counts. */
function beside(line: string, group: Open | null): string | null {
  const [margin, indent = ''] = /^( *)[|+] ?/.exec(line) ?? [];
  if (margin === undefined) return line.trimEnd();
  const text = line.slice(margin.length).trimEnd();
  if (indent.length <= 2) return text;
  if (group === null) return null;
  if (HEADING.test(text)) group.awaitsMember = true;
  else if (group.awaitsMember && !text.startsWith(' ')) {
    const [, type] = TYPE.exec(text) ?? [];
    if (type !== undefined) group.members.add(unqualified(type));
    group.awaitsMember = false;
  }
  return null;
}

/** A comprehension is a call of its own up to Python 3.11 and none later. */
const COMPREHENSION = /^<(?:list|dict|set)comp>$/;

function addCall({ calls }: Open, file: string, name: string): void {
  if (COMPREHENSION.test(name)) return;
  const place = placeOf(file);
  const key = `${place.module}\0${name}`;
  if (!calls.has(key)) calls.set(key, { ...place, name });
}

/** Of the files named last: the same few come again and again. */
const places = new Map<string, Omit<Call, 'name'>>();
const MOST_PLACES = 1_000;

function placeOf(file: string): Omit<Call, 'name'> {
  const known = places.get(file);
  if (known !== undefined) return known;
  const path = file.replaceAll('\\', '/');
  const library = libraryPath(path);
  const place = { module: moduleOf(library ?? path.split('/').slice(-2).join('/')), library: library !== null };
  if (places.size >= MOST_PLACES) places.clear();
  places.set(file, place);
  return place;
}

const INSTALLED = /^.*\/(?:site-packages|dist-packages)\//;
const STANDARD =
  /^.*\/lib(?:64)?\/(?:python|pypy)[\d.]+\/|^.*\/Python[\d.-]+\/Lib\/|^.*\/(?:python|pypy)[\d.]+\.zip\//i;
/** Celery and what it is made of, run from their source. */
const CELERY =
  /^.*\/(?=(?:celery\/(?:app\/(?:trace|task|base|autoretry|builtins)\.py|canvas\.py|backends\/|concurrency\/|utils\/|worker\/)|kombu\/|billiard\/|vine\/))/;

/** From the package on; null for the user's own code. */
function libraryPath(path: string): string | null {
  if (path.startsWith('<')) return path;
  for (const known of [INSTALLED, STANDARD, CELERY]) {
    const match = known.exec(path);
    if (match !== null) return path.slice(match[0].length);
  }
  return null;
}

/** `shop/tasks.py` is `shop.tasks`. A long number is a release's or a build's. */
function moduleOf(path: string): string {
  return path
    .replace(/\.pyc?$/, '')
    .replace(/\/__init__$/, '')
    .replace(/^\//, '')
    .replaceAll(/\b(?=[a-f]*\d)[0-9a-f]{7,40}\b|\d{4,}/g, '#')
    .replaceAll('/', '.');
}
