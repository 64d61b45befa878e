-- Outputs that may be used again. A row points into the journal of the run that made the output.
CREATE TABLE cache (
    project    TEXT   NOT NULL,
    key        TEXT   NOT NULL, -- A hash of the kind and of what the definition calls the key.
    run_id     TEXT   NOT NULL,
    seq        BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (project, key)
) WITHOUT ROWID;

CREATE INDEX cache_by_expiry ON cache (expires_at);
