import { expect, test } from 'vitest';
import { RunHistory, type PastRun } from './run-history.ts';

const run = (statement: string, startedAt = 1): PastRun => ({
  ...{ statement, startedAt, parameters: {}, outcome: 'done', seconds: 0.1, rows: 3 },
});

function storage(text: string | null = null) {
  return {
    text,
    getItem: () => text,
    setItem: (_key: string, value: string) => {
      text = value;
    },
  };
}

test('runs are kept newest first, a repeated statement once, over reloads', () => {
  const kept = storage();
  const history = new RunHistory(kept);
  for (const [at, statement] of ['a', 'b', 'a'].entries()) history.add(run(statement, at));
  expect(new RunHistory(kept).runs.map((each) => [each.statement, each.startedAt])).toEqual([
    ['a', 2],
    ['b', 1],
  ]);
});

test('what another tab added stays', () => {
  const kept = storage();
  const [one, other] = [new RunHistory(kept), new RunHistory(kept)];
  one.add(run('a'));
  other.add(run('b'));
  expect(new RunHistory(kept).runs).toHaveLength(2);
});

test('the oldest leave at the bounds of runs and of size', () => {
  const history = new RunHistory(storage());
  for (let at = 0; at < 150; at++) history.add(run(`SELECT ${at}`, at));
  expect(history.runs).toHaveLength(100);
  expect(history.runs.at(-1)?.statement).toBe('SELECT 50');
  for (let at = 0; at < 4; at++) history.add(run(`${at}${'x'.repeat(90_000)}`, at));
  expect(history.runs.filter(({ statement }) => statement.length > 90_000)).toHaveLength(2);
});

test.each(['{', '[1]', '{"a":1}', '[{"statement":"a"}]'])('%s in the storage is no history', (text) => {
  expect(new RunHistory(storage(text)).runs).toEqual([]);
});

test('a browser that refuses storage has a history of this page', () => {
  const full = {
    getItem: () => null,
    setItem: () => {
      throw new DOMException('quota exceeded', 'QuotaExceededError');
    },
  };
  for (const history of [new RunHistory(null), new RunHistory(full)]) {
    history.add(run('a'));
    history.add(run('b'));
    expect(history.runs).toHaveLength(2);
  }
});
