/** A search that was kept under a name. */
export interface SavedSearch {
  readonly name: string;
  readonly query: string;
}

/** What is remembered of searches. */
export interface SearchMemory {
  /** Newest first, each once. */
  readonly recent: readonly string[];
  /** By name, each once. */
  readonly saved: readonly SavedSearch[];
}

const MOST_RECENT = 8;
const MOST_SAVED = 100;
const MOST_NAME_LENGTH = 60;

/** Reads what `JSON.stringify` wrote of a memory. What is no memory is an empty one. */
export function readMemory(text: string | null): SearchMemory {
  const stored = parsed(text ?? '');
  const recent = isRecord(stored) && Array.isArray(stored['recent']) ? stored['recent'] : [];
  const saved = isRecord(stored) && Array.isArray(stored['saved']) ? stored['saved'] : [];
  return { recent: recent.filter((query) => typeof query === 'string'), saved: saved.filter(isSaved) };
}

/** With a query that was searched for, unless it is empty. */
export function remembered(memory: SearchMemory, query: string): SearchMemory {
  const text = query.trim();
  if (text === '') return memory;
  return { ...memory, recent: [text, ...memory.recent.filter((each) => each !== text)].slice(0, MOST_RECENT) };
}

/** With a query under a name, in the place of what had that name. Past the bound nothing is added. */
export function saved(memory: SearchMemory, { name, query }: SavedSearch): SearchMemory {
  const short = name.trim().slice(0, MOST_NAME_LENGTH);
  const others = memory.saved.filter((each) => each.name !== short);
  if (short === '' || others.length >= MOST_SAVED) return memory;
  const all = [...others, { name: short, query: query.trim() }];
  return { ...memory, saved: all.sort((a, b) => a.name.localeCompare(b.name)) };
}

export function forgotten(memory: SearchMemory, name: string): SearchMemory {
  return { ...memory, saved: memory.saved.filter((each) => each.name !== name) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isSaved(value: unknown): value is SavedSearch {
  return isRecord(value) && typeof value['name'] === 'string' && typeof value['query'] === 'string';
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
