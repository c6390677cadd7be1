-- Failures in groups. The aggregator knows a failure's group from its traceback; of an event that is none four bytes more come
-- in, and one empty text is stored.

ALTER TABLE meadow.task_events ADD COLUMN IF NOT EXISTS fingerprint String COMMENT 'Group of the failure, 16 hex digits; on task-failed, task-retried, meadow-lost and results that failed' AFTER traceback;
ALTER TABLE meadow.task_events_in ADD COLUMN IF NOT EXISTS fingerprint String AFTER traceback;
-- only failures below keep these two
ALTER TABLE meadow.task_events_in ADD COLUMN IF NOT EXISTS culprit String AFTER fingerprint;
ALTER TABLE meadow.task_events_in ADD COLUMN IF NOT EXISTS ran_seconds Nullable(Float64) AFTER culprit;

DROP VIEW IF EXISTS meadow.task_events_door SYNC;
CREATE MATERIALIZED VIEW IF NOT EXISTS meadow.task_events_door TO meadow.task_events AS
SELECT
    * EXCEPT (culprit, ran_seconds) REPLACE (
        toDateTime64(timestamp, 6, 'UTC') AS timestamp,
        toDateTime64(collected_at, 6, 'UTC') AS collected_at,
        toDateTime(if(keep_until = 0, toUInt32(collected_at) + 14 * 86400, keep_until), 'UTC') AS keep_until
    )
FROM meadow.task_events_in;

ALTER TABLE meadow.tasks_raw ADD COLUMN IF NOT EXISTS fingerprint String COMMENT 'Group of the failure it stands at, 16 hex digits; empty when it stands at none' AFTER traceback;
ALTER TABLE meadow.tasks_in ADD COLUMN IF NOT EXISTS fingerprint String AFTER traceback;

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
    fingerprint,
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

-- One row a failed run, narrow: a million of them group in 0.4 s. A failure cannot have happened after it was heard, nor is a
-- clock a month behind believed.
CREATE TABLE IF NOT EXISTS meadow.failures
(
    cluster LowCardinality(String) COMMENT 'Name of the Celery cluster',
    fingerprint String COMMENT 'Group of the failure, 16 hex digits',
    at DateTime64(6, 'UTC') COMMENT 'When it happened, by the sender''s clock, but not later than it was heard',
    kind LowCardinality(String) COMMENT 'failed; retried, when Celery was asked to try again; lost, when Meadow gave the task up',
    task_id String COMMENT 'Celery''s uuid of the task',
    name LowCardinality(String) COMMENT 'Task name; empty when not known',
    queue LowCardinality(String) COMMENT 'Queue the task was sent to; empty when not known',
    worker LowCardinality(String) COMMENT 'Node name of the worker',
    exception_type LowCardinality(String) COMMENT 'Class of the exception; LOST for a task that was given up',
    message String COMMENT 'Python repr of the exception, its first 500 characters; why, for a task that was given up',
    culprit LowCardinality(String) COMMENT 'Last call in the user''s own code, module.function; the task''s name where none is known',
    ran_seconds Nullable(Float64) COMMENT 'Seconds since the run was started; null when that is not known',
    event_id FixedString(16) COMMENT 'The event in task_events that tells it',
    keep_until DateTime('UTC') COMMENT 'After this the row is deleted'
)
ENGINE = MergeTree
PARTITION BY toMonday(at)
ORDER BY (cluster, toStartOfHour(at), fingerprint, at)
TTL keep_until
SETTINGS non_replicated_deduplication_window = 10000, merge_with_ttl_timeout = 86400
COMMENT 'Every run of a task that failed, with the group it belongs to';

