//! Text at the edge: checked once, then trusted. Lengths count Unicode scalar values.

/// Why a text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing but white space.
    #[error("the text is empty")]
    Empty,
    /// Longer than allowed.
    #[error("the text has {length} characters, at most {most} are allowed")]
    TooLong {
        /// Characters it has.
        length: usize,
        /// Characters it may have.
        most: usize,
    },
    /// U+0000, which PostgreSQL cannot store, or in a single line a control character.
    #[error("the text contains a character that cannot be stored")]
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

/// Checks a name or title: as [`check_text`], and no control characters, so it stays on one line.
///
/// # Errors
/// See [`TextError`].
pub fn check_line(text: &str, most: usize) -> Result<&str, TextError> {
    let text = check_text(text, most)?;
    if text.chars().any(char::is_control) { Err(TextError::Invalid) } else { Ok(text) }
}

/// The first `most` characters, on one line, for a preview.
#[must_use]
pub fn preview(text: &str, most: usize) -> String {
    text.chars().take(most).map(|c| if c.is_control() { ' ' } else { c }).collect()
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
