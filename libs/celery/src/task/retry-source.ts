import { decompress } from '../compression.ts';
import { CeleryDecodeError, excerpt } from '../errors.ts';
import type { Envelope } from '../envelope.ts';
import type { JsonObject, JsonValue } from '../json.ts';
import { parseRepr } from '../repr/parse.ts';
import { decodeTaskMessage, type TaskMessage } from '../task-message.ts';
import { utf8Text } from '../text.ts';
import { parseJsonTree, stringIn, type JsonTree } from './json-tree.ts';
import { isMachineHeader } from './names.ts';
import { treeOfRepr, type ReprTree } from './repr-tree.ts';
import { taskRequest, type TaskRequestInput } from './request.ts';
import {
  refused,
  warning,
  type RetryOrigin,
  type RetryRefusal,
  type RetryRefusalCode,
  type RetryWarning,
} from './retry-verdict.ts';

/** What events told of a task; null or '' where they did not. */
export interface ToldTask {
  /** What workers show of it, which need not be its name: any other source is asked before. */
  readonly name: string | null;
  /** Python reprs, as events carry them. */
  readonly args: string | null;
  readonly kwargs: string | null;
  readonly queue: string | null;
  readonly exchange: string | null;
  readonly routingKey: string | null;
  readonly eta: string | null;
  readonly expires: string | null;
}

export type Route = { readonly queue: string } | { readonly exchange: string; readonly routingKey: string };
type Options = Pick<TaskRequestInput, 'timelimit' | 'shadow' | 'ignoreResult' | 'headers' | 'stamps'>;

/** What one source tells. */
export interface Finding {
  readonly from: RetryOrigin;
  readonly name: string | null;
  readonly values: { readonly args: JsonTree; readonly kwargs: JsonTree } | RetryRefusal;
  readonly route: Route | null;
  /** Undefined where the source does not tell. */
  readonly priority: number | undefined;
  /** Null where the source does not tell. */
  readonly options: Options | null;
  readonly warnings: readonly RetryWarning[];
}

const REMEDY = 'switch on result_extended, or send it anew with its arguments written out';

/** Of a message as it waits in a queue or among what is not acknowledged. */
export function fromMessage(envelope: Envelope, id: string): Finding | RetryRefusal {
  const text = jsonTextOf(envelope, 'its message', 'RETRY_MESSAGE_NOT_JSON');
  if (typeof text !== 'string') return text;
  let message: TaskMessage;
  let body: JsonTree;
  try {
    message = decodeTaskMessage(envelope);
    body = parseJsonTree(text);
  } catch (error) {
    return unreadable(error, 'its message');
  }
  if (message.id !== id) return refused('RETRY_OTHER_TASK', `the message is of the task ${excerpt(message.id)}`);
  const [args, kwargs] =
    body.kind === 'array'
      ? body.items
      : body.kind === 'object'
        ? [body.members.get('args') ?? EMPTY_ARRAY, body.members.get('kwargs') ?? EMPTY_OBJECT]
        : [];
  const { headers, properties } = envelope;
  const original = deadLettered(headers);
  const own = optionsOf(message, headers);
  const whereItIs =
    original === null
      ? warning('ORIGINAL_WAITS', 'the original is still with the broker and runs too, unless it is removed')
      : warning(
          'DEAD_LETTERED',
          `the original is a dead letter: the retry goes to ${original.queue}, where it was before`,
        );
  const { priority } = properties;
  return {
    from: 'message',
    name: message.task,
    values: valuesOf(args, kwargs, 'its message'),
    route: original ?? deliveredBy(properties['delivery_info']),
    priority: typeof priority === 'number' ? priority : 0,
    options: own.options,
    warnings: [whereItIs, ...workflowOf(message), ...timesDropped(message), ...own.warnings],
  };
}

/** Of a worker's answer to `query_task`: its arguments are what the worker received. */
export function fromReply(envelope: Envelope, id: string): Finding | RetryRefusal {
  const text = jsonTextOf(envelope, "the worker's answer", 'RETRY_SOURCE_UNREADABLE');
  if (typeof text !== 'string') return text;
  let info: JsonTree | undefined;
  try {
    const [tasks] = membersOf(parseJsonTree(text)).values();
    const told = membersOf(tasks).get(id);
    info = told?.kind === 'array' ? told.items[1] : undefined;
  } catch (error) {
    return unreadable(error, "the worker's answer");
  }
  const members = membersOf(info);
  const delivery = membersOf(members.get('delivery_info'));
  const [exchange, routingKey] = [stringIn(delivery.get('exchange')), stringIn(delivery.get('routing_key'))];
  const priority = delivery.get('priority');
  return {
    from: 'worker',
    name: stringIn(members.get('type')),
    values: valuesOf(members.get('args'), members.get('kwargs'), "the worker's answer"),
    route: routeOf(exchange, routingKey),
    priority: priority?.kind === 'scalar' && /^\d+$/.test(priority.text) ? Number(priority.text) : undefined,
    options: null,
    warnings: info === undefined ? [] : [warning('ORIGINAL_WAITS', 'a worker still has the original, which runs too')],
  };
}

