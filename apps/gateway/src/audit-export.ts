import { ApiError, auditFilter, auditSelection, type AuditSelection } from '@meadow/api';
import { auditRow, type AuditRow } from '@meadow/contract';
import { TRPCError } from '@trpc/server';
import { getHTTPStatusCodeFromError } from '@trpc/server/http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { prettifyError } from 'zod';
import { csvLine } from './csv.ts';

/** Exports at a time: each holds a page of records or two, 14 MB where every record is as long as it may be. */
const AT_A_TIME = 4;
/** A caller that reads nothing for so long is cut off: others may wait for its place. */
const LONGEST_PAUSE_MS = 60_000;

/** Pages of records, newest first. Ends with an ApiError when one of them is not there in time. */
export type AuditPages = (
  selection: AuditSelection,
  signal: AbortSignal,
) => AsyncIterator<readonly AuditRow[], unknown>;

interface Form {
  readonly type: string;
  readonly head: string;
  readonly write: (row: AuditRow) => string;
}

const COLUMNS = Object.keys(auditRow.shape) as (keyof AuditRow)[];

const FORMS = {
  csv: {
    type: 'text/csv; charset=utf-8; header=present',
    head: csvLine(COLUMNS),
    write: (row) => csvLine(COLUMNS.map((column) => cellOf(row, column))),
  },
  ndjson: {
    type: 'application/x-ndjson; charset=utf-8',
    head: '',
    write: (row) => `${JSON.stringify(row)}\n`,
  },
} as const satisfies Record<string, Form>;

/**
 * Serves every record that a filter lets through, as `/export/audit.csv` and `/export/audit.ndjson`, page by page as the
 * caller reads. An export that ends too early, as when the store is lost half way, is a broken connection and never a whole
 * file.
 * @param now Unix seconds
 */
export function serveAuditExport(app: FastifyInstance, pagesOf: AuditPages, now: () => number): void {
  let running = 0;
  for (const [ending, form] of Object.entries(FORMS)) {
    app.get(`/export/audit.${ending}`, { compress: false, exposeHeadRoute: false }, async (request, reply) => {
      const filter = auditFilter.safeParse(filterIn(request));
      if (!filter.success) return told(reply, 400, prettifyError(filter.error));
      if (running >= AT_A_TIME) {
        return told(reply.header('retry-after', '30'), 429, `${AT_A_TIME} exports run already: try again in a while`);
      }
      if (reply.raw.closed) return reply.hijack();
      const { cluster } = filter.data;
      const gone = new AbortController();
      running += 1;
      reply.raw.setTimeout(LONGEST_PAUSE_MS, () => reply.raw.destroy());
      reply.raw.once('close', () => {
        running -= 1;
        gone.abort();
      });
      const pages = pagesOf(auditSelection(filter.data, now()), gone.signal);
      let first: IteratorResult<readonly AuditRow[], unknown>;
      try {
        first = await pages.next();
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        const status = getHTTPStatusCodeFromError(new TRPCError({ code: error.trpcCode }));
        return told(reply, status, `${error.code}: ${error.message}`);
      }
      const day = new Date(now() * 1000).toISOString().slice(0, 10);
      const name = ['meadow-audit', ...(cluster === undefined ? [] : [cluster]), day].join('-');
      const body = Readable.from(textOf(form, first, pages), { objectMode: false, highWaterMark: 65_536 });
      return reply.type(form.type).header('content-disposition', `attachment; filename="${name}.${ending}"`).send(body);
    });
  }
}

/** The filter as its schema takes it. `outcomes` are joined by commas, or named one by one. */
function filterIn({ query }: FastifyRequest): Readonly<Record<string, unknown>> {
  const { from, to, outcomes, ...rest } = query as Readonly<Record<string, string | string[]>>;
  return {
    ...rest,
    ...(outcomes === undefined ? {} : { outcomes: [outcomes].flat().flatMap((names) => names.split(',')) }),
    ...(from === undefined ? {} : { from: secondsIn(from) }),
    ...(to === undefined ? {} : { to: secondsIn(to) }),
  };
}

/** What is no number stays as it is, for the schema to refuse. */
const secondsIn = (text: string | string[]): unknown =>
  typeof text === 'string' && /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : text;

const told = (reply: FastifyReply, status: number, says: string): FastifyReply =>
  reply.code(status).type('text/plain; charset=utf-8').send(`${says}\n`);

async function* textOf(
  form: Form,
  first: IteratorResult<readonly AuditRow[], unknown>,
  pages: AsyncIterator<readonly AuditRow[], unknown>,
): AsyncGenerator<string> {
  if (form.head !== '') yield form.head;
  try {
    for (let page = first; page.done !== true; page = await pages.next()) yield page.value.map(form.write).join('');
  } finally {
    await pages.return?.();
  }
}

function cellOf(row: AuditRow, column: keyof AuditRow): string | number | null {
  switch (column) {
    case 'at':
      return timeOf(row.at);
    case 'targets':
      return JSON.stringify(row.targets);
    default:
      return row[column];
  }
}

/** ISO 8601 in UTC, with the microseconds that the store has. */
function timeOf(at: number): string {
  const micros = Math.round(at * 1e6);
  return `${new Date(Math.floor(micros / 1000)).toISOString().slice(0, -1)}${String(micros % 1000).padStart(3, '0')}Z`;
}
