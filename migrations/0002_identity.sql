-- Identity: people, sessions, workspaces, memberships, invitations, API keys. Rules: crates/identity/README.md.

-- Decides which of two simultaneous setups wins; its one row has id 1.
CREATE TABLE setup_state (
    id BIGINT NOT NULL PRIMARY KEY,
    user_id BLOB NOT NULL,
    workspace_id BLOB NOT NULL,
    completed_at BIGINT NOT NULL
) WITHOUT ROWID;

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

-- A sign-in on a device, which is also the family of its refresh tokens.
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
CREATE INDEX sessions_by_user ON sessions (user_id, last_used_at);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- Refresh tokens that were rotated within the grace time; older ones are reuse.
CREATE TABLE refresh_rotations (
    session_id BLOB NOT NULL,
    counter BIGINT NOT NULL,
    refresh_hash BLOB NOT NULL,
    rotated_at BIGINT NOT NULL,
    PRIMARY KEY (session_id, counter)
) WITHOUT ROWID;
CREATE INDEX refresh_rotations_by_time ON refresh_rotations (rotated_at);

-- Keyed hashes of the networks a user has signed in from; these are never slowed down by other people's failures.
CREATE TABLE known_networks (
    user_id BLOB NOT NULL,
    network BLOB NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, network)
) WITHOUT ROWID;
CREATE INDEX known_networks_by_time ON known_networks (last_at);

CREATE TABLE password_resets (
    token_hash BLOB NOT NULL PRIMARY KEY,
    user_id BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX password_resets_by_user ON password_resets (user_id);

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
