// Requests of tasks alone, for pages: nothing here needs Node, as decoding does.
export { CeleryDecodeError } from './errors.ts';
export { diffOf } from './task/diff.ts';
export type { TaskChange, TaskDiff } from './task/diff.ts';
export { parseJsonTree } from './task/json-tree.ts';
export type { JsonTree } from './task/json-tree.ts';
export { taskRequestAt } from './task/request.ts';
export type { TaskRequest, TaskRequestInput } from './task/request.ts';
