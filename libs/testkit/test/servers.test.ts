import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import {
  celeryEnvironment,
  findReadyUrl,
  freePort,
  runPython,
  startCeleryWorker,
  startChild,
  startNats,
  startRabbitmq,
  startRedis,
  waitFor,
} from '../src/index.ts';

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

const exists = (pid: number): boolean => existsSync(`/proc/${pid}`);

test('a server keeps its address through stop, crash and restart, and leaves nothing behind', async () => {
  let pid: number;
  let port: number;
  {
    await using redis = await startRedis();
    ({ port } = redis);
    await redis.stop();
    expect(await answers(port)).toBe(false);
    await redis.restart();
    expect(await answers(port)).toBe(true);
    await redis.kill9();
    expect(await answers(port)).toBe(false);
    await redis.restart();
    expect(await answers(port)).toBe(true);
    ({ pid } = redis);
    expect(exists(pid)).toBe(true);
  }
  expect(await answers(port)).toBe(false);
  expect(exists(pid)).toBe(false);
}, 30_000);

test('a server that cannot start says why, with the end of its log', async () => {
  await expect(startRedis({ args: ['--no-such-setting', '1'] })).rejects.toThrow(/no-such-setting/);
  await expect(startNats({ args: ['--no-such-flag'] })).rejects.toThrow(/no-such-flag/);
}, 30_000);

test('a process that is never ready is killed at its deadline', async () => {
  const start = startChild({ name: 'idler', command: 'sleep', args: ['60'], ready: () => false, deadlineMs: 300 });
  await expect(start).rejects.toThrow(/idler did not start/);
});

test('two RabbitMQ nodes live side by side, each with its own virtual hosts', async () => {
  await using first = await startRabbitmq({ vhosts: ['one'] });
  await using second = await startRabbitmq();
  expect(await first.rabbitmqctl(['list_vhosts'])).toContain('one');
  expect(await second.rabbitmqctl(['list_vhosts'])).not.toContain('one');
}, 120_000);

test('the test application runs on a real worker and keeps results', async () => {
  await using redis = await startRedis();
  const settings = { brokerUrl: redis.url, backendUrl: redis.url.replace('/0', '/1') };
  await using _worker = await startCeleryWorker(settings);
  const script = `
import garden
print(garden.add.delay(2, 3).get(timeout=20), garden.flaky.delay(2).get(timeout=20), garden.add_chord(3)().get(timeout=20))
try:
    garden.fail.delay('dry').get(timeout=20)
except Exception as error:
    print(type(error).__name__, error)
`;
  expect(await runPython(script, { env: celeryEnvironment(settings) })).toBe('5 2 6\nOutOfWater dry\n');
  await expect(runPython('raise SystemExit("dry")')).rejects.toThrow(/dry/);
}, 90_000);

test('waiting in vain names what was waited for and the last error', async () => {
  const nothing = (): never => {
    throw new Error('still shut');
  };
  const error = await waitFor(nothing, { what: 'the gate', deadlineMs: 60 }).catch((cause: unknown) => cause);
  expect(error).toMatchObject({
    message: expect.stringMatching(/in vain for the gate/),
    cause: { message: 'still shut' },
  });
});

test('a free port is one that nothing listens on', async () => {
  expect(await answers(await freePort())).toBe(false);
});

test('the ready line is found among other lines, however it is dressed', () => {
  expect(findReadyUrl('noise\n{"level":"info"}\n{"event":"listening","url":"http://127.0.0.1:1","pid":2}\n')).toBe(
    'http://127.0.0.1:1',
  );
  expect(findReadyUrl('{"event":"listening"')).toBeNull();
});
