/**
 * How the blocks of a streamed result join. The engine renders each block as a document of its own, so that
 * - `rows`: the documents put one after another are the result;
 * - `lines`, `csv`, `binary`: as `rows`, once the header that each repeats is cut from all but the first;
 * - `whole`: no such joining exists (JSON, Parquet, Pretty, …): the result is rendered at once.
 */
type Joining = 'rows' | 'lines' | 'csv' | 'binary' | 'whole';

export interface OutputFormat {
  readonly contentType: string;
  readonly joining: Joining;
  /** Header lines, or for `binary` header rows: 1 = names, 2 = names and types. */
  readonly headers: number;
}

const TSV = 'text/tab-separated-values; charset=UTF-8';
const CSV = 'text/csv; charset=UTF-8; header=absent';
const NDJSON = 'application/x-ndjson; charset=UTF-8';
const JSON_TYPE = 'application/json; charset=UTF-8';
const BYTES = 'application/octet-stream';

const row = (contentType: string): OutputFormat => ({ contentType, joining: 'rows', headers: 0 });
const whole = (contentType: string): OutputFormat => ({ contentType, joining: 'whole', headers: 0 });

function withNames(name: string, contentType: string, joining: Joining): [string, OutputFormat][] {
  return [
    [`${name}WithNames`, { contentType, joining, headers: 1 }],
    [`${name}WithNamesAndTypes`, { contentType, joining, headers: 2 }],
  ];
}

const TSV_NAMES = ['TSV', 'TabSeparated', 'TSVRaw', 'TabSeparatedRaw', 'Raw'];
const COMPACT_NAMES = ['JSONCompactEachRow', 'JSONCompactStringsEachRow'];
const FORMATS = new Map<string, OutputFormat>([
  ...TSV_NAMES.flatMap((name) => [[name, row(TSV)] as [string, OutputFormat], ...withNames(name, TSV, 'lines')]),
  ...COMPACT_NAMES.flatMap((name) => [
    [name, row(NDJSON)] as [string, OutputFormat],
    ...withNames(name, NDJSON, 'lines'),
  ]),
  ...['JSONEachRow', 'NDJSON', 'JSONLines', 'JSONL', 'JSONStringsEachRow'].map((name): [string, OutputFormat] => [
    name,
    row(NDJSON),
  ]),
  ...['JSONEachRowWithProgress', 'JSONStringsEachRowWithProgress', 'JSONCompactEachRowWithProgress'].map(
    (name): [string, OutputFormat] => [name, whole(NDJSON)],
  ),
  ['CSV', row(CSV)],
  ...withNames('CSV', 'text/csv; charset=UTF-8; header=present', 'csv'),
  ['TSKV', row(TSV)],
  ['LineAsString', row('text/plain; charset=UTF-8')],
  ['RawBLOB', row(BYTES)],
  ['Native', row(BYTES)],
  ['RowBinary', row(BYTES)],
  ...withNames('RowBinary', BYTES, 'binary'),
  ['MsgPack', row(BYTES)],
  ['Null', row('text/plain; charset=UTF-8')],
  ['XML', whole('application/xml; charset=UTF-8')],
  ...[
    'Parquet',
    'ORC',
    'Arrow',
    'ArrowStream',
    'Avro',
    'Npy',
    'BSONEachRow',
    'Buffers',
    'Protobuf',
    'ProtobufSingle',
    'ProtobufList',
  ].map((name): [string, OutputFormat] => [name, whole(BYTES)]),
]);

/** What is known about an output format; one that is not listed is rendered at once, and the engine judges its name. */
export function outputFormat(name: string): OutputFormat {
  return FORMATS.get(name) ?? whole(name.includes('JSON') ? JSON_TYPE : 'text/plain; charset=UTF-8');
}

/** Returns a function that takes the blocks of one result in order and gives them without the repeated header. */
export function blockJoiner(format: OutputFormat): (block: Buffer) => Buffer {
  if (format.joining === 'rows' || format.joining === 'whole') return (block) => block;
  let header: Buffer | null = null;
  return (block) => {
    if (header === null) {
      header = block.subarray(0, headerLength(block, format));
      return block;
    }
    const repeated = header.length <= block.length && header.compare(block, 0, header.length) === 0;
    return repeated ? block.subarray(header.length) : block;
  };
}

function headerLength(block: Buffer, format: OutputFormat): number {
  return format.joining === 'binary' ? binaryHeaderLength(block, format.headers) : textHeaderLength(block, format);
}

/** A CSV header may hold line ends within quotes; the other line formats escape them. */
function textHeaderLength(block: Buffer, { joining, headers }: OutputFormat): number {
  let quoted = false;
  let lines = 0;
  for (let at = 0; at < block.length; at++) {
    if (block[at] === 0x22 && joining === 'csv') quoted = !quoted;
    if (block[at] === 0x0a && !quoted && ++lines === headers) return at + 1;
  }
  return block.length;
}

/** RowBinaryWithNames: number of columns, then that many strings for each header row; lengths are LEB128. */
function binaryHeaderLength(block: Buffer, headers: number): number {
  let at = 0;
  const number = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = block[at++] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  };
  const strings = number() * headers;
  for (let index = 0; index < strings; index++) {
    const length = number();
    at += length;
  }
  return Math.min(at, block.length);
}
