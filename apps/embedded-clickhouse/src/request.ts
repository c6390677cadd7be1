import type { IncomingMessage } from 'node:http';
import { randomUUID } from 'node:crypto';
import { exception } from './exception.ts';
import { quote } from './engine.ts';

/** A request to run a query, as its line and headers describe it. The body may hold more of the text, or the rows. */
export interface QueryRequest {
  readonly queryId: string;
  readonly text: string;
  readonly database: string | null;
  /** Format of a result whose statement names none. */
  readonly format: string;
  /** As the query placed them: still escaped, which is how the engine wants them. */
  readonly parameters: ReadonlyMap<string, string>;
  readonly settings: ReadonlyMap<string, string>;
  /** The whole result before the first byte of the answer, so that a late error still has its own status. */
  readonly waitEndOfQuery: boolean;
  readonly compressResponse: boolean;
  readonly credentials: { readonly user: string; readonly password: string };
}

/** Parameters of ClickHouse's HTTP handler; every other one is a setting of the query. */
const NOT_SETTINGS = new Set([
  ...['query', 'database', 'default_format', 'query_id', 'user', 'password', 'quota_key', 'role', 'stacktrace'],
  ...['session_id', 'session_timeout', 'session_check', 'buffer_size', 'wait_end_of_query', 'enable_http_compression'],
  ...['compress', 'decompress', 'client_protocol_version', 'close_session'],
]);

const NAME = /^[A-Za-z_][A-Za-z0-9_.]*$/;

/** @throws ClickHouseException 408, 48 */
export function readRequest(request: IncomingMessage, url: URL): QueryRequest {
  const { searchParams } = url;
  const parameters = new Map<string, string>();
  const settings = new Map<string, string>();
  for (const [name, value] of searchParams) {
    const parameter = name.startsWith('param_');
    if (!parameter && NOT_SETTINGS.has(name)) continue;
    if (!NAME.test(name)) throw exception(408, `Bad parameter name ${JSON.stringify(name)}`);
    if (parameter) parameters.set(name, value);
    else settings.set(name, value);
  }
  for (const name of ['compress', 'decompress']) {
    if (isTrue(searchParams.get(name))) throw exception(48, `${name}=1 is not supported, use HTTP compression`);
  }
  if (header(request, 'content-type')?.startsWith('multipart/form-data') === true) {
    throw exception(48, 'multipart/form-data is not supported');
  }
  if (request.method === 'GET' || request.method === 'HEAD') {
    // as in ClickHouse, GET only reads; 2 lets a query choose its other settings
    if (!isTrue(settings.get('readonly') ?? null)) settings.set('readonly', '2');
  }
  return {
    queryId: searchParams.get('query_id') ?? header(request, 'x-clickhouse-query-id') ?? randomUUID(),
    text: searchParams.get('query') ?? '',
    database: nonEmpty(searchParams.get('database')) ?? nonEmpty(header(request, 'x-clickhouse-database')),
    format:
      nonEmpty(searchParams.get('default_format')) ??
      nonEmpty(header(request, 'x-clickhouse-format')) ??
      'TabSeparated',
    parameters,
    settings,
    waitEndOfQuery: isTrue(searchParams.get('wait_end_of_query')),
    compressResponse: isTrue(searchParams.get('enable_http_compression')),
    credentials: readCredentials(request, searchParams),
  };
}

/**
 * The statements that prepare a connection for the request; `limits` hold where the request says nothing.
 * `mark` ends the connection's `log_comment`.
 */
export function setupStatements(
  request: QueryRequest,
  limits: ReadonlyMap<string, string>,
  mark: string,
): readonly string[] {
  const settings = new Map([...limits, ...request.settings]);
  const comment = settings.get('log_comment');
  settings.set('log_comment', `${comment === undefined ? '' : `${comment} `}${mark}`);
  const readonly = settings.get('readonly');
  settings.delete('readonly');
  // readonly comes last: nothing can be set after it
  const entries = [
    ...settings,
    ...request.parameters,
    ...(readonly === undefined ? [] : [['readonly', readonly] as const]),
  ];
  const set = `SET ${entries.map(([name, value]) => `${name} = ${quote(value)}`).join(', ')}`;
  return request.database === null ? [set] : [`USE ${identifier(request.database)}`, set];
}

function identifier(name: string): string {
  return `\`${name.replace(/[\\`]/g, '\\$&')}\``;
}

function readCredentials(request: IncomingMessage, parameters: URLSearchParams): { user: string; password: string } {
  const [scheme, encoded] = (header(request, 'authorization') ?? '').split(' ');
  if (scheme?.toLowerCase() === 'basic' && encoded !== undefined) {
    const [user = '', ...password] = Buffer.from(encoded, 'base64').toString().split(':');
    return { user, password: password.join(':') };
  }
  return {
    user: header(request, 'x-clickhouse-user') ?? parameters.get('user') ?? 'default',
    password: header(request, 'x-clickhouse-key') ?? parameters.get('password') ?? '',
  };
}

function header(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name];
  return typeof value === 'string' ? value : null;
}

function nonEmpty(value: string | null): string | null {
  return value === '' ? null : value;
}

function isTrue(value: string | null): boolean {
  return value !== null && value !== '' && value !== '0' && value.toLowerCase() !== 'false';
}
