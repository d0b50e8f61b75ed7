-- The platform: log, outbox, jobs, cursors, idempotency, audit. Rules for this folder: docs/architecture.md, "Store".

CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- One row per workspace: the last numbers given out. PostgreSQL locks it first in every write transaction.
CREATE TABLE counters (
    workspace_id BLOB NOT NULL PRIMARY KEY,
    event_seq BIGINT NOT NULL,
    delivery_position BIGINT NOT NULL
) WITHOUT ROWID;

-- What was committed, for the writer whose connection died during COMMIT.
CREATE TABLE batches (
    id BLOB NOT NULL PRIMARY KEY,
    committed_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX batches_by_time ON batches (committed_at);

CREATE TABLE events (
    workspace_id BLOB NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    version BIGINT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id BLOB,
    audience TEXT NOT NULL,
    chat_id BLOB,
    entity_id BLOB,
    body TEXT,
    PRIMARY KEY (workspace_id, seq)
) WITHOUT ROWID;

-- Everything up to `floor` was pruned from a workspace's log.
CREATE TABLE log_floors (
    workspace_id BLOB NOT NULL PRIMARY KEY,
    floor BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE subscriber_cursors (
    subscriber TEXT NOT NULL,
    workspace_id BLOB NOT NULL,
    seq BIGINT NOT NULL,
    halted TEXT,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (subscriber, workspace_id)
) WITHOUT ROWID;

CREATE TABLE dead_letters (
    id BLOB NOT NULL PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    subscriber TEXT NOT NULL,
    seq BIGINT NOT NULL,
    kind TEXT NOT NULL,
    entity_id BLOB,
    -- NULL for an event that only waits behind another one of its entity.
    error TEXT,
    attempts BIGINT NOT NULL,
    created_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX dead_letters_by_event ON dead_letters (subscriber, workspace_id, seq);
CREATE INDEX dead_letters_by_entity ON dead_letters (subscriber, workspace_id, entity_id);

CREATE TABLE deliveries (
    id BLOB NOT NULL PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    position BIGINT NOT NULL,
    channel TEXT NOT NULL,
    owner_id BLOB NOT NULL,
    chat_id BLOB,
    class BIGINT NOT NULL,
    state TEXT NOT NULL,
    payload TEXT NOT NULL,
    message_id BLOB,
    conversation_id BLOB,
    attempts BIGINT NOT NULL,
    next_at BIGINT,
    expires_at BIGINT,
    fence BIGINT NOT NULL,
    error TEXT,
    external_id TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX deliveries_waiting ON deliveries (owner_id, position) WHERE state IN ('queued', 'retrying');
CREATE INDEX deliveries_in_flight ON deliveries (owner_id) WHERE state = 'sending';
CREATE INDEX deliveries_by_message ON deliveries (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX deliveries_by_position ON deliveries (workspace_id, position);
CREATE INDEX deliveries_in_trouble ON deliveries (workspace_id, state, position)
    WHERE state IN ('retrying', 'failed', 'unknown', 'dead');

-- Results that came in under an old fence: recorded, but they change nothing.
CREATE TABLE delivery_attempts (
    id BLOB NOT NULL PRIMARY KEY,
    delivery_id BLOB NOT NULL,
    at BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    error TEXT
) WITHOUT ROWID;
CREATE INDEX delivery_attempts_by_delivery ON delivery_attempts (delivery_id);

CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    owner BLOB NOT NULL,
    fence BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE jobs (
    id BLOB NOT NULL PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    kind TEXT NOT NULL,
    dedup_key TEXT,
    payload TEXT NOT NULL,
    state TEXT NOT NULL,
    run_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    max_attempts BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    error TEXT,
    created_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX jobs_due ON jobs (run_at) WHERE state IN ('waiting', 'running');
CREATE UNIQUE INDEX jobs_by_key ON jobs (workspace_id, kind, dedup_key) WHERE state IN ('waiting', 'running') AND dedup_key IS NOT NULL;

CREATE TABLE idempotency (
    workspace_id BLOB NOT NULL,
    principal TEXT NOT NULL,
    method TEXT NOT NULL,
    route TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash BLOB NOT NULL,
    status BIGINT NOT NULL,
    body TEXT,
    resource TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, principal, method, route, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_by_time ON idempotency (created_at);

CREATE TABLE audit_log (
    id BLOB NOT NULL PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    at BIGINT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id BLOB,
    actor_name TEXT NOT NULL,
    action TEXT NOT NULL,
    target_kind TEXT,
    target_id TEXT,
    target_name TEXT,
    address TEXT,
    detail TEXT NOT NULL,
    salt BLOB NOT NULL,
    digest BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX audit_by_workspace ON audit_log (workspace_id, id);
