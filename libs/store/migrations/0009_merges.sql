-- Fewer and larger merges. Merging a row of task_events costs 2 µs of CPU each time, as much as inserting it, one of tasks 3:
-- 34 columns are compared, taken apart and put together row by row, whatever their codec, index or part type. A selector that
-- waits for 32 parts of a size instead of 5 goes over each row less than half as often while much is written, and the questions
-- cost the same (3 million events in 38 parts against 19). When little is written, parts grow old, and the selector merges them as
-- before: it lowers what it waits for with their age.
ALTER TABLE meadow.task_events MODIFY SETTING merge_selector_base = 32;
ALTER TABLE meadow.tasks_raw MODIFY SETTING merge_selector_base = 32;
