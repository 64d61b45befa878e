-- Secrets, sealed with a key that is not in the database.
CREATE TABLE secret (
    project    TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    key_id     TEXT   NOT NULL, -- Which key has sealed it.
    sealed     TEXT   NOT NULL, -- Nonce, ciphertext and tag, in base64.
    updated_at BIGINT NOT NULL,
    updated_by TEXT,
    PRIMARY KEY (project, name)
) WITHOUT ROWID;
