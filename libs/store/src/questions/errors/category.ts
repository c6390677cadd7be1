import type { ErrorRule } from '@meadow/contract';

/**
 * SQL of the category that rules give a row with `exception_type`, `message` and `name`, with its parameters.
 * @param of what stands before these columns, e.g. `g.`
 */
export function categoryOf(
  rules: readonly ErrorRule[],
  of: string,
): { readonly sql: string; readonly params: Readonly<Record<string, string>> } {
  const params: Record<string, string> = {};
  const cases = rules.map(({ category, exception, message, name }, index) => {
    const holds = Object.entries({ exception_type: exception, message, name }).flatMap(([column, pattern]) => {
      if (pattern === '') return [];
      const param = `rule${index}_${column}`;
      params[param] = expressionOf(pattern);
      return [`match(${of}${column}, {${param}:String})`];
    });
    return `${holds.length === 0 ? 'true' : holds.join(' AND ')}, '${category}'`;
  });
  return { sql: cases.length === 0 ? "'other'" : `multiIf(${cases.join(', ')}, 'other')`, params };
}

/** A pattern of a rule as a regular expression of RE2, which takes linear time whatever it is. */
function expressionOf(pattern: string): string {
  const names = pattern.split('|').map((name) => name.replaceAll(/[\\^$.[\]{}()+?]/g, '\\$&').replaceAll('*', '.*'));
  return `(?is)^(?:${names.join('|')})$`;
}
