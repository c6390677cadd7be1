import { join } from 'node:path';
import { PINNED_NODE, ROOT, runStep, TOOL_ENV } from './step.mjs';

/**
 * The fault tests alone, which `npm test` runs too. `--long` takes outages as long as the promises say instead of half a
 * minute; other arguments are names of files in `e2e/test/faults`.
 * @param {string[]} args
 * @returns {Promise<number>} exit code
 */
export async function runFaults(args) {
  const long = args.includes('--long');
  const names = args.filter((arg) => arg !== '--long').map((name) => `test/faults/${name}`);
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  const { ok } = await runStep(
    `fault tests${long ? ', at full length' : ''}`,
    PINNED_NODE,
    [vitest, 'run', '--root', 'e2e', ...(names.length === 0 ? ['test/faults'] : names)],
    { show: true, env: { ...TOOL_ENV, MEADOW_FAULTS_LONG: long ? '1' : '' } },
  );
  return ok ? 0 : 1;
}
