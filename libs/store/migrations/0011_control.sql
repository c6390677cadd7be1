-- Who did what: every command, done or refused. Rows are added and never changed, and go only when their time is over.
CREATE TABLE IF NOT EXISTS meadow.audit
(
    cluster LowCardinality(String) COMMENT 'Name of the Celery cluster',
    at DateTime64(6, 'UTC') COMMENT 'When it was begun, ended or refused',
    id String COMMENT 'Uuid of the record',
    request_id String COMMENT 'The same in all records of one request: a long action has one for its begin and one for its end',
    actor String COMMENT 'Who commanded; empty when not known',
    signed_in LowCardinality(String) COMMENT 'How that is known: anonymous, basic, oidc, token, header, or system for Meadow itself',
    address String COMMENT 'Network address it came from',
    user_agent String COMMENT 'Program it came from, as that tells',
    action LowCardinality(String) COMMENT 'What was commanded: a method of remote control, e.g. rate_limit, or task.retry, queue.purge and their like',
    target_kind LowCardinality(String) COMMENT 'What it was about: cluster, worker, pool, task or queue',
    targets Array(String) COMMENT 'Names or ids of these; empty for the whole cluster. Of very many the last one says how many more there are',
    arguments String COMMENT 'JSON, secrets masked; cut at 8 KB with a mark',
    outcome LowCardinality(String) COMMENT 'begun, done, partly, refused, failed, unanswered or stopped',
    detail String COMMENT 'What came of it, one line',
    answers String COMMENT 'JSON of what each worker answered, secrets masked; cut at 64 KB with a mark',
    duration_seconds Nullable(Float64) COMMENT 'How long it took',
    replica String COMMENT 'Process of Meadow that carried it out or refused it',
    keep_until DateTime('UTC') COMMENT 'After this the row is deleted',

    INDEX request_id_bloom request_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
ORDER BY (cluster, at, id)
TTL keep_until
SETTINGS non_replicated_deduplication_window = 10000, merge_with_ttl_timeout = 86400
COMMENT 'Every command, done or refused';

CREATE TABLE IF NOT EXISTS meadow.audit_in
(
    cluster String,
    at Decimal64(6),
    id String,
    request_id String,
    actor String,
    signed_in String,
    address String,
    user_agent String,
    action String,
    target_kind String,
    targets Array(String),
    arguments String,
    outcome String,
    detail String,
    answers String,
    duration_seconds Nullable(Float64),
    replica String,
    keep_until UInt32
)
ENGINE = Null
COMMENT 'Where audit are written; holds nothing';

CREATE MATERIALIZED VIEW IF NOT EXISTS meadow.audit_door TO meadow.audit AS
SELECT
    * REPLACE (
        toDateTime64(at, 6, 'UTC') AS at,
        toDateTime(if(keep_until = 0, toUInt32(at) + 400 * 86400, keep_until), 'UTC') AS keep_until
    )
FROM meadow.audit_in;

-- Queues as they were over time. A sample that is written twice is one: it has the same key.
CREATE TABLE IF NOT EXISTS meadow.queue_samples
(
    cluster LowCardinality(String) COMMENT 'Name of the Celery cluster',
    queue String COMMENT 'Name of the queue',
    at DateTime64(6, 'UTC') COMMENT 'When it was looked at',
    kind LowCardinality(String) COMMENT 'list for Redis; classic, quorum or stream for RabbitMQ; unknown',
    source LowCardinality(String) COMMENT 'Who told: redis, amqp or management',
    ready Nullable(UInt64) COMMENT 'Messages that wait',
    unacked Nullable(UInt64) COMMENT 'Messages that workers hold and have not acknowledged',
    consumers Nullable(UInt32) COMMENT 'Consumers of the queue',
    bytes Nullable(UInt64) COMMENT 'Bytes of the messages that wait',
    oldest_age_seconds Nullable(Float64) COMMENT 'Since the message that is next was sent',
    published_per_second Nullable(Float64) COMMENT 'Messages that came, a second',
    delivered_per_second Nullable(Float64) COMMENT 'Messages that went to workers, a second',
    by_priority Map(UInt8, UInt64) COMMENT 'Messages that wait, by priority; empty when not known',
    keep_until DateTime('UTC') COMMENT 'After this the row is deleted'
)
ENGINE = ReplacingMergeTree
PARTITION BY toMonday(at)
ORDER BY (cluster, queue, at)
TTL keep_until
SETTINGS non_replicated_deduplication_window = 10000, merge_with_ttl_timeout = 86400
COMMENT 'Depth, age and rates of queues over time';

CREATE TABLE IF NOT EXISTS meadow.queue_samples_in
(
    cluster String,
    queue String,
    at Decimal64(6),
    kind String,
    source String,
    ready Nullable(UInt64),
    unacked Nullable(UInt64),
    consumers Nullable(UInt32),
    bytes Nullable(UInt64),
    oldest_age_seconds Nullable(Float64),
    published_per_second Nullable(Float64),
    delivered_per_second Nullable(Float64),
    by_priority Map(UInt8, UInt64),
    keep_until UInt32
)
ENGINE = Null
COMMENT 'Where queue_samples are written; holds nothing';

CREATE MATERIALIZED VIEW IF NOT EXISTS meadow.queue_samples_door TO meadow.queue_samples AS
SELECT
    * REPLACE (
        toDateTime64(at, 6, 'UTC') AS at,
        toDateTime(if(keep_until = 0, toUInt32(at) + 30 * 86400, keep_until), 'UTC') AS keep_until
    )
FROM meadow.queue_samples_in;

-- Queues as they stand now, kept for long, so that a name is known after the last worker is gone. A sample adds to when a
-- queue was seen and, if it is the newest, tells its figures: in whatever order samples come, and however often.
CREATE TABLE IF NOT EXISTS meadow.queues_raw
(
    cluster LowCardinality(String) COMMENT 'Name of the Celery cluster',
    queue String COMMENT 'Name of the queue',
    first_seen_at SimpleAggregateFunction(min, DateTime64(6, 'UTC')) COMMENT 'When it was looked at first',
    last_seen_at SimpleAggregateFunction(max, DateTime64(6, 'UTC')) COMMENT 'When it was looked at last',
    newest AggregateFunction(argMax, Tuple(kind String, source String, ready Nullable(UInt64), unacked Nullable(UInt64), consumers Nullable(UInt32), bytes Nullable(UInt64), oldest_age_seconds Nullable(Float64), published_per_second Nullable(Float64), delivered_per_second Nullable(Float64), by_priority Map(UInt8, UInt64)), DateTime64(6, 'UTC')) COMMENT 'What the newest sample told'
)
ENGINE = AggregatingMergeTree
ORDER BY (cluster, queue)
TTL toDateTime(last_seen_at) + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Parts of queues; read the view queues instead';

CREATE MATERIALIZED VIEW IF NOT EXISTS meadow.queues_fill TO meadow.queues_raw AS
SELECT
    s.cluster AS cluster,
    s.queue AS queue,
    min(s.at) AS first_seen_at,
    max(s.at) AS last_seen_at,
    argMaxState(
        CAST(
            (s.kind, s.source, s.ready, s.unacked, s.consumers, s.bytes, s.oldest_age_seconds, s.published_per_second, s.delivered_per_second, s.by_priority),
            'Tuple(kind String, source String, ready Nullable(UInt64), unacked Nullable(UInt64), consumers Nullable(UInt32), bytes Nullable(UInt64), oldest_age_seconds Nullable(Float64), published_per_second Nullable(Float64), delivered_per_second Nullable(Float64), by_priority Map(UInt8, UInt64))'
        ),
        s.at
    ) AS newest
FROM meadow.queue_samples AS s
GROUP BY cluster, queue;

CREATE VIEW IF NOT EXISTS meadow.queues
COMMENT 'Every queue that was looked at, with its newest figures'
AS SELECT
    cluster,
    queue,
    first_seen_at,
    last_seen_at,
    newest.kind AS kind,
    newest.source AS source,
    newest.ready AS ready,
    newest.unacked AS unacked,
    newest.consumers AS consumers,
    newest.bytes AS bytes,
    newest.oldest_age_seconds AS oldest_age_seconds,
    newest.published_per_second AS published_per_second,
    newest.delivered_per_second AS delivered_per_second,
    newest.by_priority AS by_priority
FROM (
    SELECT
        q.cluster AS cluster,
        q.queue AS queue,
        toDateTime64(min(q.first_seen_at), 6, 'UTC') AS first_seen_at,
        toDateTime64(max(q.last_seen_at), 6, 'UTC') AS last_seen_at,
        argMaxMerge(q.newest) AS newest
    FROM meadow.queues_raw AS q
    GROUP BY cluster, queue
);
