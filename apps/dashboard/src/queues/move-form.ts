/** The server takes no more. */
const MOST = 10_000_000;

/** How many messages were asked to be moved: null for all, undefined for what is no such number. */
export function readLimit(text: string): number | null | undefined {
  const typed = text.trim().replaceAll(',', '');
  if (typed === '') return null;
  const count = Number(typed);
  return Number.isInteger(count) && count >= 1 && count <= MOST ? count : undefined;
}
