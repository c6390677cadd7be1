import type { Task } from '../src/index.ts';

/** A task as `celery.events.state` shows it. */
export type CeleryTask = Record<string, unknown>;

/** Our task under the names of `celery.events.state.Task`. */
export function asCelery(task: Task): CeleryTask {
  const end = (state: string) => (task.state === state ? task.finishedAt : null);
  return {
    uuid: task.id,
    name: task.name,
    state: task.state,
    received: task.receivedAt,
    sent: task.sentAt,
    started: task.startedAt,
    rejected: task.rejectedAt,
    succeeded: end('SUCCESS'),
    failed: end('FAILURE'),
    retried: task.retriedAt,
    revoked: task.revokedAt,
    args: task.args,
    kwargs: task.kwargs,
    eta: task.eta,
    expires: task.expires,
    retries: task.retries,
    result: task.result,
    exception: task.exception,
    timestamp: task.stateAt,
    runtime: task.runtime,
    traceback: task.traceback,
    exchange: task.exchange,
    routing_key: task.routingKey,
    client: task.client,
    root_id: task.rootId,
    parent_id: task.parentId,
    worker: task.worker,
  };
}
