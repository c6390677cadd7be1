import { z } from 'zod';

/** Which of these tasks have ended, as far as the cluster's result backend knows? */
export const resultsQuestion = z.object({ taskIds: z.array(z.string()).max(1_000) });
export type ResultsQuestion = z.output<typeof resultsQuestion>;

/** The ends found are in the events stream, as `meadow-result-…` events, before this answer is given. */
export const resultsAnswer = z.object({
  /** False when the cluster has no result backend that Meadow can read: then `ended` says nothing. */
  readable: z.boolean(),
  ended: z.array(z.string()),
});
export type ResultsAnswer = z.output<typeof resultsAnswer>;
