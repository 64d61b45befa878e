-- Parents and children, concurrency limits, messages between runs, pauses, settings, and who may
-- call. For what both databases read the same way see 0001.

-- A parent started the run from one of its steps. A run without a depth has none.
ALTER TABLE run ADD COLUMN parent_run_id TEXT;
ALTER TABLE run ADD COLUMN parent_step TEXT;
ALTER TABLE run ADD COLUMN depth BIGINT;

-- At most so many runs of a project with this key go on at once; those of higher priority first.
ALTER TABLE run ADD COLUMN concurrency_key TEXT;
ALTER TABLE run ADD COLUMN concurrency_limit BIGINT;
ALTER TABLE run ADD COLUMN priority BIGINT;

ALTER TABLE run ADD COLUMN created_by TEXT;

CREATE INDEX run_by_parent ON run (parent_run_id, run_id) WHERE parent_run_id IS NOT NULL;

-- Who holds a slot or waits for one. Most runs never enter.
CREATE INDEX run_in_line ON run (run_id)
    WHERE status = 'queued'
       OR concurrency_key IS NOT NULL AND status IN ('running', 'waiting', 'paused');

ALTER TABLE workflow ADD COLUMN paused_at BIGINT;
ALTER TABLE workflow ADD COLUMN paused_by TEXT;
ALTER TABLE workflow ADD COLUMN pause_reason TEXT;

-- What one run has to tell another. A row stands until the other has taken it up.
CREATE TABLE outbox (
    target     TEXT   NOT NULL,
    source     TEXT   NOT NULL,
    path       TEXT   NOT NULL,
    word       TEXT   NOT NULL,
    body       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (target, source, path, word)
) WITHOUT ROWID;

CREATE INDEX outbox_by_age ON outbox (created_at, target, source, path, word);

CREATE TABLE setting (
    name       TEXT   NOT NULL PRIMARY KEY,
    value      TEXT   NOT NULL,
    updated_at BIGINT NOT NULL
);

-- The key itself is shown once and kept nowhere.
CREATE TABLE api_key (
    key_id     TEXT   NOT NULL PRIMARY KEY,
    project    TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    role       TEXT   NOT NULL,
    scopes     TEXT,
    hash       TEXT   NOT NULL,
    prefix     TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT,
    expires_at BIGINT,
    revoked_at BIGINT
);

CREATE UNIQUE INDEX api_key_by_hash ON api_key (hash);

-- Who did what. Rows are only ever added, each with the hash of the one before it.
CREATE TABLE audit (
    seq           BIGINT NOT NULL PRIMARY KEY, -- 1, 2, 3, …
    at            BIGINT NOT NULL,
    project       TEXT   NOT NULL,
    principal     TEXT   NOT NULL,
    action        TEXT   NOT NULL,
    target        TEXT   NOT NULL,
    detail        TEXT,
    previous_hash TEXT   NOT NULL, -- Empty for the first.
    hash          TEXT   NOT NULL
);

CREATE INDEX audit_by_project ON audit (project, seq);
