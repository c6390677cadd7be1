/**
 * A JSON line, newline included. Any text of it may quote a lone surrogate or be cut within a character, which the store's
 * UTF-8 cannot hold: such places become U+FFFD.
 */
export function jsonLine(record: object): string {
  return `${JSON.stringify(record, (_, value: unknown) => (typeof value === 'string' ? value.toWellFormed() : value))}\n`;
}
