import { initTRPC, TRPCError } from '@trpc/server';
import { z } from 'zod';
import { ApiError } from './errors.ts';
import type { ApiContext } from './ports.ts';

/** Silence on a stream that is shorter than any proxy's patience. */
const PING_INTERVAL_MS = 15_000;

const t = initTRPC.context<ApiContext>().create({
  isDev: false,
  sse: {
    ping: { enabled: true, intervalMs: PING_INTERVAL_MS },
    client: { reconnectAfterInactivityMs: 3 * PING_INTERVAL_MS },
  },
  errorFormatter({ shape, error }) {
    const { meadowCode, message, place } = toldAs(error);
    return {
      ...shape,
      message,
      data: {
        ...{ code: shape.data.code, httpStatus: shape.data.httpStatus, path: shape.data.path, meadowCode },
        ...place,
      },
    };
  },
});

/** What a caller is told. The texts of errors that are not meant for callers stay in the log. */
function toldAs(error: TRPCError): { meadowCode: string; message: string; place?: ApiError['place'] } {
  if (error.cause instanceof ApiError) {
    const { code, message, place } = error.cause;
    return { meadowCode: code, message, place };
  }
  if (error.cause instanceof z.ZodError) return { meadowCode: 'INPUT_INVALID', message: z.prettifyError(error.cause) };
  if (error.code === 'INTERNAL_SERVER_ERROR') {
    return { meadowCode: 'INTERNAL', message: 'something went wrong in the gateway; its log says what' };
  }
  return { meadowCode: error.code, message: error.message };
}

/** tRPC wraps what it does not know as an internal error; ours know their codes. */
const told = t.middleware(async ({ next }) => {
  const result = await next();
  if (!result.ok && result.error.cause instanceof ApiError) throw toTrpcError(result.error.cause);
  return result;
});

export function toTrpcError(error: ApiError): TRPCError {
  return new TRPCError({ code: error.trpcCode, message: error.message, cause: error });
}

export const router = t.router;
/** Anything that only reads. `ctx.hungUp` is aborted when the caller no longer waits. */
export const procedure = t.procedure
  .use(told)
  .use(({ next, signal }) => next({ ctx: { hungUp: signal ?? new AbortController().signal } }));
