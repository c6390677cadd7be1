import { startNats, type NatsServer } from '@meadow/testkit';
import { setTimeout as delay } from 'node:timers/promises';
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

test('an answer in parts comes as it is made, and its maker is told when nobody wants more', async () => {
  const stop = new AbortController();
  await using asking = await openBus({ url: nats.url, name: 'asking', signal: stop.signal });
  await using answering = await openBus({ url: nats.url, name: 'answering', signal: stop.signal });
  const all = async (question: unknown, signal = stop.signal): Promise<unknown[]> => {
    const parts: unknown[] = [];
    for await (const part of asking.requests.askInParts('ask.parts', question, signal)) parts.push(part);
    return parts;
  };
  await expect(all('anybody')).rejects.toMatchObject({ code: 'BUS_UNAVAILABLE' });

  let stopped = 0;
  async function* answer(question: unknown, signal: AbortSignal) {
    if (question === 'bad') throw new Error('not that');
    if (question === 'long') yield '"\\€'.repeat(400_000);
    if (question !== 'endless') return void (yield { heard: question });
    for (let n = 0; !signal.aborted; n++) {
      yield n;
      await delay(10);
    }
    stopped++;
  }
  const answers = answering.requests.answerInParts('ask.parts', answer, { atMost: 2, signal: stop.signal });
  await expect.poll(() => all([1]).catch(() => null)).toEqual([{ heard: [1] }]);
  // far beyond what a message of NATS holds
  expect((await all('long'))[0]).toBe('"\\€'.repeat(400_000));
  await expect(all('bad')).rejects.toMatchObject({ code: 'BUS_REJECTED', said: 'not that' });

  const seen: unknown[] = [];
  for await (const part of asking.requests.askInParts('ask.parts', 'endless', stop.signal)) {
    seen.push(part);
    if (seen.length === 5) break;
  }
  expect(seen).toEqual([0, 1, 2, 3, 4]);
  await expect.poll(() => stopped).toBe(1);
  const ends = new AbortController();
  const endless = [all('endless', ends.signal), all('endless', ends.signal)];
  await expect.poll(() => all(1).catch((error: Error) => error.message)).toContain('2 questions are being answered');
  ends.abort();
  await Promise.all(endless);
  await expect.poll(() => stopped).toBe(3);
  stop.abort();
  await answers;
});

test('who answers and dies is noticed', async () => {
  const stop = new AbortController();
  await using asking = await openBus({ url: nats.url, name: 'asking', signal: stop.signal });
  const answering = await openBus({ url: nats.url, name: 'answering', signal: stop.signal });
  async function* answer() {
    yield 1;
    await new Promise(() => undefined);
  }
  void answering.requests.answerInParts('ask.dying', answer, { atMost: 1, signal: stop.signal });
  const parts = asking.requests.askInParts('ask.dying', null, stop.signal);
  await expect.poll(() => parts.next().catch(() => null), { timeout: 5_000 }).toMatchObject({ value: 1 });
  // as a process that is killed: nothing is said any more
  void answering[Symbol.asyncDispose]();
  await expect(parts.next()).rejects.toMatchObject({ code: 'BUS_UNAVAILABLE' });
  stop.abort();
}, 20_000);
