import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compileServices } from './compile.ts';

test('services are compiled and none of them runs; one that cannot be compiled holds up nothing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'meadow-compile-'));
  try {
    const service = join(folder, 'service.ts');
    const runtime = JSON.stringify(join(import.meta.dirname, 'index.ts'));
    const ran = JSON.stringify(join(folder, 'ran'));
    writeFileSync(
      service,
      `import { writeFileSync } from 'node:fs';
       import { z } from '${import.meta.resolve('zod')}';
       import { runService } from ${runtime};
       await runService('it', z.object({}), async () => writeFileSync(${ran}, ''));`,
    );
    const broken = join(folder, 'broken.ts');
    writeFileSync(broken, 'this is no TypeScript');
    const cache = join(folder, 'cache');
    await compileServices([[service], [broken], [join(folder, 'absent.ts')]], cache);
    expect(readdirSync(folder).toSorted()).toEqual(['broken.ts', 'cache', 'service.ts']);
    const [version] = readdirSync(cache);
    expect(readdirSync(join(cache, version ?? '')).length).toBeGreaterThan(10);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
