-- What language models have taken: one row for each node of a run, model and day. It outlives its run.
-- What is held was set aside before a call whose end is not known, and counts as spent.
CREATE TABLE llm_usage (
    run_id           TEXT   NOT NULL,
    day              BIGINT NOT NULL, -- UTC, counted from 1970-01-01.
    node             TEXT   NOT NULL, -- Its address, without the numbers of items and iterations.
    provider         TEXT   NOT NULL,
    model            TEXT   NOT NULL,
    project          TEXT   NOT NULL,
    workflow         TEXT   NOT NULL, -- Its name.
    first_at         BIGINT NOT NULL,
    calls            BIGINT NOT NULL,
    input_tokens     BIGINT NOT NULL,
    output_tokens    BIGINT NOT NULL,
    cached_tokens    BIGINT NOT NULL,
    cost_micros      BIGINT NOT NULL, -- Of US dollars.
    unpriced_calls   BIGINT NOT NULL, -- Calls whose price nobody has written down.
    latency_ms       BIGINT NOT NULL,
    held_calls       BIGINT NOT NULL,
    held_tokens      BIGINT NOT NULL,
    held_cost_micros BIGINT NOT NULL,
    PRIMARY KEY (run_id, day, node, provider, model)
) WITHOUT ROWID;

CREATE INDEX llm_usage_by_day ON llm_usage (project, day, workflow);
