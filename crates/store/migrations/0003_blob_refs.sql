-- Texts that are too large for a row are files, named by the hash of what is in them. A row of the
-- journal then says `{"blob": hash, "bytes": length}` instead of a list. For what both databases
-- read the same way see 0001.

-- Which run names which file. A file that nobody names can go.
CREATE TABLE blob_ref (
    run_id TEXT NOT NULL,
    hash   TEXT NOT NULL,
    PRIMARY KEY (run_id, hash)
) WITHOUT ROWID;

CREATE INDEX blob_ref_by_hash ON blob_ref (hash);
