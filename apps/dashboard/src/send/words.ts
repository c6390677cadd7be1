import type { TaskDraft } from '@meadow/contract';
import type { Fault } from '../api/fault.ts';
import { faultWords } from '../control/tell.ts';
import { asSentence } from '../format/sentence.ts';

const ORIGINS: Readonly<Record<string, string>> = {
  message: 'its message, which is with the broker',
  worker: 'the worker that has it',
  result: 'the result backend',
  events: 'its events',
};

/** Where the parts of a draft were read, for people. */
export function origins(from: TaskDraft['from']): readonly (readonly [string, string])[] {
  const named = (origin: string | null): string =>
    origin === null ? 'not known: it has none' : (ORIGINS[origin] ?? origin);
  return [
    ['Name', named(from.name)],
    ['Arguments', named(from.arguments)],
    ['Queue', named(from.route)],
    ['Options', named(from.options)],
  ];
}

/** Warnings, that it runs again first. */
export function inOrder(warnings: TaskDraft['warnings']): TaskDraft['warnings'] {
  return [...warnings].sort((a, b) => Number(b.code === 'RUNS_AGAIN') - Number(a.code === 'RUNS_AGAIN'));
}

/** A sentence of what begins in lower case, as errors do. */
export function sentence(text: string): string {
  const words = asSentence(text);
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Why a task was not sent, or is not known to have been. */
export function whyNotSent(fault: Fault): string {
  return sentence(faultWords(fault));
}
