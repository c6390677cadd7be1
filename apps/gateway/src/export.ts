import { ApiError } from '@meadow/api';
import { TRPCError } from '@trpc/server';
import { getHTTPStatusCodeFromError } from '@trpc/server/http';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { Readable } from 'node:stream';
import { csvLine, type Cell } from './csv.ts';

/** Exports of a kind at a time: each holds a page of rows or two, which may be some 20 MB. */
const AT_A_TIME = 4;
/** A caller that reads nothing for so long is cut off: others may wait for its place. */
const LONGEST_PAUSE_MS = 60_000;

/** What is given as a file, as `/export/<name>.csv` and `/export/<name>.ndjson`. */
export interface Export<Row extends object> {
  readonly name: string;
  /** Of a line of CSV, in order. */
  readonly columns: readonly (keyof Row & string)[];
  readonly cell: (row: Row, column: keyof Row & string) => Cell;
  /** Reads the address; what it throws as an ApiError, and what it gives as `refused`, is told to the caller. */
  readonly ask: (
    query: Readonly<Record<string, string | string[]>>,
    signal: AbortSignal,
  ) => { readonly refused: string } | Asked<Row>;
}

interface Asked<Row> {
  readonly cluster: string | undefined;
  /** Ends with an ApiError when a page is not there in time. */
  readonly pages: AsyncIterator<readonly Row[], unknown>;
}

interface Form<Row> {
  readonly type: string;
  readonly head: string;
  readonly write: (row: Row) => string;
}

/**
 * Serves all rows that are asked for, page by page as the caller reads. An export that ends too early, as when the store is
 * lost half way, is a broken connection and never a whole file.
 * @param now Unix seconds
 */
export function serveExport<Row extends object>(
  app: FastifyInstance,
  { name, columns, cell, ask }: Export<Row>,
  now: () => number,
): void {
  let running = 0;
  const forms: Readonly<Record<string, Form<Row>>> = {
    csv: {
      type: 'text/csv; charset=utf-8; header=present',
      head: csvLine(columns),
      write: (row) => csvLine(columns.map((column) => cell(row, column))),
    },
    ndjson: {
      type: 'application/x-ndjson; charset=utf-8',
      head: '',
      write: (row) => `${JSON.stringify(row)}\n`,
    },
  };
  for (const [ending, form] of Object.entries(forms)) {
    app.get(`/export/${name}.${ending}`, { compress: false, exposeHeadRoute: false }, async (request, reply) => {
      const gone = new AbortController();
      try {
        const asked = ask(request.query as Readonly<Record<string, string | string[]>>, gone.signal);
        if ('refused' in asked) return told(reply, 400, asked.refused);
        if (running >= AT_A_TIME) {
          return told(reply.header('retry-after', '30'), 429, `${AT_A_TIME} exports run already: try again in a while`);
        }
        if (reply.raw.closed) return reply.hijack();
        running += 1;
        reply.raw.setTimeout(LONGEST_PAUSE_MS, () => reply.raw.destroy());
        reply.raw.once('close', () => {
          running -= 1;
          gone.abort();
        });
        const first = await asked.pages.next();
        const day = new Date(now() * 1000).toISOString().slice(0, 10);
        const file = [`meadow-${name}`, ...(asked.cluster === undefined ? [] : [asked.cluster]), day].join('-');
        const body = Readable.from(textOf(form, first, asked.pages), { objectMode: false, highWaterMark: 65_536 });
        const disposition = `attachment; filename="${file}.${ending}"`;
        return reply.type(form.type).header('content-disposition', disposition).send(body);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        const status = getHTTPStatusCodeFromError(new TRPCError({ code: error.trpcCode }));
        return told(reply, status, `${error.code}: ${error.message}`);
      }
    });
  }
}

/** Numbers of an address, e.g. `from`; what is no number stays as it is, for the schema to refuse. */
export function numbersIn(
  query: Readonly<Record<string, string | string[]>>,
  names: readonly string[],
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(query).map(([name, text]) => [
      name,
      names.includes(name) && typeof text === 'string' && /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : text,
    ]),
  );
}

/** ISO 8601 in UTC, with the microseconds that the store has. @param at Unix seconds */
export function isoTime(at: number): string {
  const micros = Math.round(at * 1e6);
  return `${new Date(Math.floor(micros / 1000)).toISOString().slice(0, -1)}${String(micros % 1000).padStart(3, '0')}Z`;
}

const told = (reply: FastifyReply, status: number, says: string): FastifyReply =>
  reply.code(status).type('text/plain; charset=utf-8').send(`${says}\n`);

async function* textOf<Row>(
  form: Form<Row>,
  first: IteratorResult<readonly Row[], unknown>,
  pages: AsyncIterator<readonly Row[], unknown>,
): AsyncGenerator<string> {
  if (form.head !== '') yield form.head;
  try {
    for (let page = first; page.done !== true; page = await pages.next()) {
      if (page.value.length > 0) yield page.value.map(form.write).join('');
    }
  } finally {
    await pages.return?.();
  }
}
