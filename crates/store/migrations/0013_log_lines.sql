-- Log lines with a number of their own among all lines, the words of which are found by an index. The
-- index is made by each database in its own way, when the lines of `log` have been carried over. For
-- what both databases read the same way see 0001; INTEGER is BIGINT, and in SQLite the row's own
-- number.
CREATE TABLE log_line (
    line_id INTEGER NOT NULL PRIMARY KEY, -- Later lines have larger ones.
    run_id  TEXT    NOT NULL,
    log_seq BIGINT  NOT NULL,
    at      BIGINT  NOT NULL,
    path    TEXT    NOT NULL,
    attempt BIGINT  NOT NULL,
    stream  TEXT    NOT NULL,
    text    TEXT    NOT NULL,
    level   BIGINT
);

CREATE UNIQUE INDEX log_line_by_run ON log_line (run_id, log_seq);
