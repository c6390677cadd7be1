-- A task as it stands now. The aggregator writes a whole row whenever a task's facts changed; ClickHouse keeps the one
-- with the highest version, some time after. Who reads sees one row a task through the view `tasks`.
CREATE TABLE IF NOT EXISTS meadow.tasks_raw
(
    cluster LowCardinality(String) COMMENT 'Name of the Celery cluster',
    task_id String COMMENT 'Celery''s uuid of the task',
    name LowCardinality(String) COMMENT 'Task name; empty when not known',
    state LowCardinality(String) COMMENT 'PENDING, RECEIVED, STARTED, RETRY, SUCCESS, FAILURE, REVOKED, REJECTED, or the name of a custom state',
    queue LowCardinality(String) COMMENT 'Queue it was sent to; empty when not known',
    worker LowCardinality(String) COMMENT 'Worker that has it or had it last',
    client LowCardinality(String) COMMENT 'Node name of who sent it',
    root_id String COMMENT 'Task that began the workflow',
    parent_id String COMMENT 'Task that sent this one',
    args String COMMENT 'Python repr of the positional arguments, secrets masked',
    kwargs String COMMENT 'Python repr of the keyword arguments, secrets masked',
    result String COMMENT 'Python repr of the result',
    exception String COMMENT 'Python repr of the newest exception',
    exception_type LowCardinality(String) COMMENT 'Class of the newest exception',
    traceback String COMMENT 'Traceback of the newest exception',
    retries Nullable(UInt32) COMMENT 'Retries so far; null when not known',
    attempts UInt32 COMMENT 'How often it was begun',
    sent_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When it was sent',
    received_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When a worker took it first',
    started_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When it was started last',
    retried_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When a retry was asked for last',
    finished_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When it ended; null while it has not',
    updated_at DateTime64(6, 'UTC') COMMENT 'Time of the newest event',
    first_seen_at DateTime64(6, 'UTC') COMMENT 'When a collector first heard of it; never changes',
    wait_seconds Nullable(Float64) COMMENT 'Seconds between being runnable and being started',
    runtime_seconds Nullable(Float64) COMMENT 'Seconds of execution',
    progress String COMMENT 'JSON object of the newest custom events fields; empty when none',
    eta String COMMENT 'Earliest start, ISO 8601; empty when none',
    expires String COMMENT 'Expiry, ISO 8601; empty when none',
    exchange LowCardinality(String) COMMENT 'Exchange it was sent to',
    routing_key LowCardinality(String) COMMENT 'Routing key it was sent with',
    terminated Bool COMMENT 'Whether its process was killed',
    signum LowCardinality(String) COMMENT 'Signal that killed it; empty when none',
    expired Bool COMMENT 'Whether it was revoked because it had expired',
    cut Array(LowCardinality(String)) COMMENT 'Names of the fields that Celery cut at its limit',
    clock_skewed Bool COMMENT 'Whether its wait came out negative, because clocks differ, and is null for that',
    attempt_log String COMMENT 'JSON array with an object for each run: number, retries, worker, received_at, started_at, ended_at, state, exception, redelivered; empty when none',
    is_final Bool COMMENT 'Whether nothing more is expected of it',
    version UInt64 COMMENT 'Of rows with the same key the one with the highest version counts',
    keep_until DateTime('UTC') COMMENT 'After this the row is deleted',

    -- as in task_events: the sorting key leaves a granule or two an hour, the filter picks among these
    INDEX task_id_bloom task_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
-- A week: retention of years stays within hundreds of partitions, and FINAL never has to compare across them because
-- first_seen_at is part of the key.
PARTITION BY toMonday(first_seen_at)
-- Newest-first lists read whole hours; the random id comes after.
ORDER BY (cluster, toStartOfHour(first_seen_at), task_id)
TTL keep_until
SETTINGS
    non_replicated_deduplication_window = 10000,
    merge_with_ttl_timeout = 86400,
    min_bytes_for_wide_part = 100000000
COMMENT 'Versions of tasks; read the view tasks instead';

-- The door, as for task_events.
CREATE TABLE IF NOT EXISTS meadow.tasks_in
(
    cluster String,
    task_id String,
    name String,
    state String,
    queue String,
    worker String,
    client String,
    root_id String,
    parent_id String,
    args String,
    kwargs String,
    result String,
    exception String,
    exception_type String,
    traceback String,
    retries Nullable(UInt32),
    attempts UInt32,
    sent_at Nullable(Decimal64(6)),
    received_at Nullable(Decimal64(6)),
    started_at Nullable(Decimal64(6)),
    retried_at Nullable(Decimal64(6)),
    finished_at Nullable(Decimal64(6)),
    updated_at Decimal64(6),
    first_seen_at Decimal64(6),
    wait_seconds Nullable(Float64),
    runtime_seconds Nullable(Float64),
    progress String,
    eta String,
    expires String,
    exchange String,
    routing_key String,
    terminated Bool,
    signum String,
    expired Bool,
    cut Array(String),
    clock_skewed Bool,
    attempt_log String,
    is_final Bool,
    version UInt64,
    keep_until UInt32
)
ENGINE = Null
COMMENT 'Where tasks are written; holds nothing';

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

-- One row a task. FINAL takes the newest version of each, whatever was merged so far.
CREATE VIEW IF NOT EXISTS meadow.tasks
COMMENT 'Every task as it stands now, one row each'
AS SELECT
    cluster,
    task_id,
    name,
    state,
    queue,
    worker,
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
