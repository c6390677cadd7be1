import { expect, test } from 'vitest';
import { completeTaskQuery } from './complete.ts';

/** What is completed at the `|`. */
function at(marked: string) {
  const caret = marked.indexOf('|');
  const text = marked.replace('|', '');
  const { from, to, options, ...rest } = completeTaskQuery(text, caret);
  return { ...rest, replaced: text.slice(from, to), inserts: options.map(({ insert }) => insert) };
}

test.each([
  ['|', { kind: 'field', typed: '', replaced: '' }],
  ['a |', { kind: 'field', typed: '', replaced: '' }],
  ['st|', { kind: 'field', typed: 'st', replaced: 'st', inserts: ['state:', 'started>', 'cluster:'] }],
  ['x -st|', { kind: 'field', typed: 'st', replaced: 'st' }],
  ['na|me:x', { kind: 'field', typed: 'na', replaced: 'name:', inserts: ['name:'] }],
  ['state:fa|', { kind: 'value', field: 'state', typed: 'fa', replaced: 'fa', inserts: ['FAILURE'] }],
  ['state:SUCCESS,re|,LOST', { kind: 'value', typed: 're', replaced: 're' }],
  ['name:| x', { kind: 'value', field: 'name', typed: '', replaced: '', inserts: [] }],
  ['name:"my t| x', { kind: 'value', field: 'name', typed: 'my t', replaced: '"my t x' }],
  ['received>-|', { kind: 'value', field: 'received', typed: '-', replaced: '-' }],
  ['seen:-7d..y|', { kind: 'value', field: 'seen', typed: 'y', replaced: 'y', inserts: ['yesterday', 'today'] }],
  ['kwargs.cu|', { kind: 'key', typed: 'cu', replaced: 'cu' }],
  ['has:kwargs.cu|', { kind: 'key', typed: 'cu', replaced: 'cu' }],
  ['has:ex|', { kind: 'value', field: 'has', replaced: 'ex', inserts: ['exception', 'exchange'] }],
  ['nope:x|', { kind: 'value', field: 'nope', typed: 'x', inserts: [] }],
  ['"free te|', { kind: 'value', field: '', typed: 'free te', inserts: [] }],
])('%s', (marked, expected) => expect(at(marked)).toMatchObject(expected));

test('states that begin with what is typed come before those that have it within', () => {
  expect(at('state:re|').inserts).toEqual(['RECEIVED', 'RETRY', 'REVOKED', 'REJECTED', 'FAILURE']);
  expect(at('state:E|').inserts[0]).toBe('PENDING');
});
