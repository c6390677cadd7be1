import type { SavedQuery, SqlExplain, SqlProblem } from '@meadow/api';
import { createSubscriber } from 'svelte/reactivity';
import type { SqlApi } from '../api/sql-api.ts';
import { writeFragment, type ConsoleAddress, type View } from './address.ts';
import type { ChartChoice } from './chart-choice.ts';
import type { PastRun, RunHistory } from './run-history.ts';
import { SqlRun, type Asked, type RunState } from './sql-run.ts';
import { parametersOf } from './statement.ts';

/** What a run was asked for, and where it stands in the text. */
interface Chosen {
  readonly text: string;
  readonly offset: number;
}

/** What the console holds: the statement with its values, its runs, and how the result is looked at. */
export class SqlConsole implements Disposable {
  statement = $state('');
  /** Values by name; also of names that the statement does not have just now. */
  values = $state.raw<Readonly<Record<string, string>>>({});
  view = $state<View>('table');
  chart = $state.raw<ChartChoice | null>(null);
  explain = $state<SqlExplain>('plan');
  /** The saved query that this was opened from. */
  saved = $state.raw<SavedQuery | null>(null);
  history = $state.raw<readonly PastRun[]>([]);
  readonly #history: RunHistory;
  readonly #result: SqlRun;
  readonly #plan: SqlRun;
  readonly #subscribe: () => void;
  /** The whole text of which something ran, and where that began. */
  #ranIn = { text: '', offset: 0 };

  /** @param now Unix milliseconds */
  constructor(api: Pick<SqlApi, 'run'>, history: RunHistory, now: () => number) {
    this.#history = history;
    this.history = history.runs;
    this.#result = new SqlRun(api, now);
    this.#plan = new SqlRun(api, now);
    this.#subscribe = createSubscriber((update) => {
      const off = [this.#result.onChange(update), this.#plan.onChange(update)];
      return () => {
        for (const each of off) each();
      };
    });
  }

  get result(): RunState {
    this.#subscribe();
    return this.#result.state;
  }

  get plan(): RunState {
    this.#subscribe();
    return this.#plan.state;
  }

  /** The values that the statement leaves open, each with its own or ''. */
  get parameters(): Readonly<Record<string, string>> {
    return valuesFor(this.statement, this.values);
  }

  /** What a link to all this carries. @param run whether whoever opens it sees the result at once */
  fragment(run: boolean): string {
    const { view, chart, parameters } = this;
    const statement = this.statement === this.saved?.statement ? '' : this.statement;
    return writeFragment({ statement, parameters, view, chart, run });
  }

  /** Takes over what a link says; without a statement of its own the one at hand stays. */
  read(address: ConsoleAddress): void {
    if (address.statement !== '') this.statement = address.statement;
    this.values = { ...this.values, ...address.parameters };
    this.view = address.view;
    this.chart = address.chart;
  }

  /** Puts a statement in the place of the one at hand, with a view that fits it. */
  open(question: { readonly statement: string; readonly parameters?: Readonly<Record<string, string>> }): void {
    this.saved = null;
    this.statement = question.statement;
    this.values = { ...this.values, ...question.parameters };
    this.chart = null;
  }

  openSaved(query: SavedQuery): void {
    this.open(query);
    this.saved = query;
  }

  /** Runs what is chosen, as the view has it: for rows, or for its plan. */
  async run(chosen: Chosen): Promise<void> {
    this.#ranIn = { text: this.statement, offset: chosen.offset };
    if (this.view === 'plan') await this.#plan.run(this.#asked(chosen, this.explain));
    else this.#remember(await this.#result.run(this.#asked(chosen, null)));
  }

  stop(): void {
    this.#result.stop();
    this.#plan.stop();
  }

  clearHistory(): void {
    this.#history.clear();
    this.history = this.#history.runs;
  }

  /** What is wrong with the text, and where; null where nothing is, or the text is another by now. */
  get mark(): { readonly offset: number; readonly message: string } | null {
    const { problem } = this.shown;
    if (problem === null || problem.position === null || this.#ranIn.text !== this.statement) return null;
    return { offset: problem.position.offset + this.#ranIn.offset, message: problem.message };
  }

  /** The run that is looked at. */
  get shown(): RunState {
    return this.view === 'plan' ? this.plan : this.result;
  }

  [Symbol.dispose](): void {
    this.#result[Symbol.dispose]();
    this.#plan[Symbol.dispose]();
  }

  #asked({ text }: Chosen, explain: SqlExplain | null): Asked {
    return { statement: text, parameters: valuesFor(text, this.values), explain };
  }

  #remember({ phase, asked, startedAt, seconds, rows, columns, statistics, problem }: RunState): void {
    if (phase === 'running' || phase === 'idle' || asked === null) return;
    this.#history.add({
      statement: asked.statement,
      parameters: asked.parameters,
      startedAt,
      outcome:
        phase === 'done' ? (statistics?.cut ? 'cut' : 'done') : phase === 'stopped' ? 'stopped' : failure(problem),
      seconds: seconds ?? 0,
      rows: columns === null ? null : rows.length,
    });
    this.history = this.#history.runs;
  }
}

function failure(problem: SqlProblem | null): PastRun['outcome'] {
  return problem?.code === 'SQL_REFUSED' ? 'refused' : 'failed';
}

function valuesFor(statement: string, values: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(parametersOf(statement).map(({ name }) => [name, values[name] ?? '']));
}
