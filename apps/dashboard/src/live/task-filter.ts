import { formatTerm, formatText } from '@meadow/contract/task-query';

/** What a list of tasks is narrowed to. Empty means everything. */
export interface TaskFilter {
  readonly cluster: string;
  /** In the language of task searches. */
  readonly query: string;
}

/** Fields of addresses from before there was a query; each became a term of it. */
const FORMER = ['state', 'name', 'queue', 'worker', 'q'] as const;

/** Reads a filter from an address. */
export function readFilter(address: URLSearchParams): TaskFilter {
  const terms = [address.get('query')?.trim() ?? '', ...FORMER.map((field) => formerTerm(field, address))];
  return { cluster: address.get('cluster') ?? '', query: terms.filter((term) => term !== '').join(' ') };
}

/** Writes a filter into an address; other parameters of it are kept. */
export function writeFilter({ cluster, query }: TaskFilter, address: URLSearchParams): URLSearchParams {
  const next = new URLSearchParams(address);
  for (const field of FORMER) next.delete(field);
  for (const [name, value] of Object.entries({ cluster, query: query.trim() })) {
    if (value === '') next.delete(name);
    else next.set(name, value);
  }
  return next;
}

function formerTerm(field: (typeof FORMER)[number], address: URLSearchParams): string {
  const value = address.get(field)?.trim() ?? '';
  if (value === '') return '';
  switch (field) {
    case 'q':
      return formatText(value);
    case 'state': {
      const states = address.getAll(field).flatMap((text) => text.split(','));
      const named = new Set(states.map((state) => state.trim().toUpperCase()).filter((state) => state !== ''));
      return named.size === 0 ? '' : formatTerm(field, ':', [...named]);
    }
    case 'name':
      return formatTerm(field, ':', [value]);
    case 'queue':
    case 'worker':
      // these were never globs
      return formatTerm(field, value.includes('*') ? '=' : ':', [value]);
    default:
      return field satisfies never;
  }
}
