//! The texts that open doors: access tokens, refresh tokens, API keys, one-time tokens.
//!
//! **Access token.** `sba_` and base64url of session, workspace, expiry and membership epoch with a keyed hash behind. It says
//! nothing about rights: those are looked up on each request.
//!
//! **Refresh token.** base64url of session, counter and a keyed hash over both and the session's salt. It is derived, so the
//! same successor can be given twice, and only its hash is stored. Neither the database nor the key file alone makes one.
//!
//! **API key.** `sbk_`, eight characters that are shown in lists, and 256 random bits. Only its hash is stored.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use kit::KeyRing;
use model::{SessionId, Timestamp, WorkspaceId, World};
use subtle::ConstantTimeEq;
use uuid::Uuid;

const ACCESS: &str = "sba_";
const ACCESS_PURPOSE: &str = "access tokens";
const REFRESH_PURPOSE: &str = "refresh tokens";
const CLAIMS: usize = 48;
const MAC: usize = 16;

/// How every API key begins.
pub(crate) const KEY: &str = "sbk_";
/// Bytes of a key's text that are shown: `sbk_` and eight characters.
const KEY_PREFIX: usize = 12;
const KEY_LENGTH: usize = KEY_PREFIX + 43;

/// What an access token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) session: SessionId,
    pub(crate) workspace: WorkspaceId,
    pub(crate) expires_at: Timestamp,
    pub(crate) epoch: i64,
}

impl Access {
    /// The token's text.
    pub(crate) fn sign(&self, keys: &KeyRing) -> String {
        let mut bytes = [0; CLAIMS + MAC];
        bytes[..16].copy_from_slice(self.session.as_bytes());
        bytes[16..32].copy_from_slice(self.workspace.as_bytes());
        bytes[32..40].copy_from_slice(&self.expires_at.micros().to_be_bytes());
        bytes[40..CLAIMS].copy_from_slice(&self.epoch.to_be_bytes());
        let mac = keys.mac(ACCESS_PURPOSE, &bytes[..CLAIMS]);
        bytes[CLAIMS..].copy_from_slice(&mac[..MAC]);
        let mut text = String::from(ACCESS);
        URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
        text
    }

    /// What a token of ours says; `None` for anything else. Whether its time is over is the caller's question.
    pub(crate) fn read(text: &str, keys: &KeyRing) -> Option<Self> {
        let mut bytes = [0; CLAIMS + MAC];
        let length = URL_SAFE_NO_PAD.decode_slice(text.strip_prefix(ACCESS)?, &mut bytes).ok()?;
        let (claims, mac) = bytes.split_first_chunk::<CLAIMS>()?;
        if length != CLAIMS + MAC || !keys.verify(ACCESS_PURPOSE, claims, mac) {
            return None;
        }
        let (session, rest) = claims.split_first_chunk::<16>()?;
        let (workspace, rest) = rest.split_first_chunk::<16>()?;
        let (expires_at, epoch) = rest.split_first_chunk::<8>()?;
        Some(Self {
            session: SessionId::from_uuid(Uuid::from_bytes(*session)),
            workspace: WorkspaceId::from_uuid(Uuid::from_bytes(*workspace)),
            expires_at: Timestamp::from_micros(i64::from_be_bytes(*expires_at)),
            epoch: i64::from_be_bytes(*epoch.first_chunk()?),
        })
    }
}

/// A refresh token, taken apart. Nothing is checked yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refresh {
    pub(crate) session: SessionId,
    pub(crate) counter: i64,
    tag: [u8; 32],
}

impl Refresh {
    /// The token with number `counter` of a session.
    pub(crate) fn derive(keys: &KeyRing, session: SessionId, counter: i64, salt: &[u8; 16]) -> Self {
        Self { session, counter, tag: keys.mac(REFRESH_PURPOSE, &family(session, counter, salt)) }
    }

    /// Whether it was once derived for a session with this salt, however long ago.
    pub(crate) fn is_genuine(&self, keys: &KeyRing, salt: &[u8; 16]) -> bool {
        keys.verify(REFRESH_PURPOSE, &family(self.session, self.counter, salt), &self.tag)
    }

