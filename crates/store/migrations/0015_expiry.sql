-- Runs by when they were over, those of one workflow that ended alike together: how long they are
-- kept may differ by both, and whoever is kept for long must not stand in the way of the others.
CREATE INDEX run_by_outcome ON run (workflow_id, status, finished_at, run_id)
    WHERE finished_at IS NOT NULL;
DROP INDEX run_by_end;