CREATE MATERIALIZED VIEW IF NOT EXISTS meadow.failures_fill TO meadow.failures AS
SELECT
    cluster,
    fingerprint,
    toDateTime64(if(timestamp BETWEEN collected_at - 30 * 86400 AND collected_at, timestamp, collected_at), 6, 'UTC') AS at,
    multiIf(type IN ('task-retried', 'meadow-result-RETRY'), 'retried', type = 'meadow-lost', 'lost', 'failed') AS kind,
    task_id,
    name,
    queue,
    worker,
    if(type = 'meadow-lost', 'LOST', exception_type) AS exception_type,
    substringUTF8(if(type = 'meadow-lost', end_reason, exception), 1, 500) AS message,
    culprit,
    ran_seconds,
    event_id,
    toDateTime(if(keep_until = 0, toUInt32(collected_at) + 14 * 86400, keep_until), 'UTC') AS keep_until
FROM meadow.task_events_in
WHERE fingerprint != '';

-- For spans over a day, and for trends after the failures themselves are gone.
CREATE TABLE IF NOT EXISTS meadow.error_rollup
(
    cluster LowCardinality(String) COMMENT 'Name of the Celery cluster',
    hour DateTime('UTC') COMMENT 'Start of the hour',
    fingerprint String COMMENT 'Group of the failures, 16 hex digits',
    name LowCardinality(String) COMMENT 'Task name; empty when not known',
    queue LowCardinality(String) COMMENT 'Queue; empty when not known',
    worker LowCardinality(String) COMMENT 'Node name of the worker',
    failures SimpleAggregateFunction(sum, UInt64) COMMENT 'Runs that failed, with those retried and lost',
    retried SimpleAggregateFunction(sum, UInt64) COMMENT 'Of these, those that Celery was asked to try again',
    lost SimpleAggregateFunction(sum, UInt64) COMMENT 'Of these, those that Meadow gave up',
    last_at SimpleAggregateFunction(max, DateTime64(6, 'UTC')) COMMENT 'When the last of them happened'
)
ENGINE = AggregatingMergeTree
PARTITION BY toMonday(hour)
ORDER BY (cluster, hour, fingerprint, name, queue, worker)
TTL hour + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Failures by hour, group, task, queue and worker; sum the counts';

CREATE MATERIALIZED VIEW IF NOT EXISTS meadow.error_rollup_fill TO meadow.error_rollup AS
SELECT
    f.cluster AS cluster,
    toStartOfHour(toDateTime(f.at, 'UTC')) AS hour,
    f.fingerprint AS fingerprint,
    f.name AS name,
    f.queue AS queue,
    f.worker AS worker,
    count() AS failures,
    countIf(f.kind = 'retried') AS retried,
    countIf(f.kind = 'lost') AS lost,
    max(f.at) AS last_at
FROM meadow.failures AS f
GROUP BY cluster, hour, fingerprint, name, queue, worker;

-- What a group is, told by its newest failure.
CREATE TABLE IF NOT EXISTS meadow.error_groups_raw
(
    cluster LowCardinality(String) COMMENT 'Name of the Celery cluster',
    fingerprint String COMMENT 'Group, 16 hex digits',
    first_seen_at SimpleAggregateFunction(min, DateTime64(6, 'UTC')) COMMENT 'When it failed first',
    last_seen_at SimpleAggregateFunction(max, DateTime64(6, 'UTC')) COMMENT 'When it failed last',
    failures SimpleAggregateFunction(sum, UInt64) COMMENT 'Runs that failed, with those retried and lost',
    retried SimpleAggregateFunction(sum, UInt64) COMMENT 'Of these, those that Celery was asked to try again',
    lost SimpleAggregateFunction(sum, UInt64) COMMENT 'Of these, those that Meadow gave up',
    newest AggregateFunction(argMax, Tuple(exception_type String, message String, culprit String, name String), DateTime64(6, 'UTC')) COMMENT 'What the newest failure told'
)
ENGINE = AggregatingMergeTree
ORDER BY (cluster, fingerprint)
TTL toDateTime(last_seen_at) + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Parts of error groups; read the view error_groups instead';

CREATE MATERIALIZED VIEW IF NOT EXISTS meadow.error_groups_fill TO meadow.error_groups_raw AS
SELECT
    f.cluster AS cluster,
    f.fingerprint AS fingerprint,
    min(f.at) AS first_seen_at,
    max(f.at) AS last_seen_at,
    count() AS failures,
    countIf(f.kind = 'retried') AS retried,
    countIf(f.kind = 'lost') AS lost,
    argMaxState(
        CAST((f.exception_type, f.message, f.culprit, f.name), 'Tuple(exception_type String, message String, culprit String, name String)'),
        f.at
    ) AS newest
