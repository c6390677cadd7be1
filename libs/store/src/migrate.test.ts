import { expect, test } from 'vitest';
import { statementsOf } from './migrate.ts';

test('a migration is cut at the semicolons that end lines, comments aside', () => {
  const text = "-- it's; a\nCREATE TABLE a (b String DEFAULT ';' COMMENT 'x;y');\n\n  -- more;\nSELECT 1\n;\n";
  expect(statementsOf(text)).toEqual(["CREATE TABLE a (b String DEFAULT ';' COMMENT 'x;y')", 'SELECT 1']);
});
