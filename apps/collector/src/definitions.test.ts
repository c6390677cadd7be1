import { expect, test } from 'vitest';
import { gatherSeeds, readDefinitions } from './definitions.ts';

test('reads clusters from a YAML file, the environment and arguments; the later wins by name', () => {
  const { seeds, problems } = gatherSeeds({
    file: {
      path: 'clusters.yaml',
      text: 'clusters:\n  - name: prod\n    broker: redis://one/0\n  - {name: etl, broker: "amqp://two//"}\n',
    },
    environment: '[{"name":"prod","broker":"redis://three/0","retention":{"success":7}}]',
    args: ['batch=redis://four/2?x=y'],
  });
  expect(problems).toEqual([]);
  const { clusters } = readDefinitions(seeds);
  expect(clusters.map(({ name, broker, retention }) => [name, broker, retention.success])).toEqual([
    ['prod', 'redis://three/0', 7],
    ['etl', 'amqp://two//', 30],
    ['batch', 'redis://four/2?x=y', 30],
  ]);
});

test('a bad definition is told in one line with its cluster and remedy, and the others stand', () => {
  const { clusters, problems } = readDefinitions([
    {
      origin: 'f.yaml',
      value: [{ name: 'Prod EU', broker: 'redis://h' }, { name: 'etl' }, { name: 'ok', broker: 'redis://h' }, 7],
    },
    { origin: 'g.yaml', value: 'nothing' },
  ]);
  expect(clusters.map(({ name }) => name)).toEqual(['ok']);
  expect(problems.map(({ cluster, message }) => [cluster, message.slice(0, 40)])).toEqual([
    [null, 'f.yaml: cluster number 1: name: use 1 to'],
    ['etl', 'f.yaml: cluster "etl": broker: Invalid i'],
    [null, 'f.yaml: cluster number 4: Invalid input:'],
    [null, 'g.yaml: expected a list of clusters, eac'],
  ]);
});

test('text that cannot be parsed is told without repeating a URL that may hold a password', () => {
  const { problems } = gatherSeeds({
    file: { path: 'c.yaml', text: 'clusters: [\n  {name: a, broker: redis://:hunter2@h/0' },
    environment: '[{"name":"x","broker":"redis://:hunter2@h/0"',
    args: [],
  });
  expect(problems).toHaveLength(2);
  expect(JSON.stringify(problems)).not.toContain('hunter2');
});
