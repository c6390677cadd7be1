-- Texts keep the default codec: ZSTD(1) halves them and costs 1 µs a row more, a third of the whole insert.
-- Every event of a task, as the collector heard it, with what the aggregator knows of the task joined on: a terminal
-- event of Celery carries no name, queue or root.
CREATE TABLE IF NOT EXISTS meadow.task_events
(
    cluster LowCardinality(String) COMMENT 'Name of the Celery cluster',
    event_id FixedString(16) COMMENT '16 hex digits, the same for whoever heard the event',
    type LowCardinality(String) COMMENT 'Celery event type: task-sent, task-received, task-started, task-succeeded, task-failed, task-retried, task-revoked, task-rejected or task-<custom>',
    timestamp DateTime64(6, 'UTC') COMMENT 'When it happened, by the clock of its sender',
    collected_at DateTime64(6, 'UTC') COMMENT 'When the collector heard it, by the collector''s clock',
    worker LowCardinality(String) COMMENT 'Node name of the sender; gen<pid>@<host> for a client that sent a task',
    pid Nullable(UInt32) COMMENT 'Process id of the sender',
    clock Nullable(UInt64) COMMENT 'Lamport clock of the sending process; compare only within one worker and pid',
    task_id String COMMENT 'Celery''s uuid of the task',
    name LowCardinality(String) COMMENT 'Task name, also on events that Celery sends without it; empty when not known',
    queue LowCardinality(String) COMMENT 'Queue the task was sent to; empty when not known',
    root_id String COMMENT 'Task that began the workflow; empty when not known',
    parent_id String COMMENT 'Task that sent this one; empty when none',
    state LowCardinality(String) COMMENT 'State this event brings; empty when it brings none',
    args String COMMENT 'Python repr of the positional arguments, cut by Celery at about 1024 characters, secrets masked',
    kwargs String COMMENT 'Python repr of the keyword arguments, as args',
    retries Nullable(UInt32) COMMENT 'How many retries came before',
    eta String COMMENT 'Earliest start, ISO 8601; empty when none',
    expires String COMMENT 'Expiry, ISO 8601; empty when none',
    exchange LowCardinality(String) COMMENT 'Exchange the task was sent to; on task-sent',
    routing_key LowCardinality(String) COMMENT 'Routing key the task was sent with; on task-sent',
    result String COMMENT 'Python repr of the result; on task-succeeded',
    runtime Nullable(Float64) COMMENT 'Seconds of execution; on task-succeeded',
    wait_seconds Nullable(Float64) COMMENT 'Seconds between being runnable and being started; on task-started and final events',
    exception String COMMENT 'Python repr of the exception; on task-failed and task-retried',
    exception_type LowCardinality(String) COMMENT 'Class of the exception; on task-failed and task-retried',
    traceback String COMMENT 'Traceback; on task-failed and task-retried',
    terminated Nullable(Bool) COMMENT 'Whether the process was killed; on task-revoked',
    signum String COMMENT 'Signal that killed it; on task-revoked',
    expired Nullable(Bool) COMMENT 'Whether it was revoked because it had expired; on task-revoked',
    requeue Nullable(Bool) COMMENT 'Whether the message went back to the queue; on task-rejected',
    extra String COMMENT 'JSON object of the fields that Celery''s own events do not have; empty when none',
    keep_until DateTime('UTC') COMMENT 'After this the row is deleted',

    -- The sorting key narrows a search by id to one or two granules an hour; the filter picks the right ones of these.
    INDEX task_id_bloom task_id TYPE bloom_filter(0.01) GRANULARITY 1,
    -- "What came in during the last minutes" is asked at every start of an aggregator.
    INDEX collected_at_minmax collected_at TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
-- By the collector's clock: a sender with a wrong clock must not open partitions in 1970.
PARTITION BY toDate(collected_at)
-- An id is random, so sorting by it alone would scatter an hour over the whole table.
ORDER BY (cluster, toStartOfHour(timestamp), task_id, timestamp)
TTL keep_until
SETTINGS
    -- tokens of the last inserts, so that a repeated one changes nothing
    non_replicated_deduplication_window = 10000,
    -- clusters keep for different times, so parts lose rows one by one: once a day is often enough to rewrite them
    merge_with_ttl_timeout = 86400,
    -- 35 columns are over 100 files in a wide part: with small parts kept compact, an insert and the merges it causes
    -- cost 2 µs of CPU a row less (6.8 against 9.0, of which 3 are the HTTP front's and the parser's)
    min_bytes_for_wide_part = 100000000
COMMENT 'Every event of every task';

-- The door: JSON lines are written here and pass through the view below. ClickHouse reads a plain number for a
-- DateTime64 as microseconds, while a Decimal takes Celery's seconds with their fraction exactly. Texts are plain here
-- because turning whole columns to LowCardinality in the view costs a third of doing so value by value while parsing
-- (2.4 against 4.3 µs of CPU a row of 460 bytes, all of the insert, 35 columns, 2 cores).
CREATE TABLE IF NOT EXISTS meadow.task_events_in
(
    cluster String,
    event_id FixedString(16),
    type String,
    timestamp Decimal64(6),
    collected_at Decimal64(6),
    worker String,
    pid Nullable(UInt32),
    clock Nullable(UInt64),
    task_id String,
    name String,
    queue String,
    root_id String,
    parent_id String,
    state String,
    args String,
    kwargs String,
    retries Nullable(UInt32),
    eta String,
    expires String,
    exchange String,
    routing_key String,
    result String,
    runtime Nullable(Float64),
    wait_seconds Nullable(Float64),
    exception String,
    exception_type String,
    traceback String,
    terminated Nullable(Bool),
    signum String,
    expired Nullable(Bool),
    requeue Nullable(Bool),
    extra String,
    -- seconds; 0 = not given
    keep_until UInt32
)
ENGINE = Null
COMMENT 'Where task_events are written; holds nothing';

CREATE MATERIALIZED VIEW IF NOT EXISTS meadow.task_events_door TO meadow.task_events AS
SELECT
    * REPLACE (
        toDateTime64(timestamp, 6, 'UTC') AS timestamp,
        toDateTime64(collected_at, 6, 'UTC') AS collected_at,
        toDateTime(if(keep_until = 0, toUInt32(collected_at) + 14 * 86400, keep_until), 'UTC') AS keep_until
    )
FROM meadow.task_events_in;
