-- The runs of one workflow that stand at one status. Most have succeeded, and need no index to be
-- found among all; of the others there may be one among a million.
CREATE INDEX run_of_workflow_open ON run (workflow_id, status, run_id)
    WHERE status IN ('queued', 'running', 'waiting', 'paused');
CREATE INDEX run_of_workflow_ended_badly ON run (workflow_id, status, run_id)
    WHERE status IN ('failed', 'cancelled');
