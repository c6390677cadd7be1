-- Workers as they stand now. Lost workers are not marked: that depends on when one asks.
CREATE TABLE IF NOT EXISTS meadow.workers
(
    cluster LowCardinality(String) COMMENT 'Name of the Celery cluster',
    worker LowCardinality(String) COMMENT 'Node name, e.g. celery@host',
    pid Nullable(UInt32) COMMENT 'Process id of the worker',
    freq Nullable(Float64) COMMENT 'Seconds between its heartbeats',
    active Nullable(UInt32) COMMENT 'Tasks it is running',
    processed Nullable(UInt64) COMMENT 'Tasks it has run since it started',
    loadavg Array(Float64) COMMENT 'Load of its machine over 1, 5 and 15 minutes; empty when not known',
    sw_ident LowCardinality(String) COMMENT 'Software, e.g. py-celery',
    sw_ver LowCardinality(String) COMMENT 'Version of it',
    sw_sys LowCardinality(String) COMMENT 'Operating system',
    started_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When it said hello last; null when not heard',
    last_heartbeat_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When it was heard last',
    offline Bool COMMENT 'Whether it said goodbye',
    updated_at DateTime64(6, 'UTC') COMMENT 'Time of the newest event heard from it',
    keep_until DateTime('UTC') COMMENT 'After this the row is deleted'
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY (cluster, worker)
TTL keep_until
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Workers, newest facts of each; read with FINAL';

CREATE TABLE IF NOT EXISTS meadow.workers_in
(
    cluster String,
    worker String,
    pid Nullable(UInt32),
    freq Nullable(Float64),
    active Nullable(UInt32),
    processed Nullable(UInt64),
    loadavg Array(Float64),
    sw_ident String,
    sw_ver String,
    sw_sys String,
    started_at Nullable(Decimal64(6)),
    last_heartbeat_at Nullable(Decimal64(6)),
    offline Bool,
    updated_at Decimal64(6),
    keep_until UInt32
)
ENGINE = Null
COMMENT 'Where workers are written; holds nothing';

CREATE MATERIALIZED VIEW IF NOT EXISTS meadow.workers_door TO meadow.workers AS
SELECT
    * REPLACE (
        toDateTime64(updated_at, 6, 'UTC') AS updated_at,
        toDateTime64(started_at, 6, 'UTC') AS started_at,
        toDateTime64(last_heartbeat_at, 6, 'UTC') AS last_heartbeat_at,
        toDateTime(if(keep_until = 0, toUInt32(updated_at) + 30 * 86400, keep_until), 'UTC') AS keep_until
    )
FROM meadow.workers_in;

-- What workers said of themselves over time.
CREATE TABLE IF NOT EXISTS meadow.worker_samples
(
    cluster LowCardinality(String) COMMENT 'Name of the Celery cluster',
    worker LowCardinality(String) COMMENT 'Node name, e.g. celery@host',
    event_id FixedString(16) COMMENT '16 hex digits, the same for whoever heard the event',
    type LowCardinality(String) COMMENT 'worker-online, worker-heartbeat or worker-offline',
    timestamp DateTime64(6, 'UTC') COMMENT 'When it was sent, by the workers clock',
    collected_at DateTime64(6, 'UTC') COMMENT 'When the collector heard it',
    clock Nullable(UInt64) COMMENT 'Lamport clock of the worker',
    pid Nullable(UInt32) COMMENT 'Process id of the worker',
    freq Nullable(Float64) COMMENT 'Seconds between its heartbeats',
    active Nullable(UInt32) COMMENT 'Tasks it is running',
    processed Nullable(UInt64) COMMENT 'Tasks it has run since it started',
    loadavg Array(Float64) COMMENT 'Load of its machine over 1, 5 and 15 minutes; empty when not known',
    sw_ident LowCardinality(String) COMMENT 'Software, e.g. py-celery',
    sw_ver LowCardinality(String) COMMENT 'Version of it',
    sw_sys LowCardinality(String) COMMENT 'Operating system',
    keep_until DateTime('UTC') COMMENT 'After this the row is deleted'
)
ENGINE = MergeTree
PARTITION BY toDate(collected_at)
ORDER BY (cluster, worker, timestamp)
TTL keep_until
SETTINGS non_replicated_deduplication_window = 10000, merge_with_ttl_timeout = 86400
COMMENT 'Every stored heartbeat';

CREATE TABLE IF NOT EXISTS meadow.worker_samples_in
(
    cluster String,
    worker String,
    event_id FixedString(16),
    type String,
    timestamp Decimal64(6),
    collected_at Decimal64(6),
    clock Nullable(UInt64),
    pid Nullable(UInt32),
    freq Nullable(Float64),
    active Nullable(UInt32),
    processed Nullable(UInt64),
    loadavg Array(Float64),
    sw_ident String,
    sw_ver String,
    sw_sys String,
    keep_until UInt32
)
ENGINE = Null
COMMENT 'Where worker_samples are written; holds nothing';

CREATE MATERIALIZED VIEW IF NOT EXISTS meadow.worker_samples_door TO meadow.worker_samples AS
SELECT
    * REPLACE (
        toDateTime64(timestamp, 6, 'UTC') AS timestamp,
        toDateTime64(collected_at, 6, 'UTC') AS collected_at,
        toDateTime(if(keep_until = 0, toUInt32(collected_at) + 14 * 86400, keep_until), 'UTC') AS keep_until
    )
FROM meadow.worker_samples_in;
