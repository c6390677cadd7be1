import type { Buffer } from 'node:buffer';

const ZERO = 0x30;
const POINT = 0x2e;
const MINUS = 0x2d;
/** Powers of ten that a double holds exactly. */
const POWERS = Array.from({ length: 23 }, (_, power) => Number(`1e${power}`));
/** Digits of which every integer is exact. */
const SAFE_DIGITS = 15;

/**
 * The double that `JSON.parse` makes of the number at `start` to `end`; NaN when it is none, or an integer that a double
 * may not hold.
 *
 * Exact without the engine's help in two cases: digits that a double holds, divided by a power of ten that it holds, round
 * once. And a Unix time: with a whole part of 31 or 32 bits and up to 9 digits behind the point, the fraction is rounded
 * below 2^-54, while a sum of both that lies between two doubles is at least 2^-44 from their middle, so adding the whole
 * part rounds it as the exact value would be.
 */
export function numberIn(bytes: Buffer, start: number, end: number): number {
  const negative = bytes[start] === MINUS;
  const first = negative ? start + 1 : start;
  let at = first;
  let whole = 0;
  for (let digit = digitAt(bytes, at, end); digit !== -1; digit = digitAt(bytes, ++at, end)) whole = whole * 10 + digit;
  const wholeDigits = at - first;
  if (wholeDigits === 0 || (bytes[first] === ZERO && wholeDigits > 1)) return NaN;
  if (at === end) return wholeDigits > SAFE_DIGITS ? NaN : negative ? -whole : whole;
  if (bytes[at] !== POINT) return anyNumber(bytes, start, end);
  const point = at++;
  let fraction = 0;
  for (let digit = digitAt(bytes, at, end); digit !== -1; digit = digitAt(bytes, ++at, end)) {
    fraction = fraction * 10 + digit;
  }
  const digits = at - point - 1;
  const power = POWERS[digits];
  if (at !== end || digits === 0 || power === undefined) return anyNumber(bytes, start, end);
  let value: number;
  if (wholeDigits + digits <= SAFE_DIGITS) value = (whole * power + fraction) / power;
  else if (digits <= 9 && whole >= 2 ** 30 && whole < 2 ** 32) value = whole + fraction / power;
  else return anyNumber(bytes, start, end);
  return negative ? -value : value;
}

function digitAt(bytes: Buffer, at: number, end: number): number {
  const digit = at < end ? (bytes[at] ?? 0) - ZERO : -1;
  return digit >= 0 && digit <= 9 ? digit : -1;
}

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

function anyNumber(bytes: Buffer, start: number, end: number): number {
  const text = bytes.toString('latin1', start, end);
  return NUMBER.test(text) ? Number(text) : NaN;
}
