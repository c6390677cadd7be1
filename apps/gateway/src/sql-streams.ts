import { sqlExportInput, sqlRunInput, type SqlExportFormat, type SqlProblemCode } from '@meadow/api';
import type { Requester } from '@meadow/contract';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { prettifyError } from 'zod';
import { csvLine, type Cell } from './csv.ts';
import { toProblem, type SqlCaller, type StoreSql } from './sql.ts';

/** A caller that reads nothing for so long is cut off: others may wait for its place. */
const LONGEST_PAUSE_MS = 60_000;

const TYPES: Readonly<Record<SqlExportFormat, string>> = {
  csv: 'text/csv; charset=utf-8; header=present',
  json: 'application/json; charset=utf-8',
  ndjson: 'application/x-ndjson; charset=utf-8',
  parquet: 'application/vnd.apache.parquet',
};

const STATUS: Partial<Record<SqlProblemCode, number>> = {
  SQL_BUSY: 429,
  SQL_UNAVAILABLE: 503,
  SQL_TOO_LONG: 504,
};

/**
 * `POST /sql/run` answers a statement line by line; `/sql/export` gives its whole result as a file, as it is read. An export that
 * ends too early is a broken connection and never a whole file.
 */
export function serveSql(
  app: FastifyInstance,
  sql: StoreSql,
  requesterOf: (request: FastifyRequest) => Requester,
): void {
  // what a caller may read is not limited to clusters before there are roles
  const callerOf = (request: FastifyRequest): SqlCaller => ({ requester: requesterOf(request), clusters: null });

  app.post('/sql/run', { compress: false }, (request, reply) => {
    const input = sqlRunInput.safeParse(request.body);
    if (!input.success) return told(reply, 400, prettifyError(input.error));
    const lines = sql.run(input.data, callerOf(request), goneWith(reply));
    return reply
      .type('application/x-ndjson; charset=utf-8')
      .header('x-accel-buffering', 'no')
      .send(Readable.from(lines, { objectMode: false, highWaterMark: 65_536 }));
  });

  const exported = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    // a link of another site would make ClickHouse work
    if (request.headers['sec-fetch-site'] === 'cross-site') return told(reply, 403, 'open this from the SQL page');
    const input = sqlExportInput.safeParse(exportIn(request));
    if (!input.success) return told(reply, 400, prettifyError(input.error));
    const { format } = input.data;
    const signal = goneWith(reply);
    const caller = callerOf(request);
    const chunks =
      format === 'parquet'
        ? sql.exportParquet(input.data, caller, signal)
        : WRITERS[format](sql.exportRows(input.data, caller, signal));
    let first: IteratorResult<string | Buffer, unknown>;
    try {
      first = await chunks.next();
    } catch (error) {
      const { code, message } = toProblem(error);
      return told(reply, STATUS[code] ?? 400, `${code}: ${message}`);
    }
    const body = Readable.from(following(first, chunks), { objectMode: false, highWaterMark: 65_536 });
    const name = `meadow-sql-${new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}.${format}`;
    return reply.type(TYPES[format]).header('content-disposition', `attachment; filename="${name}"`).send(body);
  };
  app.get('/sql/export', { compress: false, exposeHeadRoute: false }, exported);
  app.post('/sql/export', { compress: false }, exported);
}

/** Aborted when nobody waits for the answer any more. */
function goneWith({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  raw.setTimeout(LONGEST_PAUSE_MS, () => raw.destroy());
  raw.once('close', () => gone.abort());
  return gone.signal;
}

/** A GET has everything in its address, values of parameters as `param_<name>`; a POST has its format there. */
function exportIn({ method, query, body }: FastifyRequest): unknown {
  const { format, statement, ...rest } = query as Readonly<Record<string, string>>;
  if (method === 'POST') return typeof body === 'object' && body !== null ? { ...body, format } : body;
  const parameters = Object.entries(rest).map(([name, value]) => [name.replace(/^param_/, ''), value]);
  return { statement, format, parameters: Object.fromEntries(parameters) as unknown };
}

const told = (reply: FastifyReply, status: number, says: string): FastifyReply =>
  reply.code(status).type('text/plain; charset=utf-8').send(`${says}\n`);

type Rows = AsyncIterable<readonly { readonly text: string }[]>;

const WRITERS: Readonly<Record<Exclude<SqlExportFormat, 'parquet'>, (rows: Rows) => AsyncGenerator<string>>> = {
  async *csv(chunks) {
    let line = 0;
    let numeric: readonly boolean[] = [];
    for await (const rows of chunks) {
      let text = '';
      for (const row of rows) {
        const values = JSON.parse(row.text) as readonly unknown[];
        line += 1;
        if (line === 2) numeric = values.map((type) => NUMERIC.test(String(type)));
        else text += csvLine(values.map((value, column) => cellOf(value, numeric[column] ?? false)));
      }
      yield text;
    }
  },
  async *json(chunks) {
    let before = '[\n';
    for await (const rows of chunks) {
      let text = '';
      for (const row of rows) {
        text += before + row.text;
        before = ',\n';
      }
      yield text;
    }
    yield before === '[\n' ? '[]\n' : '\n]\n';
  },
  async *ndjson(chunks) {
    for await (const rows of chunks) yield rows.map(({ text }) => `${text}\n`).join('');
  },
};

const NUMERIC = /^(?:Nullable\(|LowCardinality\()*(?:U?Int\d|Decimal)/;

function cellOf(value: unknown, numeric: boolean): Cell {
  switch (typeof value) {
    case 'string':
      // a number below zero is no formula
      return numeric && /^-?[\d.]+$/.test(value) ? { digits: value } : value;
    case 'number':
      return value;
    case 'boolean':
      return String(value);
    default:
      return value === null ? null : JSON.stringify(value);
  }
}

async function* following<T>(first: IteratorResult<T, unknown>, chunks: AsyncGenerator<T, unknown>): AsyncGenerator<T> {
  try {
    for (let next = first; next.done !== true; next = await chunks.next()) yield next.value;
  } finally {
    await chunks.return(undefined);
  }
}
