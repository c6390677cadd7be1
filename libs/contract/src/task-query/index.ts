// The language of task searches alone, for pages: nothing here needs Node, as the pipeline's rows do.
export { completeTaskQuery } from './complete.ts';
export { formatTerm, formatText, toggleValue, withTerm } from './edit.ts';
export { TaskQueryError } from './error.ts';
export { SEEN_FIELDS } from './fields.ts';
export type { SeenField } from './fields.ts';
export { taskMatcher } from './match.ts';
export { MOST_QUERY_LENGTH, parseTaskQuery } from './parse.ts';
export { scanTerms } from './scan.ts';
