import { clusterName } from '@meadow/contract';
import { z } from 'zod';
import { shortText, unixSeconds } from './inputs.ts';

/** What was said of a moment: a deployment, or a note. Drawn on every chart that it lies in. */
export interface Mark {
  readonly id: string;
  /** '' for all clusters. */
  readonly cluster: string;
  /** Unix seconds. */
  readonly at: number;
  readonly kind: 'deployment' | 'note';
  readonly title: string;
  readonly text: string;
  /** http or https; '' when none. */
  readonly url: string;
  /** '' when not known. */
  readonly by: string;
}

/** A mark as it is posted: only what it says has to be told. */
export const markInput = z.strictObject({
  /** All clusters when left out. */
  cluster: clusterName.optional(),
  /** Now when left out. */
  at: unixSeconds.optional(),
  kind: z.enum(['deployment', 'note'], 'use deployment or note').default('deployment'),
  title: shortText(200),
  text: z.string().max(2_000, 'at most 2000 characters').default(''),
  url: z
    .union([
      z.literal(''),
      z.url({ protocol: /^https?$/, error: 'use an address that begins with http:// or https://' }),
    ])
    .default(''),
  by: z.string().max(200, 'at most 200 characters').default(''),
});
export type NewMark = z.output<typeof markInput>;

/** What people and CI jobs say of moments. */
export interface Marks {
  /** Oldest first; of more than 500 the newest. With a cluster, its own and those of all. */
  list(input: {
    readonly cluster?: string | undefined;
    readonly from: number;
    readonly to: number;
  }): Promise<readonly Mark[]>;
  add(input: NewMark): Promise<Mark>;
  /** Whether there was one. */
  remove(id: string): Promise<boolean>;
}
