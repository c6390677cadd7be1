import { unqualified, type Failure } from '../fold/exception.ts';
import { raisedIn, type Call, type Raised } from './calls.ts';
import { messageOf, normalisedMessage } from './message.ts';

/** By what a failure is grouped with others. */
export interface FailureIdentity {
  /** 64 bits as 16 hex digits. */
  readonly fingerprint: string;
  /** Where to look first, `module.function`; the task's name where no call of the user's own code is known. '' = neither is. */
  readonly culprit: string;
}

/** The innermost calls tell failures apart; more would do so by who called. */
const CALLS = 8;

/**
 * Which group a failure belongs to: that of its exception's class and of the calls in the user's own code, without files' leading
 * folders and without line numbers. Of a chain the exception that was raised last decides, and of a retry the one that it is
 * asked for. Where no call of the user's own is told, calls in libraries count and the task's name with them; where none is told
 * at all, the message without what differs each time.
 */
export function identityOf(failure: Failure, taskName: string | null): FailureIdentity {
  const raised = failure.traceback === null ? null : decisive(raisedIn(failure.traceback), failure.exceptionType);
  const type = failure.exceptionType ?? unqualified(raised?.type ?? '');
  const calls = raised?.calls ?? [];
  const own = calls.filter((call) => !call.library).slice(-CALLS);
  const culprit = own.at(-1);
  const members = raised?.members ?? [];
  if (culprit !== undefined) {
    return { fingerprint: hash64(['own', type, ...members, ...own.map(textOf)]), culprit: textOf(culprit) };
  }
  const name = taskName ?? '';
  const told = calls.length > 0 ? calls.slice(-CALLS).map(textOf) : [said(failure, type)];
  return { fingerprint: hash64(['task', type, name, ...members, ...told]), culprit: name };
}

/** The group of tasks that were given up for lost. @param reason why */
export function lostIdentity(reason: string): FailureIdentity {
  return { fingerprint: hash64(['lost', reason]), culprit: '' };
}

/** A failure's class and its message without what differs each time, on one line. '' when neither is known. */
export function failureTitle(exceptionType: string, exception: string): string {
  const message = normalisedMessage(messageOf(exception, exceptionType));
  if (exceptionType === '' || message === '') return exceptionType + message;
  return `${exceptionType}: ${message}`;
}

const said = ({ exception }: Failure, type: string): string => normalisedMessage(messageOf(exception ?? '', type));

const textOf = ({ module, name }: Call): string => `${module}.${name}`;

/** The exception raised last; but `Retry` says only that another one is why. */
function decisive(raised: readonly Raised[], exceptionType: string | null): Raised | null {
  const last = raised.at(-1) ?? null;
  const before = raised.at(-2);
  if (last?.type !== 'celery.exceptions.Retry' || before === undefined) return last;
  return unqualified(before.type) === exceptionType ? before : last;
}

/** Two 32-bit lanes over UTF-16 units, folded into each other. Not cryptographic. A change of it would split every group. */
function hash64(parts: readonly string[]): string {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (const part of parts) {
    for (let at = 0; at <= part.length; at++) {
      // the length at the end keeps ['ab', 'c'] and ['a', 'bc'] apart
      const unit = at === part.length ? at | 0x10000 : part.charCodeAt(at);
      high = Math.imul(high ^ unit, 0x9e3779b1);
      low = Math.imul(low ^ unit, 0x5f356495);
      high = (high << 13) | (high >>> 19);
      low = (low << 17) | (low >>> 15);
    }
  }
  high = mixed(high ^ (low >>> 5));
  low = mixed(low ^ high);
  return hex32(mixed(high ^ low)) + hex32(low);
}

function mixed(value: number): number {
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

const hex32 = (value: number): string => value.toString(16).padStart(8, '0');
