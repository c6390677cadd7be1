import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { findBinary, startChild, type Launch } from './child.ts';
import { removeFolder, tempFolder } from './temp-folder.ts';

/** A file system of a few megabytes for a server's data, which tests can fill up and make room on. Linux only. */
export interface SmallDisk extends AsyncDisposable {
  readonly folder: string;
  /** Makes a process see the disk: elsewhere the folder is empty. */
  inside(launch: Launch): Launch;
  /** Takes all of the free space. */
  fill(): void;
  /** Gives back what `fill` took. */
  free(): void;
}

/**
 * Null where this user may not mount: neither root nor allowed to make user namespaces. It lives in a mount namespace of
 * its own, so that nothing stays mounted whatever happens to the test.
 */
export async function openSmallDisk(megabytes: number): Promise<SmallDisk | null> {
  const unshare = findBinary('unshare');
  const nsenter = findBinary('nsenter');
  if (unshare === null || nsenter === null) return null;
  const root = process.getuid?.() === 0;
  const folder = tempFolder('disk');
  const mount = `mount -t tmpfs -o size=${megabytes}m tmpfs "${folder}" && echo mounted && exec sleep infinity`;
  const holder = await startChild({
    name: 'small disk',
    command: unshare,
    args: [...(root ? [] : ['--user', '--map-root-user']), '--mount', 'sh', '-c', mount],
    ready: ({ log }) => log().includes('mounted'),
    deadlineMs: 5_000,
  }).catch(() => null);
  if (holder === null) {
    await removeFolder(folder);
    return null;
  }
  const enter = ['--target', String(holder.pid), '--mount', ...(root ? [] : ['--user', '--preserve-credentials'])];
  const outside = `/proc/${holder.pid}/root${folder}`;
  const filler = `${outside}/filler`;
  return {
    folder,
    inside: (launch) => ({ ...launch, command: nsenter, args: [...enter, launch.command, ...launch.args] }),
    fill() {
      const { bavail, bsize } = statfsSync(outside);
      try {
        writeFileSync(filler, Buffer.alloc(bavail * bsize, 1));
      } catch (error) {
        // others write meanwhile: full is what was wanted
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    },
    free: () => rmSync(filler, { force: true }),
    async [Symbol.asyncDispose]() {
      await holder.kill9();
      await removeFolder(folder);
    },
  };
}

/** The launch as it is, or made to see the disk. */
export function onDisk(disk: SmallDisk | undefined, launch: Launch): Launch {
  return disk === undefined ? launch : disk.inside(launch);
}
