const WORDS: Readonly<Record<string, string>> = {
  true: 'True',
  false: 'False',
  null: 'None',
  NaN: 'nan',
  Infinity: 'inf',
};

/** A string, or a word; what lies between is the same in both languages: numbers, brackets, commas. */
const TOKEN = /"[^"\\]*(?:\\[^][^"\\]*)*"|true|false|null|NaN|Infinity/g;

/**
 * The repr that Celery's events would give of a value, from JSON that Python wrote of it: numbers stay as they are written,
 * so that 1.0 is no 1. What JSON does not tell apart stays so: a tuple is a list. Strings are quoted as `saferepr` does it.
 */
export function jsonToRepr(json: string): string {
  return json.replace(TOKEN, (token) =>
    token.startsWith('"') ? `'${(JSON.parse(token) as string).replaceAll("'", "\\'")}'` : (WORDS[token] ?? token),
  );
}

const STRUCTURE = /"[^"\\]*(?:\\[^][^"\\]*)*"|[{}[\],:]/g;

/** The text of a member's value in the JSON object `json`, which must be valid; null when there is none. The last one counts. */
export function rawMember(json: string, name: string): string | null {
  let depth = 0;
  let key: string | null = null;
  let last: string | null = null;
  let start = -1;
  let found: string | null = null;
  for (const match of json.matchAll(STRUCTURE)) {
    const [token] = match;
    if (depth === 1 && start >= 0 && (token === ',' || token === '}')) {
      if (key === name) found = json.slice(start, match.index).trim();
      start = -1;
    }
    if (token === '{' || token === '[') depth += 1;
    else if (token === '}' || token === ']') depth -= 1;
    else if (depth === 1 && token === ':') {
      key = last === null ? null : (JSON.parse(last) as string);
      start = match.index + 1;
    } else if (token.startsWith('"')) last = token;
  }
  return found;
}
