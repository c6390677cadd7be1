import type { ErrorOrder, RangeName } from '@meadow/api';
import type { ErrorCategory, ErrorStatus } from '@meadow/contract';
import type { ErrorsInput } from '../api/errors-api.ts';
import { CATEGORIES, STATUSES } from './error-looks.ts';

/** What the list is narrowed to; '' narrows nothing. */
export interface ErrorFilter {
  readonly status: ErrorStatus | '';
  readonly categories: readonly ErrorCategory[];
  readonly text: string;
  readonly name: string;
  readonly queue: string;
  readonly worker: string;
  readonly order: ErrorOrder;
}

export const ORDERS: Readonly<Record<ErrorOrder, string>> = {
  failures: 'Most failures',
  last_seen: 'Last seen',
  first_seen: 'First seen',
  rise: 'Rising',
};

/** What is shown unless the address says otherwise. */
export const USUAL: ErrorFilter = {
  ...{ status: 'open', categories: [], text: '', name: '', queue: '', worker: '', order: 'failures' },
};

/** In the address `any` stands for every status, as `open` is left out. */
const ANY = 'any';

export function readErrorFilter(query: URLSearchParams): ErrorFilter {
  const said = query.get('status');
  const categories = (query.get('category') ?? '').split(',');
  const text = (name: string): string => query.get(name)?.trim() ?? '';
  return {
    status: said === ANY ? '' : (STATUSES.find((status) => status === said) ?? USUAL.status),
    categories: CATEGORIES.filter((category) => categories.includes(category)),
    ...{ text: text('text'), name: text('name'), queue: text('queue'), worker: text('worker') },
    order: (Object.keys(ORDERS) as ErrorOrder[]).find((order) => order === query.get('order')) ?? USUAL.order,
  };
}

/** Writes a filter into a query; other parameters of it are kept. */
export function writeErrorFilter(filter: ErrorFilter, query: URLSearchParams): URLSearchParams {
  const next = new URLSearchParams(query);
  const { status, categories, ...rest } = filter;
  const said = { ...rest, category: categories.join(','), status: status === '' ? ANY : status };
  const usual: Readonly<Record<string, unknown>> = { ...USUAL, category: '' };
  for (const [name, value] of Object.entries(said)) {
    if (value === usual[name]) next.delete(name);
    else next.set(name, value);
  }
  return next;
}

/** Whether groups may be left out that nobody would expect to be. */
export function isNarrowed({ categories, text, name, queue, worker }: ErrorFilter): boolean {
  return categories.length > 0 || text + name + queue + worker !== '';
}

export function errorsInput(
  { status, ...filter }: ErrorFilter,
  where: { readonly cluster: string | null; readonly range: RangeName; readonly limit: number },
): ErrorsInput {
  return { ...filter, ...where, statuses: status === '' ? [] : [status] };
}
