import { expect, test } from 'vitest';
import {
  ADD_CONSUMER,
  autoscale,
  initialValues,
  POOL_GROW,
  POOL_SHRINK,
  Problem,
  rateLimit,
  revoke,
  terminate,
  timeLimit,
  type Action,
  type Values,
} from './actions.ts';
import { recorded } from './recorded.ts';
import { readStats } from './stats.ts';

const filled = (action: Action, values: Values): unknown => action.command({ ...initialValues(action), ...values });
const task = { id: 'abc', name: 'garden.slow' };
const stats = readStats(recorded('celery-5.2', 'stats', 'w2@proto'));

test.each<[string, Action, Values, unknown]>([
  ['grows by one at first', POOL_GROW, {}, { method: 'pool_grow', n: 1 }],
  ['shrinks', POOL_SHRINK, { n: ' 3 ' }, { method: 'pool_shrink', n: 3 }],
  ['keeps the range at first', autoscale({ stats }), {}, { method: 'autoscale', max: 3, min: 1 }],
  ['may idle at none', autoscale({ stats }), { min: '0' }, { method: 'autoscale', max: 3, min: 0 }],
  ['sets a rate', rateLimit('t', ''), { rate: '30/m' }, { method: 'rate_limit', task_name: 't', rate_limit: '30/m' }],
  [
    'names a task',
    rateLimit('', ''),
    { task: 't', rate: '0' },
    { method: 'rate_limit', task_name: 't', rate_limit: '0' },
  ],
  [
    'keeps what is left out',
    timeLimit('t', { soft: null, hard: 20 }),
    { hard: '30' },
    { method: 'time_limit', task_name: 't', hard: 30 },
  ],
  [
    '0 is none',
    timeLimit('t', { soft: null, hard: 20 }),
    { soft: '0' },
    { method: 'time_limit', task_name: 't', soft: null },
  ],
  [
    'sets both',
    timeLimit('t', { soft: null, hard: 20 }),
    { soft: '.5', hard: '2' },
    { method: 'time_limit', task_name: 't', soft: 0.5, hard: 2 },
  ],
  [
    'ends',
    terminate(task),
    { signal: 'SIGKILL' },
    { method: 'revoke', task_id: ['abc'], terminate: true, signal: 'SIGKILL' },
  ],
  ['revokes', revoke(task), {}, { method: 'revoke', task_id: ['abc'], terminate: false }],
  ['revokes and ends', revoke(task), { terminate: 'yes' }, { method: 'revoke', task_id: ['abc'], terminate: true }],
  [
    ...(['adds a queue', ADD_CONSUMER, { queue: 'q ' }] as const),
    { method: 'add_consumer', queue: 'q', exchange: null, exchange_type: 'direct', routing_key: null },
  ],
])('%s', (_what, action, values, command) => {
  expect(filled(action, values)).toEqual(command);
});

test.each<[Action, Values, string]>([
  [POOL_GROW, { n: '0' }, 'whole number'],
  [POOL_GROW, { n: '1.5' }, 'whole number'],
  [POOL_GROW, { n: '' }, 'whole number'],
  [autoscale({ stats: null }), { min: '3', max: '2' }, 'above the most'],
  [rateLimit('t', ''), { rate: 'fast' }, '30/m'],
  [rateLimit('', ''), { rate: '1/s' }, 'the task is empty'],
  [timeLimit('t', { soft: null, hard: 20 }), {}, 'give one'],
  [timeLimit('t', { soft: null, hard: 20 }), { soft: '-1' }, 'number of seconds'],
  [timeLimit('t', { soft: null, hard: 20 }), { soft: '30', hard: '20' }, 'not below the hard one'],
  [ADD_CONSUMER, { queue: ' ' }, 'the queue is empty'],
])('what cannot be meant so is told and not sent: %#', (action, values, words) => {
  expect(() => filled(action, values)).toThrow(Problem);
  expect(() => filled(action, values)).toThrow(words);
});

test('what becomes of a pool is told beforehand', () => {
  const facts = {
    state: 'online',
    stats: readStats(recorded('celery-5.2', 'stats', 'w1@proto')),
    settings: null,
  } as const;
  expect(POOL_GROW.effect?.({ n: '2' }, facts)).toBe('2 → 4 processes');
  expect(POOL_SHRINK.effect?.({ n: '1' }, facts)).toBe('2 → 1 process');
  expect(POOL_SHRINK.effect?.({ n: '5' }, facts)).toBe('2 → 0 processes: it would run nothing');
  expect(POOL_GROW.effect?.({ n: '2' }, { ...facts, stats: null })).toBe('');
  expect(POOL_GROW.effect?.({ n: 'x' }, facts)).toBe('');
  expect(autoscale({ stats }).effect?.({ min: '2', max: '8' }, facts)).toBe('1–3 → 2–8');
});
