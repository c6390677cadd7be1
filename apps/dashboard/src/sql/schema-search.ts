import type { SqlTable } from '@meadow/api';

/**
 * Tables in which every word of a text is found, in names and meanings. A table that is itself called so has all its
 * columns; else it has those that are.
 */
export function search(tables: readonly SqlTable[], text: string): readonly SqlTable[] {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  if (words.length === 0) return tables;
  const has = (...texts: readonly string[]): boolean => {
    const whole = texts.join(' ').toLowerCase();
    return words.every((word) => whole.includes(word));
  };
  return tables.flatMap((table) => {
    if (has(table.name)) return [table];
    const columns = table.columns.filter((column) => has(table.name, column.name, column.comment));
    if (columns.length > 0) return [{ ...table, columns }];
    return has(table.name, table.comment) ? [table] : [];
  });
}
