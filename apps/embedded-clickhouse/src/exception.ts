/** What ClickHouse calls the errors this server raises itself. */
const NAMES = {
  48: 'NOT_IMPLEMENTED',
  62: 'SYNTAX_ERROR',
  89: 'UNKNOWN_COMPRESSION_METHOD',
  202: 'TOO_MANY_SIMULTANEOUS_QUERIES',
  209: 'SOCKET_TIMEOUT',
  229: 'QUERY_IS_TOO_LARGE',
  236: 'ABORTED',
  243: 'NOT_ENOUGH_SPACE',
  271: 'CANNOT_DECOMPRESS',
  358: 'INTO_OUTFILE_NOT_ALLOWED',
  394: 'QUERY_WAS_CANCELLED',
  396: 'TOO_MANY_ROWS_OR_BYTES',
  408: 'BAD_REQUEST_PARAMETER',
  497: 'ACCESS_DENIED',
  516: 'AUTHENTICATION_FAILED',
  1002: 'UNKNOWN_EXCEPTION',
} as const;

type OwnCode = keyof typeof NAMES;

/** An error as ClickHouse reports it: `code` and `type` are ClickHouse's own (62, `SYNTAX_ERROR`). */
export class ClickHouseException extends Error {
  override readonly name = 'ClickHouseException';
  readonly code: number;
  readonly type: string;

  constructor(code: number, type: string, text: string, options?: ErrorOptions) {
    super(text, options);
    this.code = code;
    this.type = type;
  }

  /** The exception's text on the wire; the stock client reads code, message and type out of it. */
  wireText(version: string): string {
    // clients take the first upper-case word in parentheses for the type, so that one in the text must look otherwise;
    // ClickHouse's server quotes such tokens, chDB does not
    const text = this.message.replace(/\((?=[A-Z0-9_]*[A-Z]{3})([A-Z0-9_]+)\)/g, "('$1')");
    const dot = /[.!?]$/.test(this.message) ? '' : '.';
    return `Code: ${this.code}. DB::Exception: ${text}${dot} (${this.type}) (version ${version})\n`;
  }
}

/** An error raised by this server under ClickHouse's name for it. */
export function exception(code: OwnCode, text: string, options?: ErrorOptions): ClickHouseException {
  return new ClickHouseException(code, NAMES[code], text, options);
}

/** Reads the engine's message; chDB wraps some of them once or twice more, which is undone here. */
export function parseException(message: string): ClickHouseException {
  let text = message.trim().replace(/^Query failed: /, '');
  let code = 1002;
  let type: string = NAMES[1002];
  for (let match; (match = /^Code: (\d+)\. DB::Exception: /.exec(text)) !== null;) {
    code = Number(match[1]);
    text = text.slice(match[0].length);
  }
  for (let match; (match = /\.?\s*(?:\(version [^()]*\)|\(([A-Z][A-Z0-9_]+)\))\.?$/.exec(text)) !== null;) {
    type = match[1] ?? type;
    text = text.slice(0, match.index);
  }
  return new ClickHouseException(code, type, text);
}

const BAD_REQUEST = [
  6, 25, 26, 27, 36, 37, 38, 41, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376, 408, 427, 441, 675, 676,
];
const NOT_FOUND = [46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 139, 152, 336];
/** Status by exception code, as ClickHouse's HTTP handler maps them; everything else is 500. */
const STATUS = new Map<number, number>([
  ...BAD_REQUEST.map((code) => [code, 400] as const),
  ...NOT_FOUND.map((code) => [code, 404] as const),
  [48, 501],
  [76, 503],
  [159, 408],
  [194, 401],
  [209, 503],
  [229, 413],
  [241, 507],
  [381, 411],
  [439, 503],
  [497, 403],
  [516, 403],
]);

export function httpStatus(code: number): number {
  return STATUS.get(code) ?? 500;
}
