-- The Desk: support cases on private chats. Written by the crate `desk` only.

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
CREATE INDEX conversations_by_activity ON conversations (workspace_id, last_activity_at, id);
CREATE INDEX conversations_by_status ON conversations (workspace_id, status, last_activity_at, id);
CREATE INDEX conversations_by_bot ON conversations (workspace_id, bot_id, last_activity_at, id);
CREATE INDEX conversations_by_chat ON conversations (chat_id, created_at);
-- One live conversation per private chat, whatever runs at the same time.
CREATE UNIQUE INDEX conversations_alive ON conversations (chat_id) WHERE status <> 'resolved';

-- Kept by a counting subscriber; equals a recount of `conversations`.
CREATE TABLE desk_counts (
    workspace_id BLOB NOT NULL,
    status TEXT NOT NULL,
    total BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, status)
) WITHOUT ROWID;
