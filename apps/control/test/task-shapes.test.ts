import { runPython, waitFor } from '@meadow/testkit';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openTasksRig } from './tasks-rig.ts';

const vectors = fileURLToPath(new URL('../../../vectors', import.meta.url));

/** Every recorded message in JSON, one of each id, as `[id, task name, argsrepr, kwargsrepr]` lines. */
const RECORDED = `
import base64, json, sys, zlib

def recorded():
    seen = set()
    for version in ("celery-5.2", "celery-latest"):
        for line in open(f"{sys.argv[1]}/{version}/redis-task-messages.jsonl"):
            payload = json.loads(line).get("payload")
            if not isinstance(payload, str) or not payload.startswith("{"):
                continue
            message = json.loads(payload)
            headers = message["headers"]
            if message.get("content-type") != "application/json":
                continue
            body = base64.b64decode(message["body"])
            if headers.get("compression"):
                body = zlib.decompress(body)
            task, name = headers.get("id"), headers.get("task")
            if "task" not in headers:
                old = json.loads(body)
                task, name = old["id"], old["task"]
            if name is None or (version, task) in seen:
                continue
            seen.add((version, task))
            yield version, task, name, message
`;

test('a task of each shape that was recorded runs again on a real worker with exactly the same arguments', async () => {
  const listed = await runPython(
    `${RECORDED}\nfor version, task, name, message in recorded():
    headers = message["headers"]
    print(json.dumps([f"{version} {task}", name, headers.get("argsrepr"), headers.get("kwargsrepr")]))`,
    { args: [vectors] },
  );
  const shapes = listed
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as [id: string, name: string, argsrepr: string | null, kwargsrepr: string | null]);
  const names = [...new Set(shapes.map(([, name]) => name))];
  await using rig = await openTasksRig('redis', { names, args: ['--concurrency', '2'] });

  // as it travelled, but for its id, where it goes, and what would keep it from running or its result from being kept
  await rig.python(
    `${RECORDED}
import garden, uuid
with garden.app.connection() as connection:
    client = connection.default_channel.client
    for version, task, name, message in recorded():
        headers, properties = message["headers"], message["properties"]
        known = f"{version} {task}"
        if "task" in headers:
            headers.update(id=known, eta=None, expires=None, ignore_result=False, timelimit=[None, None], group=None)
        else:
            old = json.loads(base64.b64decode(message["body"]))
            old.update(id=known, eta=None, expires=None, timelimit=[None, None], taskset=None)
            message["body"] = base64.b64encode(json.dumps(old).encode()).decode()
        properties.update(correlation_id=known, delivery_tag=str(uuid.uuid4()))
        properties["delivery_info"] = {"exchange": "", "routing_key": "celery"}
        client.lpush("celery", json.dumps(message))`,
    [vectors],
  );
  const originals = await waitFor(
    () => {
      const got = new Map(rig.notes().map((note) => [note.id, note.got]));
      return shapes.every(([id]) => got.has(id)) ? got : null;
    },
    { what: 'every original to run', deadlineMs: 60_000, everyMs: 100 },
  );
  expect(shapes.length).toBeGreaterThan(200);
  await rig.result(shapes.at(-1)?.[0] ?? '');

  /** Repeats them, some at a time; those that were refused, by code. */
  const repeat = async (tasks: Parameters<typeof rig.retry>[0]): Promise<Map<string, string>> => {
    const refused = new Map<string, string>();
    for (let start = 0; start < tasks.length; start += 100) {
      const { tasks: outcomes } = await rig.retry(tasks.slice(start, start + 100));
      for (const { task_id, outcome, code } of outcomes) if (outcome !== 'sent') refused.set(task_id, code);
    }
    return refused;
  };
  const gotAgain = (ids: readonly string[]) =>
    waitFor(
      () => {
        const got = new Map(rig.notes().map((note) => [note.retry_of, note.got]));
        return ids.every((id) => got.has(id)) ? got : null;
      },
      { what: 'every repeated task to run', deadlineMs: 60_000, everyMs: 100 },
    );

  // by what the result backend keeps
  expect(await repeat(shapes.map(([id]) => [id, null]))).toEqual(new Map());
  const again = await gotAgain(shapes.map(([id]) => id));
  for (const [id, name] of shapes) expect([name, again.get(id)]).toEqual([name, originals.get(id)]);

  // by the text in which its publisher described them: exactly the same, or refused
  const described = shapes.filter(([, , args]) => args !== null);
  const told = (args: string | null, kwargs: string | null, name: string) => ({
    ...{ name, args, kwargs, queue: 'celery', exchange: '', routingKey: 'celery', eta: null, expires: null },
  });
  const refused = await repeat(described.map(([id, name, args, kwargs]) => [`told ${id}`, told(args, kwargs, name)]));
  const sent = described.filter(([id]) => !refused.has(`told ${id}`));
  const byText = await gotAgain(sent.map(([id]) => `told ${id}`));
  for (const [id, name] of sent) expect([name, byText.get(`told ${id}`)]).toEqual([name, originals.get(id)]);
  expect(sent.length).toBeGreaterThan(150);
  expect([...new Set(refused.values())].toSorted()).toEqual([
    'RETRY_ARGS_CUT',
    'RETRY_ARGS_NOT_JSON',
    'RETRY_ARGS_UNSURE',
  ]);
  expect(rig.worker.ended()).toBe(false);
}, 300_000);
