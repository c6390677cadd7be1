import { stringIn, type JsonTree } from './json-tree.ts';

/** Celery's `argsrepr_maxsize` and `kwargsrepr_maxsize`: characters. */
const MOST_CHARACTERS = 1024;
/** Containers within one another that are written out. */
const MOST_LEVELS = 3;

/**
 * What Celery's `saferepr` writes of a value, cut where it cuts: for people, and for the events of workers, which pass it
 * on. @param outermost `tuple` for positional arguments, which JSON has as an array
 */
export function safeRepr(tree: JsonTree, outermost: 'value' | 'tuple' = 'value'): string {
  return new Repr().of(tree, outermost === 'tuple');
}

/** Writes until there is no room: then `, ...` and the brackets that are still to be closed. */
class Repr {
  #written = '';
  #room = MOST_CHARACTERS;
  readonly #closers: string[] = [];

  of(tree: JsonTree, isTuple: boolean): string {
    return this.#value(tree, 0, isTuple) ? this.#written : `${this.#written}, ...${this.#closers.reverse().join('')}`;
  }

  /** False once something did not fit. */
  #value(tree: JsonTree, level: number, isTuple = false): boolean {
    if (tree.kind === 'scalar') {
      const text = stringIn(tree);
      return text === null ? this.#token(() => truncated(wordOf(tree.text), this.#room)) : this.#quoted(text);
    }
    const [open, close] = bracketsOf(tree, isTuple);
    if (level === MOST_LEVELS) return this.#token(() => truncated(`${open}...${close}`, this.#room));
    // Celery drops the bracket that comes when there is no room, and keeps the other of the pair
    this.#closers.push(close);
    if (!this.#token(() => open)) return false;
    if (!(tree.kind === 'array' ? this.#items(tree.items, level) : this.#members(tree.members, level))) return false;
    this.#closers.pop();
    return this.#token(() => close);
  }

  #items(items: readonly JsonTree[], level: number): boolean {
    return items.every((item, index) => (index === 0 || this.#token(() => ', ')) && this.#value(item, level + 1));
  }

  #members(members: ReadonlyMap<string, JsonTree>, level: number): boolean {
    let isFirst = true;
    for (const [key, value] of members) {
      if (!isFirst && !this.#token(() => ', ')) return false;
      isFirst = false;
      if (!this.#quoted(key) || !this.#token(() => ': ') || !this.#value(value, level + 1)) return false;
    }
    return true;
  }

  /** Of all characters only `'` is escaped. */
  #quoted(text: string): boolean {
    return this.#token(() => `'${truncated(text, this.#room).replaceAll("'", "\\'")}'`);
  }

  #token(make: () => string): boolean {
    if (this.#room <= 0) return false;
    const token = make();
    this.#written += token;
    this.#room -= lengthOf(token);
    return true;
  }
}

function bracketsOf(tree: Exclude<JsonTree, { kind: 'scalar' }>, isTuple: boolean): readonly [string, string] {
  if (tree.kind === 'object') return ['{', '}'];
  if (!isTuple) return ['[', ']'];
  return ['(', tree.items.length === 1 ? ',)' : ')'];
}

/** As Python counts: a character beyond the first 65,536 is one. */
function lengthOf(text: string): number {
  const pairs = text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0;
  return text.length - pairs;
}

/** Celery's `truncate`: back to the last space, however far that is, and dots. */
function truncated(text: string, room: number): string {
  if (text.length < room) return text;
  const start = Array.from(text.slice(0, 2 * room)).slice(0, room);
  if (start.length < room) return text;
  const kept = start.join('');
  const space = kept.lastIndexOf(' ');
  return `${space === -1 ? kept : kept.slice(0, space)}...`;
}

const WORDS: ReadonlyMap<string, string> = new Map([
  ['null', 'None'],
  ['true', 'True'],
  ['false', 'False'],
  ['NaN', 'nan'],
  ['Infinity', 'inf'],
  ['-Infinity', '-inf'],
  ['-0', '0'],
]);

function wordOf(json: string): string {
  return WORDS.get(json) ?? (/^-?\d+$/.test(json) ? json : floatRepr(Number(json)));
}

/** Python's repr of a float: the shortest digits that give it back, an exponent below 1e-4 and from 1e16 on. */
function floatRepr(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  const [digits = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power < -4 || power >= 16) {
    return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
  }
  const text = Object.is(value, -0) ? '-0' : String(value);
  return text.includes('.') ? text : `${text}.0`;
}
