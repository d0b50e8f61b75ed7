//! Entities: their check, their builder, and what trimming does to them. Offsets are UTF-16 units.

use super::Formatted;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A Bot API MessageEntity; fields beyond kind and place are kept as they came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entity {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) offset: usize,
    pub(crate) length: usize,
    #[serde(flatten)]
    pub(crate) more: Map<String, Value>,
}

impl Entity {
    pub(crate) fn new(kind: &str, offset: usize, length: usize) -> Self {
        Self { kind: kind.to_owned(), offset, length, more: Map::new() }
    }

    fn end(&self) -> usize {
        self.offset.saturating_add(self.length)
    }
}

/// Checks entities that a bot gave itself.
pub(super) fn checked(text: &str, entities: Vec<Entity>) -> Result<Formatted, String> {
    let mut bounds = Vec::new();
    if !entities.is_empty() {
        let mut at = 0;
        for c in text.chars() {
            bounds.push(at);
            at += c.len_utf16();
        }
        bounds.push(at);
    }
    let end = bounds.last().copied().unwrap_or(0);
    for entity in &entities {
        let (from, to) = (entity.offset, entity.end());
        if to > end {
            return Err(format!(
                "entity beginning at UTF-16 offset {from} ends after the end of the text at UTF-16 offset {to}"
            ));
        }
        if bounds.binary_search(&from).is_err() {
            return Err(format!("entity begins in a middle of a UTF-16 symbol at UTF-16 offset {from}"));
        }
        if bounds.binary_search(&to).is_err() {
            return Err(format!(
                "entity beginning at UTF-16 offset {from} ends in a middle of a UTF-16 symbol at UTF-16 offset {to}"
            ));
        }
    }
    Ok(Formatted { text: text.to_owned(), entities })
}

/// Takes white space off both ends, and off the entities what lay there.
pub(super) fn trim(formatted: Formatted) -> Formatted {
    let front = formatted.text.len() - formatted.text.trim_start().len();
    let lead: usize = utf16(formatted.text.get(..front).unwrap_or_default());
    let text = formatted.text.trim();
    let end = utf16(text);
    let mut entities = formatted.entities;
    for entity in &mut entities {
        let to = entity.end().saturating_sub(lead).min(end);
        entity.offset = entity.offset.saturating_sub(lead).min(end);
        entity.length = to - entity.offset;
    }
    entities.retain(|e| e.length > 0);
    Formatted { text: text.to_owned(), entities }
}

fn utf16(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The `bot_command` entities of a person's text, as Telegram's apps find them.
pub(crate) fn commands(text: &str) -> Vec<Entity> {
    let mut found = Vec::new();
    let mut offset = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        let name: String = word
            .strip_prefix('/')
            .unwrap_or_default()
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == '@')
            .collect();
        if !name.is_empty() && !name.starts_with('@') {
            found.push(Entity::new("bot_command", offset, name.len() + 1));
        }
        offset += utf16(word);
    }
    found
}

/// Gathers text while entities open and close around it.
#[derive(Default)]
pub(super) struct Builder {
    text: String,
    len: usize,
    entities: Vec<Entity>,
}

impl Builder {
    pub(super) fn push(&mut self, c: char) {
        self.text.push(c);
        self.len += c.len_utf16();
    }

    /// The place of the next character.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds an entity from `offset` to here; an empty one is dropped, as Telegram does.
    pub(super) fn close(&mut self, kind: &str, offset: usize, more: Option<(&str, String)>) {
        if self.len == offset {
            return;
        }
        let mut entity = Entity::new(kind, offset, self.len - offset);
        if let Some((key, value)) = more {
            entity.more.insert(key.to_owned(), Value::String(value));
        }
        self.entities.push(entity);
    }

    pub(super) fn finish(mut self) -> Formatted {
        self.entities.sort_by_key(|e| (e.offset, std::cmp::Reverse(e.length)));
        Formatted { text: self.text, entities: self.entities }
    }
}
