import type { TaskDraft, ToldTask } from '@meadow/contract';
import { waitFor } from '@meadow/testkit';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTasksRig, type TasksRig } from './tasks-rig.ts';

const TOLD: ToldTask = {
  ...{ name: 'notebook.note', args: '()', kwargs: '{}', queue: 'celery', exchange: '', routingKey: 'celery' },
  ...{ eta: null, expires: null },
};
const ARGS = `[1,1.0,-0.0,12345678901234567890123,1e+16,NaN,true,null,"it's \\u65e5 \\ud83c\\udf89",{"a":[{"b":1.5}]}]`;
const KWARGS = '{"k":1.0,"__proto__":2}';
const GOT =
  `((1, 1.0, -0.0, 12345678901234567890123, 1e+16, nan, True, None, "it's 日 🎉", {'a': [{'b': 1.5}]}), ` +
  `{'k': 1.0, '__proto__': 2})`;

function draftOf(found: Awaited<ReturnType<TasksRig['draft']>>): TaskDraft {
  if (found.kind !== 'draft') throw new Error(`${found.code}: ${found.reason}`);
  return found;
}

describe.each(['redis', 'rabbitmq'] as const)('tasks over %s', (kind) => {
  let rig: TasksRig;
  beforeAll(async () => {
    rig = await openTasksRig(kind);
  }, 180_000);
  afterAll(() => rig[Symbol.asyncDispose](), 60_000);

  /** One that ran, noted what it got, and failed. */
  async function failed(id: string, args = ARGS, kwargs = KWARGS): Promise<void> {
    await rig.send({ name: 'notebook.note', queue: 'celery', id, args, kwargs });
    await rig.note((note) => note.id === id);
    await rig.result(id);
  }

  /** Tasks that wait in a queue which no worker takes from. */
  async function waiting(queue: string): Promise<number> {
    const script = `
import garden, sys
with garden.app.connection() as connection:
    print(connection.default_channel.queue_declare(sys.argv[1], passive=True).message_count)`;
    return Number(await rig.python(script, [queue]));
  }

  test.runIf(kind === 'redis')(
    'a connection for tasks is opened when the first is sent, and stays the only one',
    async () => {
      const connections = async (): Promise<number> => {
        const script = `
import garden
with garden.app.connection() as connection:
    print([client["name"] for client in connection.default_channel.client.client_list()])`;
        return (await rig.python(script)).split('tasks').length - 1;
      };
      const add = { name: 'garden.add', queue: 'celery', args: '[1,1]' };
      expect(await connections()).toBe(0);
      await rig.send(add);
      await Promise.all([rig.send(add), rig.send(add)]);
      expect(await connections()).toBe(1);
    },
  );

  test('a worker runs exactly what was sent', async () => {
    const { task, end } = await rig.send({ name: 'notebook.note', queue: 'celery', args: ARGS, kwargs: KWARGS });
    expect(task).toMatchObject({ task_id: '', outcome: 'sent', queues: ['celery'], code: '' });
    expect(end).toMatchObject({ outcome: 'done', detail: '1 sent', count: 1 });
    expect((await rig.note(({ id }) => id === task.new_id)).got).toBe(GOT);
    const expires = new Date(Date.now() + 3_600_000).toISOString();
    const { task: described } = await rig.send({
      ...{ name: 'garden.describe', queue: 'celery', priority: 5, headers: { 'x-tenant': 'acme' }, countdown: 1.5 },
      ...{ expires, timelimit: { soft: 20 }, shadow: 'shown' },
    });
    const { result } = (await rig.result(described.new_id ?? '')) as { result: Record<string, unknown> };
    expect(result).toMatchObject({
      ...{ 'x-tenant': 'acme', timelimit: [null, 20], shadow: 'shown', expires: expires.replace('Z', '+00:00') },
      delivery_info: { priority: 5, routing_key: 'celery' },
      origin: expect.stringMatching(/^meadow@/) as string,
    });
    expect(Date.parse(String(result['eta']))).toBeGreaterThan(Date.now() - 60_000);
    const eta = new Date(Date.now() + 1_000).toISOString();
    const { task: later } = await rig.send({ name: 'garden.describe', queue: 'celery', eta });
    expect(await rig.result(later.new_id ?? '')).toMatchObject({ result: { eta: eta.replace('Z', '+00:00') } });
  }, 60_000);

  test('what was sent is in the audit before and after, its secrets hidden', async () => {
    const { task } = await rig.send({
      ...{ name: 'notebook.note', queue: 'celery', args: '[["token","hunter2"]]', kwargs: '{"password":"hunter2"}' },
      headers: { 'x-api-key': 'hunter2' },
    });
    expect(task.outcome).toBe('sent');
    const records = (await rig.audit()).filter(({ targets }) => targets[0] === task.new_id);
    expect(records.map(({ action, outcome, target_kind }) => [action, outcome, target_kind])).toEqual([
      ['task.send', 'begun', 'task'],
      ['task.send', 'done', 'task'],
    ]);
    expect(JSON.stringify(records)).not.toContain('hunter2');
    expect(records[1]?.arguments).toContain('notebook.note');
    expect((await rig.note(({ id }) => id === task.new_id)).got).toContain('hunter2');
  });

  test.each([
    [{ name: '', queue: 'celery' }, /name is empty/],
    [{ name: 'garden.add', queue: '' }, /queue is empty/],
    [{ name: 'garden.add', queue: 'celery.pidbox' }, /machinery/],
    [{ name: 'garden.add', queue: 'celery', args: '{"a":1}' }, /write an array/],
    [{ name: 'garden.add', queue: 'celery', args: [1] }, /args/],
    [{ name: 'garden.add', queue: 'celery', delivery_tag: 'x' }, /delivery_tag/],
    [{ name: 'garden.add', queue: 'celery', expires: '2020-01-01T00:00:00Z' }, /has passed/],
    [{ name: 'garden.add' }, /neither a queue nor an exchange/],
  ])('%j is refused in words, and recorded', async (task, words) => {
    const before = (await rig.audit()).length;
    await expect(rig.send(task)).rejects.toThrow(words);
    const records = (await rig.audit()).slice(before);
    expect(records.map(({ action, outcome }) => [action, outcome])).toEqual([['task.send', 'refused']]);
  });

  test('what the broker does not take is refused with its code', async () => {
    const { task, end } = await rig.send({ name: 'garden.add', exchange: 'nowhere', routingKey: 'a' });
    expect(task).toMatchObject({ outcome: 'refused', new_id: null });
    expect(task.code).toBe(kind === 'redis' ? 'SEND_UNROUTABLE' : 'SEND_EXCHANGE_MISSING');
    expect(end).toMatchObject({ outcome: 'refused', count: 0, detail: expect.stringContaining(task.code) as string });
    expect((await rig.audit()).at(-1)).toMatchObject({ action: 'task.send', outcome: 'refused' });
  });

  test('a failed task runs again with exactly its arguments, linked to its original', async () => {
    await failed('original');
    const draft = draftOf(await rig.draft('original'));
    expect(draft).toMatchObject({
      from: { arguments: 'result' },
      masked: [],
      request: { args: ARGS_SENT, kwargs: KWARGS },
    });
    const { request_id, tasks, end } = await rig.retry([['original', null]]);
    expect(tasks).toMatchObject([{ task_id: 'original', outcome: 'sent', queues: ['celery'] }]);
    expect(end).toMatchObject({ outcome: 'done', count: 1 });
    const note = await rig.note(({ id }) => id === tasks[0]?.new_id);
    expect(note).toMatchObject({ got: GOT, retry_of: 'original' });
    const records = (await rig.audit()).filter((record) => record.request_id === request_id);
    expect(records.map(({ action, outcome, targets }) => [action, outcome, ...targets])).toEqual([
      ['task.retry', 'begun', 'original'],
      ['task.retry', 'done', 'original'],
    ]);
    expect(JSON.parse(records[1]?.answers ?? '')).toEqual([
      { task: 'original', outcome: 'sent', new_id: tasks[0]?.new_id, code: '' },
    ]);
  }, 60_000);

  test('a task that was sent is told of as one of Celery’s clients would, with what it repeats, secrets hidden', async () => {
    await failed('first', '[1,"it\'s"]', '{"password":"hunter2"}');
    const [again] = (await rig.retry([['first', null]])).tasks;
    const id = again?.new_id ?? '';
    const told = await rig.sentEvent(id);
    expect(told).toMatchObject({
      ...{ type: 'task-sent', name: 'notebook.note', queue: 'celery', rootId: id, args: "(1, 'it\\'s')" },
      ...{ kwargs: "{'password': '***'}", extra: '{"meadow_retry_of":"first"}' },
      worker: expect.stringMatching(/^meadow@/) as string,
    });
    expect(await rig.sentEvent('first')).toMatchObject({ type: 'task-sent', queue: 'celery', extra: '' });
  }, 60_000);

  test('one that only its events tell of runs again, or is refused where they do not tell it whole', async () => {
    const told = { ...TOLD, args: "(1, 1.0, None, 'it\\'s', [{'a': True}])", kwargs: "{'k': 2}" };
    const { tasks } = await rig.retry([['by-events', told]]);
    expect((await rig.note(({ id }) => id === tasks[0]?.new_id)).got).toBe(
      `((1, 1.0, None, "it's", [{'a': True}]), {'k': 2})`,
    );
    const hostile = `(__import__('os').system('touch /tmp/meadow-was-run-${kind}'),)`;
    const refused = await rig.retry([
      ['cut', { ...TOLD, args: "('aaa', ...)" }],
      ['cut-in-the-middle', { ...TOLD, args: "('xx\n… 345 characters cut by Meadow …\nxx',)" }],
      ['masked', { ...TOLD, kwargs: "{'password': '***'}" }],
      ['hostile', { ...TOLD, args: hostile }],
      ['pickled', { ...TOLD, args: '(<Rose object at 0x7f0000000000>,)' }],
      ['unheard', null],
    ]);
    expect(refused.tasks.map(({ outcome, code }) => [outcome, code])).toEqual([
      ['refused', 'RETRY_ARGS_CUT'],
      ['refused', 'RETRY_ARGS_CUT'],
      ['refused', 'RETRY_ARGS_MASKED'],
      ['refused', 'RETRY_ARGS_UNREADABLE'],
      ['refused', 'RETRY_ARGS_NOT_JSON'],
      ['refused', 'RETRY_ARGS_UNKNOWN'],
    ]);
    expect(refused.end).toMatchObject({ outcome: 'refused', count: 0 });
    expect(existsSync(`/tmp/meadow-was-run-${kind}`)).toBe(false);
    const records = (await rig.audit()).filter((record) => record.request_id === refused.request_id);
    expect(records.map(({ outcome }) => outcome)).toEqual(['refused']);
  }, 60_000);

  test('a secret is not shown, and the worker gets the true one all the same', async () => {
    await failed('secret', '[1.0]', '{"password":"hunter2","n":1.0}');
    const draft = draftOf(
      await rig.draft('secret', { ...TOLD, args: '(1.0,)', kwargs: "{'password': '***', 'n': 1.0}" }),
    );
    expect(draft.request).toMatchObject({ args: '[1.0]', kwargs: '{"password":"***","n":1.0}' });
    expect(draft.masked).toEqual(['kwargs']);
    expect(JSON.stringify(draft)).not.toContain('hunter2');
    const asIs = await rig.retry([['secret', null]]);
    expect((await rig.note(({ id }) => id === asIs.tasks[0]?.new_id)).got).toBe(
      "((1.0,), {'password': 'hunter2', 'n': 1.0})",
    );
    const edit = { base: draft.base, changes: { args: '[2.0]' } };
    const { request_id, tasks } = await rig.retry([['secret', null]], { edit });
    expect((await rig.note(({ id }) => id === tasks[0]?.new_id)).got).toBe(
      "((2.0,), {'password': 'hunter2', 'n': 1.0})",
    );
    const records = (await rig.audit()).filter((record) => record.request_id === request_id);
    expect(JSON.stringify(records)).not.toContain('hunter2');
    expect(JSON.parse(records[0]?.arguments ?? '')).toEqual({
      changes: [{ path: ['args', 0], before: '1.0', after: '2.0' }],
    });
  }, 60_000);

  test('an edit replaces whole fields, over the draft that it was written for and no other', async () => {
    await failed('edited', '[1.0]', '{"password":"hunter2"}');
    const { base } = draftOf(await rig.draft('edited'));
    const edit = async (changes: Record<string, unknown>, over = base) => {
      const { tasks } = await rig.retry([['edited', null]], { edit: { base: over, changes } });
      return tasks[0];
    };
    expect(await edit({ kwargs: '{"password":"***","n":1}' })).toMatchObject({
      ...{ outcome: 'refused', code: 'RETRY_EDIT_MASKED' },
      detail: expect.stringContaining('write it whole, or leave the field as it was') as string,
    });
    expect(await edit({ args: '[1' })).toMatchObject({ code: 'RETRY_EDIT_INVALID' });
    expect(await edit({ nmae: 'x' })).toMatchObject({ code: 'RETRY_EDIT_INVALID' });
    expect(await edit({ retryOf: 'another' })).toMatchObject({ code: 'RETRY_EDIT_INVALID' });
    expect(await edit({ queue: 'celery.pidbox' })).toMatchObject({ code: 'RETRY_EDIT_INVALID' });
    expect(await edit({ expires: '2020-01-01T00:00:00Z' })).toMatchObject({ code: 'RETRY_EDIT_INVALID' });
    expect(await edit({ args: '[2]' }, 'f'.repeat(64))).toMatchObject({ code: 'RETRY_DRAFT_CHANGED' });
    const sent = await edit({ kwargs: '{"password":"hunter3"}', args: '["***"]' });
    expect((await rig.note(({ id }) => id === sent?.new_id)).got).toBe("(('***',), {'password': 'hunter3'})");
    const last = (await rig.audit()).at(-1);
    expect(last?.arguments).toContain('kwargs');
    expect(last?.arguments).not.toContain('hunter');
    await expect(
      rig.retry([['edited', null], ['original', null]], { edit: { base, changes: {} } }), // prettier-ignore
    ).rejects.toThrow('retry them one by one');
  }, 90_000);

  test('what a worker still has is warned of, and refused among many', async () => {
    await rig.send({ name: 'garden.slow', queue: 'celery', id: 'at-it', args: '[60.0,60]' });
    await waitFor(async () => (await rig.draft('at-it')).kind === 'draft', {
      what: 'the task to run',
      deadlineMs: 30_000,
    });
    const draft = draftOf(await rig.draft('at-it', TOLD));
    expect(draft.from.arguments).toBe('worker');
    expect(draft.request.args).toBe('[60.0,60]');
    expect(draft.warnings.map(({ code }) => code)).toContain('ORIGINAL_WAITS');
    const many = await rig.retry([['at-it', null], ['original', null]], { dry_run: true }); // prettier-ignore
    expect(many.tasks.map(({ outcome, code }) => [outcome, code])).toEqual([
      ['refused', 'RETRY_STILL_THERE'],
      ['ready', ''],
    ]);
    const changes = { queue: `parked-${kind}` };
    await rig.python(`
import garden, sys
with garden.app.connection() as connection:
    connection.default_channel.queue_declare(sys.argv[1], durable=True, auto_delete=False)
    garden.app.send_task("garden.add", (1, 1), queue=sys.argv[1], connection=connection)`, [`parked-${kind}`]); // prettier-ignore
    const single = await rig.retry([['at-it', null]], { even_if_waiting: true, edit: { base: draft.base, changes } });
    expect(single.tasks).toMatchObject([{ outcome: 'sent', detail: expect.stringContaining('runs too') as string }]);
    expect(await waiting(`parked-${kind}`)).toBe(2);
    await rig.ask({
      ...{ kind: 'command', request_id: crypto.randomUUID(), workers: null, wait_ms: 1_000 },
      by: { actor: '', signed_in: 'anonymous', address: '', user_agent: '' },
      command: { method: 'revoke', task_id: ['at-it'], terminate: true },
    });
  }, 90_000);

  test('many go out at the rate that was asked for, and stop between two', async () => {
    const tasks = Array.from({ length: 40 }, (_, n) => [`many-${kind}-${n}`, { ...TOLD, args: `(${n},)` }] as const);
    const before = (await rig.audit()).length;
    const dry = await rig.retry(tasks, { dry_run: true });
    expect(dry.tasks.map(({ outcome }) => outcome)).toEqual(tasks.map(() => 'ready'));
    expect(dry.end).toMatchObject({ outcome: 'done', detail: '40 would be sent', count: 40 });
    expect((await rig.audit()).length).toBe(before);
    const mine = () => rig.notes().filter(({ retry_of }) => retry_of?.startsWith(`many-${kind}-`));
    expect(mine()).toEqual([]);

    const stop = new AbortController();
    const going = rig.retry(tasks, { per_second: 10 }, stop.signal);
    await waitFor(() => mine().length >= 5, { what: 'five of them', deadlineMs: 30_000 });
    stop.abort();
    const { request_id } = await going;
    const ended = await waitFor(
      async () => (await rig.audit()).find((record) => record.request_id === request_id && record.outcome !== 'begun'),
      { what: 'the end', deadlineMs: 30_000, everyMs: 100 },
    );
    const answers = JSON.parse(ended.answers) as { outcome: string }[];
    expect(ended).toMatchObject({ outcome: 'stopped', detail: `stopped: ${answers.length} sent` });
    expect(answers.length).toBeGreaterThanOrEqual(5);
    expect(answers.length).toBeLessThan(30);
    await waitFor(() => mine().length >= answers.length, { what: 'all that were sent', deadlineMs: 30_000 });

    const rest = tasks.slice(0, 20);
    const began = performance.now();
    const sent = await rig.retry(rest, { per_second: 10 });
    expect(performance.now() - began).toBeGreaterThan(1_850);
    expect(sent.end).toMatchObject({ outcome: 'done', count: 20 });
    await waitFor(() => mine().length >= answers.length + 20, { what: 'all of them', deadlineMs: 30_000 });
    expect(mine().length).toBe(answers.length + 20);
  }, 120_000);

  test('a task that looks is aborted, one that has ended is not', async () => {
    const { task } = await rig.send({ name: 'garden.abortable', queue: 'celery', args: '[60]' });
    const id = task.new_id ?? '';
    await waitFor(async () => (await rig.draft(id)).kind === 'draft', { what: 'the task to run', deadlineMs: 30_000 });
    const request_id = crypto.randomUUID();
    const by = { actor: 'ann', signed_in: 'basic', address: '', user_agent: '' } as const;
    const parts = await rig.ask({ kind: 'abort', request_id, by, task_ids: [id, 'original'] });
    expect(parts).toMatchObject([
      { kind: 'task', task_id: id, outcome: 'aborted' },
      { kind: 'task', task_id: 'original', outcome: 'refused', code: 'ABORT_TASK_ENDED' },
      { kind: 'ended', outcome: 'partly', count: 1, detail: '1 aborted, 1 refused' },
    ]);
    expect(await rig.result(id)).toMatchObject({ status: 'SUCCESS', result: 'aborted' });
    const records = (await rig.audit()).filter((record) => record.request_id === request_id);
    expect(records.map(({ action, outcome }) => [action, outcome])).toEqual([
      ['task.abort', 'begun'],
      ['task.abort', 'partly'],
    ]);
  }, 90_000);

  // last: it leaves the broker stopped for a while
  test('a task that left without an answer is told as unsure', async () => {
    process.kill(rig.broker.pid, 'SIGSTOP');
    try {
      const { task, end } = await rig.send({ name: 'garden.add', queue: 'celery', args: '[1,1]' });
      expect(task).toMatchObject({
        outcome: 'unsure',
        code: 'SEND_OUTCOME_UNKNOWN',
        new_id: expect.any(String) as string,
      });
      expect(end).toMatchObject({ outcome: 'unanswered', count: 0 });
    } finally {
      process.kill(rig.broker.pid, 'SIGCONT');
    }
    expect((await rig.audit()).at(-1)).toMatchObject({ action: 'task.send', outcome: 'unanswered' });
  }, 60_000);
});

/** As the backend holds them: the same values, text escaped as Meadow writes it. */
const ARGS_SENT = ARGS.replace('\\u65e5 \\ud83c\\udf89', '日 🎉');