/** Of what the result backend keeps, with `result_extended`. */
export function fromStored(payload: Uint8Array, id: string): Finding | RetryRefusal {
  let meta: ReadonlyMap<string, JsonTree>;
  try {
    meta = membersOf(parseJsonTree(utf8Text(payload)));
  } catch (error) {
    return unreadable(error, 'what the result backend keeps');
  }
  if ((stringIn(meta.get('task_id')) ?? id) !== id) {
    return refused('RETRY_OTHER_TASK', "what the result backend keeps is another task's");
  }
  const queue = stringIn(meta.get('queue'));
  const values = valuesOf(meta.get('args'), meta.get('kwargs'), 'the result backend');
  const isGrouped = stringIn(meta.get('group_id')) !== null;
  return {
    from: 'result',
    name: stringIn(meta.get('name')),
    values: queue === null && !('code' in values) ? refused('RETRY_NEVER_SENT', NEVER_SENT) : values,
    route: queue === null || queue === '' ? null : { queue },
    priority: undefined,
    options: null,
    warnings: [
      warning('ARGS_AFTER_RUN', 'the backend keeps the arguments as the task left them, if it changed them in place'),
      isGrouped
        ? warning('WORKFLOW_LEFT', 'the original was part of a group: the retry is not')
        : warning('WORKFLOW_UNKNOWN', UNKNOWN_WORKFLOW),
    ],
  };
}

/** Of what its events told. */
export function fromEvents(told: ToldTask): Finding {
  const args = treeOfText(told.args, 'args');
  const kwargs = treeOfText(told.kwargs, 'kwargs');
  const values =
    'kind' in args ? args : 'kind' in kwargs ? kwargs : valuesOf(args.tree, kwargs.tree, 'what its events tell');
  const hasTuples = [args, kwargs].some((found) => 'hasTuples' in found && found.hasTuples);
  return {
    from: 'events',
    name: told.name === '' ? null : told.name,
    values,
    route: routeOf(told.exchange, told.routingKey) ?? (told.queue ? { queue: told.queue } : null),
    priority: undefined,
    options: null,
    warnings: [
      warning('ARGS_FROM_REPR', 'the arguments are read from the text by which their publisher described them'),
      ...(hasTuples ? [warning('TUPLES_BECOME_LISTS', 'tuples among the arguments are lists, as in all JSON')] : []),
      warning('WORKFLOW_UNKNOWN', UNKNOWN_WORKFLOW),
      ...timesDropped(told),
    ],
  };
}

const UNKNOWN_WORKFLOW =
  'whether callbacks, a chain or a chord follow the original is not known: none follows the retry';
const NEVER_SENT =
  'no worker ever had it, as a link of a chain that ended before it: repeat the link that failed instead';
const EMPTY_ARRAY: JsonTree = { kind: 'array', items: [] };
const EMPTY_OBJECT: JsonTree = { kind: 'object', members: new Map() };

function membersOf(tree: JsonTree | undefined): ReadonlyMap<string, JsonTree> {
  return tree?.kind === 'object' ? tree.members : new Map<string, JsonTree>();
}

function jsonTextOf(envelope: Envelope, what: string, otherwise: RetryRefusalCode): string | RetryRefusal {
  const { contentType, headers, body } = envelope;
  if (contentType !== 'application/json') {
    const type = contentType === null ? 'of no type' : excerpt(contentType);
    const remedy = 'only JSON can be repeated; move or copy the message itself instead';
    return refused(otherwise, `${what} is ${type}: ${remedy}`);
  }
  try {
    const compression = headers['compression'];
    return utf8Text(compression ? decompress(body, compression) : body);
  } catch (error) {
    return unreadable(error, what);
  }
}

function unreadable(error: unknown, what: string): RetryRefusal {
  if (!(error instanceof CeleryDecodeError)) throw error;
  return refused('RETRY_SOURCE_UNREADABLE', `${what} cannot be read: ${error.message} (${error.code})`);
}

function valuesOf(args: JsonTree | undefined, kwargs: JsonTree | undefined, where: string): Finding['values'] {
  if (args?.kind === 'array' && kwargs?.kind === 'object') return { args, kwargs };
  const missing = args?.kind === 'array' ? 'keyword arguments' : 'arguments';
  return refused('RETRY_ARGS_UNKNOWN', `${where} does not tell its ${missing}: ${REMEDY}`);
}

/** The route by which a message came; null for what the broker made of it on the way. */
function deliveredBy(info: JsonValue | undefined): Route | null {
  if (typeof info !== 'object' || info === null || Array.isArray(info)) return null;
  const { exchange, routing_key: routingKey } = info;
  return routeOf(typeof exchange === 'string' ? exchange : null, typeof routingKey === 'string' ? routingKey : null);
}

function routeOf(exchange: string | null, routingKey: string | null): Route | null {
  if (exchange === null || routingKey === null) return null;
  if (exchange === '') return routingKey === '' ? null : { queue: routingKey };
  return canTake('exchange', exchange) ? { exchange, routingKey } : null;
}

