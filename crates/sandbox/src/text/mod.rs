//! Message text as the Bot API treats it: parse modes, entities in UTF-16 units, trimming, length.

mod entities;
mod html;
mod markdown;

pub(crate) use entities::{Entity, commands};

use entities::Builder;

/// Telegram's limit, in characters after entity parsing.
pub(crate) const MAX_CHARS: usize = 4096;

/// A finished text.
#[derive(Debug, PartialEq)]
pub(crate) struct Formatted {
    pub(crate) text: String,
    pub(crate) entities: Vec<Entity>,
}

/// Turns what a bot sent into what is shown. The error is the Bot API's description without `Bad Request: `.
pub(crate) fn format(raw: &str, mode: Option<&str>, entities: Vec<Entity>) -> Result<Formatted, String> {
    let parsed = match mode.map(str::to_ascii_lowercase).as_deref() {
        None | Some("") => entities::checked(raw, entities)?,
        Some("html") => html::parse(raw).map_err(cannot_parse)?,
        Some("markdownv2") => markdown::parse(raw).map_err(cannot_parse)?,
        Some(_) => return Err("unsupported parse_mode".to_owned()),
    };
    let trimmed = entities::trim(parsed);
    if trimmed.text.is_empty() {
        return Err("message text is empty".to_owned());
    }
    if trimmed.text.chars().count() > MAX_CHARS {
        return Err("message is too long".to_owned());
    }
    Ok(trimmed)
}

fn cannot_parse(why: String) -> String {
    format!("can't parse entities: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(raw: &str, mode: &str) -> String {
        match format(raw, Some(mode), Vec::new()) {
            Err(error) => format!("! {error}"),
            Ok(Formatted { text, entities }) => {
                let marks: Vec<_> = entities.iter().map(|e| format!("{}@{}+{}", e.kind, e.offset, e.length)).collect();
                format!("{text} | {}", marks.join(" "))
            }
        }
    }

    #[test]
    fn html_becomes_text_and_entities_in_utf16_units() {
        for (raw, expected) in [
            ("plain &lt;b&gt; &amp; &#128512;", "plain <b> & 😀 | "),
            ("😀 <b>bold</b>", "😀 bold | bold@3+4"),
            ("<b>a<i>b</i></b>", "ab | bold@0+2 italic@1+1"),
            ("  <u>x</u>  ", "x | underline@0+1"),
            ("<a href=\"http://x.y/?a=1&amp;b=2\">l</a>", "l | text_link@0+1"),
            ("<pre><code class=\"language-rust\">x</code></pre>", "x | pre@0+1"),
            ("<b></b>x", "x | "),
            ("<x>", "! can't parse entities: Unsupported start tag \"x\" at byte offset 0"),
            ("a<b>c", "! can't parse entities: Can't find end tag corresponding to start tag \"b\""),
            (
                "<b>c</i>",
                "! can't parse entities: Unmatched end tag at byte offset 4, expected \"</b>\", found \"</i>\"",
            ),
            ("</b>", "! can't parse entities: Unexpected end tag at byte offset 0"),
            ("<b> </b>", "! message text is empty"),
        ] {
            assert_eq!(shown(raw, "HTML"), expected, "{raw}");
        }
    }

    #[test]
    fn markdown_v2_becomes_text_and_entities_and_wants_its_marks_escaped() {
        for (raw, expected) in [
            ("*b* _i_ __u__ ~s~ ||p||", "b i u s p | bold@0+1 italic@2+1 underline@4+1 strikethrough@6+1 spoiler@8+1"),
            ("`a*b` 1\\.5", "a*b 1.5 | code@0+3"),
            ("```rust\nlet x;```", "let x; | pre@0+6"),
            ("[l](http://x\\.y/)", "l | text_link@0+1"),
            ("*😀 _é_*", "😀 é | bold@0+4 italic@3+1"),
            ("1.5", "! can't parse entities: Character '.' is reserved and must be escaped with the preceding '\\'"),
            ("*b", "! can't parse entities: Can't find end of Bold entity at byte offset 0"),
        ] {
            assert_eq!(shown(raw, "MarkdownV2"), expected, "{raw}");
        }
        assert_eq!(shown("x", "Wiki"), "! unsupported parse_mode");
    }

    #[test]
    fn given_entities_must_lie_on_characters_inside_the_text() {
        let entity = |offset, length| vec![Entity::new("bold", offset, length)];
        let error = |offset, length| format("😀x", None, entity(offset, length)).expect_err("outside of the text");
        assert!(format("😀x", None, entity(0, 2)).is_ok());
        assert_eq!(
            error(0, 9),
            "entity beginning at UTF-16 offset 0 ends after the end of the text at UTF-16 offset 9"
        );
        assert_eq!(error(1, 1), "entity begins in a middle of a UTF-16 symbol at UTF-16 offset 1");
        assert_eq!(
            error(0, 1),
            "entity beginning at UTF-16 offset 0 ends in a middle of a UTF-16 symbol at UTF-16 offset 1"
        );
    }

    #[test]
    fn the_limit_counts_characters_after_parsing() {
        let fits = format!("<b>{}</b>", "😀".repeat(MAX_CHARS));
        assert!(format(&fits, Some("HTML"), Vec::new()).is_ok());
        let long = "a".repeat(MAX_CHARS + 1);
        assert_eq!(format(&long, None, Vec::new()), Err("message is too long".to_owned()));
    }

    #[test]
    fn commands_are_found_at_the_start_of_a_word() {
        let found = |text| commands(text).iter().map(|e| (e.offset, e.length)).collect::<Vec<_>>();
        assert_eq!(found("/start now"), [(0, 6)]);
        assert_eq!(found("😀 /a@my_bot, and/or /"), [(3, 9)]);
    }
}
