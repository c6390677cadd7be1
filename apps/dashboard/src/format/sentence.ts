/** Words of a server as a sentence: with a full stop, unless they end like one. */
export function asSentence(text: string): string {
  const words = text.trim();
  return words === '' || /[.?!…]$/.test(words) ? words : `${words}.`;
}
