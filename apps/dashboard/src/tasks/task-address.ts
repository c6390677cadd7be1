import type { TaskQuestion } from '../api/search-api.ts';
import { readFilter, writeFilter } from '../live/task-filter.ts';
import { readSpan, writeSpan } from '../router/span.ts';
import { readSort, writeSort } from './task-sort.ts';

/** Which tasks an address shows, and in which order. */
export function readQuestion(address: URLSearchParams): TaskQuestion {
  return { filter: readFilter(address), span: readSpan(address), sort: readSort(address) };
}

/** Writes a question into an address; other parameters of it are kept. */
export function writeQuestion({ filter, span, sort }: TaskQuestion, address: URLSearchParams): URLSearchParams {
  return writeSort(sort, writeSpan(span, writeFilter(filter, address)));
}
