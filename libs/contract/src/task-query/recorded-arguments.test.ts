import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { keywordPattern, positionalPattern } from './argument.ts';
import type { ArgumentPattern, TextValue } from './query.ts';

/** What Celery's own `saferepr` wrote, beside the value as JSON. */
const vectors = readFileSync(new URL('../../../../vectors/saferepr/saferepr.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as { text: string; json: string | null; cut: boolean });

const MOST_INDEX = 20;

function finds({ source, ignoreCase, needles }: ArgumentPattern, text: string): boolean {
  const found = new RegExp(source, ignoreCase ? 'i' : '').test(text);
  // the store looks for the needles first
  if (found && needles.length > 0) expect(needles.some((needle) => text.includes(needle))).toBe(true);
  return found;
}

/** A value as a person would write it in a query; null for what is written in several ways. */
function asked(value: unknown): TextValue | null {
  if (typeof value === 'string') return { how: 'exact', value };
  if (typeof value === 'boolean' || value === null) return { how: 'exact', value: String(value) };
  return null;
}

test('arguments that Celery wrote are found where they are, and nowhere else', () => {
  const counts = { found: 0, elsewhere: 0 };
  for (const { text, json, cut } of vectors) {
    // Celery does not escape a backslash, so that `\'` may close a string or stand in it
    if (json === null || cut || json.includes('\\\\')) continue;
    const value = JSON.parse(json) as unknown;
    if (!Array.isArray(value)) continue;
    const items = value.slice(0, MOST_INDEX + 1) as unknown[];
    for (const [index, item] of items.entries()) {
      const wanted = asked(item);
      if (wanted === null) continue;
      expect(finds(positionalPattern(index, wanted), text), `${index} in ${text}`).toBe(true);
      counts.found += 1;
      for (const [other, another] of items.entries()) {
        if (typeof another === 'object' || String(another) === wanted.value) continue;
        expect(finds(positionalPattern(other, wanted), text), `not ${other} in ${text}`).toBe(false);
        counts.elsewhere += 1;
      }
    }
  }
  expect(counts.found).toBeGreaterThan(70);
  expect(counts.elsewhere).toBeGreaterThan(70);
});

/** Every dictionary within, at whatever depth. */
function* dictionaries(value: unknown): Generator<Readonly<Record<string, unknown>>> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield value as Readonly<Record<string, unknown>>;
  for (const item of Object.values(value)) yield* dictionaries(item);
}

test('keyword arguments that Celery wrote are found by their keys', () => {
  let found = 0;
  for (const { text, json, cut } of vectors) {
    // beyond some levels Celery writes dots
    if (json === null || cut || text.includes('...')) continue;
    for (const dictionary of dictionaries(JSON.parse(json))) {
      for (const [key, item] of Object.entries(dictionary)) {
        const wanted = asked(item);
        if (wanted === null || /['\\]/.test(key)) continue;
        expect(finds(keywordPattern(key, wanted), text), `${key} in ${text}`).toBe(true);
        expect(finds(keywordPattern(`${key}x`, wanted), text), `${key}x in ${text}`).toBe(false);
        found += 1;
      }
    }
  }
  expect(found).toBeGreaterThan(10);
});
