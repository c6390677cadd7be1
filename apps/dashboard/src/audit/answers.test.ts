import { auditLine } from '@meadow/contract';
import { expect, test } from 'vitest';
import { inLine, readAnswers, readJson, readSeen } from './answers.ts';
import { sampleRecord } from './sample-record.ts';

const answer = (worker: string, outcome = 'done', words = '') => ({ worker, outcome, words });

test('answers are read, what went wrong first', () => {
  const told = [
    answer('a'),
    answer('b', 'silent'),
    answer('c', 'refused', 'no'),
    { task: 't', outcome: 'unsure', new_id: 'n', code: 'SEND_OUTCOME_UNKNOWN' },
  ];
  expect(
    readAnswers(JSON.stringify(told))?.map(({ kind, name, words, newId }) => `${kind} ${name} ${words}${newId}`),
  ).toEqual(['worker c no', 'task t SEND_OUTCOME_UNKNOWNn', 'worker b ', 'worker a ']);
  expect(readAnswers('[]')).toEqual([]);
});

test('messages that were looked at before are told apart from answers', () => {
  const text = '[{"id":"m1","task":"shop.buy"},{"id":null,"task":null}]';
  expect(readSeen(text)).toEqual([
    { id: 'm1', name: 'shop.buy' },
    { id: '', name: '' },
  ]);
  expect(readAnswers(text)).toBeNull();
  expect([readSeen('[]'), readSeen('no'), readSeen('[{"worker":"w","outcome":"done"}]')]).toEqual([[], [], []]);
});

test.each(['', 'no', '{"celery@w1":"ok"}', '[1]', '[{"x":1}]', '["a"]'])('%j is no list of answers', (text) => {
  expect(readAnswers(text)).toBeNull();
});

test('of answers that a record could not hold, those that are whole are read', () => {
  const odd = '},{'.repeat(20);
  const many = Array.from({ length: 3_000 }, (_, index) => answer(`celery@w${index}`, 'done', odd));
  const { id, cluster, ...rest } = sampleRecord({ answers: JSON.stringify(many) });
  const line = auditLine({ ...rest, id, cluster } as Parameters<typeof auditLine>[0]);
  const { answers } = JSON.parse(line) as { answers: string };
  expect(answers).toMatch(/cut from \d+ characters\)$/);
  const read = readAnswers(answers) ?? [];
  expect(read.length).toBeGreaterThan(500);
  expect(read.map(({ name }) => name)).toEqual(read.map((_, index) => `celery@w${index}`));
  expect(readJson(answers).cutFrom).toBe(JSON.stringify(many).length);
});

test('arguments are laid out, and shown in a line', () => {
  expect(readJson('{"n":1}')).toEqual({ text: '{\n  "n": 1\n}', cutFrom: null });
  expect([readJson('{}').text, readJson('null').text, readJson('').text, readJson('oops').text]).toEqual([
    '',
    '',
    '',
    'oops',
  ]);
  expect(inLine('{"queue":"mail","exchange":null,"x":"","n":[1,2],"o":{"a":"b"}}')).toBe(
    'queue=mail n=[1,2] o={"a":"b"}',
  );
  expect([inLine('{}'), inLine('null'), inLine('oops')]).toEqual(['', '', 'oops']);
});
