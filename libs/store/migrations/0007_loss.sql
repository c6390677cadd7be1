-- Loss, measured: a worker counts what it starts and tells the count with its heartbeats, and every start is an event of
-- its own. Where fewer events were heard between two heartbeats than the worker counted, the difference was never heard.

-- Starts, in an order in which "of this worker, between these two heartbeats" is a short range: in task_events a worker's
-- events are spread over the whole hour. Kept only until they have been compared.
CREATE TABLE IF NOT EXISTS meadow.task_starts
(
    cluster LowCardinality(String) COMMENT 'Name of the Celery cluster',
    worker LowCardinality(String) COMMENT 'Node name of the worker',
    pid UInt32 COMMENT 'Process id of the worker; 0 when not told',
    timestamp DateTime64(6, 'UTC') COMMENT 'When it was started, by the workers clock',
    collected_at DateTime64(6, 'UTC') COMMENT 'When the collector heard it'
)
ENGINE = MergeTree
PARTITION BY toStartOfHour(collected_at)
ORDER BY (cluster, worker, pid, timestamp)
TTL toDateTime(collected_at) + INTERVAL 12 HOUR
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1
COMMENT 'Starts of tasks in the last hours, for measuring loss';

CREATE MATERIALIZED VIEW IF NOT EXISTS meadow.task_starts_fill TO meadow.task_starts AS
SELECT cluster, worker, ifNull(pid, 0) AS pid, timestamp, collected_at
FROM meadow.task_events
WHERE type = 'task-started';

-- A window of a cluster is measured again after a crash, with the same result: the newest row of each counts.
CREATE TABLE IF NOT EXISTS meadow.ingest_loss
(
    cluster LowCardinality(String) COMMENT 'Name of the Celery cluster',
    started_at DateTime('UTC') COMMENT 'Begin of the window, by the collectors clock',
    ended_at DateTime('UTC') COMMENT 'End of the window',
    workers UInt32 COMMENT 'Worker processes that were measured',
    expected UInt64 COMMENT 'Starts that these workers counted',
    heard UInt64 COMMENT 'task-started events heard of them',
    lost Int64 COMMENT 'expected less heard. Below zero where a start fell between counting and telling: the window before has it too many, so add windows up before judging',
    unmeasured UInt64 COMMENT 'Starts counted by workers of which no task-started event came in ten minutes, most likely because task events are off: how many were lost is not known',
    keep_until DateTime('UTC') DEFAULT ended_at + INTERVAL 365 DAY COMMENT 'After this the row is deleted'
)
ENGINE = ReplacingMergeTree
ORDER BY (cluster, started_at)
TTL keep_until
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Starts of tasks that were never heard of, by window; read with FINAL';
