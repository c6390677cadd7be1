import { z } from 'zod';
import { StoreError } from '../errors.ts';

/** Where a newest-first page ends: microseconds, and what tells apart what is of one instant. */
export interface Cursor {
  readonly micros: number;
  readonly id: string;
  readonly cluster: string;
}

const cursorSchema = z.tuple([z.int(), z.string(), z.string()]);

export function writeCursor({ micros, id, cluster }: Cursor): string {
  return Buffer.from(JSON.stringify([micros, id, cluster])).toString('base64url');
}

/** @throws StoreError STORE_BAD_CURSOR on one that `writeCursor` did not make */
export function readCursor(text: string, operation: string): Cursor {
  try {
    const [micros, id, cluster] = cursorSchema.parse(JSON.parse(Buffer.from(text, 'base64url').toString()));
    return { micros, id, cluster };
  } catch (error) {
    throw new StoreError('STORE_BAD_CURSOR', 'not a cursor of this list', { operation, cause: error });
  }
}
