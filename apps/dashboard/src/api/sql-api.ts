import type { AppRouter, SavedQuery, SqlExplain, SqlExportFormat, SqlLine, SqlSchema, SqlVerdict } from '@meadow/api';
import type { TRPCClient } from '@trpc/client';
import { Fault, toFault, type FaultKind } from './fault.ts';

/** A statement and the values of its parameters, as text. */
export interface SqlQuestion {
  readonly statement: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** What the console asks. Failures are `Fault`s. */
export interface SqlApi {
  schema(signal: AbortSignal): Promise<SqlSchema>;
  /** Reads the statement without running it. */
  check(statement: string, signal: AbortSignal): Promise<SqlVerdict>;
  /** Lines as they come. Aborting stops the statement on the server too. */
  run(question: SqlQuestion & { readonly explain: SqlExplain | null }, signal: AbortSignal): AsyncIterable<SqlLine>;
  /** Own and shared ones, newest first. */
  saved(signal: AbortSignal): Promise<readonly SavedQuery[]>;
  savedQuery(id: string, signal: AbortSignal): Promise<SavedQuery>;
  /** @param id null for a new one */
  save(
    query: SqlQuestion & { readonly id: string | null; readonly name: string; readonly shared: boolean },
  ): Promise<SavedQuery>;
  remove(id: string): Promise<void>;
  /** The file of all rows; the browser fetches it as it does any other. */
  exportHref(question: SqlQuestion, format: SqlExportFormat): string;
  /** The same file as a whole, for a statement too long for an address. */
  exportFile(question: SqlQuestion, format: SqlExportFormat, signal: AbortSignal): Promise<Blob>;
}

/** @param base the document's base, under which the gateway answers `sql` */
export function sqlApi(base: string, client: TRPCClient<AppRouter>): SqlApi {
  const post = async (path: string, body: object, signal: AbortSignal): Promise<Response> => {
    const response = await fetch(new URL(path, base), {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
      ...{ body: JSON.stringify(body), signal },
    });
    if (!response.ok) throw new Fault(KINDS[response.status] ?? 'broken', (await response.text()).trim());
    return response;
  };
  return {
    schema: (signal) => told(client.sql.schema.query(undefined, { signal })),
    check: (statement, signal) => told(client.sql.check.query({ statement }, { signal })),
    run: async function* ({ explain, ...question }, signal) {
      try {
        const response = await post('sql/run', { ...question, ...(explain === null ? {} : { explain }) }, signal);
        yield* linesOf(response);
      } catch (error) {
        throw toFault(error);
      }
    },
    saved: (signal) => told(client.sql.saved.query({}, { signal })),
    savedQuery: (id, signal) => told(client.sql.savedQuery.query({ id }, { signal })),
    save: ({ id, ...query }) => told(client.sql.save.mutate({ ...query, ...(id === null ? {} : { id }) })),
    remove: (id) => told(client.sql.remove.mutate({ id })),
    exportHref: ({ statement, parameters }, format) => {
      const url = new URL('sql/export', base);
      url.searchParams.set('format', format);
      url.searchParams.set('statement', statement);
      for (const [name, value] of Object.entries(parameters)) url.searchParams.set(`param_${name}`, value);
      return url.href;
    },
    exportFile: async (question, format, signal) => {
      try {
        return await (await post(`sql/export?format=${format}`, question, signal)).blob();
      } catch (error) {
        throw toFault(error);
      }
    },
  };
}

const KINDS: Readonly<Record<number, FaultKind>> = {
  400: 'refused',
  401: 'signed-out',
  403: 'forbidden',
  413: 'refused',
  422: 'refused',
};

/** Lines of NDJSON, as they come. What stands after the last line's end was broken off and is dropped. */
async function* linesOf(response: Response): AsyncGenerator<SqlLine, void> {
  if (response.body === null) return;
  let rest = '';
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') yield JSON.parse(line) as SqlLine;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

async function told<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    throw toFault(error);
  }
}
