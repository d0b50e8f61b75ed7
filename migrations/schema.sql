-- The schema after all migrations (version 6). Made by: UPDATE_SCHEMA=1 cargo test -p store schema

CREATE TABLE api_keys (
    id BLOB NOT NULL PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    secret_hash BLOB NOT NULL,
    -- Names of rights, separated by spaces.
    scopes TEXT NOT NULL,
    rate_limit BIGINT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT,
    revoked_at BIGINT
) WITHOUT ROWID;

CREATE UNIQUE INDEX api_keys_by_prefix ON api_keys (prefix);

CREATE INDEX api_keys_by_workspace ON api_keys (workspace_id, id);

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

CREATE TABLE batches (
    id BLOB NOT NULL PRIMARY KEY,
    committed_at BIGINT NOT NULL
) WITHOUT ROWID;

CREATE INDEX batches_by_time ON batches (committed_at);

CREATE TABLE bots (
    id BLOB NOT NULL PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    telegram_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    username TEXT NOT NULL,
    -- Sealed; empty once the bot is removed.
    token BLOB NOT NULL,
    webhook_secret BLOB NOT NULL,
    api TEXT NOT NULL,
    mode TEXT NOT NULL,
    purpose TEXT,
    status TEXT NOT NULL,
    status_detail TEXT,
    checked_at BIGINT,
    -- Rises when the token or the mode changes: whoever works for the bot starts anew.
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    removed_at BIGINT
) WITHOUT ROWID;

CREATE INDEX bots_by_workspace ON bots (workspace_id, id);

CREATE UNIQUE INDEX bots_connected ON bots (api, telegram_id) WHERE removed_at IS NULL;

CREATE TABLE chats (
    id BLOB NOT NULL PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    kind TEXT NOT NULL,
    bot_id BLOB,
    contact_id BLOB,
    external_id TEXT,
    title TEXT,
    last_seq BIGINT NOT NULL,
    inbound_total BIGINT NOT NULL,
    created_at BIGINT NOT NULL
) WITHOUT ROWID;

CREATE UNIQUE INDEX chats_by_place ON chats (bot_id, external_id) WHERE bot_id IS NOT NULL;

CREATE TABLE contacts (
    id BLOB NOT NULL PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    platform TEXT NOT NULL,
    external_id TEXT NOT NULL,
    name TEXT NOT NULL,
    username TEXT,
    language TEXT,
    unreachable BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
) WITHOUT ROWID;

CREATE UNIQUE INDEX contacts_by_identity ON contacts (workspace_id, platform, external_id);

CREATE TABLE conversations (
    id BLOB NOT NULL PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    chat_id BLOB NOT NULL,
    bot_id BLOB NOT NULL,
    contact_id BLOB NOT NULL,
    status TEXT NOT NULL,
    assignee_id BLOB,
    assignee_name TEXT,
    -- Copies of the chat's numbers and of its last message, so that a list needs no look-up per row.
    last_seq BIGINT NOT NULL,
    inbound_total BIGINT NOT NULL,
    last_author_kind TEXT,
    last_author_id BLOB,
    last_author_name TEXT,
    last_text TEXT,
    last_note BOOLEAN,
    last_message_at BIGINT,
    last_activity_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL
) WITHOUT ROWID;

CREATE UNIQUE INDEX conversations_alive ON conversations (chat_id) WHERE status <> 'resolved';

CREATE INDEX conversations_by_activity ON conversations (workspace_id, last_activity_at, id);

CREATE INDEX conversations_by_bot ON conversations (workspace_id, bot_id, last_activity_at, id);

CREATE INDEX conversations_by_chat ON conversations (chat_id, created_at);

CREATE INDEX conversations_by_status ON conversations (workspace_id, status, last_activity_at, id);

