//! `parse_mode: HTML`.

use super::{Builder, Formatted};

struct Open<'a> {
    tag: &'a str,
    offset: usize,
    /// `href`, or the class of a code block.
    value: Option<String>,
}

/// Parses; the error is what stands behind `can't parse entities: `.
pub(super) fn parse(raw: &str) -> Result<Formatted, String> {
    let mut out = Builder::default();
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut rest = raw;
    while let Some(c) = rest.chars().next() {
        let at = raw.len() - rest.len();
        rest = match c {
            '<' => tag(rest, at, &mut open, &mut out)?,
            '&' => reference(rest, &mut out),
            c => {
                out.push(c);
                after(rest, c.len_utf8())
            }
        };
    }
    match open.pop() {
        Some(left) => Err(format!("Can't find end tag corresponding to start tag \"{}\"", left.tag)),
        None => Ok(out.finish()),
    }
}

/// What follows the first `n` bytes; `n` always ends a character.
fn after(text: &str, n: usize) -> &str {
    text.get(n..).unwrap_or_default()
}

fn tag<'a>(rest: &'a str, at: usize, open: &mut Vec<Open<'a>>, out: &mut Builder) -> Result<&'a str, String> {
    let end = rest.find('>').ok_or_else(|| format!("Unclosed start tag at byte offset {at}"))?;
    let inside = rest.get(1..end).unwrap_or_default();
    match inside.strip_prefix('/') {
        Some(name) => close(name.trim(), at, open, out)?,
        None => {
            let name = inside.split_whitespace().next().unwrap_or_default();
            let attributes = inside.trim_start().get(name.len()..).unwrap_or_default();
            if kind(name).is_none() || (name == "span" && !attributes.contains("tg-spoiler")) {
                return Err(format!("Unsupported start tag \"{name}\" at byte offset {at}"));
            }
            let wanted = if name == "a" { "href" } else { "class" };
            open.push(Open { tag: name, offset: out.len(), value: attribute(attributes, wanted) });
        }
    }
    Ok(after(rest, end + 1))
}

fn close(name: &str, at: usize, open: &mut Vec<Open<'_>>, out: &mut Builder) -> Result<(), String> {
    let Some(tag) = open.pop() else {
        return Err(format!("Unexpected end tag at byte offset {at}"));
    };
    if tag.tag != name && !name.is_empty() {
        return Err(format!("Unmatched end tag at byte offset {at}, expected \"</{}>\", found \"</{name}>\"", tag.tag));
    }
    let kind = kind(tag.tag).unwrap_or_default();
    let language =
        |class: Option<String>| class.and_then(|c| c.strip_prefix("language-").map(|l| ("language", l.to_owned())));
    match kind {
        "text_link" => {
            if let Some(url) = tag.value {
                out.close(kind, tag.offset, Some(("url", url)));
            }
        }
        // A code element with a language only names the language of the block around it.
        "code" if open.last().is_some_and(|outer| outer.tag == "pre") => {
            if let Some(outer) = open.last_mut() {
                outer.value = tag.value;
            }
        }
        "pre" => out.close(kind, tag.offset, language(tag.value)),
        _ => out.close(kind, tag.offset, None),
    }
    Ok(())
}

fn kind(tag: &str) -> Option<&'static str> {
    Some(match tag {
        "b" | "strong" => "bold",
        "i" | "em" => "italic",
        "u" | "ins" => "underline",
        "s" | "strike" | "del" => "strikethrough",
        "tg-spoiler" | "span" => "spoiler",
        "a" => "text_link",
        "code" => "code",
        "pre" => "pre",
        "blockquote" => "blockquote",
        _ => return None,
    })
}

/// The value of `name="value"` among a tag's attributes.
fn attribute(attributes: &str, name: &str) -> Option<String> {
    let (_, rest) = attributes.split_once(name)?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let quoted = ['"', '\''].iter().find(|q| rest.starts_with(**q));
    let value = match quoted {
        Some(quote) => after(rest, 1).split(*quote).next()?,
        None => rest.split_whitespace().next()?,
    };
    let mut plain = Builder::default();
    let mut rest = value;
    while let Some(c) = rest.chars().next() {
        rest = if c == '&' {
            reference(rest, &mut plain)
        } else {
            plain.push(c);
            after(rest, c.len_utf8())
        };
    }
    Some(plain.finish().text)
}

/// Reads `&lt;` and its like; anything else is an ampersand as it stands.
fn reference<'a>(rest: &'a str, out: &mut Builder) -> &'a str {
    let name = rest.get(1..).and_then(|r| r.split_once(';')).map(|(name, _)| name);
    let number = |digits: &str| match digits.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    };
    let read = name.and_then(|name| match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        _ => name.strip_prefix('#').and_then(number).and_then(char::from_u32),
    });
    match (name, read) {
        (Some(name), Some(c)) => {
            out.push(c);
            after(rest, name.len() + 2)
        }
        _ => {
            out.push('&');
            after(rest, 1)
        }
    }
}
