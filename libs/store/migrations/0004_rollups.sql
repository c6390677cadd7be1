-- Counts a minute, made of each inserted block of task_events as it arrives. A repeated insert is told apart by its
-- token in these tables too, so that they stay exact.
--
-- The minute is of the sender's clock, which is when things happened: events may reach us days late. A clock that is more
-- than a day ahead or a month behind is not believed, and the collector's counts instead: a block with many such times
-- would otherwise touch too many partitions, be refused, and hold up everything behind it.
CREATE TABLE IF NOT EXISTS meadow.task_rollup
(
    cluster LowCardinality(String) COMMENT 'Name of the Celery cluster',
    minute DateTime('UTC') COMMENT 'Start of the minute, by the senders'' clocks',
    name LowCardinality(String) COMMENT 'Task name; empty when not known',
    queue LowCardinality(String) COMMENT 'Queue; empty when not known',
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
PARTITION BY toMonday(minute)
ORDER BY (cluster, minute, name, queue, worker)
TTL minute + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Task events by minute, name, queue and worker; read the view task_rates instead';

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
    -- final events carry the wait too: counting it where the task starts counts it once
    countIf(type = 'task-started' AND wait_seconds IS NOT NULL) AS wait_count,
    sumIf(ifNull(wait_seconds, 0), type = 'task-started') AS wait_sum,
    maxIf(ifNull(wait_seconds, 0), type = 'task-started') AS wait_max
FROM meadow.task_events
GROUP BY cluster, minute, name, queue, worker;

CREATE VIEW IF NOT EXISTS meadow.task_rates
COMMENT 'Task events a minute by name, queue and worker'
AS SELECT
    cluster,
    minute,
    name,
    queue,
    worker,
    sum(r.events) AS events,
    sum(r.sent) AS sent,
    sum(r.received) AS received,
    sum(r.started) AS started,
    sum(r.succeeded) AS succeeded,
    sum(r.failed) AS failed,
    sum(r.retried) AS retried,
    sum(r.revoked) AS revoked,
    sum(r.rejected) AS rejected,
    sum(r.runtime_count) AS runtime_count,
    sum(r.runtime_sum) AS runtime_sum,
    max(r.runtime_max) AS runtime_max,
    sum(r.wait_count) AS wait_count,
    sum(r.wait_sum) AS wait_sum,
    max(r.wait_max) AS wait_max
FROM meadow.task_rollup AS r
GROUP BY cluster, minute, name, queue, worker;

-- Percentiles need sketches, and merging one costs about 8 µs. By minute without the name a day is 1,440 of them; with
-- the name, whole hours keep a day of a hundred names at 2,400. DDSketch: right to 1 % of the value, the smallest and
-- the quickest to merge of those measured (BFloat16 took twice the time).
CREATE TABLE IF NOT EXISTS meadow.duration_rollup
(
    cluster LowCardinality(String) COMMENT 'Name of the Celery cluster',
    minute DateTime('UTC') COMMENT 'Start of the minute',
    runtime AggregateFunction(quantilesDD(0.01, 0.5, 0.95, 0.99), Float64) COMMENT 'Sketch of the runtimes',
    wait AggregateFunction(quantilesDD(0.01, 0.5, 0.95, 0.99), Float64) COMMENT 'Sketch of the waits'
)
ENGINE = AggregatingMergeTree
PARTITION BY toMonday(minute)
ORDER BY (cluster, minute)
TTL minute + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Sketches of runtime and wait by minute';

CREATE MATERIALIZED VIEW IF NOT EXISTS meadow.duration_rollup_fill TO meadow.duration_rollup AS
SELECT
    cluster,
    toStartOfMinute(toDateTime(if(timestamp BETWEEN collected_at - INTERVAL 30 DAY AND collected_at + INTERVAL 1 DAY, timestamp, collected_at), 'UTC')) AS minute,
    quantilesDDStateIf(0.01, 0.5, 0.95, 0.99)(assumeNotNull(e.runtime), e.runtime IS NOT NULL) AS runtime,
    quantilesDDStateIf(0.01, 0.5, 0.95, 0.99)(assumeNotNull(e.wait_seconds), e.type = 'task-started' AND e.wait_seconds IS NOT NULL) AS wait
FROM meadow.task_events AS e
WHERE e.type IN ('task-started', 'task-succeeded')
GROUP BY cluster, minute;

CREATE TABLE IF NOT EXISTS meadow.name_duration_rollup
(
    cluster LowCardinality(String) COMMENT 'Name of the Celery cluster',
    hour DateTime('UTC') COMMENT 'Start of the hour',
    name LowCardinality(String) COMMENT 'Task name; empty when not known',
    runtime AggregateFunction(quantilesDD(0.01, 0.5, 0.95, 0.99), Float64) COMMENT 'Sketch of the runtimes',
    wait AggregateFunction(quantilesDD(0.01, 0.5, 0.95, 0.99), Float64) COMMENT 'Sketch of the waits'
)
ENGINE = AggregatingMergeTree
PARTITION BY toMonday(hour)
ORDER BY (cluster, hour, name)
TTL hour + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Sketches of runtime and wait by hour and name; read the view task_durations instead';

CREATE MATERIALIZED VIEW IF NOT EXISTS meadow.name_duration_rollup_fill TO meadow.name_duration_rollup AS
SELECT
    cluster,
    toStartOfHour(toDateTime(if(timestamp BETWEEN collected_at - INTERVAL 30 DAY AND collected_at + INTERVAL 1 DAY, timestamp, collected_at), 'UTC')) AS hour,
    name,
    quantilesDDStateIf(0.01, 0.5, 0.95, 0.99)(assumeNotNull(e.runtime), e.runtime IS NOT NULL) AS runtime,
    quantilesDDStateIf(0.01, 0.5, 0.95, 0.99)(assumeNotNull(e.wait_seconds), e.type = 'task-started' AND e.wait_seconds IS NOT NULL) AS wait
FROM meadow.task_events AS e
WHERE e.type IN ('task-started', 'task-succeeded')
GROUP BY cluster, hour, name;

CREATE VIEW IF NOT EXISTS meadow.task_durations
COMMENT 'Percentiles of runtime and wait by hour and task name, seconds, right to 1 %'
AS SELECT
    cluster,
    hour,
    name,
    quantilesDDMerge(0.01, 0.5, 0.95, 0.99)(d.runtime) AS runtimes,
    quantilesDDMerge(0.01, 0.5, 0.95, 0.99)(d.wait) AS waits,
    runtimes[1] AS runtime_p50,
    runtimes[2] AS runtime_p95,
    runtimes[3] AS runtime_p99,
    waits[1] AS wait_p50,
    waits[2] AS wait_p95,
    waits[3] AS wait_p99
FROM meadow.name_duration_rollup AS d
GROUP BY cluster, hour, name;

-- What fails, and with which exception.
CREATE TABLE IF NOT EXISTS meadow.failure_rollup
(
    cluster LowCardinality(String) COMMENT 'Name of the Celery cluster',
    minute DateTime('UTC') COMMENT 'Start of the minute',
    name LowCardinality(String) COMMENT 'Task name; empty when not known',
    exception_type LowCardinality(String) COMMENT 'Class of the exception; empty when not known',
    failed SimpleAggregateFunction(sum, UInt64) COMMENT 'task-failed events'
)
ENGINE = AggregatingMergeTree
PARTITION BY toMonday(minute)
ORDER BY (cluster, minute, name, exception_type)
TTL minute + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Failures by minute, name and exception class; sum failed';

CREATE MATERIALIZED VIEW IF NOT EXISTS meadow.failure_rollup_fill TO meadow.failure_rollup AS
SELECT
    cluster,
    toStartOfMinute(toDateTime(if(timestamp BETWEEN collected_at - INTERVAL 30 DAY AND collected_at + INTERVAL 1 DAY, timestamp, collected_at), 'UTC')) AS minute,
    name,
    exception_type,
    count() AS failed
FROM meadow.task_events
WHERE type = 'task-failed'
GROUP BY cluster, minute, name, exception_type;
