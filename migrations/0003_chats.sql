-- The trunk: people, places, messages, read marks. Written by the crate `chats` only.

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

-- Clustered by (chat, seq): a page of history is one seek, whatever the number of messages.
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
CREATE UNIQUE INDEX messages_by_id ON messages (id);
CREATE UNIQUE INDEX messages_by_external_id ON messages (chat_id, external_id) WHERE external_id IS NOT NULL;

CREATE TABLE read_marks (
    user_id BLOB NOT NULL,
    chat_id BLOB NOT NULL,
    workspace_id BLOB NOT NULL,
    read_seq BIGINT NOT NULL,
    read_inbound BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, chat_id)
) WITHOUT ROWID;
