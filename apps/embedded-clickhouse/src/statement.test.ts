import { describe, expect, it } from 'vitest';
import { readStatement, sealBlankLines } from './statement.ts';

const outline = (sql: string) => {
  const statement = readStatement(sql);
  return { kind: statement.kind, format: statement.format };
};
const rowsOf = (sql: string): string => {
  const statement = readStatement(sql);
  return statement.kind === 'insert' ? sql.slice(statement.dataAt) : 'not an insert';
};

describe('the outline of a statement', () => {
  it.each([
    ['SELECT 1', 'select', null],
    ['/* FORMAT XML */ select 1 -- ; x\n format JSON ; -- end', 'select', 'JSON'],
    ['WITH 1 AS x SELECT x FORMAT CSV SETTINGS max_threads = 1', 'select', 'CSV'],
    ["SELECT 'a;b' AS `f;`, $$ ; FORMAT X $$ FORMAT TSV", 'select', 'TSV'],
    ["SELECT 'it\\'s; ''FORMAT Y'", 'select', null],
    ['SELECT format, x FROM format WHERE format = 1', 'select', null],
    ['(SELECT 1 FORMAT JSON) UNION ALL (SELECT 2)', 'select', null],
    ['show tables', 'read', null],
    ['EXPLAIN AST SELECT 1', 'read', null],
    ['CREATE TABLE t (a UInt8) ENGINE = Memory;', 'write', null],
    ['INSERT INTO t SELECT 1', 'write', null],
    ['INSERT INTO t (a) FORMAT CSV', 'insert', 'CSV'],
    ['insert into db.format (format, `values`) values (1)', 'insert', 'Values'],
    ["INSERT INTO FUNCTION file('x', 'CSV') VALUES (1)", 'insert', 'Values'],
  ])('%s', (sql, kind, format) => {
    expect(outline(sql)).toEqual({ kind, format });
  });

  it('ends a statement before its semicolon', () => {
    expect(readStatement('SELECT 1 ; -- done').sql).toBe('SELECT 1 ');
  });

  it.each(['SELECT 1; SELECT 2', 'CREATE TABLE a (x UInt8); DROP TABLE b', 'INSERT INTO t SELECT 1; DROP TABLE b'])(
    'refuses several: %s',
    (sql) => {
      expect(() => readStatement(sql)).toThrow('multi-statements');
    },
  );

  it.each([
    "SELECT 1 INTO OUTFILE '/x'",
    "INSERT INTO t FROM INFILE '/x' FORMAT CSV",
    "INSERT INTO t SELECT a FROM input('a UInt8')",
    '',
    '  -- x',
  ])('refuses %j', (sql) => {
    expect(() => readStatement(sql)).toThrow();
  });
});

describe('the rows of an INSERT', () => {
  it.each([
    ['INSERT INTO t FORMAT CSV\n\n1', '\n1'],
    ['INSERT INTO t FORMAT CSV 1', '1'],
    ['INSERT INTO t FORMAT CSV;\r\n1', '1'],
    ["INSERT INTO t VALUES ('; DROP', $$)", " ('; DROP', $$)"],
    ['INSERT INTO t FORMAT JSONEachRow{"a":1}', '{"a":1}'],
  ])('%j', (sql, rows) => {
    expect(rowsOf(sql)).toBe(rows);
  });

  it('come in place of the FROM INFILE clause, which stands before SETTINGS', () => {
    const sql = 'INSERT INTO t (a) SETTINGS x = 1 FORMAT CSV';
    expect(readStatement(sql)).toMatchObject({ infileAt: sql.indexOf('SETTINGS') });
  });
});

describe('rows that the engine must not see inline', () => {
  it.each([
    ['EXPLAIN AST INSERT INTO y FORMAT CSV\n1\n\nDROP TABLE y', 'EXPLAIN AST INSERT INTO y FORMAT CSV'],
    ['EXPLAIN AST /* */ INSERT /* */ INTO y VALUES (1); DROP TABLE y', 'EXPLAIN AST /* */ INSERT /* */ INTO y VALUES'],
    ['WITH 1 AS x INSERT INTO y VALUES (1)', 'WITH 1 AS x INSERT INTO y VALUES'],
    ["EXPLAIN AST INSERT INTO “'” FORMAT CSV\n1 --'", "EXPLAIN AST INSERT INTO “'” FORMAT CSV"],
    ['EXPLAIN AST INSERT INTO x$$ FORMAT CSV\n1 $$', 'EXPLAIN AST INSERT INTO x$$ FORMAT CSV'],
  ])('are cut off another statement: %j', (sql, expected) => {
    expect(readStatement(sql).sql).toBe(expected);
    const latin1 = Buffer.from(sql).toString('latin1');
    expect(Buffer.from(readStatement(latin1).sql, 'latin1').toString()).toBe(expected);
  });

  it('cannot begin at an empty line of a statement with INSERT', () => {
    expect(sealBlankLines('INSERT INTO t SELECT\n\n\n1')).toBe('INSERT INTO t SELECT\n \n \n1');
    expect(sealBlankLines("SELECT 'a\n\nb'")).toBe("SELECT 'a\n\nb'");
    expect(() => sealBlankLines("INSERT INTO t SELECT 'a\n\nb'")).toThrow('empty line');
  });
});
