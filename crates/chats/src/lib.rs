#![doc = include_str!("../README.md")]

mod contact;
mod history;
mod inbound;
mod message;
mod outbound;
mod place;
mod read_mark;

pub use contact::{Contact, ContactInput, contact, set_reachable};
pub use history::{HistoryPage, HistoryQuery, history, message, others_wrote_since};
pub use inbound::{EditedText, Inbound, Received};
pub use message::{Author, AuthorKind, Message};
pub use outbound::{Post, TextPayload, delivered};
pub use place::{Chat, ChatKind, chat};
pub use read_mark::{ReadMark, mark_read};

use std::sync::Arc;

use model::{BotId, ConversationId};
use store::{Error, Tx};

/// Longest text of a message to a contact, in characters: Telegram's own limit.
pub const MAX_TEXT: usize = 4096;
/// Longest note, in characters.
pub const MAX_NOTE: usize = 16_000;

/// Keeps the cases on private chats; implemented by the Desk. Both calls run inside the transaction that stores the message.
pub trait CaseKeeper: Send + Sync + 'static {
    /// The conversation that a contact's next message belongs to: the live one, or one that is opened now.
    ///
    /// # Errors
    /// See [`Error`].
    fn conversation_for(&self, tx: &mut Tx<'_>, chat: &Chat, contact: &Contact) -> Result<ConversationId, Error>;

    /// A message was stored in a chat that belongs to a conversation.
    ///
    /// # Errors
    /// See [`Error`].
    fn recorded(&self, tx: &mut Tx<'_>, chat: &Chat, message: &Message) -> Result<(), Error>;
}

/// Knows which bots can send; implemented by the channel that has them.
pub trait Courier: Send + Sync + 'static {
    /// Whether the bot of the command's workspace is still there.
    ///
    /// # Errors
    /// See [`Error`].
    fn works_for(&self, tx: &mut Tx<'_>, bot: BotId) -> Result<bool, Error>;
}

/// The trunk with the Desk and a channel plugged in. Cloning is cheap.
#[derive(Clone)]
pub struct Chats {
    keeper: Arc<dyn CaseKeeper>,
    courier: Option<Arc<dyn Courier>>,
}

impl Chats {
    /// A trunk whose private chats are kept by `keeper`; every bot is taken to be there.
    pub fn new(keeper: Arc<dyn CaseKeeper>) -> Self {
        Self { keeper, courier: None }
    }

    /// The same trunk, which asks `courier` whether a bot is still there.
    #[must_use]
    pub fn with_courier(self, courier: Arc<dyn Courier>) -> Self {
        Self { courier: Some(courier), ..self }
    }

    /// Whether what is posted in this chat can leave.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn can_send(&self, tx: &mut Tx<'_>, chat: &Chat) -> Result<bool, Error> {
        match (&self.courier, chat.bot) {
            (Some(courier), Some(bot)) => courier.works_for(tx, bot),
            (_, bot) => Ok(bot.is_some()),
        }
    }
}
