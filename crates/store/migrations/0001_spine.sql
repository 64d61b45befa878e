-- Definitions, runs, their journals and what lists them, timers, logs, idempotency keys.
--
-- One file serves SQLite and Postgres. It stays inside what both read the same way: TEXT for ids
-- and JSON, BIGINT for counts and for times, in microseconds since 1970 (UTC). `WITHOUT ROWID` is
-- SQLite's and is left out elsewhere.
--
-- Expand only. A released version may still be running against this schema, so a later migration
-- may add a table, a nullable column or an index, and nothing else.

-- One row for each time a server took the store over. The largest epoch may write.
CREATE TABLE server (
    epoch      BIGINT NOT NULL PRIMARY KEY,
    boot_id    TEXT   NOT NULL,
    started_at BIGINT NOT NULL
);

CREATE TABLE workflow (
    workflow_id   TEXT   NOT NULL PRIMARY KEY,
    project       TEXT   NOT NULL,
    name          TEXT   NOT NULL,
    version       BIGINT NOT NULL, -- The newest.
    definition_id TEXT   NOT NULL, -- The newest version's.
    description   TEXT,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    deleted_at    BIGINT
);

CREATE UNIQUE INDEX workflow_by_name ON workflow (project, name) WHERE deleted_at IS NULL;

CREATE TABLE definition (
    definition_id TEXT   NOT NULL PRIMARY KEY,
    workflow_id   TEXT   NOT NULL,
    version       BIGINT NOT NULL,
    format        TEXT   NOT NULL,
    source        TEXT   NOT NULL,
    content_hash  TEXT   NOT NULL,
    created_at    BIGINT NOT NULL
);

CREATE UNIQUE INDEX definition_by_version ON definition (workflow_id, version);

-- What lists show of a run. It follows from the journal and is written with it.
CREATE TABLE run (
    run_id        TEXT   NOT NULL PRIMARY KEY, -- UUIDv7: in the order of creation.
    project       TEXT   NOT NULL,
    workflow_id   TEXT   NOT NULL,
    workflow      TEXT   NOT NULL,
    version       BIGINT NOT NULL,
    definition_id TEXT   NOT NULL,
    status        TEXT   NOT NULL,
    reason        TEXT,
    error         TEXT,
    labels        TEXT,
    external_id   TEXT,
    rerun_of      TEXT,
    created_at    BIGINT NOT NULL,
    started_at    BIGINT,
    finished_at   BIGINT,
    last_seq      BIGINT NOT NULL, -- As of the row's last change. The journal knows better.
    counts        TEXT   NOT NULL, -- Likewise, but for the total.
    owner         BIGINT NOT NULL  -- The epoch of the server that wrote it last.
) WITHOUT ROWID;

CREATE INDEX run_by_workflow ON run (workflow_id, run_id);

-- Most runs have succeeded, and need no index to be found among all.
CREATE INDEX run_open ON run (status, run_id)
    WHERE status IN ('queued', 'running', 'waiting', 'paused');
CREATE INDEX run_ended_badly ON run (status, run_id)
    WHERE status IN ('failed', 'cancelled');

CREATE UNIQUE INDEX run_by_external_id ON run (project, external_id)
    WHERE external_id IS NOT NULL;

CREATE TABLE run_label (
    project TEXT NOT NULL,
    key     TEXT NOT NULL,
    value   TEXT NOT NULL,
    run_id  TEXT NOT NULL,
    PRIMARY KEY (project, key, value, run_id)
) WITHOUT ROWID;

-- The truth about a run. A row holds the events of one commit, as a JSON list. Rows of many runs
-- are written side by side, so the table is kept in the order of writing, and not by run. The
-- largest last_seq of a run is the optimistic lock on it.
CREATE TABLE journal (
    run_id    TEXT   NOT NULL,
    last_seq  BIGINT NOT NULL,
    first_seq BIGINT NOT NULL,
    body      TEXT   NOT NULL,
    PRIMARY KEY (run_id, last_seq)
);

-- What lists show of a step. Input, output and error are in the journal, at the numbers named.
CREATE TABLE step (
    run_id      TEXT   NOT NULL,
    ordinal     BIGINT NOT NULL, -- In the order in which the steps came up.
    path        TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    status      TEXT   NOT NULL,
    reason      TEXT,
    attempt     BIGINT NOT NULL, -- The fence: a result of another attempt is refused.
    queued_at   BIGINT,
    started_at  BIGINT,
    finished_at BIGINT,
    due_at      BIGINT,
    input_seq   BIGINT,
    end_seq     BIGINT,
    PRIMARY KEY (run_id, ordinal)
);

-- A step has at most one timer.
CREATE TABLE timer (
    run_id TEXT   NOT NULL,
    path   TEXT   NOT NULL,
    due_at BIGINT NOT NULL,
    PRIMARY KEY (run_id, path)
) WITHOUT ROWID;

CREATE INDEX timer_by_due ON timer (due_at, run_id, path);

-- The folded state of runs that have left memory. It saves folding, and can be thrown away.
CREATE TABLE snapshot (
    run_id  TEXT   NOT NULL PRIMARY KEY,
    seq     BIGINT NOT NULL,
    version BIGINT NOT NULL,
    state   TEXT   NOT NULL
);

CREATE TABLE log (
    run_id  TEXT   NOT NULL,
    log_seq BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    path    TEXT   NOT NULL,
    attempt BIGINT NOT NULL,
    stream  TEXT   NOT NULL,
    text    TEXT   NOT NULL,
    PRIMARY KEY (run_id, log_seq)
);

CREATE TABLE idempotency_key (
    project      TEXT   NOT NULL,
    route        TEXT   NOT NULL,
    key          TEXT   NOT NULL,
    request_hash TEXT   NOT NULL,
    run_id       TEXT   NOT NULL,
    used_at      BIGINT NOT NULL,
    PRIMARY KEY (project, route, key)
) WITHOUT ROWID;

CREATE INDEX idempotency_key_by_use ON idempotency_key (used_at);
