import { CeleryDecodeError } from './errors.ts';
import type { JsonObject, JsonValue } from './json.ts';
import { MAX_DEPTH, MAX_INT_DIGITS } from './limits.ts';

/**
 * Reads a whole text of Python's JSON, slowly and exactly. Recursion is bounded by {@link MAX_DEPTH}.
 * @throws CeleryDecodeError `CELERY_JSON_INVALID` with the UTF-16 offset, or `CELERY_TOO_DEEP`
 */
export function readJson(text: string): JsonValue {
  const reader = new JsonReader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

const numberPattern = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;

const words: readonly (readonly [string, JsonValue])[] = [
  ['null', null],
  ['true', true],
  ['false', false],
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
];

class JsonReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): JsonValue {
    this.#skipSpace();
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth + 1);
      case '[':
        return this.#array(depth + 1);
      case '"':
        return this.#string();
      default:
        return this.#wordOrNumber();
    }
  }

  end(): void {
    this.#skipSpace();
    if (this.#at < this.#text.length) this.#fail('text after the value');
  }

  #object(depth: number): JsonObject {
    this.#open(depth);
    const object: JsonObject = {};
    if (this.#closes('}')) return object;
    for (;;) {
      this.#skipSpace();
      if (this.#text[this.#at] !== '"') this.#fail('expected a key');
      const key = this.#string();
      this.#skipSpace();
      if (this.#text[this.#at] !== ':') this.#fail('expected a colon');
      this.#at++;
      const value = this.value(depth);
      // Assigning to `__proto__` would change the prototype instead of adding a key.
      if (key === '__proto__')
        Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
      else object[key] = value;
      if (this.#closes('}')) return object;
      this.#comma();
    }
  }

  #array(depth: number): JsonValue[] {
    this.#open(depth);
    const array: JsonValue[] = [];
    if (this.#closes(']')) return array;
    for (;;) {
      array.push(this.value(depth));
      if (this.#closes(']')) return array;
      this.#comma();
    }
  }

  #open(depth: number): void {
    if (depth > MAX_DEPTH) {
      throw new CeleryDecodeError('CELERY_TOO_DEEP', `json nested deeper than ${MAX_DEPTH}`, { limit: MAX_DEPTH });
    }
    this.#at++;
  }

  #closes(bracket: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== bracket) return false;
    this.#at++;
    return true;
  }

  #comma(): void {
    if (this.#text[this.#at] !== ',') this.#fail('expected a comma or a closing bracket');
    this.#at++;
  }

  /** Finds the closing quote, then lets the engine read what is between. */
  #string(): string {
    const start = this.#at;
    for (let at = start + 1; at < this.#text.length; at++) {
      const unit = this.#text.charCodeAt(at);
      if (unit === 0x5c) at++;
      else if (unit === 0x22) {
        try {
          const value = JSON.parse(this.#text.slice(start, at + 1)) as string;
          this.#at = at + 1;
          return value;
        } catch {
          return this.#fail('bad escape or control character in a string');
        }
      }
    }
    return this.#fail('string without an end');
  }

  #wordOrNumber(): JsonValue {
    for (const [word, value] of words) {
      if (!this.#text.startsWith(word, this.#at)) continue;
      this.#at += word.length;
      return value;
    }
    return this.#number();
  }

  #number(): number | bigint {
    numberPattern.lastIndex = this.#at;
    const match = numberPattern.exec(this.#text);
    if (match === null) return this.#fail('expected a value');
    const [digits, fraction, exponent] = match;
    this.#at += digits.length;
    const value = Number(digits);
    if (fraction !== undefined || exponent !== undefined || Number.isSafeInteger(value)) return value;
    if (digits.length > MAX_INT_DIGITS) return this.#fail(`integer of more than ${MAX_INT_DIGITS} digits`);
    return BigInt(digits);
  }

  #skipSpace(): void {
    for (;;) {
      const unit = this.#text.charCodeAt(this.#at);
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return;
      this.#at++;
    }
  }

  #fail(reason: string): never {
    throw new CeleryDecodeError('CELERY_JSON_INVALID', `not json: ${reason} at ${this.#at}`, { offset: this.#at });
  }
}
