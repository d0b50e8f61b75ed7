-- Telegram: connected bots, what came in, what is held back. Written by the crate `telegram` only.

-- A removed bot keeps its row, so that its chats keep their history when it is connected again.
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
CREATE UNIQUE INDEX bots_connected ON bots (api, telegram_id) WHERE removed_at IS NULL;
CREATE INDEX bots_by_workspace ON bots (workspace_id, id);

-- Numbers of the updates of the last 7 days, so that none is applied twice.
CREATE TABLE telegram_updates (
    bot_id BLOB NOT NULL,
    update_id BIGINT NOT NULL,
    workspace_id BLOB NOT NULL,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (bot_id, update_id)
) WITHOUT ROWID;
CREATE INDEX telegram_updates_by_time ON telegram_updates (received_at);

-- Updates that were not understood or could not be applied, as they came.
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

-- How long Telegram asked to leave a chat, or with an empty chat the whole bot, alone.
CREATE TABLE telegram_holds (
    bot_id BLOB NOT NULL,
    chat TEXT NOT NULL,
    workspace_id BLOB NOT NULL,
    until_at BIGINT NOT NULL,
    PRIMARY KEY (bot_id, chat)
) WITHOUT ROWID;
