import { decodeContent } from './content.ts';
import type { ContentOptions } from './content.ts';
import { isObject, typeNameOf } from './envelope.ts';
import type { Envelope } from './envelope.ts';
import { CeleryDecodeError, excerpt } from './errors.ts';
import { displacedFields, emptyRecord, fieldsOf } from './event.ts';
import type { CeleryEvent, FieldKind } from './event.ts';
import { stringifyPythonJson } from './json.ts';
import type { JsonObject, JsonValue } from './json.ts';
import { MAX_FAILURES } from './limits.ts';

/** What one event message holds. Both lists may be empty: Celery publishes empty batches. */
export interface DecodedEvents {
  readonly events: CeleryEvent[];
  readonly failures: CeleryDecodeError[];
}

/**
 * Decodes an event message: one event, or the list of a `task.multi` or any other `<group>.multi`. Never throws: a body
 * that cannot be read is one failure, a bad element of a list is one failure and the others are kept. Beyond
 * {@link MAX_FAILURES} failures, one last failure counts the rest.
 *
 * A required field (`type`, `hostname`, `timestamp`, and `uuid` for tasks) that is missing, of the wrong type or out of
 * bounds fails its event. An optional one of the wrong type is set to null and its value moved to `extraOf(event)`, so
 * that no event is lost for a detail. Fields Celery does not know stay where they are.
 */
export function decodeEvents(envelope: Envelope, options?: ContentOptions): DecodedEvents {
  let value: JsonValue;
  try {
    value = decodeContent(envelope, options).value;
  } catch (error) {
    if (error instanceof CeleryDecodeError) return { events: [], failures: [error] };
    throw error;
  }
  const events: CeleryEvent[] = [];
  const failures: CeleryDecodeError[] = [];
  const list = Array.isArray(value) ? value : [value];
  let untold = 0;
  for (let index = 0; index < list.length; index++) {
    const item = list[index];
    const problem = problemOf(item);
    if (problem === null) events.push(accept(item as JsonObject));
    else if (failures.length < MAX_FAILURES) failures.push(failureOf(problem, item, index));
    else untold++;
  }
  if (untold > 0) failures.push(new CeleryDecodeError('CELERY_EVENT_INVALID', `${untold} more bad events`, { untold }));
  return { events, failures };
}

/** Longest names that later become keys; Celery's own stay far below. */
const maxChars = { type: 256, hostname: 1024, uuid: 1024 } as const;

/** Seconds of 9999-12-31 and a day, where Python's dates end too. */
const maxTimestamp = 253_402_300_800;

type Problem = 'element' | 'type' | 'hostname' | 'timestamp' | 'uuid';

function problemOf(item: JsonValue | undefined): Problem | null {
  if (!isObject(item)) return 'element';
  const type = item['type'];
  if (!isName(type, maxChars.type)) return 'type';
  if (!isName(item['hostname'], maxChars.hostname)) return 'hostname';
  const timestamp = item['timestamp'];
  if (typeof timestamp !== 'number' || !(timestamp >= 0 && timestamp < maxTimestamp)) return 'timestamp';
  if (type.startsWith('task-') && !isName(item['uuid'], maxChars.uuid)) return 'uuid';
  return null;
}

function isName(value: JsonValue | undefined, maxLength: number): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= maxLength;
}

function failureOf(field: Problem, item: JsonValue | undefined, index: number): CeleryDecodeError {
  const found = field === 'element' || !isObject(item) ? item : item[field];
  const value = found === undefined ? 'nothing' : excerpt(stringifyPythonJson(found));
  const type = isObject(item) && typeof item['type'] === 'string' ? excerpt(item['type']) : null;
  const message = field === 'element' ? `event is ${value}` : `event has ${value} as ${field}`;
  return new CeleryDecodeError('CELERY_EVENT_INVALID', message, { field, index, type, found: typeNameOf(found) });
}

/** Takes the parsed object as the event; its required fields are known to be good. */
function accept(item: JsonObject): CeleryEvent {
  const event = item as unknown as CeleryEvent;
  const known = fieldsOf(event);
  for (const key in item) {
    const kind = known.get(key);
    if (kind === undefined) continue;
    const value = item[key];
    if (value === null || value === undefined || fits(value, kind)) continue;
    if (kind === 'text') item[key] = stringifyPythonJson(value);
    else displace(item, key, value);
  }
  return event;
}

function fits(value: JsonValue, kind: FieldKind): boolean {
  switch (kind) {
    case 'string':
    case 'text':
      return typeof value === 'string';
    case 'number':
      return Number.isFinite(value);
    case 'count':
      return Number.isSafeInteger(value) && (value as number) >= 0;
    case 'boolean':
      return typeof value === 'boolean';
    case 'signal':
      return typeof value === 'string' || Number.isSafeInteger(value);
    case 'numbers':
      return Array.isArray(value) && value.every((item) => Number.isFinite(item));
  }
}

function displace(item: JsonObject, key: string, value: JsonValue): void {
  const holder = item as { [displacedFields]?: Record<string, JsonValue> };
  holder[displacedFields] ??= emptyRecord();
  holder[displacedFields][key] = value;
  item[key] = null;
}
