import { runPython } from '@meadow/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchesTopic, redisRouting } from './redis-routing.ts';

const topic = fc
  .array(fc.constantFrom('a', 'b.', '*', '#', '', 'ab'), { maxLength: 4 })
  .map((words) => words.join('.'));
const key = fc.array(fc.constantFrom('a', 'b', 'ab', '', '..'), { maxLength: 5 }).map((words) => words.join('.'));

test('a topic takes the keys that kombu would give it', async () => {
  const pairs = fc.sample(fc.tuple(topic, key), { numRuns: 2000, seed: 1 });
  const script = `
import json, sys
from kombu.transport.virtual.exchange import TopicExchange
topics = TopicExchange(None)
print(json.dumps([bool(topics._match(topics.key_to_pattern(topic), key)) for topic, key in json.loads(sys.argv[1])]))`;
  const theirs = JSON.parse(await runPython(script, { args: [JSON.stringify(pairs)] })) as boolean[];
  expect(theirs.filter(Boolean).length).toBeGreaterThan(200);
  expect(pairs.map(([pattern, text]) => matchesTopic(pattern, text))).toEqual(theirs);
});

test('a priority goes into the list that kombu would choose', async () => {
  const all = [[0, 3, 6, 9], [0], [0, 5, 7], [3, 6]];
  const script = `
import json, sys
from kombu.transport.redis import Channel
class Kombu(Channel):
    def __init__(self, steps): self.priority_steps = steps
    def __del__(self): pass
print(json.dumps([[Kombu(steps)._q_for_pri("q", priority) for priority in range(10)] for steps in json.loads(sys.argv[1])]))`;
  const theirs = JSON.parse(await runPython(script, { args: [JSON.stringify(all)] })) as string[][];
  for (const [index, priority_steps] of all.entries()) {
    const routing = redisRouting({ priority_steps });
    const ours = Array.from({ length: 10 }, (_, priority) => routing.list('q', priority));
    expect(ours).toEqual(theirs[index]);
  }
});

test('queues of a broadcast are left out, as nobody reads their lists', () => {
  const { queuesFor, bindings } = redisRouting({ global_keyprefix: 'team:' });
  const member = (...parts: string[]) => parts.join('\x06\x16');
  const members = [
    member('k', '', 'one'),
    member('k', '', 'bcast.1'),
    member('#', '^.*?$', 'all'),
    member('x', '', 'two'),
    'odd',
  ];
  expect(queuesFor([...members, ...members], 'k')).toEqual(['one', 'all']);
  expect(bindings('topics')).toBe('team:_kombu.binding.topics');
});
