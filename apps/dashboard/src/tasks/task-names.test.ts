import { expect, test } from 'vitest';
import { taskKey } from '../live/task-feed.ts';
import { namesOf } from './task-names.ts';

test('a task is chosen by its cluster and id, whatever the id holds', () => {
  const rows = [
    { cluster: 'north', task_id: 'a' },
    { cluster: 'south', task_id: 'a' },
    { cluster: 'south', task_id: 'a\nb' },
  ];
  expect(namesOf(new Set(rows.map(taskKey)))).toEqual(
    rows.map(({ cluster, task_id: taskId }) => ({ cluster, taskId })),
  );
});
