import { expect, test } from 'vitest';
import { proposalsAt, type Vocabulary } from './completion.ts';

const column = (name: string) => ({ name, type: 'String', comment: '' });
const words: Vocabulary = {
  tables: [
    { name: 'tasks', comment: 'One row a task', columns: [column('task_id'), column('state')] },
    { name: 'workers', comment: '', columns: [column('worker'), column('pool')] },
  ],
  functions: ['count', 'quantile'],
};

/** What is proposed where the bar stands, and what it would replace. */
function at(marked: string, asked = false) {
  const cursor = marked.indexOf('|');
  const text = marked.replace('|', '');
  const found = proposalsAt(text, cursor, words, asked);
  return found && { replaced: text.slice(found.from, cursor), labels: found.options.map(({ label }) => label) };
}

test('tables stand after FROM and JOIN, with their database', () => {
  expect(at('SELECT 1 FROM |')?.labels).toEqual(['meadow.tasks', 'meadow.workers']);
  expect(at('SELECT 1 FROM meadow.ta|')).toEqual({ replaced: 'ta', labels: ['tasks', 'workers'] });
  expect(at('SELECT 1 FROM meadow.tasks t JOIN me|')?.labels).toContain('meadow.workers');
});

test('columns of the tables that the statement names come first, wherever they are named', () => {
  expect(at('SELECT st| FROM meadow.tasks')).toMatchObject({ replaced: 'st' });
  expect(at('SELECT st| FROM meadow.tasks')?.labels.slice(0, 2)).toEqual(['task_id', 'state']);
  expect(at('SELECT st| FROM meadow.tasks')?.labels).not.toContain('pool');
  expect(at('SELECT st|')?.labels).toEqual(expect.arrayContaining(['SELECT', 'count']));
});

test.each([
  ['SELECT t.| FROM meadow.tasks AS t', ['task_id', 'state']],
  ['SELECT w.po| FROM meadow.tasks t JOIN meadow.workers FINAL w ON 1', ['worker', 'pool']],
  ['SELECT workers.| FROM meadow.workers', ['worker', 'pool']],
])('%s proposes the columns of that table alone', (text, labels) => {
  expect(at(text)?.labels).toEqual(labels);
});

test.each(["SELECT 'st|", 'SELECT 1 -- st|', 'SELECT x.|', 'SELECT |'])('%s proposes nothing by itself', (text) => {
  expect(at(text)).toBeNull();
});

test('all can be asked for where nothing was begun', () => {
  expect(at('SELECT | FROM meadow.tasks', true)?.labels).toContain('task_id');
});

test('a keyword after a table is no alias', () => {
  expect(at('SELECT WHERE.| FROM meadow.tasks WHERE 1')).toBeNull();
});
