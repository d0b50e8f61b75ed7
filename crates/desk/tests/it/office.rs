//! A workspace with one bot, one member and people who write.

use std::sync::Arc;

use chats::{Author, Chats, ContactInput, Inbound, Message, Post, Received};
use desk::Desk;
use model::{BotId, ChatId, ConversationId, DeliveryClass, Id, UserId, WorkspaceId};
use store::{Db, Error, Tx};
use testkit::{TestDb, test_world};

/// Everything that a test of the Desk needs, on a database of its own.
pub(crate) struct Office {
    pub(crate) db: TestDb,
    pub(crate) workspace: WorkspaceId,
    pub(crate) bot: BotId,
    pub(crate) member: UserId,
    pub(crate) chats: Chats,
}

impl Office {
    pub(crate) async fn open() -> Self {
        let world = test_world();
        let (workspace, bot, member) = (world.id(), world.id(), world.id());
        Self { db: TestDb::open(world).await, workspace, bot, member, chats: Chats::new(Arc::new(Desk)) }
    }

    pub(crate) fn db(&self) -> &Db {
        self.db.db()
    }

    /// Runs a command in the workspace.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        body: impl FnMut(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> T {
        self.db().write(self.workspace, body).await.expect("the command succeeds")
    }

    /// A person writes.
    pub(crate) async fn write(&self, person: &str, number: i64, text: &str) -> Received {
        let (chats, inbound) = (self.chats.clone(), self.inbound(person, number, text));
        self.run(move |tx| chats.receive(tx, inbound.clone())).await
    }

    /// A person's message as it comes in.
    pub(crate) fn inbound(&self, person: &str, number: i64, text: &str) -> Inbound {
        Inbound {
            bot: self.bot,
            chat: person.to_owned(),
            from: ContactInput {
                external_id: person.to_owned(),
                name: format!("Person {person}"),
                username: None,
                language: Some("en".to_owned()),
            },
            message: number.to_string(),
            text: text.to_owned(),
        }
    }

    /// The member answers or notes.
    pub(crate) async fn reply(&self, to: &Message, text: &str, note: bool) -> Message {
        let (chats, author, text) = (self.chats.clone(), Author::member(self.member, "Ann"), text.to_owned());
        let (workspace, chat, conversation) = (self.workspace, to.chat_id, to.conversation_id);
        self.run(move |tx| {
            let mut chat = chats::chat(tx, workspace, chat)?.ok_or(Error::NotFound)?;
            let post = Post {
                conversation,
                author: author.clone(),
                text: &text,
                note,
                class: DeliveryClass::Reply,
                expires_at: None,
                idempotency_key: None,
            };
            chats.post(tx, &mut chat, post)
        })
        .await
    }

    /// The member has read up to `seq`; gives how many remain unread by the books.
    pub(crate) async fn read(&self, chat: ChatId, seq: i64) -> i64 {
        let (workspace, member) = (self.workspace, self.member);
        self.run(move |tx| {
            let chat = chats::chat(tx, workspace, chat)?.ok_or(Error::NotFound)?;
            let mark = chats::mark_read(tx, member, &chat, None, seq)?;
            Ok(chat.inbound_total - mark.read_inbound)
        })
        .await
    }

    /// How many rows a counting statement about the workspace gives.
    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        let workspace: Id<model::kind::Workspace> = self.workspace;
        let found = self.db().read(move |tx| tx.one(sql, store::args![workspace], |row| row.get(0)));
        found.await.map_err(|e: Error| e).expect("countable")
    }
}

/// The message that was stored now.
pub(crate) fn stored(received: Received) -> Message {
    match received {
        Received::Stored(message) => *message,
        Received::Known => panic!("the message was known already"),
    }
}

/// The conversation of a message of a contact.
pub(crate) fn conversation_of(message: &Message) -> ConversationId {
    message.conversation_id.expect("a contact's message belongs to a conversation")
}
