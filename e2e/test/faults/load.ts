import { removeFolder, startChild, tempFolder } from '@meadow/testkit';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readLedger } from './ledger.ts';
import type { SentEvent } from './traffic.ts';

export interface Target {
  readonly name: string;
  readonly broker: string;
}

/** Celery clusters that send at a steady rate, in a process of their own, until `end`. */
export interface Load extends AsyncDisposable {
  /** Lets the tasks under way end; what each cluster sent, in order. */
  end(): Promise<ReadonlyMap<string, readonly SentEvent[]>>;
}

/** @param eventsPerSecond of each cluster */
export async function startLoad(targets: readonly Target[], eventsPerSecond: number): Promise<Load> {
  const folder = tempFolder('ledger');
  const child = await startChild({
    name: 'event generator',
    command: process.execPath,
    args: [
      fileURLToPath(new URL('generator.ts', import.meta.url)),
      folder,
      String(eventsPerSecond),
      JSON.stringify(targets),
    ],
    ready: ({ log }) => log().includes('sending'),
  });
  return {
    async end() {
      await child.stop();
      if (!child.log().endsWith('all told\n'))
        throw new Error(`the event generator did not end in order:\n${child.log()}`);
      return new Map(targets.map(({ name }) => [name, readLedger(join(folder, `${name}.tsv`))]));
    },
    async [Symbol.asyncDispose]() {
      await child.kill9();
      await removeFolder(folder);
    },
  };
}
