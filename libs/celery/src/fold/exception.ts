import type { TaskEvent } from '../event.ts';

/** Longest class name looked for. */
const HEAD = 300;

/** What a failed or retried event says went wrong. */
export interface Failure {
  readonly exception: string | null;
  /** Class name without its module, null when neither the repr nor the traceback shows one. */
  readonly exceptionType: string | null;
  readonly traceback: string | null;
}

export const noFailure: Failure = { exception: null, exceptionType: null, traceback: null };

/**
 * Reads the failure out of an event. Hard time limits and lost workers are reported as `ExceptionWithTraceback()`, the
 * name of billiard's wrapper: the traceback's last line tells what it wrapped.
 */
export function failureOf(fact: Pick<TaskEvent, 'exception' | 'traceback'>): Failure {
  const traceback = fact.traceback ?? null;
  const wrapped = fact.exception?.startsWith('ExceptionWithTraceback(') === true;
  const summary = traceback === null ? null : lastErrorLine(traceback);
  const exception = wrapped && summary !== null ? summary.line : (fact.exception ?? null);
  const named = wrapped || exception === null ? null : exceptionClass(exception);
  return { exception, exceptionType: named ?? summary?.type ?? null, traceback };
}

/** Class name at the head of an exception's repr: `ValueError('x')`, `pkg.Fault(1)`, `<Fault 1: 'x'>`. */
export function exceptionClass(repr: string): string | null {
  const match = /^(?:<(?:class ')?)?([\p{L}_][\p{L}\p{N}_.]*)(?:\(|[\s'>:]|$)/u.exec(repr.slice(0, HEAD));
  return match?.[1] === undefined ? null : unqualified(match[1]);
}

/** The line that names the error. A message may have several lines, so the last line need not be it. */
function lastErrorLine(traceback: string): { line: string; type: string | null } | null {
  const lines = traceback.slice(-8192).trimEnd().split('\n');
  for (let i = lines.length - 1; i >= 0; i -= 1) {
    const line = lines[i] ?? '';
    const match = /^([\p{L}_][\p{L}\p{N}_.]*)(?::(?:\s|$)|$)/u.exec(line.slice(0, HEAD));
    if (match?.[1] !== undefined) return { line, type: unqualified(match[1]) };
    if (/^\s{2}File "|^Traceback \(/.test(line)) break;
  }
  const last = lines.at(-1) ?? '';
  return last === '' ? null : { line: last, type: null };
}

/** A class name without its module. */
export function unqualified(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}
