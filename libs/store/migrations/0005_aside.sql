-- Messages that could not be decoded, kept aside for people to look at.
CREATE TABLE IF NOT EXISTS meadow.poison
(
    cluster LowCardinality(String) COMMENT 'Name of the Celery cluster',
    collected_at DateTime64(6, 'UTC') COMMENT 'When the collector heard it',
    reason LowCardinality(String) COMMENT 'Stable code of the decoding error',
    detail String COMMENT 'What was wrong, in words',
    content_type LowCardinality(String) COMMENT 'Content type the message claimed',
    routing_key LowCardinality(String) COMMENT 'Routing key or channel it came by',
    size UInt64 COMMENT 'Whole size, bytes',
    body String COMMENT 'At most the first 64 KiB; base64 unless it is UTF-8',
    keep_until DateTime('UTC') COMMENT 'After this the row is deleted'
)
ENGINE = MergeTree
PARTITION BY toMonday(collected_at)
ORDER BY (cluster, collected_at)
TTL keep_until
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Messages that could not be decoded';

CREATE TABLE IF NOT EXISTS meadow.poison_in
(
    cluster String,
    collected_at Decimal64(6),
    reason String,
    detail String,
    content_type String,
    routing_key String,
    size UInt64,
    body String,
    keep_until UInt32
)
ENGINE = Null
COMMENT 'Where poison are written; holds nothing';

CREATE MATERIALIZED VIEW IF NOT EXISTS meadow.poison_door TO meadow.poison AS
SELECT
    * REPLACE (
        toDateTime64(collected_at, 6, 'UTC') AS collected_at,
        toDateTime(if(keep_until = 0, toUInt32(collected_at) + 30 * 86400, keep_until), 'UTC') AS keep_until
    )
FROM meadow.poison_in;

-- Spans in which events may have been missed, kept as long as a year because numbers of that time are lower bounds.
CREATE TABLE IF NOT EXISTS meadow.ingest_gaps
(
    cluster LowCardinality(String) COMMENT 'Name of the Celery cluster',
    collector LowCardinality(String) COMMENT 'Collector that noticed',
    started_at DateTime64(6, 'UTC') COMMENT 'Begin of the span',
    ended_at DateTime64(6, 'UTC') COMMENT 'End of the span',
    reason LowCardinality(String) COMMENT 'Why: disconnected, overflow, queue-overflow, broker-restarted',
    estimated_events Nullable(Float64) COMMENT 'Best estimate of the events missed; null when nothing is known',
    keep_until DateTime('UTC') COMMENT 'After this the row is deleted'
)
ENGINE = MergeTree
ORDER BY (cluster, started_at)
TTL keep_until
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Spans in which events may have been missed';

CREATE TABLE IF NOT EXISTS meadow.ingest_gaps_in
(
    cluster String,
    collector String,
    started_at Decimal64(6),
    ended_at Decimal64(6),
    reason String,
    estimated_events Nullable(Float64),
    keep_until UInt32
)
ENGINE = Null
COMMENT 'Where ingest_gaps are written; holds nothing';

CREATE MATERIALIZED VIEW IF NOT EXISTS meadow.ingest_gaps_door TO meadow.ingest_gaps AS
SELECT
    * REPLACE (
        toDateTime64(started_at, 6, 'UTC') AS started_at,
        toDateTime64(ended_at, 6, 'UTC') AS ended_at,
        toDateTime(if(keep_until = 0, toUInt32(ended_at) + 365 * 86400, keep_until), 'UTC') AS keep_until
    )
FROM meadow.ingest_gaps_in;
