//! Who may see signals of a private chat: whoever may read conversations.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use ::model::{ChatId, Right, WorkspaceId};
use kit::{BoxFuture, Principal, live::ChatAccess};
use store::{Db, Error};

/// Chats that are remembered; a chat never changes its workspace, so the memory is never wrong, only forgotten.
const REMEMBERED: usize = 10_000;

pub(crate) struct Access {
    db: Db,
    homes: Mutex<HashMap<ChatId, WorkspaceId>>,
}

impl Access {
    pub(crate) fn new(db: Db) -> Self {
        Self { db, homes: Mutex::default() }
    }

    async fn is_in(&self, workspace: WorkspaceId, chat: ChatId) -> bool {
        let known = self.homes.lock().unwrap_or_else(PoisonError::into_inner).get(&chat).copied();
        if let Some(home) = known {
            return home == workspace;
        }
        let found: Result<_, Error> = self.db.read(move |tx| chats::chat(tx, workspace, chat)).await;
        // Signals may be lost, so a database that does not answer means no.
        let is_in = found.is_ok_and(|chat| chat.is_some());
        if is_in {
            self.remember(workspace, chat);
        }
        is_in
    }

    fn remember(&self, workspace: WorkspaceId, chat: ChatId) {
        let mut homes = self.homes.lock().unwrap_or_else(PoisonError::into_inner);
        if homes.len() >= REMEMBERED {
            homes.clear();
        }
        homes.insert(chat, workspace);
    }
}

impl ChatAccess for Access {
    fn may_see<'a>(&'a self, principal: &'a Principal, chat: ChatId) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            principal.rights.has(Right::ConversationsRead) && self.is_in(principal.workspace, chat).await
        })
    }
}
