/** Longest message that is looked at, and longest that comes of it. UTF-16 units. */
const LOOKED_AT = 2_000;
const LONGEST = 200;

/**
 * A message without what differs from one failure to the next: quoted values become `'…'`, addresses of the network `…`;
 * numbers, ids, uuids and addresses in memory `#`.
 */
export function normalisedMessage(message: string): string {
  const text = message
    .slice(0, LOOKED_AT)
    .replaceAll(QUOTED, "'…'")
    .replaceAll(URL_OR_MAIL, '…')
    .replaceAll(ID, '#')
    .replaceAll(NUMBER, '#')
    .replaceAll(/\s+/g, ' ')
    .trim();
  return text.length > LONGEST ? `${text.slice(0, LONGEST).toWellFormed()}…` : text;
}

/** An apostrophe within a word opens no quotation. What is quoted may be cut at the end. */
const QUOTED =
  /(?<![\p{L}\p{N}])(?:[bBrRuUfF]{1,2})?(?:'(?:[^'\\]|\\.){0,500}(?:'(?![\p{L}\p{N}])|$)|"(?:[^"\\]|\\.){0,500}(?:"|$)|`[^`]{0,500}(?:`|$))/gsu;
const URL_OR_MAIL = /\b[a-z][a-z0-9+.-]{0,20}:\/\/[^\s'",;)>\]]+|[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}/gi;
/** Uuids, hexadecimal numbers, and words of eight and more characters with a digit in them. */
const ID = /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b0x[0-9a-f]+\b|\b(?=[A-Za-z_]{0,64}\d)\w{8,}\b/gi;
/** Also times, versions and addresses: numbers joined by what joins their parts. */
const NUMBER = /(?<![\p{L}_])[+-]?\d+(?:[.:,/_-]\d+)*(?:[eE][+-]?\d+)?|\d+/gu;

/**
 * What an exception says, out of its repr or of the last line of its traceback: `ValueError('no stock')` and
 * `ValueError: no stock` both say `no stock`.
 * @param type the class, without its module
 */
export function messageOf(exception: string, type: string | null): string {
  if (type === null || type === '') return exception;
  const at = exception.indexOf(type);
  // only what names the class stands before: its module, or the bracket of `<Fault 1: 'x'>`
  if (at < 0 || !/^<?(?:[\p{L}_][\p{L}\p{N}_.]*\.)?$/u.test(exception.slice(0, at))) return exception;
  const rest = exception.slice(at + type.length);
  if (rest.startsWith(': ') || rest === '' || rest === ':') return rest.slice(2).trim();
  if (!rest.startsWith('(')) return exception;
  const inner = rest.endsWith(')') ? rest.slice(1, -1) : rest.slice(1);
  // what a KeyError holds is a key and no sentence: it stays a quoted value
  return type === 'KeyError' ? inner : unquoted(inner.replace(/,$/, ''));
}

/** The text of a Python string literal that is all there is; anything else stays as it is. */
function unquoted(repr: string): string {
  const quote = repr[0];
  if (quote !== "'" && quote !== '"') return repr;
  const literal = quote === "'" ? /^'(?:[^'\\]|\\.)*'?$/s : /^"(?:[^"\\]|\\.)*"?$/s;
  if (!literal.test(repr)) return repr;
  const inner = repr.length > 1 && repr.endsWith(quote) ? repr.slice(1, -1) : repr.slice(1);
  return inner.replaceAll(/\\([\\'"nt])/g, (_, escaped: string) => ESCAPED[escaped] ?? escaped);
}

const ESCAPED: Readonly<Record<string, string>> = { n: ' ', t: ' ' };
