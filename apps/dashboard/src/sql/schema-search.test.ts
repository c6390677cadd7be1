import { expect, test } from 'vitest';
import { search } from './schema-search.ts';

const column = (name: string, comment = '') => ({ name, comment, type: 'String' });
const tables = [
  { name: 'tasks', comment: 'One row a task', sortingKey: [], columns: [column('task_id'), column('queue')] },
  { name: 'queues', comment: 'Newest figures', sortingKey: [], columns: [column('ready', 'Messages that wait')] },
];
const found = (text: string) => search(tables, text).map(({ name, columns }) => [name, columns.length]);

test('names and meanings are searched, word by word', () => {
  expect(found('')).toEqual([
    ['tasks', 2],
    ['queues', 1],
  ]);
  expect(found('queue')).toEqual([
    ['tasks', 1],
    ['queues', 1],
  ]);
  expect(found('MESSAGES wait')).toEqual([['queues', 1]]);
  expect(found('tasks id')).toEqual([['tasks', 1]]);
  expect(found('row a')).toEqual([['tasks', 2]]);
  expect(found('nothing of it')).toEqual([]);
});
