import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isTaskEvent } from '../src/event.ts';
import { parsePythonJson } from '../src/json.ts';
import type { CeleryEvent, TaskEvent } from '../src/event.ts';

const vectors = fileURLToPath(new URL('../../../vectors/', import.meta.url));

/** One parsed line per element. */
export function lines<Line>(file: string): Line[] {
  const text = readFileSync(vectors + file, 'utf8').trimEnd();
  return text.split('\n').map((line) => parsePythonJson(line) as Line);
}

/** An event as Celery sends it. */
export function wireEvent(raw: Record<string, unknown>): CeleryEvent {
  return raw as unknown as CeleryEvent;
}

interface RedisLine {
  payload: string;
}

interface AmqpLine {
  payload: string;
}

function unpack(payload: string): Record<string, unknown>[] {
  const parsed = JSON.parse(payload) as { body?: string } | unknown[];
  const body =
    !Array.isArray(parsed) && typeof parsed.body === 'string' ? Buffer.from(parsed.body, 'base64').toString() : payload;
  const events = JSON.parse(body) as Record<string, unknown> | Record<string, unknown>[];
  return Array.isArray(events) ? events : [events];
}

/** Every event of a recorded run, in order of arrival. */
export function recordedEvents(file: string): CeleryEvent[] {
  return lines<RedisLine | AmqpLine>(file).flatMap((line) => unpack(line.payload).map(wireEvent));
}

/** Task events of a recorded run by task, in order of arrival. */
export function recordedTasks(file: string): Map<string, TaskEvent[]> {
  const tasks = recordedEvents(file).filter(isTaskEvent);
  return Map.groupBy(tasks, (event) => event.uuid);
}