/** The queue from which RabbitMQ took a dead letter first; delayed delivery moves messages the same way. */
function deadLettered(headers: JsonObject): { readonly queue: string } | null {
  const queue = headers['x-first-death-queue'];
  return typeof queue === 'string' && canTake('queue', queue) ? { queue } : null;
}

function canTake(kind: 'queue' | 'exchange', name: string): boolean {
  return taskRequest.shape[kind].safeParse(name).success;
}

function optionsOf(
  { timelimit, shadow, ignoreResult }: TaskMessage,
  headers: JsonObject,
): { readonly options: Options; readonly warnings: readonly RetryWarning[] } {
  const dropped: string[] = [];
  const sendable = (kind: 'headers' | 'stamps', given: [string, JsonValue][]): Record<string, JsonValue> => {
    const kept = given.filter(([name, value]) => taskRequest.shape[kind].safeParse({ [name]: value }).success);
    dropped.push(...given.filter((entry) => !kept.includes(entry)).map(([name]) => name));
    return Object.fromEntries(kept);
  };
  const own = Object.entries(headers).filter(([name]) => !isMachineHeader(name));
  const stamps = sendable('stamps', stampsIn(headers));
  const options = {
    timelimit: { hard: limitOf(timelimit.hard), soft: limitOf(timelimit.soft) },
    shadow: shadow === '' ? null : shadow,
    ignoreResult: ignoreResult ?? false,
    headers: sendable('headers', own),
    stamps,
  } as Options;
  const warnings: RetryWarning[] = [];
  if (dropped.length > 0) {
    warnings.push(
      warning('HEADERS_DROPPED', `headers or stamps that cannot be sent: ${excerpt(dropped.join(', '), 300)}`),
    );
  }
  if (Object.keys(stamps).length > 0) {
    warnings.push(warning('STAMPS_KEPT', 'it has the stamps of the original: where they were revoked it does not run'));
  }
  return { options, warnings };
}

/** 0 is none to Celery. */
function limitOf(seconds: number | null): number | null {
  return seconds === null || seconds <= 0 ? null : seconds;
}

function stampsIn({ stamped_headers: names, stamps }: JsonObject): [string, JsonValue][] {
  if (!Array.isArray(names) || typeof stamps !== 'object' || stamps === null || Array.isArray(stamps)) return [];
  return Object.entries(stamps).filter(([name]) => names.includes(name));
}

function workflowOf({ embed, group }: TaskMessage): RetryWarning[] {
  const parts = Object.entries(embed ?? {}).flatMap(([name, value]) => {
    const isEmpty = value === null || (Array.isArray(value) && value.length === 0);
    return isEmpty ? [] : [excerpt(name, 40)];
  });
  if (group !== null) parts.push('group');
  if (parts.length === 0) return [];
  return [warning('WORKFLOW_LEFT', `the retry is not part of the original's ${parts.join(', ')}`)];
}

function timesDropped({
  eta,
  expires,
}: {
  readonly eta: string | null;
  readonly expires: string | null;
}): RetryWarning[] {
  return [
    ...(eta
      ? [warning('ETA_DROPPED', `the original was not to begin before ${excerpt(eta, 40)}: the retry begins at once`)]
      : []),
    ...(expires
      ? [warning('EXPIRES_DROPPED', `the original expired at ${excerpt(expires, 40)}: the retry does not`)]
      : []),
  ];
}

/** The mark that the collector leaves in place of a secret. */
const MASK = '***';
/** The mark that the collector leaves in place of the middle of a long text. */
const MIDDLE_CUT = /\n… \d+ characters cut by Meadow …\n/;

type Told = Extract<ReprTree, { tree: JsonTree }>;

/** Reads the repr of args or kwargs; nothing in it is ever run. */
function treeOfText(text: string | null, what: 'args' | 'kwargs'): Told | RetryRefusal {
  if (text === null || text === '') {
    return refused('RETRY_ARGS_UNKNOWN', `its events do not tell its ${what}: ${REMEDY}`);
  }
  if (text.includes(MASK)) {
    return refused('RETRY_ARGS_MASKED', `a secret in its ${what} was hidden (${MASK}): send it anew and write it out`);
  }
  const { value, cut } = parseRepr(text);
  if (cut || MIDDLE_CUT.test(text))
    return refused('RETRY_ARGS_CUT', `its events hold only a part of its ${what}: ${REMEDY}`);
  const isArguments = what === 'args' ? value.kind === 'tuple' || value.kind === 'list' : value.kind === 'dict';
  if (!isArguments) {
    return refused('RETRY_ARGS_UNREADABLE', `its events describe its ${what} in words of their own: ${REMEDY}`);
  }
  const found = treeOfRepr(value, what);
  if (found.tree !== null) return found;
  const { where, what: it, isUnsure } = found.doubt;
  return isUnsure
    ? refused('RETRY_ARGS_UNSURE', `${where} can be read in two ways (${it}): ${REMEDY}`)
    : refused('RETRY_ARGS_NOT_JSON', `${where} is or holds what JSON does not have (${it}): ${REMEDY}`);
}
