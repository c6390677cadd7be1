import { freePort, startChild } from '@meadow/testkit';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

/** Connections that fill the queue of a listener that accepts nothing; its bound is 1, the kernel rounds up. */
const FILLERS = 8;

/** A way to a server that can be made to swallow packets, as a firewall that drops does. */
export interface BlackHole extends AsyncDisposable {
  readonly port: number;
  /**
   * From now on what is sent into an open connection is never answered, and the first packet of a new one is dropped:
   * nothing is refused and nothing is closed.
   */
  swallow(): Promise<void>;
  /** Packets pass again, those held back included. */
  pass(): Promise<void>;
}

export async function openBlackHole(targetPort: number): Promise<BlackHole> {
  const port = await freePort();
  const proxy = await startChild({
    name: 'black hole',
    command: process.execPath,
    args: [fileURLToPath(new URL('black-hole-proxy.ts', import.meta.url)), String(port), String(targetPort)],
    ready: ({ log }) => log().includes('passing'),
  });
  let fillers: Socket[] = [];
  const letGo = (): void => {
    for (const filler of fillers) filler.destroy();
    fillers = [];
  };
  return {
    port,
    async swallow() {
      // a stopped process accepts nothing: once the queue before it is full, the kernel drops every further SYN
      process.kill(proxy.pid, 'SIGSTOP');
      fillers = Array.from({ length: FILLERS }, () => connect(port, '127.0.0.1').on('error', () => undefined));
      await dropped(port);
    },
    async pass() {
      letGo();
      process.kill(proxy.pid, 'SIGCONT');
    },
    async [Symbol.asyncDispose]() {
      letGo();
      await proxy.kill9();
    },
  };
}

/** Makes sure that a connection is neither accepted nor refused. */
async function dropped(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  const outcome = await new Promise<string>((resolve) => {
    socket.once('connect', () => resolve('accepted')).once('error', (error) => resolve(error.message));
    setTimeout(() => resolve('nothing'), 500);
  });
  socket.destroy();
  if (outcome !== 'nothing') throw new Error(`a black hole should swallow packets, but: ${outcome}`);
}
