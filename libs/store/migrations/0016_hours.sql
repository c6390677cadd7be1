-- Counts by the hour, for spans of more than a few days. A month of task_rollup is as many rows as there were tasks where
-- workers are many; by name and queue it is some hundred thousand, by worker as well. Both are made of the blocks that
-- task_rollup is given, which have been counted: no event is looked at again.
CREATE TABLE IF NOT EXISTS meadow.name_hour_rollup
(
    cluster LowCardinality(String) COMMENT 'Name of the Celery cluster',
    hour DateTime('UTC') COMMENT 'Start of the hour, by the senders'' clocks',
    name LowCardinality(String) COMMENT 'Task name; empty when not known',
    queue LowCardinality(String) COMMENT 'Queue; empty when not known',
    last_minute SimpleAggregateFunction(max, DateTime('UTC')) COMMENT 'Start of the newest minute in which there was any',
    events SimpleAggregateFunction(sum, UInt64) COMMENT 'All task events',
    sent SimpleAggregateFunction(sum, UInt64) COMMENT 'task-sent events',
    received SimpleAggregateFunction(sum, UInt64) COMMENT 'task-received events',
    started SimpleAggregateFunction(sum, UInt64) COMMENT 'task-started events',
    succeeded SimpleAggregateFunction(sum, UInt64) COMMENT 'task-succeeded events',
    failed SimpleAggregateFunction(sum, UInt64) COMMENT 'task-failed events',
    retried SimpleAggregateFunction(sum, UInt64) COMMENT 'task-retried events',
    revoked SimpleAggregateFunction(sum, UInt64) COMMENT 'task-revoked events',
    rejected SimpleAggregateFunction(sum, UInt64) COMMENT 'task-rejected events',
    runtime_count SimpleAggregateFunction(sum, UInt64) COMMENT 'Runtimes measured',
    runtime_sum SimpleAggregateFunction(sum, Float64) COMMENT 'Their sum, seconds',
    runtime_max SimpleAggregateFunction(max, Float64) COMMENT 'The longest, seconds',
    wait_count SimpleAggregateFunction(sum, UInt64) COMMENT 'Waits measured, at task-started',
    wait_sum SimpleAggregateFunction(sum, Float64) COMMENT 'Their sum, seconds',
    wait_max SimpleAggregateFunction(max, Float64) COMMENT 'The longest, seconds'
)
ENGINE = AggregatingMergeTree
PARTITION BY toStartOfMonth(hour)
ORDER BY (cluster, hour, name, queue)
TTL hour + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Task events by hour, name and queue; sum the counts';

CREATE TABLE IF NOT EXISTS meadow.worker_hour_rollup
(
    cluster LowCardinality(String) COMMENT 'Name of the Celery cluster',
    hour DateTime('UTC') COMMENT 'Start of the hour, by the senders'' clocks',
    worker LowCardinality(String) COMMENT 'Sender of the events: a worker, or a client for those sent',
    events SimpleAggregateFunction(sum, UInt64) COMMENT 'All task events',
    sent SimpleAggregateFunction(sum, UInt64) COMMENT 'task-sent events',
    received SimpleAggregateFunction(sum, UInt64) COMMENT 'task-received events',
    started SimpleAggregateFunction(sum, UInt64) COMMENT 'task-started events',
    succeeded SimpleAggregateFunction(sum, UInt64) COMMENT 'task-succeeded events',
    failed SimpleAggregateFunction(sum, UInt64) COMMENT 'task-failed events',
    retried SimpleAggregateFunction(sum, UInt64) COMMENT 'task-retried events',
    revoked SimpleAggregateFunction(sum, UInt64) COMMENT 'task-revoked events',
    rejected SimpleAggregateFunction(sum, UInt64) COMMENT 'task-rejected events',
    runtime_count SimpleAggregateFunction(sum, UInt64) COMMENT 'Runtimes measured',
    runtime_sum SimpleAggregateFunction(sum, Float64) COMMENT 'Their sum, seconds',
    runtime_max SimpleAggregateFunction(max, Float64) COMMENT 'The longest, seconds',
    wait_count SimpleAggregateFunction(sum, UInt64) COMMENT 'Waits measured, at task-started',
    wait_sum SimpleAggregateFunction(sum, Float64) COMMENT 'Their sum, seconds',
    wait_max SimpleAggregateFunction(max, Float64) COMMENT 'The longest, seconds'
)
ENGINE = AggregatingMergeTree
PARTITION BY toStartOfMonth(hour)
ORDER BY (cluster, hour, worker)
TTL hour + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Task events by hour and worker; sum the counts';