CREATE TABLE counters (
    workspace_id BLOB NOT NULL PRIMARY KEY,
    event_seq BIGINT NOT NULL,
    delivery_position BIGINT NOT NULL
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

CREATE INDEX dead_letters_by_entity ON dead_letters (subscriber, workspace_id, entity_id);

CREATE UNIQUE INDEX dead_letters_by_event ON dead_letters (subscriber, workspace_id, seq);

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

CREATE INDEX deliveries_by_message ON deliveries (message_id) WHERE message_id IS NOT NULL;

CREATE INDEX deliveries_by_position ON deliveries (workspace_id, position);

CREATE INDEX deliveries_in_flight ON deliveries (owner_id) WHERE state = 'sending';

CREATE INDEX deliveries_in_trouble ON deliveries (workspace_id, state, position)
    WHERE state IN ('retrying', 'failed', 'unknown', 'dead');

CREATE INDEX deliveries_waiting ON deliveries (owner_id, position) WHERE state IN ('queued', 'retrying');

CREATE TABLE delivery_attempts (
    id BLOB NOT NULL PRIMARY KEY,
    delivery_id BLOB NOT NULL,
    at BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    error TEXT
) WITHOUT ROWID;

CREATE INDEX delivery_attempts_by_delivery ON delivery_attempts (delivery_id);

CREATE TABLE desk_counts (
    workspace_id BLOB NOT NULL,
    status TEXT NOT NULL,
    total BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, status)
) WITHOUT ROWID;

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

CREATE TABLE file_uses (
    message_id BLOB NOT NULL,
    file_id BLOB NOT NULL,
    workspace_id BLOB NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (message_id, file_id)
) WITHOUT ROWID;

CREATE INDEX file_uses_by_file ON file_uses (file_id, message_id);

CREATE TABLE files (
    id BLOB NOT NULL PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    hash BLOB NOT NULL,
    size BIGINT NOT NULL,
    media_type TEXT NOT NULL,
    name TEXT NOT NULL,
    width BIGINT,
    height BIGINT,
    duration_ms BIGINT,
    created_by_kind TEXT NOT NULL,
    created_by_id BLOB,
    created_at BIGINT NOT NULL,
    -- Since when no message uses it.
    unused_since BIGINT,
    -- The row stays a day longer, so that a backup's snapshot does not lose its blob.
    deleted_at BIGINT
) WITHOUT ROWID;

CREATE INDEX files_by_hash ON files (hash);

CREATE INDEX files_deleted ON files (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE INDEX files_unused ON files (unused_since) WHERE deleted_at IS NULL AND unused_since IS NOT NULL;

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

CREATE TABLE invitations (
    id BLOB NOT NULL PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    email TEXT NOT NULL,
    role TEXT NOT NULL,
    invited_by BLOB NOT NULL,
    invited_by_name TEXT NOT NULL,
    token_hash BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    accepted_at BIGINT,
    revoked_at BIGINT
) WITHOUT ROWID;

CREATE UNIQUE INDEX invitations_by_token ON invitations (token_hash);

CREATE INDEX invitations_by_workspace ON invitations (workspace_id, id);

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

CREATE UNIQUE INDEX jobs_by_key ON jobs (workspace_id, kind, dedup_key) WHERE state IN ('waiting', 'running') AND dedup_key IS NOT NULL;

CREATE INDEX jobs_due ON jobs (run_at) WHERE state IN ('waiting', 'running');

CREATE TABLE known_networks (
    user_id BLOB NOT NULL,
    network BLOB NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, network)
) WITHOUT ROWID;

CREATE INDEX known_networks_by_time ON known_networks (last_at);

CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    owner BLOB NOT NULL,
    fence BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE log_floors (
    workspace_id BLOB NOT NULL PRIMARY KEY,
    floor BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE memberships (
    workspace_id BLOB NOT NULL,
    user_id BLOB NOT NULL,
    role TEXT NOT NULL,
    -- Another number with every change; an access token of an earlier one is refused.
    epoch BIGINT NOT NULL,
    joined_at BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, user_id)
) WITHOUT ROWID;

CREATE INDEX memberships_by_user ON memberships (user_id);

CREATE INDEX memberships_in_order ON memberships (workspace_id, joined_at, user_id);

