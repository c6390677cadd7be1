import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Another process uses the directory; two engines on one path corrupt it. */
export class DataDirLockedError extends Error {
  override readonly name = 'DataDirLockedError';
  readonly code = 'DATA_DIR_LOCKED';
  readonly dataDir: string;
  readonly pid: number;

  constructor(dataDir: string, pid: number) {
    super(`data directory ${dataDir} is in use by process ${pid}`);
    this.dataDir = dataDir;
    this.pid = pid;
  }
}

interface Owner {
  readonly pid: number;
  /** When the process started, so that another one with the same pid is not taken for it; '' where it is not known. */
  readonly started: string;
}

/**
 * Creates `dataDir` if need be and holds it until disposed. A lock whose process is gone is taken over.
 * @throws DataDirLockedError
 */
export async function lockDataDir(dataDir: string): Promise<AsyncDisposable> {
  await mkdir(dataDir, { recursive: true });
  const path = join(dataDir, 'lock');
  const own: Owner = { pid: process.pid, started: await startOf(process.pid) };
  const draft = join(dataDir, `lock.${randomUUID()}`);
  await writeFile(draft, JSON.stringify(own));
  try {
    for (;;) {
      // a link appears whole or not at all, and only if there is none yet
      const taken = await link(draft, path).then(
        () => true,
        (error: NodeJS.ErrnoException) => {
          if (error.code === 'EEXIST') return false;
          throw error;
        },
      );
      if (taken) return { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
      await removeStale(path, dataDir);
    }
  } finally {
    await rm(draft, { force: true });
  }
}

async function removeStale(path: string, dataDir: string): Promise<void> {
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text === null) return;
  const owner = parseOwner(text);
  if (owner !== null && (await isAlive(owner))) throw new DataDirLockedError(dataDir, owner.pid);
  // a rival may have replaced the stale lock meanwhile: look at what was moved away, and put a live one back
  const aside = `${path}.${randomUUID()}`;
  await rename(path, aside).catch(() => undefined);
  const moved = await readFile(aside, 'utf8').catch(() => text);
  if (moved !== text) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

function parseOwner(text: string): Owner | null {
  try {
    const { pid, started } = JSON.parse(text) as Partial<Owner>;
    return typeof pid === 'number' && typeof started === 'string' ? { pid, started } : null;
  } catch {
    return null;
  }
}

async function isAlive({ pid, started }: Owner): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const now = await startOf(pid);
  return now === '' || now === started;
}

/** Boot and clock ticks since then at which the process started, where /proc tells. */
async function startOf(pid: number): Promise<string> {
  try {
    const [boot, stat] = await Promise.all([
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
      readFile(`/proc/${pid}/stat`, 'utf8'),
    ]);
    // the 22nd field; the second one is the name in parentheses and may hold anything
    return `${boot.trim()}:${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''}`;
  } catch {
    return '';
  }
}
