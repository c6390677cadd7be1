import { JetStreamApiError } from '@nats-io/jetstream';
import { errors } from '@nats-io/transport-node';

export type BusErrorCode =
  /** NATS cannot be reached, did not answer in time, or cannot do it right now. Trying again can help. */
  | 'BUS_UNAVAILABLE'
  /** The stream is at its bound: the consumer of the events is behind. Trying again later helps. */
  | 'BUS_STREAM_FULL'
  /** A key was changed by somebody else since it was read. */
  | 'BUS_CONFLICT'
  /** NATS came back without its storage: what was read or watched is gone. Begin again with what was made anew. */
  | 'BUS_REMADE'
  /** A message is larger than NATS, or the stream, takes. Smaller ones may pass. */
  | 'BUS_TOO_LARGE'
  /** NATS refused the request for good. */
  | 'BUS_REJECTED';

/** NATS did not do what was asked. */
export class BusError extends Error {
  override readonly name = 'BusError';
  readonly code: BusErrorCode;
  /** What another service said, word by word; else the message. */
  readonly said: string;

  constructor(code: BusErrorCode, message: string, cause?: unknown, said: string = message) {
    super(message, { cause });
    this.code = code;
    this.said = said;
  }
}

/** JetStream API codes: https://github.com/nats-io/nats-server/blob/main/server/errors.json */
const STREAM_FULL = new Set([10077, 10047, 10023, 10028]);
const WRONG_LAST_SEQUENCE = 10071;
const MESSAGE_TOO_LARGE = 10054;
/** A replicated stream has the first try of the same message still in hand. */
const DUPLICATE_IN_PROCESS = 10158;

/** JSStorageResourcesExceeded: what was asked for is more than NATS has room for. */
const NO_ROOM = 10047;

/** Whether NATS refused to make a stream as big as that. */
export function isTooBig(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === NO_ROOM;
}

/** Tells NATS's own errors apart once, by class and code. */
export function busError(doing: string, error: unknown): BusError {
  if (error instanceof BusError) return error;
  const said = error instanceof Error ? error.message : String(error);
  if (error instanceof JetStreamApiError) {
    if (STREAM_FULL.has(error.code)) return new BusError('BUS_STREAM_FULL', `${doing}: stream is full: ${said}`, error);
    if (error.code === WRONG_LAST_SEQUENCE) return new BusError('BUS_CONFLICT', `${doing}: changed meanwhile`, error);
    if (error.code === MESSAGE_TOO_LARGE) return new BusError('BUS_TOO_LARGE', `${doing}: ${said}`, error);
    // a leader that is being elected, a server that starts: nothing was judged yet
    const passing = error.status >= 500 || error.code === DUPLICATE_IN_PROCESS;
    if (passing) return new BusError('BUS_UNAVAILABLE', `${doing}: NATS cannot now: ${said}`, error);
    return new BusError('BUS_REJECTED', `${doing}: refused by NATS: ${said}`, error);
  }
  // however often it is tried
  if (error instanceof errors.InvalidArgumentError) {
    const code = said.includes('max_payload') ? 'BUS_TOO_LARGE' : 'BUS_REJECTED';
    return new BusError(code, `${doing}: refused by NATS's client: ${said}`, error);
  }
  return new BusError('BUS_UNAVAILABLE', `${doing}: NATS does not answer: ${said}`, error);
}