    /// The text that the cookie carries.
    pub(crate) fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes())
    }

    /// Reads what [`Self::text`] wrote.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut bytes = [0; 56];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let (session, rest) = bytes.split_first_chunk::<16>()?;
        let (counter, tag) = rest.split_first_chunk::<8>()?;
        let session = SessionId::from_uuid(Uuid::from_bytes(*session));
        (length == bytes.len()).then_some(Self {
            session,
            counter: i64::from_be_bytes(*counter),
            tag: *tag.first_chunk()?,
        })
    }

    /// What is stored of it.
    pub(crate) fn hash(&self) -> [u8; 32] {
        hash(&self.bytes())
    }

    /// Whether `stored` is its hash.
    pub(crate) fn matches(&self, stored: &[u8; 32]) -> bool {
        bool::from(self.hash().ct_eq(stored))
    }

    fn bytes(&self) -> [u8; 56] {
        let mut bytes = [0; 56];
        bytes[..16].copy_from_slice(self.session.as_bytes());
        bytes[16..24].copy_from_slice(&self.counter.to_be_bytes());
        bytes[24..].copy_from_slice(&self.tag);
        bytes
    }
}

fn family(session: SessionId, counter: i64, salt: &[u8; 16]) -> [u8; 40] {
    let mut bytes = [0; 40];
    bytes[..16].copy_from_slice(session.as_bytes());
    bytes[16..24].copy_from_slice(&counter.to_be_bytes());
    bytes[24..].copy_from_slice(salt);
    bytes
}

/// A new API key.
pub(crate) fn new_key(world: &World) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut text = String::from(KEY);
    text.extend(world.random::<8>().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])));
    URL_SAFE_NO_PAD.encode_string(world.random::<32>(), &mut text);
    text
}

/// The part of a key's text that is shown and looked up by; `None` when it cannot be one of ours.
pub(crate) fn key_prefix(text: &str) -> Option<&str> {
    (text.len() == KEY_LENGTH && text.starts_with(KEY)).then(|| text.get(..KEY_PREFIX)).flatten()
}

/// A new one-time token of `N` random bytes, for links.
pub(crate) fn one_time<const N: usize>(world: &World) -> String {
    URL_SAFE_NO_PAD.encode(world.random::<N>())
}

/// What is stored of a secret that is random enough to need no slow hash.
pub(crate) fn hash(secret: &[u8]) -> [u8; 32] {
    *blake3::hash(secret).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::world;

    fn access() -> Access {
        let world = world();
        Access { session: world.id(), workspace: world.id(), expires_at: Timestamp::from_micros(77), epoch: -5 }
    }

    #[test]
    fn an_access_token_says_what_was_signed() {
        let keys = KeyRing::random(world());
        assert_eq!(
            Access::read(&access().sign(&keys), &keys).map(|it| (it.expires_at.micros(), it.epoch)),
            Some((77, -5))
        );
    }

    #[test]
    fn no_changed_access_token_is_accepted() {
        let keys = KeyRing::random(world());
        let text = access().sign(&keys);
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).expect("ASCII");
            assert_eq!(Access::read(&changed, &keys), None, "character {at}");
        }
        for text in ["", "sba_", "sba_é", &text[..text.len() - 1], &format!("{text}A"), &text[4..]] {
            assert_eq!(Access::read(text, &keys), None, "{text}");
        }
        assert_eq!(Access::read(&text, &KeyRing::parse(&"ab".repeat(32), world()).expect("a key")), None);
    }

    #[test]
    fn a_refresh_token_is_derived_from_family_and_counter() {
        let (keys, session, salt) = (KeyRing::random(world()), world().id(), [7; 16]);
        let token = Refresh::derive(&keys, session, 3, &salt);
        assert_eq!(Refresh::derive(&keys, session, 3, &salt), token);
        assert_ne!(Refresh::derive(&keys, session, 4, &salt).hash(), token.hash());
        assert_ne!(Refresh::derive(&keys, session, 3, &[8; 16]).hash(), token.hash());
        let read = Refresh::read(&token.text()).expect("its own text");
        assert!(read.is_genuine(&keys, &salt) && !read.is_genuine(&keys, &[8; 16]) && read.matches(&token.hash()));
        for text in ["", "A", &"A".repeat(74), &"A".repeat(76), "ÄÄ"] {
            assert_eq!(Refresh::read(text), None, "{text}");
        }
    }

    #[test]
    fn a_key_shows_its_prefix_and_nothing_else_looks_like_one() {
        let key = new_key(&world());
        assert_eq!(key_prefix(&key), key.get(..12));
        for text in ["sbk_", &key[1..], &format!("{key}x"), &"é".repeat(30), &format!("sbk_{}", "é".repeat(25))] {
            if let Some(prefix) = key_prefix(text) {
                assert_eq!(prefix.len(), 12, "{text}");
            }
        }
        assert_eq!(key_prefix(&key[..54]), None);
    }
}
