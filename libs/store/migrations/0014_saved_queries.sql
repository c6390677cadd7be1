-- Statements that people keep. Each save is a row, and the newest of an id counts; one that is removed is written once more.
CREATE TABLE IF NOT EXISTS meadow.saved_queries_raw
(
    id String COMMENT 'Uuid of the query',
    name String COMMENT 'What it is called',
    statement String COMMENT 'The statement, as it was written',
    parameters String COMMENT 'JSON object of the values that its parameters had',
    shared Bool COMMENT 'Whether others find it in their lists',
    by String COMMENT 'Who saved it; empty when not known',
    removed Bool COMMENT 'Whether it was removed',
    saved_at_micros Int64 COMMENT 'When, Unix microseconds'
)
ENGINE = ReplacingMergeTree(saved_at_micros)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Saved queries in all their versions';
