/** A run that was: what was asked, and what came of it. */
export interface PastRun {
  readonly statement: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** Unix milliseconds. */
  readonly startedAt: number;
  readonly outcome: 'done' | 'cut' | 'failed' | 'refused' | 'stopped';
  readonly seconds: number;
  /** Null where no result came. */
  readonly rows: number | null;
}

/** The part of `localStorage` that a history needs. */
export type RunStorage = Pick<Storage, 'getItem' | 'setItem'>;

const KEY = 'meadow.sql.history';
const MOST_RUNS = 100;
const MOST_CHARACTERS = 200_000;

/** The runs of this browser, newest first; a repeated statement stands once, with its newest run. The oldest leave at the bounds. */
export class RunHistory {
  readonly #storage: RunStorage | null;
  #runs: readonly PastRun[];
  #kept = true;

  /** @param storage null where the browser refuses it: the history then lasts as long as the page */
  constructor(storage: RunStorage | null) {
    this.#storage = storage;
    this.#runs = read(storage);
  }

  get runs(): readonly PastRun[] {
    return this.#runs;
  }

  add(run: PastRun): void {
    // another tab may have added its own
    const known = this.#storage === null || !this.#kept ? this.#runs : read(this.#storage);
    const others = known.filter(({ statement }) => statement !== run.statement);
    const runs = [run, ...others].slice(0, MOST_RUNS);
    let room = MOST_CHARACTERS;
    this.#write(runs.filter(({ statement }) => (room -= statement.length) >= 0));
  }

  clear(): void {
    this.#write([]);
  }

  #write(runs: readonly PastRun[]): void {
    this.#runs = runs;
    try {
      this.#storage?.setItem(KEY, JSON.stringify(runs));
      this.#kept = true;
    } catch {
      // full, or refused: the page still has them
      this.#kept = false;
    }
  }
}

function read(storage: RunStorage | null): readonly PastRun[] {
  try {
    const stored: unknown = JSON.parse(storage?.getItem(KEY) ?? '[]');
    return Array.isArray(stored) ? stored.filter(isPastRun) : [];
  } catch {
    // written by something else
    return [];
  }
}

const OUTCOMES: ReadonlySet<unknown> = new Set<PastRun['outcome']>(['done', 'cut', 'failed', 'refused', 'stopped']);

function isPastRun(value: unknown): value is PastRun {
  if (typeof value !== 'object' || value === null) return false;
  const run: Readonly<Record<string, unknown>> = { ...value };
  const { parameters } = run;
  return (
    typeof run['statement'] === 'string' &&
    typeof run['startedAt'] === 'number' &&
    typeof run['seconds'] === 'number' &&
    (run['rows'] === null || typeof run['rows'] === 'number') &&
    OUTCOMES.has(run['outcome']) &&
    typeof parameters === 'object' &&
    parameters !== null &&
    Object.values(parameters).every((each) => typeof each === 'string')
  );
}
