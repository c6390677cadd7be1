import type { AppRouter, RangeName, SeenValue, TaskFacets, TaskPage } from '@meadow/api';
import type { SeenField } from '@meadow/contract/task-query';
import type { TRPCClient } from '@trpc/client';
import type { TaskFilter } from '../live/task-filter.ts';
import type { Span } from '../router/span.ts';
import type { TaskSort } from '../tasks/task-sort.ts';
import { told } from './fault.ts';

/** Which tasks are looked for. */
export interface TaskScope {
  readonly filter: TaskFilter;
  readonly span: Span;
}

export interface TaskQuestion extends TaskScope {
  readonly sort: TaskSort;
}

export interface TaskPageInput extends TaskQuestion {
  readonly cursor: string | null;
  /** Only tasks first seen before this, Unix seconds. */
  readonly before: number | null;
  /** At most 500. */
  readonly limit: number;
}

/** What is asked about many tasks in the language of task searches. */
export interface SearchApi {
  list(input: TaskPageInput, signal: AbortSignal): Promise<TaskPage>;
  facets(input: TaskScope, signal: AbortSignal): Promise<TaskFacets>;
  /** Values of a field that have a text in them; those that begin with it first, then the most frequent. */
  values(
    input: { readonly cluster: string | null; readonly field: SeenField; readonly prefix: string },
    signal: AbortSignal,
  ): Promise<readonly SeenValue[]>;
}

export function searchApi(client: TRPCClient<AppRouter>): SearchApi {
  return {
    list: ({ cursor, before, sort, limit, ...scope }, signal) => {
      const place = cursor === null ? {} : { cursor };
      return told(client.tasks.list.query({ ...scopeInput(scope, before), ...place, sort, limit }, { signal }));
    },
    facets: (scope, signal) => told(client.tasks.facets.query(scopeInput(scope), { signal })),
    values: async ({ cluster, ...input }, signal) => {
      const { values } = await told(
        client.tasks.values.query({ ...input, ...(cluster === null ? {} : { cluster }) }, { signal }),
      );
      return values;
    },
  };
}

/** A scope as the server takes it: it refuses empty texts. @param before Unix seconds, which end it earlier */
export function scopeInput({ filter: { cluster, query }, span }: TaskScope, before: number | null = null): ScopeInput {
  return {
    ...(cluster === '' ? {} : { cluster }),
    ...(query === '' ? {} : { query }),
    ...(typeof span === 'object' ? span : { range: span }),
    ...(before === null ? {} : { to: before }),
  };
}

interface ScopeInput {
  readonly cluster?: string;
  readonly query?: string;
  readonly range?: RangeName;
  readonly from?: number;
  readonly to?: number;
}
