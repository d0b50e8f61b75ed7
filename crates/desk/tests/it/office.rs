//! A workspace with one bot, one member and people who write, on a running server.

use std::sync::Arc;

use chats::{Author, Chats, ContactInput, HistoryPage, HistoryQuery, Inbound, Message, Post, Received};
use desk::Desk;
use identity::{Identity, SetupCode};
use model::{BotId, ChatId, ConversationId, DeliveryClass, Id, Secret, UserId, WorkspaceId, kind};
use store::{Db, Error, Tx, subscribers};
use testkit::{Parts, Plan, SETUP_CODE, TestHub};

/// Everything that a test of the Desk needs. It has to be [closed](Self::close).
pub(crate) struct Office {
    pub(crate) hub: TestHub,
    pub(crate) workspace: WorkspaceId,
    pub(crate) bot: BotId,
    pub(crate) member: UserId,
    pub(crate) chats: Chats,
}

fn plan(parts: &Parts) -> Plan {
    let config = identity::Config {
        hashing: identity::Hashing::cheapest(),
        setup_code: SetupCode::given(&Secret::new(SETUP_CODE.to_owned())).expect("it is long enough"),
        sandbox: None,
    };
    let identity = Identity::new(parts.db.clone(), parts.keys.clone(), parts.world.clone(), config);
    let desk = desk::feature(Chats::new(Arc::new(Desk)), parts.db.clone());
    Plan::new(identity.authenticator()).feature(identity.feature()).feature(desk)
}

impl Office {
    /// An office whose people nobody has set up: for what needs no HTTP.
    pub(crate) async fn open() -> Self {
        let hub = TestHub::builder().features(plan).start().await;
        let world = hub.hub().world().clone();
        Self::of(hub, world.id(), world.id())
    }

    /// The office of the owner, who can be asked over HTTP.
    pub(crate) async fn of_owner() -> Self {
        let hub = TestHub::builder().features(plan).start().await;
        let owner = hub.owner().await;
        let workspace = owner.know("/workspace/id").parse().expect("an id");
        let member = owner.know("/user/id").parse().expect("an id");
        Self::of(hub, workspace, member)
    }

    fn of(mut hub: TestHub, workspace: WorkspaceId, member: UserId) -> Self {
        // Nobody delivers here.
        hub.allow_undelivered();
        let bot = hub.hub().world().id();
        Self { hub, workspace, bot, member, chats: Chats::new(Arc::new(Desk)) }
    }

    pub(crate) async fn close(self) {
        self.hub.finish().await;
    }

    pub(crate) fn db(&self) -> &Db {
        self.hub.db()
    }

    /// Runs a command in the workspace.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        body: impl FnMut(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> T {
        self.db().write(self.workspace, body).await.expect("the command succeeds")
    }

    /// A page of a chat.
    pub(crate) async fn history(&self, chat: ChatId, query: HistoryQuery) -> HistoryPage {
        let workspace = self.workspace;
        self.run(move |tx| chats::history(tx, workspace, chat, query)).await
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

    /// The member has read up to `seq`.
    pub(crate) async fn read(&self, chat: ChatId, seq: i64) {
        let (workspace, member) = (self.workspace, self.member);
        self.run(move |tx| {
            let chat = chats::chat(tx, workspace, chat)?.ok_or(Error::NotFound)?;
            chats::mark_read(tx, member, &chat, None, seq)
        })
        .await;
    }

    /// Lets the Desk's subscribers catch up.
    pub(crate) async fn follow(&self) {
        for subscriber in desk::subscribers() {
            loop {
                let next = Arc::clone(&subscriber);
                let progress = self.run(move |tx| subscribers::advance(tx, next.as_ref(), 7)).await;
                assert!(!progress.halted, "{} halted", subscriber.name());
                if !progress.more {
                    break;
                }
            }
        }
    }

    /// What a counting statement about the workspace gives.
    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        let workspace: Id<kind::Workspace> = self.workspace;
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
