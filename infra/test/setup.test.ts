import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const SETUP = join(ROOT, 'infra', 'setup');

test('with everything installed, setup adds less than a second', () => {
  const begin = performance.now();
  const output = execFileSync(process.execPath, [join(SETUP, 'run.mjs'), 'start', '--help'], { encoding: 'utf8' });
  expect(output).toContain('--broker [NAME=]URL');
  expect(performance.now() - begin).toBeLessThan(3_000);
  const installing = `import('${SETUP}/packages.mjs').then((m) => m.installNpmPackages()).then(() => console.log(performance.now()))`;
  const ms = Number(execFileSync(process.execPath, ['-e', installing], { encoding: 'utf8' }));
  expect(ms).toBeLessThan(1_000);
});

test('an unknown command is answered with those that there are', () => {
  const { status, stderr } = spawnSync(process.execPath, [join(SETUP, 'run.mjs'), 'fly'], { encoding: 'utf8' });
  expect(status).toBe(2);
  for (const command of ['start', 'demo', 'doctor', 'test', 'faults', 'bench', 'fuzz'])
    expect(stderr).toContain(command);
});

test('what is handed over to ends when the launcher is killed without warning', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'meadow-setup-'));
  const script = join(folder, 'script.ts');
  writeFileSync(
    script,
    `import { stopRequests } from '${ROOT}/apps/standalone/src/standalone.ts';
     stopRequests(process.env, (reason) => { console.log(reason); process.exit(0); });
     console.log(process.pid);
     setInterval(() => undefined, 1000);`,
  );
  const handing = `import('${SETUP}/hand-over.mjs').then((m) => m.handOver(process.argv[1], []))`;
  const relative = join('..', ...Array<string>(ROOT.split('/').length).fill('..'), script);
  const launcher = spawn(process.execPath, ['-e', handing, relative], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [first] = (await once(launcher.stdout, 'data')) as [Buffer];
  const pid = Number(first.toString());
  launcher.kill('SIGKILL');
  await vi.waitFor(() => expect(isAlive(pid)).toBe(false), 10_000);
  rmSync(folder, { recursive: true });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
