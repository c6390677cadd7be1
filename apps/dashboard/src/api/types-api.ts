import type { AppRouter, RangeName, TaskTypeDetail, TaskTypeList, TypeSchedule } from '@meadow/api';
import type { TRPCClient } from '@trpc/client';
import { toFault } from './fault.ts';

/** What is asked about tasks by their names. Failures are `Fault`s. */
export interface TypesApi {
  list(
    input: { readonly cluster: string | null; readonly range: RangeName },
    signal: AbortSignal,
  ): Promise<TaskTypeList>;
  /** Of those that follow one. */
  schedules(input: { readonly cluster: string | null }, signal: AbortSignal): Promise<readonly TypeSchedule[]>;
  get(
    input: { readonly cluster: string; readonly name: string; readonly range: RangeName },
    signal: AbortSignal,
  ): Promise<TaskTypeDetail>;
}

export function typesApi(client: TRPCClient<AppRouter>): TypesApi {
  return {
    list: ({ cluster, range }, signal) =>
      told(client.types.list.query({ range, ...(cluster === null ? {} : { cluster }) }, { signal })),
    schedules: ({ cluster }, signal) =>
      told(client.types.schedules.query(cluster === null ? {} : { cluster }, { signal })),
    get: (input, signal) => told(client.types.get.query(input, { signal })),
  };
}

async function told<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    throw toFault(error);
  }
}
