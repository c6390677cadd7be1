import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PINNED_NODE, ROOT, runStep } from './step.mjs';

/** What is checked before anything runs. Each that fails counts as one failed test. */
const CHECKS = [
  ['format (prettier)', 'prettier/bin/prettier.cjs', ['--check', '--log-level', 'warn', '.']],
  [
    'lint and types of every project',
    'nx/dist/bin/nx.js',
    ['run-many', '-t', 'lint', 'typecheck', '--parallel=2', '--outputStyle=stream'],
  ],
  ['lint of what belongs to no project', 'eslint/bin/eslint.js', ['infra', 'eslint.config.js', 'vitest.config.ts']],
  ['types of infra', 'typescript/bin/tsc', ['-b', 'infra']],
  ['unused files, exports and dependencies (knip)', 'knip/bin/knip.js', []],
];

/**
 * Format, lint, types, unused code, then every project's tests, the whole system's last. The last line is
 * `N passed, N failed, N skipped` over all of it.
 * @param {string[]} only names of projects; none: everything
 * @returns {Promise<number>} exit code: 0 when nothing failed
 */
export async function runTests(only) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  const failures = [];
  if (only.length === 0) {
    for (const [title, tool, args] of CHECKS) {
      const { ok } = await runStep(title, PINNED_NODE, [join(ROOT, 'node_modules', tool), ...args]);
      if (ok) continue;
      total.failed++;
      failures.push(title);
    }
  }
  const reports = mkdtempSync(join(tmpdir(), 'meadow-test-'));
  for (const project of projects().filter((path) => only.length === 0 || only.includes(path.split('/').at(-1)))) {
    const report = join(reports, `${project.replace('/', '-')}.json`);
    const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
    const args = ['run', '--root', project, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const { ok } = await runStep(`tests of ${project}`, PINNED_NODE, [vitest, ...args], { show: true });
    const counts = count(report, ok);
    for (const key of Object.keys(total)) total[key] += counts[key];
    if (counts.failed > 0) failures.push(`tests of ${project}`);
  }
  rmSync(reports, { recursive: true, force: true });
  if (failures.length > 0) console.log(`\nfailed:\n${failures.map((what) => `  ${what}`).join('\n')}`);
  console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  return total.failed === 0 ? 0 : 1;
}

/** Folders with tests, libraries before what is made of them, the whole system last. */
function projects() {
  const within = (folder) =>
    readdirSync(join(ROOT, folder))
      .sort()
      .map((name) => `${folder}/${name}`);
  return [...within('libs'), ...within('apps'), 'infra', 'bench', 'e2e'].filter(
    (path) => existsSync(join(ROOT, path)) && hasTests(join(ROOT, path)),
  );
}

function hasTests(path) {
  return readdirSync(path, { withFileTypes: true }).some((entry) => {
    if (!entry.isDirectory()) return /\.test\.(ts|js|mjs)$/.test(entry.name);
    return !['node_modules', 'dist', 'data'].includes(entry.name) && hasTests(join(path, entry.name));
  });
}

/** Reads vitest's report. A file that could not be run holds no test, and an error outside of tests is in none: both count. */
function count(report, ok) {
  let result;
  try {
    result = JSON.parse(readFileSync(report, 'utf8'));
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const broken = result.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  );
  const failed = result.numFailedTests + broken.length;
  return {
    passed: result.numPassedTests,
    failed: failed === 0 && !ok ? 1 : failed,
    skipped: result.numPendingTests + (result.numTodoTests ?? 0),
  };
}
