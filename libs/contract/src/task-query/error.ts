/** What is wrong with the text of a query, and where. Its message is for people and says what to write instead. */
export class TaskQueryError extends Error {
  override readonly name = 'TaskQueryError';
  readonly code = 'QUERY_INVALID';
  /** In the text, UTF-16 units; with `length` 0 something is missing there. */
  readonly position: number;
  readonly length: number;

  constructor(message: string, position: number, length: number) {
    super(message);
    this.position = position;
    this.length = length;
  }
}
