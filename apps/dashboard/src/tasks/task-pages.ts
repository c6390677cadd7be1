import type { TaskPage } from '@meadow/api';
import type { SearchApi, TaskPageInput, TaskQuestion } from '../api/search-api.ts';
import { taskKey } from '../live/task-feed.ts';

const PAGE_ROWS = 100;
/** What one question answers at most; a longer list stands still. */
const MOST_REFRESHED = 500;

/** The pages of a list that are shown, asked for anew as one. */
export class TaskPages {
  readonly #api: Pick<SearchApi, 'list'>;
  readonly #question: TaskQuestion;
  #shown: TaskPage = { rows: [], next: null, searchedTo: null };
  #held = false;
  #isAnew = true;

  constructor(api: Pick<SearchApi, 'list'>, question: TaskQuestion) {
    this.#api = api;
    this.#question = question;
  }

  get shown(): TaskPage {
    return this.#shown;
  }

  /** It is longer than what is asked for anew. */
  get isStill(): boolean {
    return this.#shown.rows.length > MOST_REFRESHED;
  }

  /** While it is held nothing changes but by `more`. */
  hold(held: boolean): void {
    this.#held = held;
  }

  /** The next look begins with the first page, held or not. */
  beginAnew(): void {
    this.#isAnew = true;
  }

  /** Asks for all that is shown. @throws Fault */
  async look(signal: AbortSignal): Promise<TaskPage> {
    const before = this.#shown;
    if (!this.#isAnew && (this.#held || this.isStill)) return before;
    const page = await this.#ask(null, this.#isAnew ? PAGE_ROWS : Math.max(PAGE_ROWS, before.rows.length), signal);
    // more was shown meanwhile, of which this answer knows nothing
    if (this.#shown !== before) return this.#shown;
    this.#isAnew = false;
    this.#shown = page;
    return page;
  }

  /** Adds the next page. @throws Fault */
  async more(signal: AbortSignal): Promise<void> {
    const before = this.#shown;
    if (before.next === null) return;
    const page = await this.#ask(before.next, PAGE_ROWS, signal);
    // asked for anew meanwhile: its cursor may be another
    if (this.#shown.next !== before.next) return;
    const { rows } = this.#shown;
    const known = new Set(rows.map(taskKey));
    // what changed may have moved from a page to the next
    this.#shown = { ...page, rows: [...rows, ...page.rows.filter((row) => !known.has(taskKey(row)))] };
  }

  #ask(cursor: string | null, limit: number, signal: AbortSignal): Promise<TaskPage> {
    const input: TaskPageInput = { ...this.#question, cursor, before: null, limit };
    return this.#api.list(input, signal);
  }
}
