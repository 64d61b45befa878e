-- The run that repeats another one, if there is one: most runs are repeated by none.
CREATE INDEX run_by_rerun_of ON run (rerun_of) WHERE rerun_of IS NOT NULL;