-- What is kept already. Nothing is counted twice where this is run again: it begins anew.
DROP VIEW IF EXISTS meadow.name_hour_rollup_fill SYNC;
DROP VIEW IF EXISTS meadow.worker_hour_rollup_fill SYNC;
TRUNCATE TABLE meadow.name_hour_rollup;
TRUNCATE TABLE meadow.worker_hour_rollup;
INSERT INTO meadow.name_hour_rollup
SELECT
    r.cluster AS cluster, toStartOfHour(r.minute) AS hour, r.name AS name, r.queue AS queue,
    max(r.minute) AS last_minute, sum(r.events) AS events, sum(r.sent) AS sent, sum(r.received) AS received, sum(r.started) AS started,
    sum(r.succeeded) AS succeeded, sum(r.failed) AS failed, sum(r.retried) AS retried, sum(r.revoked) AS revoked,
    sum(r.rejected) AS rejected, sum(r.runtime_count) AS runtime_count, sum(r.runtime_sum) AS runtime_sum,
    max(r.runtime_max) AS runtime_max, sum(r.wait_count) AS wait_count, sum(r.wait_sum) AS wait_sum,
    max(r.wait_max) AS wait_max
FROM meadow.task_rollup AS r
GROUP BY cluster, hour, name, queue
SETTINGS insert_deduplicate = 0;
INSERT INTO meadow.worker_hour_rollup
SELECT
    r.cluster AS cluster, toStartOfHour(r.minute) AS hour, r.worker AS worker,
    sum(r.events) AS events, sum(r.sent) AS sent, sum(r.received) AS received, sum(r.started) AS started,
    sum(r.succeeded) AS succeeded, sum(r.failed) AS failed, sum(r.retried) AS retried, sum(r.revoked) AS revoked,
    sum(r.rejected) AS rejected, sum(r.runtime_count) AS runtime_count, sum(r.runtime_sum) AS runtime_sum,
    max(r.runtime_max) AS runtime_max, sum(r.wait_count) AS wait_count, sum(r.wait_sum) AS wait_sum,
    max(r.wait_max) AS wait_max
FROM meadow.task_rollup AS r
GROUP BY cluster, hour, worker
SETTINGS insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS meadow.name_hour_rollup_fill TO meadow.name_hour_rollup AS
SELECT
    r.cluster AS cluster, toStartOfHour(r.minute) AS hour, r.name AS name, r.queue AS queue,
    max(r.minute) AS last_minute, sum(r.events) AS events, sum(r.sent) AS sent, sum(r.received) AS received, sum(r.started) AS started,
    sum(r.succeeded) AS succeeded, sum(r.failed) AS failed, sum(r.retried) AS retried, sum(r.revoked) AS revoked,
    sum(r.rejected) AS rejected, sum(r.runtime_count) AS runtime_count, sum(r.runtime_sum) AS runtime_sum,
    max(r.runtime_max) AS runtime_max, sum(r.wait_count) AS wait_count, sum(r.wait_sum) AS wait_sum,
    max(r.wait_max) AS wait_max
FROM meadow.task_rollup AS r
GROUP BY cluster, hour, name, queue;
CREATE MATERIALIZED VIEW IF NOT EXISTS meadow.worker_hour_rollup_fill TO meadow.worker_hour_rollup AS
SELECT
    r.cluster AS cluster, toStartOfHour(r.minute) AS hour, r.worker AS worker,
    sum(r.events) AS events, sum(r.sent) AS sent, sum(r.received) AS received, sum(r.started) AS started,
    sum(r.succeeded) AS succeeded, sum(r.failed) AS failed, sum(r.retried) AS retried, sum(r.revoked) AS revoked,
    sum(r.rejected) AS rejected, sum(r.runtime_count) AS runtime_count, sum(r.runtime_sum) AS runtime_sum,
    max(r.runtime_max) AS runtime_max, sum(r.wait_count) AS wait_count, sum(r.wait_sum) AS wait_sum,
    max(r.wait_max) AS wait_max
FROM meadow.task_rollup AS r
GROUP BY cluster, hour, worker;
