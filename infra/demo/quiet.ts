import type { LineReader } from '@meadow/standalone';

/** Brokers and Celery workers tell much; here it is their tasks that count, so their lines are debug. */
export const quiet: LineReader = (service, text, time) =>
  text.trim() === '' ? null : { service, level: 'debug', time, message: text, facts: {} };
