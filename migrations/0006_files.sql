-- Files that people send. The bytes lie in the blob store under their hash. Written by the crate `files` only.

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
CREATE INDEX files_unused ON files (unused_since) WHERE deleted_at IS NULL AND unused_since IS NOT NULL;
CREATE INDEX files_deleted ON files (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE file_uses (
    message_id BLOB NOT NULL,
    file_id BLOB NOT NULL,
    workspace_id BLOB NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (message_id, file_id)
) WITHOUT ROWID;
CREATE INDEX file_uses_by_file ON file_uses (file_id, message_id);
