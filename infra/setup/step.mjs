import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { delimiter, join } from 'node:path';

/** The folder of the repository. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Node in the version this repository pins, once the npm packages are there. */
export const PINNED_NODE = join(ROOT, 'node_modules', '.bin', 'node');

/** What everything after the installation runs in: the pinned tools first, nothing that asks, phones home or stays behind. */
export const TOOL_ENV = {
  ...process.env,
  PATH: `${join(ROOT, 'node_modules', '.bin')}${delimiter}${process.env.PATH ?? ''}`,
  NX_DAEMON: 'false',
  NX_NO_CLOUD: 'true',
  NX_TUI: 'false',
};

/** Something a person has to mend; the message tells what and how. */
export class SetupError extends Error {}

const TICK_MS = 10_000;
const TAIL_CHARS = 6_000;

/**
 * Runs one long step: says what it does, says every ten seconds that it still does, and how long it took. Its output is
 * shown only when it fails.
 * @returns {Promise<{ok: boolean, output: string, seconds: number}>}
 */
export async function runStep(title, command, args, { env = TOOL_ENV, cwd = ROOT, show = false } = {}) {
  const startedAt = Date.now();
  const seconds = () => Math.round((Date.now() - startedAt) / 1000);
  console.log(`meadow: ${title} …`);
  const tick = setInterval(() => console.log(`meadow: ${title} … ${seconds()} s`), TICK_MS);
  let output = '';
  const ok = await new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env,
      stdio: ['ignore', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'],
    });
    const keep = (chunk) => (output = (output + chunk).slice(-200_000));
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    child.once('error', (error) => resolve((keep(error.message), false)));
    child.once('close', (code) => resolve(code === 0));
  });
  clearInterval(tick);
  console.log(`meadow: ${title}: ${ok ? 'done' : 'FAILED'} after ${seconds()} s`);
  if (!ok && output !== '') console.log(output.slice(-TAIL_CHARS));
  return { ok, output, seconds: seconds() };
}
