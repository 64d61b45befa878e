-- Token runs: instances of templates, the units of work that move through them, tasks that somebody
-- outside can claim, actors with their roles, what roles remember, requests to people. For what both
-- databases read the same way see 0001.

-- An instance has a definition of its own under its own id.
CREATE TABLE instance (
    instance_id      TEXT   NOT NULL PRIMARY KEY, -- UUIDv7: in the order of creation.
    project          TEXT   NOT NULL,
    name             TEXT   NOT NULL,
    description      TEXT,
    template         TEXT   NOT NULL, -- The name of the template it was made from.
    template_version BIGINT NOT NULL,
    status           TEXT   NOT NULL, -- active, paused or archived.
    reason           TEXT,
    created_at       BIGINT NOT NULL,
    created_by       TEXT,
    updated_at       BIGINT NOT NULL
) WITHOUT ROWID;

CREATE INDEX instance_by_age ON instance (project, instance_id);
CREATE INDEX instance_by_status ON instance (project, status, instance_id);
CREATE INDEX instance_by_name ON instance (project, name, instance_id);

-- What lists show of a unit of work. It follows from the journal of its run and is written with it.
-- Without a place or a role these are empty: what lists are ordered by is never null.
CREATE TABLE unit (
    unit_id              TEXT   NOT NULL PRIMARY KEY, -- UUIDv7: in the order of creation.
    run_id               TEXT   NOT NULL,
    path                 TEXT   NOT NULL,
    ordinal              BIGINT NOT NULL, -- In the order in which the run's units came up.
    project              TEXT   NOT NULL,
    instance_id          TEXT   NOT NULL,
    workflow             TEXT   NOT NULL, -- Of the instance.
    parent_id            TEXT,
    place                TEXT   NOT NULL,
    role                 TEXT   NOT NULL,
    status               TEXT   NOT NULL,
    reason               TEXT,
    holder               TEXT,
    fence                BIGINT NOT NULL,
    interaction_count    BIGINT NOT NULL,
    max_interactions     BIGINT,
    child_count          BIGINT NOT NULL,
    finished_child_count BIGINT NOT NULL,
    version              BIGINT NOT NULL,
    hash                 TEXT   NOT NULL,
    priority             BIGINT NOT NULL,
    created_at           BIGINT NOT NULL,
    entered_at           BIGINT NOT NULL,
    updated_at           BIGINT NOT NULL,
    lease_micros         BIGINT,
    due_at               BIGINT
) WITHOUT ROWID;

CREATE UNIQUE INDEX unit_by_run ON unit (run_id, ordinal);
CREATE INDEX unit_by_age ON unit (project, unit_id);
CREATE INDEX unit_by_status ON unit (project, status, unit_id);
CREATE INDEX unit_of_instance ON unit (instance_id, unit_id);
-- Counts the units of an instance by where they stand. It also finds them there, group by group:
-- there are few groups in an instance, however many units.
CREATE INDEX unit_by_group ON unit (instance_id, status, place, workflow, role, unit_id);
CREATE INDEX unit_by_parent ON unit (parent_id, unit_id) WHERE parent_id IS NOT NULL;
CREATE INDEX unit_by_holder ON unit (holder, unit_id) WHERE holder IS NOT NULL;

-- What somebody outside can claim or has claimed. It goes when it is over.
CREATE TABLE task (
    task_id      TEXT   NOT NULL PRIMARY KEY,
    run_id       TEXT   NOT NULL,
    path         TEXT   NOT NULL,
    project      TEXT   NOT NULL,
    queue        TEXT   NOT NULL,
    kind         TEXT   NOT NULL,
    title        TEXT   NOT NULL,
    priority     BIGINT NOT NULL,
    fairness_key TEXT   NOT NULL,
    offered_at   BIGINT NOT NULL,
    attempt      BIGINT NOT NULL,
    fence        BIGINT NOT NULL, -- How many times it was claimed.
    holder       TEXT,
    claimed_at   BIGINT,
    lease_micros BIGINT,
    form         TEXT,
    input        TEXT
) WITHOUT ROWID;

CREATE INDEX task_by_run ON task (run_id);

CREATE TABLE actor (
    instance_id  TEXT   NOT NULL,
    actor_id     TEXT   NOT NULL,
    identity_key TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    description  TEXT,
    kind         TEXT   NOT NULL, -- HUMAN, AI_AGENT or SYSTEM.
    capabilities TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    seen_at      BIGINT NOT NULL,
    PRIMARY KEY (instance_id, actor_id)
) WITHOUT ROWID;

CREATE UNIQUE INDEX actor_by_identity ON actor (instance_id, identity_key);

CREATE TABLE assignment (
    assignment_id TEXT   NOT NULL PRIMARY KEY,
    instance_id   TEXT   NOT NULL,
    actor_id      TEXT   NOT NULL,
    role          TEXT   NOT NULL,
    status        TEXT   NOT NULL, -- ACTIVE or REVOKED.
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    created_by    TEXT
) WITHOUT ROWID;

CREATE UNIQUE INDEX assignment_by_role ON assignment (instance_id, role, actor_id);

-- What a role remembers from one unit to the next.
CREATE TABLE role_memory (
    memory_id    TEXT   NOT NULL PRIMARY KEY,
    instance_id  TEXT   NOT NULL,
    role         TEXT   NOT NULL,
    context_type TEXT   NOT NULL, -- GLOBAL or ACTOR.
    context_id   TEXT   NOT NULL, -- GLOBAL or the actor's id.
    actor_id     TEXT,
    key          TEXT   NOT NULL,
    value        TEXT   NOT NULL,
    confidence   BIGINT NOT NULL,
    is_toxic     BIGINT NOT NULL, -- 1 or 0.
    toxic_reason TEXT,
    created_at   BIGINT NOT NULL,
    accessed_at  BIGINT
);

CREATE UNIQUE INDEX role_memory_by_key ON role_memory (instance_id, role, context_id, key);

-- Requests to people. They follow from the journal of their run and are written with it.
CREATE TABLE intervention (
    request_id    TEXT   NOT NULL PRIMARY KEY,
    project       TEXT   NOT NULL,
    instance_id   TEXT   NOT NULL,
    run_id        TEXT   NOT NULL,
    unit_id       TEXT   NOT NULL,
    path          TEXT   NOT NULL,
    kind          TEXT   NOT NULL,
    status        TEXT   NOT NULL,
    priority      TEXT   NOT NULL, -- critical, high, normal or low,
    urgency       BIGINT NOT NULL, -- and as a number, 0 the most urgent.
    title         TEXT   NOT NULL,
    description   TEXT   NOT NULL,
    context       TEXT   NOT NULL,
    required_role TEXT   NOT NULL,
    assigned_to   TEXT,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    action_by     TEXT,
    action_reason TEXT,
    action_at     BIGINT
);

CREATE INDEX intervention_by_urgency ON intervention (project, urgency, created_at, request_id);
CREATE INDEX intervention_by_status
    ON intervention (project, status, urgency, created_at, request_id);
CREATE INDEX intervention_of_instance
    ON intervention (instance_id, status, urgency, created_at, request_id);
CREATE INDEX intervention_by_unit ON intervention (unit_id);
CREATE INDEX intervention_by_run ON intervention (run_id);
-- Everything that is counted, so that counting reads no row.
CREATE INDEX intervention_sums
    ON intervention (project, status, kind, priority, action_by, created_at, action_at);
