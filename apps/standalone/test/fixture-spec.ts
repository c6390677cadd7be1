import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessSpec } from '../src/supervisor/process.ts';

/** What the fixtures of a test did, oldest first: `name started pid`. */
export function readTrace(trace: string): string[] {
  try {
    return readFileSync(trace, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}

/** A fixture process that is ready once it has written to the trace. */
export function fixture(
  trace: string,
  name: string,
  behaviour: 'serve' | 'deaf' | 'die' | 'family',
  more: Partial<ProcessSpec> = {},
): ProcessSpec {
  const args = [join(import.meta.dirname, 'fixture.ts'), trace, name, behaviour];
  const ready = async (): Promise<string | null> =>
    readTrace(trace).some((line) => line.startsWith(`${name} started`)) ? null : 'nothing in the trace';
  return { name, command: process.execPath, args, ready, ...more };
}
