//! File names: made harmless when they come in, and written into headers and addresses when they go out.

use std::fmt::Write as _;

/// Characters that a name may have.
const MOST: usize = 150;
/// What a file without a usable name is called.
const NAMELESS: &str = "file";

/// The name without folders, control characters, invisible and direction-changing characters, and what file systems refuse.
/// Never empty.
#[must_use]
pub fn clean(name: &str) -> String {
    let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept = base.chars().filter(|it| !it.is_control() && !is_deceptive(*it));
    let kept: String = kept.map(|it| if "<>:\"|?*".contains(it) { '_' } else { it }).collect();
    // A leading dot hides a file, and a dot or a blank at the end is lost on some systems.
    let kept = kept.trim_matches(|it: char| it == '.' || it.is_whitespace());
    if kept.is_empty() { NAMELESS.to_owned() } else { shorten(kept) }
}

/// Characters that change the direction of text, or cannot be seen: with them `gpj.exe` looks like `exe.jpg`.
fn is_deceptive(it: char) -> bool {
    matches!(
        it,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

/// Cuts the stem, so that the extension stays.
fn shorten(name: &str) -> String {
    let length = name.chars().count();
    if length <= MOST {
        return name.to_owned();
    }
    let extension = name.rsplit_once('.').map(|(_, it)| it).filter(|it| it.chars().count() <= 10);
    match extension {
        Some(extension) => {
            let stem: String = name.chars().take(MOST - 1 - extension.chars().count()).collect();
            format!("{}.{extension}", stem.trim_end_matches('.'))
        }
        None => name.chars().take(MOST).collect(),
    }
}

/// Percent-encodes all but what RFC 3986 calls unreserved, for a path segment or an RFC 8187 value.
pub(crate) fn percent(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a string");
        }
    }
    encoded
}

/// Undoes [`percent`]; what is no escape stays, and what is no UTF-8 then is replaced.
pub(crate) fn unpercent(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).and_then(|it| std::str::from_utf8(it).ok());
        let value = digits.filter(|_| *byte == b'%').and_then(|it| u8::from_str_radix(it, 16).ok());
        decoded.push(value.unwrap_or(*byte));
        at += if value.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The value of `Content-Disposition` (RFC 6266), with an ASCII name for old clients. Nothing of the name can end the header.
pub(crate) fn disposition(inline: bool, name: &str) -> String {
    let kind = if inline { "inline" } else { "attachment" };
    let plain = |it: char| it.is_ascii_alphanumeric() || " -._()".contains(it);
    let fallback: String = name.chars().map(|it| if plain(it) { it } else { '_' }).collect();
    format!("{kind}; filename=\"{fallback}\"; filename*=UTF-8''{}", percent(name))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_hostile_name_becomes_a_harmless_one() {
        let cases = [
            ("report.pdf", "report.pdf"),
            ("Grüße aus Köln.png", "Grüße aus Köln.png"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Windows\\system32\\cmd.exe", "cmd.exe"),
            ("a\r\nSet-Cookie: x=1", "aSet-Cookie_ x=1"),
            ("photo\u{202e}gpj.exe", "photogpj.exe"),
            ("\u{200b}\u{feff}a\0b.txt", "ab.txt"),
            (".htaccess", "htaccess"),
            ("..", "file"),
            ("", "file"),
            ("///", "file"),
            ("a\"b<c>.txt", "a_b_c_.txt"),
            ("dots...", "dots"),
        ];
        for (name, want) in cases {
            assert_eq!(clean(name), want, "{name:?}");
            assert_eq!(clean(&clean(name)), clean(name), "{name:?} again");
        }
    }

    #[test]
    fn a_long_name_keeps_its_extension() {
        let short = clean(&format!("{}.tar.gz", "ü".repeat(500)));
        assert_eq!(short.chars().count(), MOST);
        assert!(short.ends_with("ü.gz"));
        assert_eq!(clean(&"x".repeat(500)).len(), MOST);
    }

    #[test]
    fn nothing_of_a_name_can_end_the_header() {
        assert_eq!(disposition(true, "a b.png"), "inline; filename=\"a b.png\"; filename*=UTF-8''a%20b.png");
        let hostile = disposition(false, "x\"; filename=\"y.html\r\nA: é");
        assert_eq!(
            hostile,
            "attachment; filename=\"x__ filename__y.html__A_ _\"; \
             filename*=UTF-8''x%22%3B%20filename%3D%22y.html%0D%0AA%3A%20%C3%A9"
        );
        assert!(hostile.is_ascii() && !hostile.contains(['\r', '\n']));
    }

    #[test]
    fn percent_encoding_is_undone() {
        for text in ["", "a b", "Grüße/?#%", "%zz", "日本"] {
            assert_eq!(unpercent(&percent(text)), text);
        }
        assert_eq!((unpercent("100%"), unpercent("%f"), unpercent("%zz")), ("100%".into(), "%f".into(), "%zz".into()));
        assert_eq!(unpercent("%ff"), "\u{fffd}");
    }

    proptest! {
        #[test]
        fn any_name_becomes_one_that_a_header_can_carry(name in any::<String>()) {
            let clean = clean(&name);
            prop_assert!(!clean.is_empty() && clean.chars().count() <= MOST && !clean.contains(['/', '\\', '\0']));
            prop_assert!(HeaderValue::from_str(&disposition(true, &clean)).is_ok());
            prop_assert_eq!(unpercent(&percent(&clean)), clean);
        }
    }
}
