import {
  diffOf,
  taskRequestAt,
  type TaskChange,
  type TaskDiff,
  type TaskRequest,
  type TaskRequestInput,
} from '@meadow/celery/request';
import type { TaskDraft } from '@meadow/contract';
import { laidOut } from './json-text.ts';

/** A request as it is typed. Times at an instant are in the viewer's zone, as `datetime-local` has them. */
export interface FormValues {
  readonly name: string;
  /** JSON. */
  readonly args: string;
  readonly kwargs: string;
  readonly to: 'queue' | 'exchange';
  readonly queue: string;
  readonly exchange: string;
  readonly routingKey: string;
  readonly priority: string;
  readonly begins: 'now' | 'in' | 'at';
  /** Seconds. */
  readonly beginsIn: string;
  readonly beginsAt: string;
  readonly expires: 'never' | 'in' | 'at';
  /** Seconds. */
  readonly expiresIn: string;
  readonly expiresAt: string;
  /** Seconds. */
  readonly soft: string;
  readonly hard: string;
  /** JSON. */
  readonly headers: string;
}

export const EMPTY_FORM: FormValues = {
  ...{ name: '', args: '[]', kwargs: '{}', to: 'queue', queue: '', exchange: '', routingKey: '', priority: '' },
  ...{ begins: 'now', beginsIn: '', beginsAt: '', expires: 'never', expiresIn: '', expiresAt: '' },
  ...{ soft: '', hard: '', headers: '{}' },
};

/** Parts of the form that are edited, hidden and told of as one. */
const PARTS = ['name', 'args', 'kwargs', 'route', 'priority', 'begins', 'expires', 'limits', 'headers'] as const;
export type Part = (typeof PARTS)[number];

/** What each part is made of, typed and as it is sent. */
const TYPED: Readonly<Record<Part, readonly (keyof FormValues)[]>> = {
  ...{ name: ['name'], args: ['args'], kwargs: ['kwargs'], route: ['to', 'queue', 'exchange', 'routingKey'] },
  ...{ priority: ['priority'], begins: ['begins', 'beginsIn', 'beginsAt'], headers: ['headers'] },
  ...{ expires: ['expires', 'expiresIn', 'expiresAt'], limits: ['soft', 'hard'] },
};
const SENT = {
  ...{ name: ['name'], args: ['args'], kwargs: ['kwargs'], route: ['queue', 'exchange', 'routingKey'] },
  ...{ priority: ['priority'], begins: ['countdown', 'eta'], headers: ['headers'] },
  ...{ expires: ['expires'], limits: ['timelimit'] },
} as const satisfies Readonly<Record<Part, readonly (keyof TaskRequest)[]>>;

/** The form of a request that is there. */
export function formOf(request: TaskRequest): FormValues {
  const { countdown, eta, expires, timelimit } = request;
  const text = (value: number | null): string => (value === null ? '' : String(value));
  return {
    name: request.name,
    args: laidOut(request.args),
    kwargs: laidOut(request.kwargs),
    to: request.exchange === null ? 'queue' : 'exchange',
    queue: request.queue ?? '',
    exchange: request.exchange ?? '',
    routingKey: request.routingKey ?? '',
    priority: text(request.priority),
    begins: eta !== null ? 'at' : countdown !== null ? 'in' : 'now',
    beginsIn: text(countdown),
    beginsAt: eta === null ? '' : localTime(eta),
    expires: expires === null ? 'never' : typeof expires === 'number' ? 'in' : 'at',
    expiresIn: typeof expires === 'number' ? String(expires) : '',
    expiresAt: typeof expires === 'string' ? localTime(expires) : '',
    soft: text(timelimit.soft),
    hard: text(timelimit.hard),
    headers: laidOut(JSON.stringify(request.headers)),
  };
}