FROM meadow.failures AS f
GROUP BY cluster, fingerprint;

-- What people said of groups, one row a change: the newest word on each matter counts, and two at once lose nothing.
CREATE TABLE IF NOT EXISTS meadow.error_changes
(
    cluster LowCardinality(String) COMMENT 'Name of the Celery cluster',
    fingerprint String COMMENT 'Group, 16 hex digits',
    at DateTime64(6, 'UTC') COMMENT 'When it was said',
    status LowCardinality(Nullable(String)) COMMENT 'open, resolved or ignored; null when it was not changed',
    assignee Nullable(String) COMMENT 'Who looks after it, empty for nobody; null when it was not changed',
    note Nullable(String) COMMENT 'What is known of it; null when it was not changed',
    by String COMMENT 'Who said it; empty when not known'
)
ENGINE = MergeTree
ORDER BY (cluster, fingerprint, at)
TTL toDateTime(at) + INTERVAL 1200 DAY
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'What people said of error groups, one row a change';

-- The rules by which groups have a category: the newest list counts.
CREATE TABLE IF NOT EXISTS meadow.error_rules_raw
(
    at DateTime64(6, 'UTC') COMMENT 'When it was written',
    rules String COMMENT 'JSON array of rules in their order, each with category and the patterns exception, message and name',
    by String COMMENT 'Who wrote it; empty when not known'
)
ENGINE = MergeTree
ORDER BY at
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Lists of rules for categories of errors, newest last';

CREATE OR REPLACE VIEW meadow.error_groups
COMMENT 'Groups of failures that have the same cause, with what people said of them'
AS SELECT
    g.cluster AS cluster,
    g.fingerprint AS fingerprint,
    g.newest.exception_type AS exception_type,
    g.newest.message AS message,
    g.newest.culprit AS culprit,
    g.newest.name AS name,
    g.first_seen_at AS first_seen_at,
    g.last_seen_at AS last_seen_at,
    g.failures AS failures,
    g.retried AS retried,
    g.lost AS lost,
    toBool(c.said_status = 'resolved' AND g.last_seen_at > c.said_at) AS regressed,
    if(c.said_status = '' OR regressed, 'open', c.said_status) AS status,
    if(c.said_status = '', NULL, c.said_at) AS status_at,
    c.said_by AS status_by,
    c.assignee AS assignee,
    c.note AS note
FROM (
    SELECT
        r.cluster AS cluster,
        r.fingerprint AS fingerprint,
        toDateTime64(min(r.first_seen_at), 6, 'UTC') AS first_seen_at,
        toDateTime64(max(r.last_seen_at), 6, 'UTC') AS last_seen_at,
        sum(r.failures) AS failures,
        sum(r.retried) AS retried,
        sum(r.lost) AS lost,
        argMaxMerge(r.newest) AS newest
    FROM meadow.error_groups_raw AS r
    GROUP BY cluster, fingerprint
) AS g
LEFT JOIN (
    SELECT
        e.cluster AS cluster,
        e.fingerprint AS fingerprint,
        ifNull(argMaxIf(e.status, e.at, e.status IS NOT NULL), '') AS said_status,
        maxIf(e.at, e.status IS NOT NULL) AS said_at,
        argMaxIf(e.by, e.at, e.status IS NOT NULL) AS said_by,
        ifNull(argMaxIf(e.assignee, e.at, e.assignee IS NOT NULL), '') AS assignee,
        ifNull(argMaxIf(e.note, e.at, e.note IS NOT NULL), '') AS note
    FROM meadow.error_changes AS e
    GROUP BY cluster, fingerprint
) AS c ON c.cluster = g.cluster AND c.fingerprint = g.fingerprint;

ALTER TABLE meadow.audit MODIFY COLUMN target_kind COMMENT 'What it was about: cluster, worker, pool, task, queue, error or database';
