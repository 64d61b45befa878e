-- Runs by when they were over, for those that have had their time. What waits is not in it.
CREATE INDEX run_by_end ON run (finished_at, run_id) WHERE finished_at IS NOT NULL;
