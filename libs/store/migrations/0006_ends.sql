-- How tasks end of which no event tells: by the result backend, or by Meadow's own judgement. Both travel as events of
-- types that begin with 'meadow-', beside Celery's own.

-- Which process had the task: two lives of one node name are told apart by it.
ALTER TABLE meadow.tasks_raw ADD COLUMN IF NOT EXISTS pid Nullable(UInt32) COMMENT 'Process id of the worker' AFTER worker;
ALTER TABLE meadow.tasks_raw ADD COLUMN IF NOT EXISTS end_source LowCardinality(String) COMMENT 'Who told its end: event, result-backend or derived; empty while it has not ended' AFTER state;
ALTER TABLE meadow.tasks_raw ADD COLUMN IF NOT EXISTS end_reason LowCardinality(String) COMMENT 'Why it is LOST: worker-offline, worker-lost, worker-restarted, event-lost or no-end; empty otherwise' AFTER end_source;
ALTER TABLE meadow.tasks_raw MODIFY COLUMN state COMMENT 'PENDING, RECEIVED, STARTED, RETRY, SUCCESS, FAILURE, REVOKED, REJECTED, LOST, or the name of a custom state';
ALTER TABLE meadow.tasks_raw MODIFY COLUMN finished_at COMMENT 'When it ended, or when LOST, the last moment at which its worker may have had it; null while it has not';
-- The search for tasks that stay open passes over the granules in which all have ended: nearly all.
ALTER TABLE meadow.tasks_raw ADD INDEX IF NOT EXISTS is_final_minmax is_final TYPE minmax GRANULARITY 1;

ALTER TABLE meadow.tasks_in ADD COLUMN IF NOT EXISTS pid Nullable(UInt32) AFTER worker;
ALTER TABLE meadow.tasks_in ADD COLUMN IF NOT EXISTS end_source String AFTER state;
ALTER TABLE meadow.tasks_in ADD COLUMN IF NOT EXISTS end_reason String AFTER end_source;

-- Made anew: of a view changed by MODIFY QUERY, what was inserted before a restart is not known again after it by its token.
DROP VIEW IF EXISTS meadow.tasks_door SYNC;
CREATE MATERIALIZED VIEW IF NOT EXISTS meadow.tasks_door TO meadow.tasks_raw AS
SELECT
    * REPLACE (
        toDateTime64(sent_at, 6, 'UTC') AS sent_at,
        toDateTime64(received_at, 6, 'UTC') AS received_at,
        toDateTime64(started_at, 6, 'UTC') AS started_at,
        toDateTime64(finished_at, 6, 'UTC') AS finished_at,
        toDateTime64(retried_at, 6, 'UTC') AS retried_at,
        toDateTime64(updated_at, 6, 'UTC') AS updated_at,
        toDateTime64(first_seen_at, 6, 'UTC') AS first_seen_at,
        toDateTime(if(keep_until = 0, toUInt32(first_seen_at) + 30 * 86400, keep_until), 'UTC') AS keep_until
    )
FROM meadow.tasks_in;

CREATE OR REPLACE VIEW meadow.tasks
COMMENT 'Every task as it stands now, one row each'
AS SELECT
    cluster,
    task_id,
    name,
    state,
    end_source,
    end_reason,
    queue,
    worker,
    pid,
    client,
    root_id,
    parent_id,
    args,
    kwargs,
    result,
    exception,
    exception_type,
    traceback,
    retries,
    attempts,
    sent_at,
    received_at,
    started_at,
    retried_at,
    finished_at,
    updated_at,
    first_seen_at,
    wait_seconds,
    runtime_seconds,
    progress,
    eta,
    expires,
    exchange,
    routing_key,
    terminated,
    signum,
    expired,
    cut,
    clock_skewed,
    attempt_log,
    is_final
FROM meadow.tasks_raw FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

ALTER TABLE meadow.task_events ADD COLUMN IF NOT EXISTS end_reason LowCardinality(String) COMMENT 'Why Meadow says that it is lost; on meadow-lost' AFTER requeue;
ALTER TABLE meadow.task_events MODIFY COLUMN type COMMENT 'Celery event type: task-sent, task-received, task-started, task-succeeded, task-failed, task-retried, task-revoked, task-rejected or task-<custom>; or of Meadow: meadow-result-<state> from the result backend, meadow-lost';
ALTER TABLE meadow.task_events_in ADD COLUMN IF NOT EXISTS end_reason String AFTER requeue;

DROP VIEW IF EXISTS meadow.task_events_door SYNC;
CREATE MATERIALIZED VIEW IF NOT EXISTS meadow.task_events_door TO meadow.task_events AS
SELECT
    * REPLACE (
        toDateTime64(timestamp, 6, 'UTC') AS timestamp,
        toDateTime64(collected_at, 6, 'UTC') AS collected_at,
        toDateTime(if(keep_until = 0, toUInt32(collected_at) + 14 * 86400, keep_until), 'UTC') AS keep_until
    )
FROM meadow.task_events_in;

-- Rollups count what Celery told, so that they equal what was sent whoever else speaks.
DROP VIEW IF EXISTS meadow.task_rollup_fill SYNC;
CREATE MATERIALIZED VIEW IF NOT EXISTS meadow.task_rollup_fill TO meadow.task_rollup AS
SELECT
    cluster,
    toStartOfMinute(toDateTime(if(timestamp BETWEEN collected_at - INTERVAL 30 DAY AND collected_at + INTERVAL 1 DAY, timestamp, collected_at), 'UTC')) AS minute,
    name,
    queue,
    worker,
    count() AS events,
    countIf(type = 'task-sent') AS sent,
    countIf(type = 'task-received') AS received,
    countIf(type = 'task-started') AS started,
    countIf(type = 'task-succeeded') AS succeeded,
    countIf(type = 'task-failed') AS failed,
    countIf(type = 'task-retried') AS retried,
    countIf(type = 'task-revoked') AS revoked,
    countIf(type = 'task-rejected') AS rejected,
    countIf(runtime IS NOT NULL) AS runtime_count,
    sum(ifNull(runtime, 0)) AS runtime_sum,
    max(ifNull(runtime, 0)) AS runtime_max,
    countIf(type = 'task-started' AND wait_seconds IS NOT NULL) AS wait_count,
    sumIf(ifNull(wait_seconds, 0), type = 'task-started') AS wait_sum,
    maxIf(ifNull(wait_seconds, 0), type = 'task-started') AS wait_max
FROM meadow.task_events
WHERE NOT startsWith(type, 'meadow-')
GROUP BY cluster, minute, name, queue, worker;
