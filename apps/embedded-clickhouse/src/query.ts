import type { Body } from './body.ts';
import { quote, type Engine } from './engine.ts';
import { ClickHouseException, exception } from './exception.ts';
import { blockJoiner, outputFormat } from './format.ts';
import type { Job, Summary } from './protocol.ts';
import { setupStatements, type QueryRequest } from './request.ts';
import type { Answer } from './response.ts';
import { readStatement, sealBlankLines, type InsertStatement, type Statement } from './statement.ts';

export interface QueryContext {
  readonly signal: AbortSignal;
  readonly spoolDir: string;
  readonly maxMemoryBytes: number;
  readonly maxQuerySeconds: number;
  readonly maxInsertBytes: number;
  readonly maxWholeResultBytes: number;
  /** Begins the answer of a query whose result format is known. */
  readonly answer: (about: { readonly contentType: string; readonly format: string }) => Answer;
}

const NOTHING: Summary = { rows: 0, resultBytes: 0, elapsedSeconds: 0 };
let lastMark = 0;

/** Runs one request from its body to the end of its answer. @throws ClickHouseException */
export async function runQuery(
  engine: Engine,
  request: QueryRequest,
  body: Body,
  context: QueryContext,
): Promise<void> {
  const statement = await readText(request, body);
  const mark = `query_id=${request.queryId} http=${++lastMark}`;
  if (statement.kind === 'insert') await insert(engine, request, statement, body, mark, context);
  else await select(engine, request, statement, mark, context);
}

/**
 * The rows always go by way of a file: given inline, the engine takes an empty line for their end and runs what
 * follows as SQL.
 */
async function insert(
  engine: Engine,
  request: QueryRequest,
  { sql, infileAt, format }: InsertStatement,
  body: Body,
  mark: string,
  context: QueryContext,
): Promise<void> {
  await using rows = await body.rows(context.spoolDir, context.maxInsertBytes);
  const tail = format === 'Values' ? sql.slice(infileAt).replace(/VALUES$/i, 'FORMAT Values') : sql.slice(infileAt);
  const job: Job = {
    setup: setupStatements(request, limits(context), mark),
    statement: sealBlankLines(`${sql.slice(0, infileAt)} FROM INFILE ${quote(rows.path)} ${tail}`),
    format: 'Null',
    mode: 'whole',
  };
  const running = engine.run(job, { signal: context.signal, mark, killable: false });
  for (;;) {
    const { value, done } = await running.next().catch((error: unknown) => {
      throw withoutFile(error, rows.path);
    });
    if (done !== true) continue;
    const answer = context.answer({ contentType: 'text/plain; charset=UTF-8', format: request.format });
    answer.end({ ...value, written: true });
    return;
  }
}

/** A bad row is reported as on a server, which knows of no file. */
function withoutFile(error: unknown, path: string): unknown {
  if (!(error instanceof ClickHouseException)) return error;
  const text = error.message
    .replaceAll(`: (in file/uri ${path})`, '')
    .replace(': While executing File: data for INSERT was parsed from file', '');
  return new ClickHouseException(error.code, error.type, text, { cause: error });
}

async function select(
  engine: Engine,
  request: QueryRequest,
  statement: Exclude<Statement, InsertStatement>,
  mark: string,
  context: QueryContext,
): Promise<void> {
  const { signal, maxWholeResultBytes } = context;
  const name = statement.format ?? request.format;
  const format = outputFormat(name);
  // with this setting the rows of a block become an array
  const arrays = 'output_format_json_array_of_rows';
  const streams =
    statement.kind === 'select' &&
    format.joining !== 'whole' &&
    !request.settings.has(arrays) &&
    !statement.sql.includes(arrays);
  const bounds = limits(context);
  if (!streams) bounds.set('max_result_bytes', String(maxWholeResultBytes));
  const setup = setupStatements(request, bounds, mark);
  const job: Job = {
    setup,
    statement: sealBlankLines(statement.sql),
    format: name,
    mode: streams ? 'stream' : 'whole',
  };
  const join = blockJoiner(format);
  const answer = context.answer({ contentType: format.contentType, format: name });
  const held: Buffer[] = [];
  let heldBytes = 0;
  const running = engine.run(job, { signal, mark, killable: statement.kind !== 'write' });
  try {
    for (;;) {
      const { value, done } = await running.next();
      if (done === true) {
        for (const block of held) await answer.write(block);
        answer.end({ ...value, written: statement.kind === 'write' });
        return;
      }
      const block = join(value);
      // an empty block has no place in an answer
      if (block.length === 0) continue;
      if (!request.waitEndOfQuery) {
        await answer.write(block);
        continue;
      }
      held.push(block);
      heldBytes += block.length;
      if (heldBytes > maxWholeResultBytes * 4) {
        throw exception(
          396,
          `Limit for the result of a query with wait_end_of_query exceeded, max bytes: ${maxWholeResultBytes * 4}`,
        );
      }
    }
  } finally {
    await running.return(NOTHING);
  }
}

/** Settings that bound a query unless it sets them itself; nothing here but SQL as ClickHouse's server reads it. */
function limits({ maxMemoryBytes, maxQuerySeconds }: QueryContext): Map<string, string> {
  return new Map([
    ['max_memory_usage', String(Math.floor(maxMemoryBytes * 0.75))],
    ['max_execution_time', String(maxQuerySeconds)],
    // chDB takes `1 + 1` for a query, so that a misspelt SELECT is an unknown column instead of a syntax error
    ['implicit_select', '0'],
  ]);
}

/**
 * The statement, from the `query` parameter, the body, or one after the other; the rows of an INSERT stay in the body.
 * Offsets are byte offsets: the text is scanned as Latin-1, for rows need not be text.
 */
async function readText(request: QueryRequest, body: Body): Promise<Statement> {
  const text = Buffer.from(request.text);
  if (insertIn(text) !== null) return separateRows(text, body);
  const rest = await body.text((head) => text.length === 0 && insertIn(head) !== null);
  if (text.length === 0) return separateRows(rest, body);
  return separateRows(rest.length === 0 ? text : Buffer.concat([text, Buffer.from('\n'), rest]), body);
}

/** The INSERT with rows that `bytes` begin with, if they do. */
function insertIn(bytes: Buffer): InsertStatement | null {
  if (bytes.length === 0) return null;
  const statement = readStatement(bytes.toString('latin1'));
  return statement.kind === 'insert' ? statement : null;
}

function separateRows(bytes: Buffer, body: Body): Statement {
  const statement = readStatement(bytes.toString('latin1'));
  const sql = bytes.toString('utf8', 0, statement.sql.length);
  if (statement.kind !== 'insert') return { ...statement, sql };
  body.unread(bytes.subarray(statement.dataAt));
  return { ...statement, sql, infileAt: bytes.toString('utf8', 0, statement.infileAt).length };
}
