import { MAX_DEPTH } from './limits.ts';

/**
 * True when nesting passes {@link MAX_DEPTH}. Counting the openings with the engine's own search settles nearly every
 * text; only one with more openings than the bound is walked. `from` is as for {@link holdsLongInteger}.
 */
export function isTooDeep(text: string, from: number): boolean {
  if (text.length - from < MAX_DEPTH) return false;
  let openings = from === 0 ? 0 : 1;
  for (const opening of ['[', '{']) {
    for (let at = text.indexOf(opening, from); at !== -1; at = text.indexOf(opening, at + 1)) {
      if (++openings > MAX_DEPTH) return walksTooDeep(text);
    }
  }
  return false;
}

function walksTooDeep(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case quote:
        at = endOfString(text, at);
        break;
      case 0x5b:
      case 0x7b:
        if (++depth > MAX_DEPTH) return true;
        break;
      case 0x5d:
      case 0x7d:
        depth--;
        break;
    }
  }
  return false;
}

/** Digits of the shortest integer that a double may not hold. */
const longDigits = 16;

/**
 * True when a number outside strings has 16 digits in a row that are not a fraction: it may be an integer that
 * `JSON.parse` would round. Looks at every 16th character only, since no such run fits between two looks.
 * @param from offset outside any string before which there is no such number
 */
export function holdsLongInteger(text: string, from: number): boolean {
  let walked = from;
  for (let at = from + longDigits - 1; at < text.length; at += longDigits) {
    if (!isDigit(text.charCodeAt(at))) continue;
    // Whatever way the run lies around `at`, it reaches 8 to one side: settles most looks that hit a digit by chance.
    if (!isDigit(text.charCodeAt(at - 8)) && !isDigit(text.charCodeAt(at + 8))) continue;
    let start = at;
    while (isDigit(text.charCodeAt(start - 1))) start--;
    let end = at + 1;
    while (isDigit(text.charCodeAt(end))) end++;
    if (end - start < longDigits) continue;
    if (text.charCodeAt(start - 1) !== point) {
      walked = pastStrings(text, walked, start);
      if (walked <= start) return true;
    }
    at = end - 1;
  }
  return false;
}

/** Skips whole strings from `from`, which is outside any; the result is beyond `target` when `target` is inside one. */
function pastStrings(text: string, from: number, target: number): number {
  let at = from;
  while (at <= target) {
    const opening = text.indexOf('"', at);
    if (opening === -1 || opening > target) return at;
    at = endOfString(text, opening) + 1;
  }
  return at;
}

const quote = 0x22;
const point = 0x2e;

function isDigit(unit: number): boolean {
  return unit >= 0x30 && unit <= 0x39;
}

/** Index of the quote that closes the string opened at `start`, or the text's length. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === 0x5c) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}
