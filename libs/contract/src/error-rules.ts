import { z } from 'zod';

/** What kind of trouble a group of failures is. */
export const ERROR_CATEGORIES = [
  'timeout',
  'memory',
  'connection',
  'validation',
  'permission',
  'worker-lost',
  'other',
] as const;
export type ErrorCategory = (typeof ERROR_CATEGORIES)[number];

/** What people say of a group. One that is resolved is open again as soon as it fails once more. */
export const ERROR_STATUSES = ['open', 'resolved', 'ignored'] as const;
export type ErrorStatus = (typeof ERROR_STATUSES)[number];

/** Name of a group of failures. */
export const fingerprint = z.string().regex(/^[0-9a-f]{16}$/, 'a group of errors is named by 16 hex digits');

const pattern = z.string().max(500, 'at most 500 characters');

/**
 * Which failures are of a category: those of which all three patterns hold. A pattern is names joined by `|`, each with `*` for
 * any characters, ignoring case; an empty one always holds.
 */
export const errorRule = z
  .strictObject({
    category: z.enum(ERROR_CATEGORIES),
    /** Class without its module, e.g. `*Timeout*`; `LOST` for tasks that Meadow gave up. */
    exception: pattern,
    /** Python repr of the exception, e.g. `*timed out*`. */
    message: pattern,
    /** Task. */
    name: pattern,
  })
  .refine((rule) => rule.exception + rule.message + rule.name !== '', 'give a rule at least one pattern');
export type ErrorRule = z.output<typeof errorRule>;

/** Rules in their order: the first that holds decides, and where none does the category is `other`. */
export const errorRules = z.array(errorRule).max(100, 'at most 100 rules');

const rule = (category: ErrorCategory, exception: string, message = ''): ErrorRule => ({
  ...{ category, exception, message, name: '' },
});

/** In force until somebody writes others. */
export const DEFAULT_ERROR_RULES: readonly ErrorRule[] = [
  rule('memory', 'MemoryError|*OutOfMemory*|*OOM*'),
  rule('memory', '', '*out of memory*|*cannot allocate memory*|*oom-kill*|*oomkill*'),
  rule('timeout', '*TimeLimitExceeded|*Timeout*|*TimedOut*|QueryCanceled*|DeadlineExceeded'),
  rule('timeout', '', '*timed out*|*timeout expired*|*statement timeout*|*deadline exceeded*'),
  rule('worker-lost', 'WorkerLostError|LOST|WorkerTerminate|WorkerShutdown|Terminated'),
  rule('permission', 'Permission*|*Forbidden*|*Unauthorized*|*AccessDenied*|*Authentication*|*Authorization*'),
  rule('permission', 'NoCredentials*|InsufficientPrivilege*'),
  rule('permission', '', '*permission denied*|*access denied*|*not authorized*|*authentication failed*'),
  rule('connection', '*Connection*|*ConnectError|BrokenPipeError|OperationalError|InterfaceError|gaierror|herror'),
  rule('connection', '*NetworkError|*ProtocolError|SSL*|MaxRetryError|*Unreachable*|NoBrokersAvailable|IncompleteRead'),
  rule(
    'connection',
    '',
    '*connection refused*|*connection reset*|*connection aborted*|*broken pipe*|*no route to host*',
  ),
  rule('connection', '', '*name or service not known*|*name resolution*|*network is unreachable*|*server closed*'),
  rule('validation', '*Validation*|*Invalid*|*SchemaError|*ParseError|*Decode*Error|*Encode*Error|DataError'),
  rule('validation', 'ValueError|IntegrityError|BadRequest*'),
];
