import { named } from '@meadow/celery';
import { QueueRefusal } from './refusal.ts';

const queueName = named('the queue');

const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';

/** What lies among task queues and holds no tasks. */
const NOT_FOR_TASKS = [
  /** Mailboxes of workers, and replies to who asked them. */
  /\.pidbox$/,
  /** Event receivers, broadcasts on Redis, and callers that wait for results in a queue of their own. */
  new RegExp(`^(?:(?:celeryev|bcast)\\.)?${UUID}$`),
  /** RabbitMQ's, Meadow's, kombu's. */
  /^(?:amq|meadow|_kombu)\./,
  /^unacked(?:_index|_mutex)?$/,
  /celery-task(?:set)?-meta-/,
];

/** Whether a key or queue of this name may hold tasks. A name that cannot be said, as its bytes are no text, may not. */
export function isTaskQueue(name: string): boolean {
  return (
    !NOT_FOR_TASKS.some((pattern) => pattern.test(name)) &&
    !name.includes('\uFFFD') &&
    queueName.safeParse(name).success
  );
}

/** Celery's queues for delayed delivery on RabbitMQ, one for each power of two of seconds. */
export const isDelayed = (name: string): boolean => name.startsWith('celery_delayed_');

/** @throws QueueRefusal for a name that no queue of tasks can have, or whose messages wait for their time */
export function checkQueueName(name: string): void {
  const checked = queueName.safeParse(name);
  if (!checked.success) {
    const problem = checked.error.issues[0]?.message ?? 'the name is none';
    throw new QueueRefusal('QUEUE_NAME_INVALID', name, problem, "give the queue's name as Celery has it");
  }
  if (isDelayed(name)) {
    throw new QueueRefusal(
      'QUEUE_DELAYED',
      name,
      'RabbitMQ keeps tasks in it until their time has come',
      'wait, or revoke the tasks by their ids',
    );
  }
  if (!isTaskQueue(name)) {
    const remedy = 'name a queue that workers take tasks from';
    throw new QueueRefusal('QUEUE_NOT_FOR_TASKS', name, 'it holds no tasks, and somebody needs what it holds', remedy);
  }
}
