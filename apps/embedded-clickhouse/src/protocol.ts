/** One statement to run on a connection of its own. */
export interface Job {
  /** Statements that prepare the connection: USE, SET. */
  readonly setup: readonly string[];
  readonly statement: string;
  readonly format: string;
  /** `stream`: blocks as they come, SELECT only; `whole`: the result at once. */
  readonly mode: 'stream' | 'whole';
}

/** What the engine counted. */
export interface Summary {
  /** Rows of the result; of an INSERT, those read from its data. */
  readonly rows: number;
  readonly resultBytes: number;
  readonly elapsedSeconds: number;
}

export type ToWorker =
  | { readonly type: 'run'; readonly job: Job }
  /** Permission for one more block. */
  | { readonly type: 'pull' }
  /** Ends a stream between two blocks. */
  | { readonly type: 'cancel' };

export type FromWorker =
  | { readonly type: 'block'; readonly bytes: Uint8Array }
  | { readonly type: 'done'; readonly summary: Summary }
  | { readonly type: 'failed'; readonly message: string };
