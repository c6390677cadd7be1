import type { TaskListRow, TaskOutcome } from '@meadow/contract';
import { expect, test } from 'vitest';
import type { BulkStep } from './answers.ts';
import { MOST_BULK_TASKS, runBulk, type BulkQuestion } from './bulk.ts';
import { ApiError } from './errors.ts';
import type { ApiContext, Control, KnownTask, Questions, TasksQuestion } from './ports.ts';

const NOW = 1_700_000_000;
const told = {
  name: 'a',
  args: '()',
  kwargs: '{}',
  queue: 'q',
  exchange: null,
  routingKey: null,
  eta: null,
  expires: null,
};
const known = (state = 'FAILURE', more: Partial<KnownTask['told']> = {}): KnownTask => ({
  state,
  told: { ...told, ...more },
});
const sent = (task_id: string): TaskOutcome => ({
  ...{ task_id, outcome: 'sent', new_id: `new ${task_id}`, queues: ['q'], code: '', detail: '' },
});

type Retry = Parameters<Control['retry']>[0];

/** What is stored, and a control that sends everything it is asked to. */
function context(
  { states = {}, total = 0, size = 0 }: { states?: Record<string, string>; total?: number; size?: number },
  retry?: (asked: Retry) => AsyncIterable<TaskOutcome>,
) {
  const asked = { lists: [] as TasksQuestion[], retries: [] as Retry[] };
  const rows = Array.from({ length: total }, (_, n) => ({ cluster: 'prod', task_id: `t${n}`, first_seen_at: NOW - n }));
  const questions: Partial<Questions> = {
    tasks: async (question) => {
      asked.lists.push(question);
      const from = Number(question.cursor ?? 0);
      const to = from + question.limit;
      return {
        rows: rows.slice(from, to) as unknown as TaskListRow[],
        next: to < total ? String(to) : null,
        searchedTo: null,
      };
    },
    toldTasks: async ({ taskIds }) =>
      new Map(taskIds.map((id) => [id, known(states[id], { args: `('${'x'.repeat(size)}',)` })])),
  };
  const control: Partial<Control> = {
    async *retry(question) {
      asked.retries.push(question);
      yield* retry?.(question) ?? question.tasks.map(({ taskId }) => sent(taskId));
    },
  };
  const ctx = { questions, control, now: () => NOW, requester: {} } as unknown as ApiContext;
  return { ctx, asked };
}

async function all(question: Partial<BulkQuestion>, ctx: ApiContext): Promise<BulkStep[]> {
  const steps: BulkStep[] = [];
  const asked = { action: 'retry', target: { filter: { range: '1h' } }, dryRun: false, ...question } as const;
  for await (const step of runBulk(asked, ctx, new AbortController().signal)) steps.push(step);
  return steps;
}

const last = (steps: readonly BulkStep[]) => steps.findLast((step) => step.kind === 'progress');

test('takes what matched until it began, the newest ten thousand, and says that there are more', async () => {
  const { ctx, asked } = context({ total: MOST_BULK_TASKS + 700 });
  const steps = await all({}, ctx);
  expect(last(steps)).toMatchObject({ total: MOST_BULK_TASKS, capped: true, done: MOST_BULK_TASKS, refused: 0 });
  expect(asked.lists[0]).toMatchObject({ from: NOW - 3_600, to: NOW });
  const ids = asked.retries.flatMap(({ tasks }) => tasks.map(({ taskId }) => taskId));
  expect(ids).toEqual(Array.from({ length: MOST_BULK_TASKS }, (_, n) => `t${n}`));
  expect(new Set(asked.retries.map(({ requestId }) => requestId)).size).toBe(1);
  expect(asked.retries.every(({ tasks, evenIfWaiting }) => tasks.length <= 100 && !evenIfWaiting)).toBe(true);
});

test('what has not ended is not sent a second time', async () => {
  const states = { t0: 'STARTED', t1: 'PENDING', t2: 'RETRY', t3: 'BREWING', t4: 'LOST' };
  const { ctx, asked } = context({ total: 6, states });
  expect(last(await all({}, ctx))).toMatchObject({ done: 2, refused: 4, refusals: [{ code: 'TASK_OPEN', count: 4 }] });
  expect(asked.retries.flatMap(({ tasks }) => tasks.map(({ taskId }) => taskId))).toEqual(['t4', 't5']);
});

test('what is told of the tasks of one question fits a message', async () => {
  const { ctx, asked } = context({ total: 100, size: 60_000 });
  expect(last(await all({}, ctx))).toMatchObject({ done: 100 });
  expect(asked.retries.length).toBeGreaterThan(10);
  for (const { tasks } of asked.retries) expect(JSON.stringify(tasks).length).toBeLessThan(900_000);
});

test('where control is lost half way, what it may have sent is unsure, and another cluster goes on', async () => {
  const target = {
    tasks: ['a', 'b', 'c'].map((taskId) => ({ cluster: 'first', taskId })).concat({ cluster: 'second', taskId: 'd' }),
  };
  const { ctx } = context({}, async function* ({ cluster, tasks }) {
    yield sent(tasks[0]?.taskId ?? '');
    if (cluster === 'first') throw new ApiError('CONTROL_UNAVAILABLE', 'gone');
  });
  const steps = await all({ target }, ctx);
  expect(last(steps)).toMatchObject({ total: 4, done: 2, refused: 0, unsure: 2 });
  expect(steps.at(-1)).toMatchObject({ kind: 'ended', outcome: 'partly', detail: '2 of 4 sent, 2 not known' });
});

test('where a replica of control gives up half way, what it did not come to is refused', async () => {
  const { ctx } = context({ total: 150 }, async function* ({ tasks }) {
    yield* tasks.slice(0, 30).map(({ taskId }) => sent(taskId));
  });
  expect(last(await all({}, ctx))).toMatchObject({
    done: 60,
    refused: 90,
    refusals: [{ code: 'CONTROL_UNAVAILABLE' }],
  });
});

test('nothing that matches is nothing done', async () => {
  expect((await all({}, context({}).ctx)).at(-1)).toEqual({
    ...{ kind: 'ended', outcome: 'done', detail: 'no task matches', requests: [] },
  });
});
