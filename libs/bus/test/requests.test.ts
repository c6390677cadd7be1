import { startNats, type NatsServer } from '@meadow/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBus } from '../src/index.ts';

let nats: NatsServer;
beforeAll(async () => {
  nats = await startNats();
});
afterAll(() => nats[Symbol.asyncDispose]());

test('a question is answered, refused, or known to have nobody who answers', async () => {
  const stop = new AbortController();
  await using asking = await openBus({ url: nats.url, name: 'asking', signal: stop.signal });
  await using answering = await openBus({ url: nats.url, name: 'answering', signal: stop.signal });
  const answer = async (question: unknown): Promise<unknown> => {
    if (question === 'bad') throw new Error('not that');
    return { heard: question };
  };
  expect(await asking.requests.ask('ask.it', 1, 2_000)).toBeNull();
  const answers = answering.requests.answer('ask.it', answer, stop.signal);
  // the subscription is on its way to NATS
  await expect.poll(() => asking.requests.ask('ask.it', [1], 2_000)).toEqual({ heard: [1] });
  await expect(asking.requests.ask('ask.it', 'bad', 2_000)).rejects.toMatchObject({ code: 'BUS_REJECTED' });
  stop.abort();
  await answers;
});
