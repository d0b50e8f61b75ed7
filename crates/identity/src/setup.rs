//! The one-time code that the first person needs.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
};

use model::{Secret, World};
use subtle::ConstantTimeEq;

use crate::tokens;

/// Characters that a code of the operator's own has at least.
const SHORTEST: usize = 16;

/// The code, of which only the hash is kept. It is good until it was used or the server restarts.
#[derive(Debug, Clone)]
pub struct SetupCode(Arc<Mutex<Option<[u8; 32]>>>);

/// A given code is too easy to guess or cannot be typed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a setup code needs at least 16 visible ASCII characters")]
pub struct SetupCodeRefused;

impl SetupCode {
    /// A code of 128 random bits, and its text to be shown.
    #[must_use]
    pub fn random(world: &World) -> (Self, Secret) {
        let text = tokens::one_time::<16>(world);
        (Self::of(&text), Secret::new(text))
    }

    /// The operator's own code.
    ///
    /// # Errors
    /// When it is too short.
    pub fn given(text: &Secret) -> Result<Self, SetupCodeRefused> {
        let text = text.expose().trim();
        let good = text.len() >= SHORTEST && text.bytes().all(|byte| byte.is_ascii_graphic());
        if good { Ok(Self::of(text)) } else { Err(SetupCodeRefused) }
    }

    /// The link that carries `code` in its fragment, which reaches no server and no log.
    #[must_use]
    pub fn link(public_url: &str, code: &Secret) -> String {
        let mut link = format!("{}/setup#", public_url.trim_end_matches('/'));
        for byte in code.expose().trim().bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                link.push(char::from(byte));
            } else {
                write!(link, "%{byte:02X}").expect("writing to a string does not fail");
            }
        }
        link
    }

    fn of(text: &str) -> Self {
        Self(Arc::new(Mutex::new(Some(tokens::hash(text.as_bytes())))))
    }

    /// Whether `shown` is the code.
    pub(crate) fn is(&self, shown: &Secret) -> bool {
        let shown = tokens::hash(shown.expose().trim().as_bytes());
        let code = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        code.is_some_and(|code| bool::from(code.ct_eq(&shown)))
    }

    /// Makes the code worthless.
    pub(crate) fn spend(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::world;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_code_is_good_until_it_is_spent() {
        let (code, text) = SetupCode::random(&world());
        assert!(code.is(&text) && code.is(&secret(&format!(" {}\n", text.expose()))) && !code.is(&secret("")));
        code.spend();
        assert!(!code.is(&text));
    }

    #[test]
    fn a_given_code_has_16_visible_characters() {
        assert!(SetupCode::given(&secret("sixteen-chars-ok")).expect("long enough").is(&secret("sixteen-chars-ok")));
        for text in ["", "fifteen-chars--", "               x", "with a space in it", "ünïcödé-öf-söme-lëngth"] {
            assert!(SetupCode::given(&secret(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn the_link_escapes_what_a_fragment_cannot_hold() {
        assert_eq!(SetupCode::link("http://h:1/", &secret("a#b%c-d")), "http://h:1/setup#a%23b%25c-d");
    }
}
