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

use model::ConversationId;
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

/// The trunk with the Desk plugged in. Cloning is cheap.
#[derive(Clone)]
pub struct Chats {
    keeper: Arc<dyn CaseKeeper>,
}

impl Chats {
    /// A trunk whose private chats are kept by `keeper`.
    pub fn new(keeper: Arc<dyn CaseKeeper>) -> Self {
        Self { keeper }
    }
}
