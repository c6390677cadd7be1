import { freePort, tempFolder } from '@meadow/testkit';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { roomProbe, tcpProbe } from './probe.ts';

const PING = { say: 'ping', pong: /^pong 1 /m };

async function ask(answer: (socket: Socket) => void): Promise<string | null> {
  const port = await freePort();
  const server = createServer((socket) => void socket.once('data', () => answer(socket)));
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  try {
    return await tcpProbe({ host: '127.0.0.1', port }, PING)(AbortSignal.timeout(300));
  } finally {
    server.close();
  }
}

test('an answer counts when its text fits, whatever comes before it', async () => {
  expect(await ask((socket) => socket.end('hello\npong 1 2\n'))).toBeNull();
  expect(await ask((socket) => socket.end('pong 2 1\n'))).toContain('no answer');
});

test('silence and a connection that is closed without an answer are no answer', async () => {
  expect(await ask(() => undefined)).toContain('no answer');
  const began = performance.now();
  expect(await ask((socket) => socket.destroy())).toContain('no answer');
  expect(performance.now() - began).toBeLessThan(250);
});

test('room on a disk is told in megabytes', async () => {
  const folder = tempFolder('probe');
  const { signal } = new AbortController();
  expect(await roomProbe(folder, 0)(signal)).toBeNull();
  expect(await roomProbe(folder, 1e12)(signal)).toMatch(/has \d+ MB free, 1000000000000 are needed/);
  expect(await roomProbe(join(folder, 'none'), 0)(signal)).toContain('cannot be looked at');
});
