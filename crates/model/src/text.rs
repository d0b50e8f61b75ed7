//! Text at the edge: checked once, then trusted. Lengths count Unicode scalar values.

/// Why a text was refused, in sentences for whoever wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing but white space.
    #[error("The text is empty. Write something.")]
    Empty,
    /// Longer than allowed.
    #[error("The text has {length} characters. Shorten it to at most {most}.")]
    TooLong {
        /// Characters it has.
        length: usize,
        /// Characters it may have.
        most: usize,
    },
    /// U+0000, which PostgreSQL cannot store, or in a single line a control character.
    #[error("The text contains a character that cannot be kept, such as a control character. Remove it.")]
    Invalid,
}

impl TextError {
    /// The stable code of the API.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "text_empty",
            Self::TooLong { .. } => "text_too_long",
            Self::Invalid => "invalid_text",
        }
    }
}

/// Checks a text of several lines and returns it without white space at its ends.
///
/// # Errors
/// See [`TextError`]; `most` counts characters.
pub fn check_text(text: &str, most: usize) -> Result<&str, TextError> {
    if text.contains('\0') {
        return Err(TextError::Invalid);
    }
    let text = text.trim();
    if text.is_empty() {
        return Err(TextError::Empty);
    }
    let length = text.chars().count();
    if length > most { Err(TextError::TooLong { length, most }) } else { Ok(text) }
}

/// Whether a character turns the order of the text behind it (Unicode's embeddings, overrides and isolates): in a name it
/// would make this name, or what stands beside it, look like something else. Marks such as U+200F do not.
const fn turns_around(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Checks a name or title: as [`check_text`], and no control characters, so it stays on one line and looks like what it is.
///
/// # Errors
/// See [`TextError`].
pub fn check_line(text: &str, most: usize) -> Result<&str, TextError> {
    let text = check_text(text, most)?;
    if text.chars().any(|c| c.is_control() || turns_around(c)) { Err(TextError::Invalid) } else { Ok(text) }
}

/// The first `most` characters, on one line and in their own order, for a preview or a name that somebody else chose.
#[must_use]
pub fn preview(text: &str, most: usize) -> String {
    text.chars().take(most).map(|c| if c.is_control() || turns_around(c) { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_what_cannot_be_stored_and_says_why() {
        assert_eq!(check_text("a\0b", 10), Err(TextError::Invalid));
        assert_eq!(check_text(" \n\t ", 10), Err(TextError::Empty));
        assert_eq!(check_text("ééééé", 4), Err(TextError::TooLong { length: 5, most: 4 }));
        assert_eq!(check_text("  two\nlines ", 10), Ok("two\nlines"));
        assert_eq!(check_line("two\nlines", 10), Err(TextError::Invalid));
    }

    #[test]
    fn a_name_cannot_turn_the_text_around_it() {
        for c in ['\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}'] {
            let name = format!("ann{c}nimda");
            assert_eq!(check_line(&name, 20), Err(TextError::Invalid), "{c:?}");
            assert_eq!(preview(&name, 20), "ann nimda", "{c:?}");
            assert_eq!(check_text(&name, 20), Ok(name.as_str()), "a message may hold {c:?}");
        }
        for name in ["شركة", "בית", "a\u{200f}b", "👩\u{200d}🚀"] {
            assert_eq!(check_line(name, 20), Ok(name));
        }
    }

    proptest! {
        #[test]
        fn no_text_and_no_cut_panics(text in "\\PC*", most in 0usize..40) {
            let cut = preview(&text, most);
            prop_assert!(cut.chars().count() <= most);
            if let Ok(checked) = check_text(&text, most) {
                prop_assert!(!checked.is_empty() && checked.chars().count() <= most);
            }
        }
    }
}
