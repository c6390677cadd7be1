import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createClient } from '@clickhouse/client';

const MAIN = new URL('../src/main.ts', import.meta.url).pathname;

export interface ServerProcess extends AsyncDisposable {
  readonly url: string;
  readonly child: ChildProcess;
  readonly client: ReturnType<typeof createClient>;
  /** Sends the signal and resolves to the exit code when the process has ended. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** Runs the server on a free port and resolves when it listens; rejects with its output when it ends instead. */
export async function startServer(dataDir: string, ...args: readonly string[]): Promise<ServerProcess> {
  const child = spawn(process.execPath, [MAIN, '--data', dataDir, '--port', '0', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output: string[] = [];
  const exited = once(child, 'exit');
  const { promise: url, resolve } = Promise.withResolvers<string>();
  child.stderr.on('data', (bytes: Buffer) => output.push(bytes.toString()));
  createInterface(child.stdout).on('line', (line) => {
    output.push(line);
    const message = JSON.parse(line) as { event?: string; url?: string };
    if (message.event === 'listening') resolve(message.url!);
  });
  const found = await Promise.race([url, exited.then(() => null)]);
  if (found === null) throw new Error(output.join('\n'));
  const client = createClient({ url: found });
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await exited;
    return child.exitCode;
  };
  return {
    url: found,
    child,
    client,
    end,
    [Symbol.asyncDispose]: async () => {
      await client.close();
      await end('SIGKILL');
    },
  };
}

/** A directory of its own under the system's temporary one. */
export async function temporaryDir(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'embedded-clickhouse-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Waits until `condition` holds. */
export async function until(what: string, condition: () => Promise<boolean>, deadlineMs = 15_000): Promise<void> {
  const end = Date.now() + deadlineMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
