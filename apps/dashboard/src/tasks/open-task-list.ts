import type { TaskListRow } from '@meadow/contract';
import { parseTaskQuery, taskMatcher } from '@meadow/contract/task-query';
import type { Api } from '../api/api.ts';
import type { TaskQuestion, TaskScope } from '../api/search-api.ts';
import { LiveTasks } from './live-tasks.ts';
import { PolledTasks } from './polled-tasks.ts';
import type { TaskList } from './task-list.ts';
import { isNewestFirst } from './task-sort.ts';

/**
 * A list of what is asked for: kept up by pushed rows where these tell whether they belong to it and where in it their
 * place is, else by asking again and again.
 * @param now Unix seconds
 * @throws TaskQueryError
 */
export function openTaskList(api: Pick<Api, 'search' | 'liveTasks'>, question: TaskQuestion, now: number): TaskList {
  const judge = judgeOf(question, now);
  return judge === null || !isNewestFirst(question.sort)
    ? new PolledTasks(api.search, question)
    : new LiveTasks(api, question, judge);
}

/** What a pushed row tells of belonging to what is looked for: null where nothing; or of the row null where that one does not. */
export function judgeOf(
  { filter: { cluster, query }, span }: TaskScope,
  now: number,
): ((row: TaskListRow) => boolean | null) | null {
  const judge = taskMatcher(parseTaskQuery(query, now));
  if (judge === null) return null;
  const isWithin = ({ first_seen_at: at }: TaskListRow): boolean =>
    typeof span !== 'object' || (at >= span.from && at < span.to);
  return (row) => (cluster === '' || row.cluster === cluster) && isWithin(row) && judge(row);
}
