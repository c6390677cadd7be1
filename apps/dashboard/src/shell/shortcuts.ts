/** What a shortcut does. */
export type Command =
  'search' | 'help' | 'pause' | 'theme' | 'overview' | 'tasks' | 'queues' | 'workers' | 'audit' | 'system';

/** In the order of the help. */
export const SHORTCUTS: readonly {
  readonly keys: readonly string[];
  readonly command: Command;
  readonly says: string;
}[] = [
  { keys: ['/'], command: 'search', says: 'Search tasks' },
  { keys: ['p'], command: 'pause', says: 'Pause or go on with live updates' },
  { keys: ['g', 'o'], command: 'overview', says: 'Go to the overview' },
  { keys: ['g', 't'], command: 'tasks', says: 'Go to tasks' },
  { keys: ['g', 'q'], command: 'queues', says: 'Go to queues' },
  { keys: ['g', 'w'], command: 'workers', says: 'Go to workers' },
  { keys: ['g', 'a'], command: 'audit', says: 'Go to the audit' },
  { keys: ['g', 's'], command: 'system', says: 'Go to the system page' },
  { keys: ['t'], command: 'theme', says: 'Change between light, dark and automatic' },
  { keys: ['?'], command: 'help', says: 'Show this list' },
];

/** The second key of a pair counts for this long. */
const PAIR_MS = 1200;

/** Reads single keys and pairs of keys. Feed it keys pressed outside of text fields. */
export class ShortcutReader {
  #first: { readonly key: string; readonly atMs: number } | null = null;

  read(key: string, nowMs: number): Command | null {
    const first = this.#first !== null && nowMs - this.#first.atMs <= PAIR_MS ? this.#first.key : null;
    this.#first = null;
    const keys = first === null ? [key] : [first, key];
    const found = SHORTCUTS.find((shortcut) => shortcut.keys.join(' ') === keys.join(' '));
    if (found !== undefined) return found.command;
    if (SHORTCUTS.some((shortcut) => shortcut.keys.length > 1 && shortcut.keys[0] === key))
      this.#first = { key, atMs: nowMs };
    return null;
  }
}
