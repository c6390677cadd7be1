import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { PINNED_NODE, ROOT, runStep, SetupError } from './step.mjs';

const SOURCES = ['apps/dashboard', 'libs/api/src', 'libs/contract/src', 'package-lock.json'];

/** Builds the dashboard when one of its sources is newer than what was built. */
export async function buildDashboard() {
  const built = join(ROOT, 'apps/dashboard/dist/index.html');
  if (existsSync(built)) {
    const builtAt = statSync(built).mtimeMs;
    if (SOURCES.every((source) => newest(join(ROOT, source)) <= builtAt)) return;
  }
  const vite = join(ROOT, 'node_modules/vite/bin/vite.js');
  const { ok } = await runStep('building the dashboard', PINNED_NODE, [vite, 'build', '--logLevel', 'warn'], {
    cwd: join(ROOT, 'apps/dashboard'),
  });
  if (!ok) throw new SetupError('the dashboard could not be built; the lines above tell why');
}

function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return readdirSync(path, { withFileTypes: true })
    .filter(({ name }) => !['dist', 'node_modules', 'test', '.svelte-kit'].includes(name) && !name.includes('.test.'))
    .reduce((latest, { name }) => Math.max(latest, newest(join(path, name))), 0);
}
