import type { SqlColumn, SqlExplain, SqlProblem, SqlStatistics } from '@meadow/api';
import { Fault, toFault } from '../api/fault.ts';
import type { SqlApi } from '../api/sql-api.ts';
import type { Row } from './chart-choice.ts';

/** What is run. */
export interface Asked {
  readonly statement: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** How it would be done, instead of doing it; null to do it. */
  readonly explain: SqlExplain | null;
}

interface Progress {
  readonly rowsRead: number;
  readonly bytesRead: number;
}

/**
 * idle → running → done | failed | stopped, and from each of them → running. What came before a failure or a stop stays:
 * the rows are true, there may be more.
 */
export interface RunState {
  readonly phase: 'idle' | 'running' | 'done' | 'failed' | 'stopped';
  readonly asked: Asked | null;
  /** Unix milliseconds; 0 while idle. */
  readonly startedAt: number;
  /** Time from the start to the end, as the page saw it; null until then. */
  readonly seconds: number | null;
  /** Null until they are known. */
  readonly columns: readonly SqlColumn[] | null;
  readonly rows: readonly Row[];
  readonly progress: Progress | null;
  readonly statistics: SqlStatistics | null;
  /** What the server said about the statement. */
  readonly problem: SqlProblem | null;
  /** Why the server said nothing. */
  readonly fault: Fault | null;
}

const IDLE: RunState = {
  phase: 'idle',
  asked: null,
  startedAt: 0,
  seconds: null,
  columns: null,
  rows: [],
  progress: null,
  statistics: null,
  problem: null,
  fault: null,
};

/** Runs one statement at a time; a new one stops the one before. Rows are bounded by the server (`SqlLimits`). */
export class SqlRun implements Disposable {
  readonly #api: Pick<SqlApi, 'run'>;
  readonly #now: () => number;
  readonly #listeners = new Set<() => void>();
  #state = IDLE;
  #abort: AbortController | null = null;

  /** @param now Unix milliseconds */
  constructor(api: Pick<SqlApi, 'run'>, now: () => number) {
    this.#api = api;
    this.#now = now;
  }

  get state(): RunState {
    return this.#state;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Resolves when it is over, however that came. */
  async run(asked: Asked): Promise<RunState> {
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.#set({ ...IDLE, phase: 'running', asked, startedAt: this.#now() });
    const end = (end: Partial<RunState>): void => {
      if (this.#abort !== abort) return;
      this.#abort = null;
      this.#set({ ...this.#state, ...end, seconds: (this.#now() - this.#state.startedAt) / 1000 });
    };
    try {
      for await (const line of this.#api.run(asked, abort.signal)) {
        if (this.#abort !== abort) break;
        switch (line.kind) {
          case 'columns':
            this.#set({ ...this.#state, columns: line.columns });
            break;
          case 'rows':
            this.#set({ ...this.#state, rows: [...this.#state.rows, ...line.rows] });
            break;
          case 'progress':
            this.#set({ ...this.#state, progress: line });
            break;
          case 'end':
            end({ phase: 'done', statistics: line.statistics });
            break;
          case 'problem':
            end({ phase: line.problem.code === 'SQL_STOPPED' ? 'stopped' : 'failed', problem: line.problem });
            break;
          default:
            line satisfies never;
        }
      }
      end({ phase: 'failed', fault: new Fault('broken', 'the answer broke off before its end') });
    } catch (error) {
      end({ phase: 'failed', fault: toFault(error) });
    }
    return this.#state;
  }

  /** Ends what runs, here and on the server. */
  stop(): void {
    if (this.#abort === null) return;
    this.#abort.abort();
    this.#abort = null;
    this.#set({ ...this.#state, phase: 'stopped', seconds: (this.#now() - this.#state.startedAt) / 1000 });
  }

  [Symbol.dispose](): void {
    this.stop();
    this.#listeners.clear();
  }

  #set(state: RunState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}
