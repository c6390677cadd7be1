import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DEMO_HELP, readDemoOptions } from '../demo/options.ts';

const DEMO = join(import.meta.dirname, '..', 'demo');

test('the demo keeps its own options and passes the others on', () => {
  const options = readDemoOptions(['--rabbitmq', '--port', '8080', '--keep']);
  expect(options).toMatchObject({ rabbitmq: true, keep: true, ownData: false });
  expect(options.rest).toEqual(['--data', 'data/demo', '--port', '8080']);
});

test('a data directory that a person chose is never removed', () => {
  expect(readDemoOptions(['--data=/srv/meadow'])).toMatchObject({ ownData: true, rest: ['--data=/srv/meadow'] });
});

test('brokers of their own are refused with the command that takes them', () => {
  const args = [join(DEMO, 'main.ts'), '--broker', 'redis://h/0'];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect([status, stderr]).toEqual([2, expect.stringContaining('npm start -- --broker URL')]);
});

test('its help tells its own options and those of npm start, with its own data directory', () => {
  expect(DEMO_HELP).toMatch(/--rabbitmq[^]*--port[^]*default \.\/data\/demo\n/);
});

test.for(['shop', 'analytics', 'logistics'])(
  'every task that the traffic or the beat of %s sends exists and has a queue',
  (cluster) => {
    const script = `
from shop.app import app, QUEUES, ROUTES, BEAT, CLUSTER
from shop import traffic
import fnmatch
app.loader.import_default_modules()
names = {name for name in app.tasks if name.startswith('shop.')}
assert names, 'no tasks'
for entry in BEAT[CLUSTER].values():
    assert entry['task'] in names, entry
for name in names:
    queues = [route['queue'] for pattern, route in ROUTES.items() if fnmatch.fnmatch(name, pattern)] or ['default']
    assert queues[0] in QUEUES[CLUSTER], name
print(len(names), len(traffic.MENUS[CLUSTER]()))
`;
    const env = { ...process.env, PYTHONPATH: DEMO, PYTHONDONTWRITEBYTECODE: '1', DEMO_CLUSTER: cluster };
    const output = execFileSync('/usr/bin/python3', ['-c', script], { env, encoding: 'utf8' });
    expect(
      output
        .split(' ')
        .map(Number)
        .every((count) => count >= 3),
    ).toBe(true);
  },
);
