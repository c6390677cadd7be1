import { expect, it } from 'vitest';
import { parseException } from './exception.ts';

it.each([
  ['Code: 60. DB::Exception: Table t does not exist. (UNKNOWN_TABLE)', 60, 'UNKNOWN_TABLE', 'Table t does not exist'],
  [
    'Query failed: Code: 108. DB::Exception: Code: 108. DB::Exception: No data. (NO_DATA_TO_INSERT) (version 26.7.2.1). (NO_DATA_TO_INSERT)',
    108,
    'NO_DATA_TO_INSERT',
    'No data',
  ],
  ['something else went wrong', 1002, 'UNKNOWN_EXCEPTION', 'something else went wrong'],
])('reads %s', (message, code, type, text) => {
  expect(parseException(message)).toMatchObject({ code, type, message: text });
});

it('hides what a client would take for the type', () => {
  const text = parseException('Code: 62. DB::Exception: failed at position 1 (SELEC): x. (SYNTAX_ERROR)').wireText(
    '26.7',
  );
  expect(text).toBe("Code: 62. DB::Exception: failed at position 1 ('SELEC'): x. (SYNTAX_ERROR) (version 26.7)\n");
});
