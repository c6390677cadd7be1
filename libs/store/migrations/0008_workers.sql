-- What tells a renamed copy from another worker, and a wrong clock from a silent worker.
ALTER TABLE meadow.workers ADD COLUMN IF NOT EXISTS pool LowCardinality(String) COMMENT 'What its renamed and restarted copies share, by the rules of its cluster' AFTER worker;
ALTER TABLE meadow.workers ADD COLUMN IF NOT EXISTS last_heard_at Nullable(DateTime64(6, 'UTC')) COMMENT 'When a collector heard it last, by the collectors clock' AFTER last_heartbeat_at;
ALTER TABLE meadow.workers ADD COLUMN IF NOT EXISTS clock_offset_seconds Nullable(Float64) COMMENT 'What its clock is behind the collectors, delay of delivery included: the least of the last minutes' AFTER last_heard_at;

ALTER TABLE meadow.workers_in ADD COLUMN IF NOT EXISTS pool String AFTER worker;
ALTER TABLE meadow.workers_in ADD COLUMN IF NOT EXISTS last_heard_at Nullable(Decimal64(6)) AFTER last_heartbeat_at;
ALTER TABLE meadow.workers_in ADD COLUMN IF NOT EXISTS clock_offset_seconds Nullable(Float64) AFTER last_heard_at;

-- Made anew: of a view changed by MODIFY QUERY, what was inserted before a restart is not known again after it by its token.
DROP VIEW IF EXISTS meadow.workers_door SYNC;
CREATE MATERIALIZED VIEW IF NOT EXISTS meadow.workers_door TO meadow.workers AS
SELECT
    * REPLACE (
        toDateTime64(updated_at, 6, 'UTC') AS updated_at,
        toDateTime64(started_at, 6, 'UTC') AS started_at,
        toDateTime64(last_heartbeat_at, 6, 'UTC') AS last_heartbeat_at,
        toDateTime64(last_heard_at, 6, 'UTC') AS last_heard_at,
        toDateTime(if(keep_until = 0, toUInt32(updated_at) + 30 * 86400, keep_until), 'UTC') AS keep_until
    )
FROM meadow.workers_in;
