import { scanTerms } from '@meadow/contract/task-query';

/** Values that a query asks a field to be one of, by terms like `state:FAILURE,RETRY`: those that `toggleValue` takes out. */
export function chosenValues(query: string, field: string): ReadonlySet<string> {
  const terms = scanTerms(query).filter(({ head, not }) => !not && head?.field === field && head.operator === ':');
  return new Set(terms.flatMap(({ values }) => values.map(({ value }) => value)));
}
