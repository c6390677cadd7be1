import { mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const live = new Set<string>();

/** A new folder that is removed when this process ends, or earlier by `removeFolder`. */
export function tempFolder(name: string): string {
  const path = mkdtempSync(join(tmpdir(), `meadow-${name}-`));
  if (live.size === 0) process.once('exit', removeAll);
  live.add(path);
  return path;
}

export async function removeFolder(path: string): Promise<void> {
  // A killed Erlang node's helper may still write for a moment, hence the retries.
  await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

function removeAll(): void {
  for (const path of live) rmSync(path, { recursive: true, force: true });
}
