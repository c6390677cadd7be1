import type { NumberField, TaskField, TextField } from './fields.ts';

/** A query taken apart: every term has to hold. Without terms it lets every task through. */
export interface TaskQuery {
  readonly terms: readonly TaskTerm[];
}

/** One condition, and where it stands in the text: UTF-16 units. */
export type TaskTerm = TermMeaning & {
  /** It must not hold. */
  readonly not: boolean;
  readonly position: number;
  readonly length: number;
};

export type TermMeaning =
  /** In name, id, args, kwargs, result or exception, ignoring case. */
  | { readonly kind: 'free'; readonly text: string }
  /** One of the values fits. Of `exception`, `contains` is about its text and the others about its class. */
  | { readonly kind: 'text'; readonly field: TextField; readonly values: readonly TextValue[] }
  /** In one of the spans; what is not known is in none. */
  | { readonly kind: 'number'; readonly field: NumberField; readonly spans: readonly NumberSpan[] }
  /** It is known: a text that is not empty, a number that is not null. */
  | { readonly kind: 'has'; readonly field: TaskField }
  | {
      readonly kind: 'argument';
      readonly of: 'args' | 'kwargs';
      readonly key: string;
      readonly patterns: readonly ArgumentPattern[];
    };

/** `glob`: `*` stands for any text. `contains` ignores case. */
export interface TextValue {
  readonly how: 'exact' | 'glob' | 'contains';
  readonly value: string;
}

/** Seconds for durations, Unix seconds for times; null for no bound. */
export interface NumberSpan {
  readonly min: number | null;
  readonly minIncluded: boolean;
  readonly max: number | null;
  readonly maxIncluded: boolean;
}

/** How one argument is found in the Python repr of all: a regular expression that RE2 and JavaScript read alike. */
export interface ArgumentPattern {
  readonly source: string;
  readonly ignoreCase: boolean;
  /** A text that holds the argument has one of these in it, in this case; none where that cannot be told. */
  readonly needles: readonly string[];
}