CREATE TABLE messages (
    chat_id BLOB NOT NULL,
    seq BIGINT NOT NULL,
    id BLOB NOT NULL,
    workspace_id BLOB NOT NULL,
    conversation_id BLOB,
    author_kind TEXT NOT NULL,
    author_id BLOB,
    author_name TEXT NOT NULL,
    text TEXT NOT NULL,
    note BOOLEAN NOT NULL,
    -- Messages of contacts in this chat up to and including this one: makes unread counts a subtraction.
    inbound_total BIGINT NOT NULL,
    external_id TEXT,
    idempotency_key TEXT,
    edited_at BIGINT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (chat_id, seq)
) WITHOUT ROWID;

CREATE UNIQUE INDEX messages_by_external_id ON messages (chat_id, external_id) WHERE external_id IS NOT NULL;

CREATE UNIQUE INDEX messages_by_id ON messages (id);

CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE password_resets (
    token_hash BLOB NOT NULL PRIMARY KEY,
    user_id BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
) WITHOUT ROWID;

CREATE INDEX password_resets_by_user ON password_resets (user_id);

CREATE TABLE read_marks (
    user_id BLOB NOT NULL,
    chat_id BLOB NOT NULL,
    workspace_id BLOB NOT NULL,
    read_seq BIGINT NOT NULL,
    read_inbound BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, chat_id)
) WITHOUT ROWID;

CREATE TABLE refresh_rotations (
    session_id BLOB NOT NULL,
    counter BIGINT NOT NULL,
    refresh_hash BLOB NOT NULL,
    rotated_at BIGINT NOT NULL,
    PRIMARY KEY (session_id, counter)
) WITHOUT ROWID;

CREATE INDEX refresh_rotations_by_time ON refresh_rotations (rotated_at);

CREATE TABLE sessions (
    id BLOB NOT NULL PRIMARY KEY,
    user_id BLOB NOT NULL,
    workspace_id BLOB NOT NULL,
    -- Goes into every refresh token of the family, so that the key file alone makes none.
    salt BLOB NOT NULL,
    -- Number and hash of the refresh token that is valid now.
    counter BIGINT NOT NULL,
    refresh_hash BLOB NOT NULL,
    user_agent TEXT,
    address TEXT,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT
) WITHOUT ROWID;

CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE INDEX sessions_by_user ON sessions (user_id, last_used_at);

CREATE TABLE setup_state (
    id BIGINT NOT NULL PRIMARY KEY,
    user_id BLOB NOT NULL,
    workspace_id BLOB NOT NULL,
    completed_at BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE subscriber_cursors (
    subscriber TEXT NOT NULL,
    workspace_id BLOB NOT NULL,
    seq BIGINT NOT NULL,
    halted TEXT,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (subscriber, workspace_id)
) WITHOUT ROWID;

CREATE TABLE telegram_holds (
    bot_id BLOB NOT NULL,
    chat TEXT NOT NULL,
    workspace_id BLOB NOT NULL,
    until_at BIGINT NOT NULL,
    PRIMARY KEY (bot_id, chat)
) WITHOUT ROWID;

CREATE TABLE telegram_raw_updates (
    id BLOB NOT NULL PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    bot_id BLOB NOT NULL,
    update_id BIGINT,
    reason TEXT NOT NULL,
    json TEXT NOT NULL,
    received_at BIGINT NOT NULL
) WITHOUT ROWID;

CREATE INDEX telegram_raw_updates_by_bot ON telegram_raw_updates (bot_id, id);

CREATE TABLE telegram_updates (
    bot_id BLOB NOT NULL,
    update_id BIGINT NOT NULL,
    workspace_id BLOB NOT NULL,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (bot_id, update_id)
) WITHOUT ROWID;

CREATE INDEX telegram_updates_by_time ON telegram_updates (received_at);

CREATE TABLE users (
    id BLOB NOT NULL PRIMARY KEY,
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    -- Where a login without a workspace leads.
    last_workspace_id BLOB,
    created_at BIGINT NOT NULL
) WITHOUT ROWID;

CREATE UNIQUE INDEX users_by_email ON users (email);

CREATE TABLE workspaces (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL
) WITHOUT ROWID;