/** As `datetime-local` takes it, to the second. */
function localTime(instant: string): string {
  const at = new Date(instant);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** What a draft is edited over. */
export interface Original {
  readonly request: TaskRequest;
  /** What of it is hidden here, though sent as it truly is. */
  readonly masked: TaskDraft['masked'];
  /** Hidden parts that are written anew. */
  readonly anew: ReadonlySet<Part>;
}

/** What a form amounts to. */
export interface Reading {
  /** Null while there is a problem. What is hidden and not written anew is left out of it. */
  readonly request: TaskRequest | null;
  /** Only what is otherwise than in the original; everything where there is none. */
  readonly changes: Readonly<Record<string, unknown>>;
  /** In words for people, by part. */
  readonly problems: Readonly<Partial<Record<Part, string>>>;
  readonly diff: TaskDiff;
}

/** Whether a part of a draft is hidden, in whole or in part. */
export function isHidden(part: Part, masked: TaskDraft['masked']): boolean {
  return SENT[part].some((field) => masked.includes(field));
}

/** Parts whose fields say otherwise than the original's did; all of them where there is none. */
function editedParts(values: FormValues, original: Original | null): readonly Part[] {
  if (original === null) return PARTS;
  const before = formOf(original.request);
  return PARTS.filter((part) =>
    isHidden(part, original.masked)
      ? original.anew.has(part)
      : TYPED[part].some((field) => values[field] !== before[field]),
  );
}

const NO_CHANGES: TaskDiff = { changes: [], omitted: 0 };
/** What stands where something is hidden, while what is beside it is checked. */
const NEUTRAL: Readonly<Record<string, unknown>> = {
  ...{ name: 'hidden', args: '[]', kwargs: '{}', headers: {} },
  queue: 'hidden',
};
const MASK = '***';

/**
 * Reads a form by control's own schema, so that what it would refuse is told before it is sent.
 * @param nowMs times are seen from then
 */
export function readForm(values: FormValues, original: Original | null, nowMs: number): Reading {
  const problems: Partial<Record<Part, string>> = {};
  const edited = editedParts(values, original);
  const before = original === null ? null : unhidden(original);
  const typed = typedInput(values, problems);
  const input: Record<string, unknown> = { ...before };
  for (const part of edited) for (const field of SENT[part]) input[field] = typed[field];

  const parsed = taskRequestAt(nowMs).safeParse(input as TaskRequestInput);
  for (const { path, message } of parsed.error?.issues ?? []) {
    const part = PARTS.find((each) => (SENT[each] as readonly unknown[]).includes(path[0]));
    if (part !== undefined) problems[part] ??= message;
  }
  for (const part of edited) {
    const told = TYPED[part].map((field) => values[field]).join('\n');
    if (original?.anew.has(part) && told.includes(MASK))
      problems[part] ??= `${MASK} stands for what is hidden: write it out`;
  }
  const request = parsed.success && Object.keys(problems).length === 0 ? parsed.data : null;
  const diff = before === null || request === null ? NO_CHANGES : diffOf(before, request);
  const differing = new Set(diff.changes.map(({ path }) => path[0]));
  const changes = Object.fromEntries(
    edited.flatMap((part) => {
      const told = original === null || original.anew.has(part) || SENT[part].some((field) => differing.has(field));
      return told && request !== null ? SENT[part].map((field) => [field, request[field]] as const) : [];
    }),
  );
  return { request, changes, problems, diff };
}

/** The original without what is hidden, which may be no JSON any more. */
function unhidden({ request, masked }: Original): TaskRequest {
  return {
    ...request,
    ...Object.fromEntries(masked.flatMap((field) => (field in NEUTRAL ? [[field, NEUTRAL[field]]] : []))),
  };
}

function typedInput(values: FormValues, problems: Partial<Record<Part, string>>): Readonly<Record<string, unknown>> {
  const number = (part: Part, text: string, what: string): number | null => {
    if (text.trim() === '') return null;
    const value = Number(text);
    if (!Number.isNaN(value)) return value;
    problems[part] ??= `${what} is a number`;
    return null;
  };
  const needed = (part: Part, text: string, what: string): number | null => {
    const value = number(part, text, what);
    if (value === null) problems[part] ??= `${what} is empty: give it in seconds`;
    return value;
  };
  const instant = (part: Part, text: string, what: string): string | null => {
    const at = new Date(text);
    if (!Number.isNaN(at.getTime())) return at.toISOString();
    problems[part] ??= `${what} is empty: give a time`;
    return null;
  };
  const byQueue = values.to === 'queue';
  const { begins, expires } = values;
  return {
    ...{ name: values.name.trim(), args: values.args, kwargs: values.kwargs },
    // an empty one is told of as such, rather than as neither
    queue: byQueue ? values.queue.trim() : null,
    exchange: byQueue ? null : values.exchange.trim(),
    routingKey: byQueue ? null : values.routingKey,
    priority: number('priority', values.priority, 'a priority'),
    countdown: begins === 'in' ? needed('begins', values.beginsIn, 'the delay') : null,
    eta: begins === 'at' ? instant('begins', values.beginsAt, 'its time') : null,
    expires:
      expires === 'in'
        ? needed('expires', values.expiresIn, 'the time that is left')
        : expires === 'at'
          ? instant('expires', values.expiresAt, 'its time')
          : null,
    timelimit: {
      soft: number('limits', values.soft, 'a time limit'),
      hard: number('limits', values.hard, 'a time limit'),
    },
    headers: headersIn(values.headers, problems),
  };
}

function headersIn(text: string, problems: Partial<Record<Part, string>>): unknown {
  try {
    return JSON.parse(text.trim() === '' ? '{}' : text) as unknown;
  } catch {
    problems.headers ??= 'headers are no JSON: write an object, such as {"tenant": "north"}';
    return {};
  }
}

/** A path as people write it: `kwargs.user.id`, `args[0]`. */
export function pathText(path: TaskChange['path']): string {
  return path
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`;
      if (!/^[A-Za-z_]\w*$/.test(step)) return `[${JSON.stringify(step)}]`;
      return index === 0 ? step : `.${step}`;
    })
    .join('');
}
