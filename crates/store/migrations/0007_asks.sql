-- Steps that wait for somebody's word: whoever decides, signals or reports an event finds them here.
-- What they ask is in the journal; a row says enough to find it.
CREATE TABLE ask (
    run_id   TEXT   NOT NULL,
    path     TEXT   NOT NULL,
    project  TEXT   NOT NULL,
    workflow TEXT   NOT NULL,
    kind     TEXT   NOT NULL, -- approval, signal or event.
    name     TEXT   NOT NULL, -- Of the signal or event; the title of an approval.
    detail   TEXT   NOT NULL, -- Who may decide, what the event's data has to be.
    since    BIGINT NOT NULL,
    deadline BIGINT,
    PRIMARY KEY (run_id, path)
) WITHOUT ROWID;

CREATE INDEX ask_by_time ON ask (project, kind, since, run_id, path);
CREATE INDEX ask_by_name ON ask (project, kind, name, since, run_id, path);
