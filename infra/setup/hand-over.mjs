import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PINNED_NODE, ROOT, TOOL_ENV } from './step.mjs';

/**
 * Runs a script with the pinned Node and this process' terminal until it ends. Signals that only reach this process are
 * passed on; Ctrl-C reaches both by itself. Should this process be killed, the script learns of it by
 * `MEADOW_LAUNCHER_PID`; should npm above it be killed, this process notices and stops the script.
 * @returns {Promise<number>} its exit code
 */
export function handOver(script, args) {
  return new Promise((resolve) => {
    const child = spawn(PINNED_NODE, [join(ROOT, script), ...args], {
      stdio: 'inherit',
      env: { ...TOOL_ENV, MEADOW_LAUNCHER_PID: String(process.pid) },
    });
    process.on('SIGINT', () => undefined);
    for (const name of ['SIGTERM', 'SIGHUP']) process.on(name, () => child.kill(name));
    const above = ancestors();
    const watch = setInterval(() => {
      if (ancestors() === above) return;
      clearInterval(watch);
      child.kill('SIGTERM');
    }, 500);
    child.once('error', (error) => {
      console.error(error.message);
      resolve(1);
    });
    child.once('exit', (code, signal) => {
      clearInterval(watch);
      resolve(signal === null ? (code ?? 1) : 1);
    });
  });
}

/** The parent and, under npm, what is above the shell that npm puts in between. A death shows as a change. */
function ancestors() {
  if (process.env.npm_lifecycle_event === undefined) return String(process.ppid);
  try {
    const stat = readFileSync(`/proc/${process.ppid}/stat`, 'utf8');
    // pid (name, which may hold anything) state ppid …
    return `${process.ppid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]}`;
  } catch {
    return String(process.ppid);
  }
}
