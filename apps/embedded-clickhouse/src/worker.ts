import { parentPort, workerData } from 'node:worker_threads';
import { Session } from 'chdb';
import type { FromWorker, Job, Summary, ToWorker } from './protocol.ts';

/**
 * A thread that runs one job at a time. It exists because starting a streaming query blocks its thread until the first
 * block is computed, which would stop the HTTP loop.
 */
const port = parentPort;
if (port === null) throw new Error('this file runs as a worker thread');
const { enginePath } = workerData as { readonly enginePath: string };

/** Blocks the reader has asked for; one is computed ahead of it. */
let permits = 0;
let cancelled = false;
let wake: () => void = () => undefined;

port.on('message', (message: ToWorker) => {
  switch (message.type) {
    case 'run':
      permits = 1;
      cancelled = false;
      void run(message.job);
      return;
    case 'pull':
      permits++;
      wake();
      return;
    case 'cancel':
      cancelled = true;
      wake();
      return;
    default:
      message satisfies never;
  }
});

function send(message: FromWorker, transfer: ArrayBuffer[] = []): void {
  port?.postMessage(message, transfer);
}

async function run(job: Job): Promise<void> {
  let outcome: FromWorker;
  try {
    // a session is a connection: what the job sets on it ends with it
    using session = new Session(enginePath);
    for (const statement of job.setup) session.query(statement, 'TSV');
    const summary = job.mode === 'stream' ? await stream(session, job) : await whole(session, job);
    outcome = { type: 'done', summary };
  } catch (error) {
    outcome = { type: 'failed', message: error instanceof Error ? error.message : String(error) };
  }
  send(outcome);
}

async function whole(session: Session, { statement, format }: Job): Promise<Summary> {
  const result = await session.queryAsync(statement, { format });
  const bytes = result.bytes();
  const resultBytes = bytes.length;
  sendBlock(bytes);
  return { rows: result.rowsRead, resultBytes, elapsedSeconds: result.elapsed };
}

async function stream(session: Session, { statement, format }: Job): Promise<Summary> {
  const startedMs = performance.now();
  let rows = 0;
  let resultBytes = 0;
  for await (const block of session.queryStream(statement, { format })) {
    rows += block.numRows;
    resultBytes += block.numBytes;
    sendBlock(block.raw());
    while (permits === 0 && !cancelled) await new Promise<void>((resolve) => (wake = resolve));
    permits--;
    if (cancelled) throw new Error('Code: 394. DB::Exception: Query was cancelled. (QUERY_WAS_CANCELLED)');
  }
  return { rows, resultBytes, elapsedSeconds: (performance.now() - startedMs) / 1000 };
}

/** Hands the bytes over without copying where the engine gave them a buffer of their own. */
function sendBlock(bytes: Uint8Array): void {
  if (bytes.length === 0) return;
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === bytes.length) send({ type: 'block', bytes }, [buffer]);
  else send({ type: 'block', bytes });
}
