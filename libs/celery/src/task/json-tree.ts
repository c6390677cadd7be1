import { CeleryDecodeError } from '../errors.ts';
import { parsePythonJson } from '../json.ts';

/**
 * JSON with its numbers as they are written: to Python 1.0 is no 1, and neither is 1e400 the largest double. `text` is a
 * number, `NaN`, `Infinity`, `-Infinity`, a word, or a string with its quotes, escaped in one way only.
 */
export type JsonTree =
  | { readonly kind: 'scalar'; readonly text: string }
  | { readonly kind: 'array'; readonly items: readonly JsonTree[] }
  | { readonly kind: 'object'; readonly members: ReadonlyMap<string, JsonTree> };

/**
 * Reads Python's JSON, every digit kept. An object that has a key twice is refused: readers differ in which one counts.
 * @throws CeleryDecodeError as `parsePythonJson`
 */
export function parseJsonTree(text: string): JsonTree {
  // decides what is JSON, within all bounds; what follows may then take it as such
  parsePythonJson(text);
  return new TreeReader(text).value();
}

/** JSON without spaces. A string that is not well-formed Unicode keeps its halves, as escapes. */
export function writeJsonTree(tree: JsonTree): string {
  switch (tree.kind) {
    case 'scalar':
      return tree.text;
    case 'array':
      return `[${tree.items.map(writeJsonTree).join(',')}]`;
    case 'object': {
      const members = Array.from(tree.members, ([key, value]) => `${JSON.stringify(key)}:${writeJsonTree(value)}`);
      return `{${members.join(',')}}`;
    }
    default:
      return tree satisfies never;
  }
}

/** Levels of arrays and objects; 0 of a scalar. */
export function depthOf(tree: JsonTree): number {
  if (tree.kind === 'scalar') return 0;
  let deepest = 0;
  for (const child of tree.kind === 'array' ? tree.items : tree.members.values()) {
    deepest = Math.max(deepest, depthOf(child));
  }
  return deepest + 1;
}

/** The string that a scalar is, or null. */
export function stringIn(tree: JsonTree | undefined): string | null {
  return tree?.kind === 'scalar' && tree.text.startsWith('"') ? (JSON.parse(tree.text) as string) : null;
}

const END_OF_WORD = /[\s,\]}]|$/g;

/** Reads a text that is known to be JSON. */
class TreeReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): JsonTree {
    switch (this.#next()) {
      case '[':
        return { kind: 'array', items: this.#items() };
      case '{':
        return { kind: 'object', members: this.#members() };
      case '"':
        return { kind: 'scalar', text: JSON.stringify(this.#string()) };
      default:
        return { kind: 'scalar', text: this.#word() };
    }
  }

  #items(): JsonTree[] {
    const items: JsonTree[] = [];
    this.#at++;
    while (this.#next() !== ']') {
      if (this.#next() === ',') this.#at++;
      items.push(this.value());
    }
    this.#at++;
    return items;
  }

  #members(): Map<string, JsonTree> {
    const members = new Map<string, JsonTree>();
    this.#at++;
    while (this.#next() !== '}') {
      if (this.#next() === ',') this.#at++;
      this.#next();
      const offset = this.#at;
      const key = this.#string();
      if (members.has(key)) {
        throw new CeleryDecodeError('CELERY_JSON_INVALID', `an object has a key twice at ${offset}`, { offset });
      }
      this.#next();
      this.#at++;
      members.set(key, this.value());
    }
    this.#at++;
    return members;
  }

  #string(): string {
    const start = this.#at;
    let end = start + 1;
    while (this.#text[end] !== '"') end += this.#text[end] === '\\' ? 2 : 1;
    this.#at = end + 1;
    return JSON.parse(this.#text.slice(start, this.#at)) as string;
  }

  #word(): string {
    const start = this.#at;
    END_OF_WORD.lastIndex = start;
    this.#at = END_OF_WORD.exec(this.#text)?.index ?? this.#text.length;
    return this.#text.slice(start, this.#at);
  }

  /** The next character that is no space. */
  #next(): string | undefined {
    while (this.#text.charCodeAt(this.#at) <= 0x20) this.#at++;
    return this.#text[this.#at];
  }
}
