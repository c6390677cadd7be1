import { CHART_KINDS, type ChartChoice } from './chart-choice.ts';

export const VIEWS = ['table', 'chart', 'plan'] as const;
export type View = (typeof VIEWS)[number];

/** All that a link to the console carries. */
export interface ConsoleAddress {
  readonly statement: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly view: View;
  /** Null: what fits the result. */
  readonly chart: ChartChoice | null;
  /** Whoever opens it sees the result without asking for it. */
  readonly run: boolean;
}

export const EMPTY_ADDRESS: ConsoleAddress = { statement: '', parameters: {}, view: 'table', chart: null, run: false };

/**
 * Written into the fragment, which browsers keep to themselves: statements are in no log of a server or proxy.
 * `''` for nothing.
 */
export function writeFragment(address: ConsoleAddress): string {
  const fields = new URLSearchParams();
  if (address.statement !== '') fields.set('q', address.statement);
  for (const [name, value] of Object.entries(address.parameters)) if (value !== '') fields.set(`p.${name}`, value);
  if (address.view !== 'table') fields.set('view', address.view);
  if (address.chart !== null) {
    fields.set('chart', address.chart.kind);
    fields.set('x', address.chart.x);
    for (const y of address.chart.y) fields.append('y', y);
    if (address.chart.by !== null) fields.set('by', address.chart.by);
  }
  if (address.run) fields.set('run', '1');
  return fields.toString();
}

/** Reads a fragment, with or without `#`; what is not understood is left out. */
export function readFragment(fragment: string): ConsoleAddress {
  const fields = new URLSearchParams(fragment.replace(/^#/, ''));
  const parameters = [...fields]
    .filter(([name]) => name.startsWith('p.'))
    .map(([name, value]) => [name.slice(2), value]);
  return {
    statement: fields.get('q') ?? '',
    parameters: Object.fromEntries(parameters),
    view: VIEWS.find((view) => view === fields.get('view')) ?? 'table',
    chart: readChart(fields),
    run: fields.get('run') === '1',
  };
}

function readChart(fields: URLSearchParams): ChartChoice | null {
  const kind = CHART_KINDS.find((each) => each === fields.get('chart'));
  const x = fields.get('x');
  if (kind === undefined || x === null) return null;
  return { kind, x, y: fields.getAll('y'), by: fields.get('by') };
}
