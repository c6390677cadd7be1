import { expect, test } from 'vitest';
import { jsonFault, laidOut } from './json-text.ts';

test('JSON is laid out in lines where one is too long, and its numbers stay as they are written', () => {
  expect(laidOut('{"a":[1.0,1e400,12345678901234567890],"b":{}}')).toBe(
    '{"a": [1.0, 1e400, 12345678901234567890], "b": {}}',
  );
  const long = 'x'.repeat(70);
  expect(laidOut(`[1,{"a":"${long}","b":[]}]`)).toBe(`[\n  1,\n  {\n    "a": "${long}",\n    "b": []\n  }\n]`);
  expect(laidOut('[1,')).toBe('[1,');
});

test('what is no JSON is told with the place', () => {
  expect(jsonFault('[1, 2]')).toBeNull();
  expect(jsonFault('[1,\n  tru]')).toMatchObject({ at: { line: 2, column: 3, offset: 6 } });
  expect(jsonFault('{"a":1,"a":2}')).toMatchObject({ says: 'an object has a key twice', at: { line: 1, column: 8 } });
  expect(jsonFault('')).toMatchObject({ at: { line: 1, column: 1 } });
});
