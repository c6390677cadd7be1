-- Months of sketches: merging one costs 8 µs, and 30 days of 200 names in 5 clusters are 670,000 by hour and name (1.7 s on 2
-- cores), 216,000 by minute. By day and name they are 28,000, by hour alone 3,600. Both are merged from the sketches that are
-- made anyway, of which a write has a few hundred: no event is looked at again.
CREATE TABLE IF NOT EXISTS meadow.name_day_duration_rollup
(
    cluster LowCardinality(String) COMMENT 'Name of the Celery cluster',
    day Date COMMENT 'Day, UTC',
    name LowCardinality(String) COMMENT 'Task name; empty when not known',
    runtime AggregateFunction(quantilesDD(0.01, 0.5, 0.95, 0.99), Float64) COMMENT 'Sketch of the runtimes',
    wait AggregateFunction(quantilesDD(0.01, 0.5, 0.95, 0.99), Float64) COMMENT 'Sketch of the waits'
)
ENGINE = AggregatingMergeTree
ORDER BY (cluster, day, name)
TTL day + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Sketches of runtime and wait by day and name';

CREATE TABLE IF NOT EXISTS meadow.hour_duration_rollup
(
    cluster LowCardinality(String) COMMENT 'Name of the Celery cluster',
    hour DateTime('UTC') COMMENT 'Start of the hour',
    runtime AggregateFunction(quantilesDD(0.01, 0.5, 0.95, 0.99), Float64) COMMENT 'Sketch of the runtimes',
    wait AggregateFunction(quantilesDD(0.01, 0.5, 0.95, 0.99), Float64) COMMENT 'Sketch of the waits'
)
ENGINE = AggregatingMergeTree
ORDER BY (cluster, hour)
TTL hour + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Sketches of runtime and wait by hour';

-- What is kept already. Nothing is counted twice where this is run again: it begins anew.
DROP VIEW IF EXISTS meadow.name_day_duration_rollup_fill SYNC;
DROP VIEW IF EXISTS meadow.hour_duration_rollup_fill SYNC;
TRUNCATE TABLE meadow.name_day_duration_rollup;
TRUNCATE TABLE meadow.hour_duration_rollup;
INSERT INTO meadow.name_day_duration_rollup
SELECT
    cluster,
    toDate(hour) AS day,
    name,
    quantilesDDMergeState(0.01, 0.5, 0.95, 0.99)(d.runtime) AS runtime,
    quantilesDDMergeState(0.01, 0.5, 0.95, 0.99)(d.wait) AS wait
FROM meadow.name_duration_rollup AS d
GROUP BY cluster, day, name
SETTINGS insert_deduplicate = 0;
INSERT INTO meadow.hour_duration_rollup
SELECT
    cluster,
    hour,
    quantilesDDMergeState(0.01, 0.5, 0.95, 0.99)(d.runtime) AS runtime,
    quantilesDDMergeState(0.01, 0.5, 0.95, 0.99)(d.wait) AS wait
FROM meadow.name_duration_rollup AS d
GROUP BY cluster, hour
SETTINGS insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS meadow.name_day_duration_rollup_fill TO meadow.name_day_duration_rollup AS
SELECT
    cluster,
    toDate(minute) AS day,
    name,
    quantilesDDMergeState(0.01, 0.5, 0.95, 0.99)(d.runtime) AS runtime,
    quantilesDDMergeState(0.01, 0.5, 0.95, 0.99)(d.wait) AS wait
FROM meadow.durations_in AS d
GROUP BY cluster, day, name;
CREATE MATERIALIZED VIEW IF NOT EXISTS meadow.hour_duration_rollup_fill TO meadow.hour_duration_rollup AS
SELECT
    cluster,
    toStartOfHour(minute) AS hour,
    quantilesDDMergeState(0.01, 0.5, 0.95, 0.99)(d.runtime) AS runtime,
    quantilesDDMergeState(0.01, 0.5, 0.95, 0.99)(d.wait) AS wait
FROM meadow.durations_in AS d
GROUP BY cluster, hour;

-- What people and CI jobs say of a moment: drawn on every chart. One that is taken back is written once more, as removed.
CREATE TABLE IF NOT EXISTS meadow.marks_raw
(
    cluster LowCardinality(String) COMMENT 'Name of the Celery cluster; empty for all',
    id String COMMENT 'Uuid of the mark',
    at DateTime64(6, 'UTC') COMMENT 'The moment that it is about',
    kind LowCardinality(String) COMMENT 'deployment or note',
    title String COMMENT 'What it says, a line',
    text String COMMENT 'What more there is to say; empty when nothing',
    url String COMMENT 'Where more is said; empty when nowhere',
    by String COMMENT 'Who made it; empty when not known',
    removed Bool COMMENT 'Whether it was taken back',
    written_at DateTime64(6, 'UTC') COMMENT 'When that was said; the newest row of each counts',
    keep_until DateTime('UTC') COMMENT 'After this the row is deleted'
)
ENGINE = ReplacingMergeTree(written_at)
ORDER BY (at, id)
TTL keep_until
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Marks and their removal; read the view marks instead';

CREATE VIEW IF NOT EXISTS meadow.marks
COMMENT 'Deployments and notes, as drawn on charts'
AS SELECT cluster, id, at, kind, title, text, url, by
FROM meadow.marks_raw FINAL
WHERE NOT removed;

CREATE TABLE IF NOT EXISTS meadow.marks_in
(
    cluster String,
    id String,
    at Decimal64(6),
    kind String,
    title String,
    text String,
    url String,
    by String,
    removed Bool,
    written_at Decimal64(6),
    keep_until UInt32
)
ENGINE = Null
COMMENT 'Where marks are written; holds nothing';

CREATE MATERIALIZED VIEW IF NOT EXISTS meadow.marks_door TO meadow.marks_raw AS
SELECT
    * REPLACE (
        toDateTime64(at, 6, 'UTC') AS at,
        toDateTime64(written_at, 6, 'UTC') AS written_at,
        toDateTime(keep_until, 'UTC') AS keep_until
    )
FROM meadow.marks_in;
