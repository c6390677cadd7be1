import type { ErrorRule } from '@meadow/contract';

/** A rule while it is edited. */
export interface RuleDraft extends ErrorRule {
  /** Stays the same wherever the rule is moved. */
  readonly key: number;
}

export const draftsOf = (rules: readonly ErrorRule[]): RuleDraft[] => rules.map((rule, key) => ({ ...rule, key }));

let keys = 0;

/** One that says nothing yet. */
export function newRule(): RuleDraft {
  keys -= 1;
  return { key: keys, category: 'other', exception: '', message: '', name: '' };
}

/** The rules as they are kept; null while one of them has no pattern. */
export function rulesOf(drafts: readonly RuleDraft[]): ErrorRule[] | null {
  const rules = drafts.map(({ category, exception, message, name }) => ({
    ...{ category, exception: exception.trim(), message: message.trim(), name: name.trim() },
  }));
  return rules.some(({ exception, message, name }) => exception + message + name === '') ? null : rules;
}

export function movedUp(drafts: readonly RuleDraft[], at: number): readonly RuleDraft[] {
  const [moved, before] = [drafts[at], drafts[at - 1]];
  return moved === undefined || before === undefined ? drafts : drafts.with(at - 1, moved).with(at, before);
}
