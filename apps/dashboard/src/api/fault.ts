export type FaultKind = 'offline' | 'signed-out' | 'forbidden' | 'missing' | 'refused' | 'broken';

/** Why an answer is not there, in the words that the pages tell apart. */
export class Fault extends Error {
  override readonly name = 'Fault';
  readonly kind: FaultKind;

  constructor(kind: FaultKind, message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}

const KINDS: Readonly<Record<string, FaultKind>> = {
  UNAUTHORIZED: 'signed-out',
  FORBIDDEN: 'forbidden',
  NOT_FOUND: 'missing',
  BAD_REQUEST: 'refused',
  UNPROCESSABLE_CONTENT: 'refused',
};

/** Reads an error of the tRPC client: without a code the server was not reached. */
export function toFault(error: unknown): Fault {
  if (error instanceof Fault) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = codeOf(error);
  if (code === null) return new Fault('offline', message, error);
  return new Fault(KINDS[code] ?? 'broken', message, error);
}

/** The answer of the tRPC client. @throws Fault */
export async function told<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    throw toFault(error);
  }
}

function codeOf(error: unknown): string | null {
  if (typeof error !== 'object' || error === null || !('data' in error)) return null;
  const { data } = error;
  if (typeof data !== 'object' || data === null || !('code' in data)) return null;
  return typeof data.code === 'string' ? data.code : null;
}
