import { ApiError, markInput, type Mark, type Marks, type NewMark } from '@meadow/api';
import { addMark, markList, removeMark, type Store } from '@meadow/store';
import { TRPCError } from '@trpc/server';
import { getHTTPStatusCodeFromError } from '@trpc/server/http';
import type { FastifyInstance } from 'fastify';
import { randomUUID } from 'node:crypto';
import { prettifyError } from 'zod';
import { ASK_TIMEOUT_MS, Asking } from './asking.ts';
import type { Telemetry } from './telemetry.ts';

/** Marks of the store behind the API's port. */
export class StoreMarks implements Marks {
  readonly #store: Store;
  readonly #asking: Asking;
  readonly #now: () => number;

  /** @param now Unix seconds */
  constructor(store: Store, telemetry: Telemetry, now: () => number) {
    this.#store = store;
    this.#asking = new Asking(telemetry);
    this.#now = now;
  }

  list(input: {
    readonly cluster?: string | undefined;
    readonly from: number;
    readonly to: number;
  }): Promise<readonly Mark[]> {
    const of = `${input.cluster ?? ''} ${input.from} ${input.to}`;
    return this.#asking.shared('marks', of, 1_000, () => markList(this.#store, input, { timeoutMs: ASK_TIMEOUT_MS }));
  }

  add({ cluster = '', at = this.#now(), ...said }: NewMark): Promise<Mark> {
    const mark: Mark = { id: randomUUID(), cluster, at, ...said };
    return this.#asking.ask('add mark', async () => {
      await addMark(this.#store, mark, this.#now());
      return mark;
    });
  }

  remove(id: string): Promise<boolean> {
    return this.#asking.ask('remove mark', () => removeMark(this.#store, id, this.#now()));
  }
}

/** Takes marks of CI jobs: `POST /marks` with JSON, of which only `title` has to be there. Answers the mark with its id. */
export function serveMarks(app: FastifyInstance, marks: Marks): void {
  app.post('/marks', async (request, reply) => {
    const mark = markInput.safeParse(request.body);
    if (!mark.success) return reply.code(400).send({ error: 'INPUT_INVALID', message: prettifyError(mark.error) });
    try {
      return await reply.code(201).send(await marks.add(mark.data));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const status = getHTTPStatusCodeFromError(new TRPCError({ code: error.trpcCode }));
      return reply.code(status).send({ error: error.code, message: error.message });
    }
  });
}
