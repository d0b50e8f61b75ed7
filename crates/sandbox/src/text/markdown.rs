//! `parse_mode: MarkdownV2`.

use super::{Builder, Formatted};

const RESERVED: &str = "_*[]()~`>#+-=|{}.!";

/// Parses; the error is what stands behind `can't parse entities: `.
pub(super) fn parse(raw: &str) -> Result<Formatted, String> {
    let mut out = Builder::default();
    let mut open: Vec<(&str, usize, usize)> = Vec::new();
    let mut rest = raw;
    while let Some(c) = rest.chars().next() {
        let at = raw.len() - rest.len();
        if c == '\\' {
            let escaped = rest.chars().nth(1).unwrap_or('\\');
            out.push(escaped);
            rest = rest.get(1 + escaped.len_utf8()..).unwrap_or_default();
        } else if rest.starts_with('`') {
            rest = code(rest, at, &mut out)?;
        } else if let Some(mark) = mark(rest, &open) {
            rest = rest.get(mark.len()..).unwrap_or_default();
            match open.last() {
                Some((last, offset, _)) if *last == mark => {
                    out.close(kind(mark).1, *offset, None);
                    open.pop();
                }
                _ => open.push((mark, out.len(), at)),
            }
        } else if let Some(tail) = rest.strip_prefix("](").filter(|_| in_link(&open)) {
            rest = link(tail, &mut open, &mut out)?;
        } else if c == '[' {
            open.push(("[", out.len(), at));
            rest = rest.get(1..).unwrap_or_default();
        } else if RESERVED.contains(c) {
            return Err(format!("Character '{c}' is reserved and must be escaped with the preceding '\\'"));
        } else {
            out.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    match open.pop() {
        Some((mark, _, at)) => Err(no_end(kind(mark).0, at)),
        None => Ok(out.finish()),
    }
}

fn no_end(name: &str, at: usize) -> String {
    format!("Can't find end of {name} entity at byte offset {at}")
}

fn in_link(open: &[(&str, usize, usize)]) -> bool {
    open.last().is_some_and(|(mark, ..)| *mark == "[")
}

/// The mark that starts here. `__` before an open `_` belongs to that, as in `_a__`.
fn mark(rest: &str, open: &[(&str, usize, usize)]) -> Option<&'static str> {
    let inner = open.last().map(|(mark, ..)| *mark);
    let found = ["__", "||", "*", "_", "~"].into_iter().find(|mark| rest.starts_with(mark))?;
    let closes_italic = found == "__" && inner == Some("_");
    Some(if closes_italic { "_" } else { found })
}

/// The name in errors, and the entity's type.
fn kind(mark: &str) -> (&'static str, &'static str) {
    match mark {
        "*" => ("Bold", "bold"),
        "_" => ("Italic", "italic"),
        "__" => ("Underline", "underline"),
        "~" => ("Strikethrough", "strikethrough"),
        "||" => ("Spoiler", "spoiler"),
        _ => ("TextUrl", "text_link"),
    }
}

/// Inline code and blocks, in which only the backtick and the backslash are special.
fn code<'a>(rest: &'a str, at: usize, out: &mut Builder) -> Result<&'a str, String> {
    let (fence, name, kind) = if rest.starts_with("```") { ("```", "PreCode", "pre") } else { ("`", "Code", "code") };
    let offset = out.len();
    let mut body = rest.get(fence.len()..).unwrap_or_default();
    let mut language = None;
    if let Some((first, lines)) = body.split_once('\n')
        && kind == "pre"
        && !first.contains(|c: char| c.is_whitespace() || c == '`')
    {
        language = Some(first).filter(|f| !f.is_empty());
        body = lines;
    }
    while let Some(c) = body.chars().next() {
        if let Some(tail) = body.strip_prefix(fence) {
            out.close(kind, offset, language.map(|l| ("language", l.to_owned())));
            return Ok(tail);
        }
        let c = match c {
            '\\' => {
                body = body.get(1..).unwrap_or_default();
                body.chars().next().unwrap_or('\\')
            }
            c => c,
        };
        out.push(c);
        body = body.get(c.len_utf8()..).unwrap_or_default();
    }
    Err(no_end(name, at))
}

/// The address behind `](`, up to its closing parenthesis.
fn link<'a>(tail: &'a str, open: &mut Vec<(&str, usize, usize)>, out: &mut Builder) -> Result<&'a str, String> {
    let (_, offset, at) = open.pop().unwrap_or(("[", 0, 0));
    let mut url = String::new();
    let mut chars = tail.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            ')' => {
                out.close("text_link", offset, Some(("url", url)));
                return Ok(tail.get(i + 1..).unwrap_or_default());
            }
            '\\' => url.extend(chars.next().map(|(_, c)| c)),
            c => url.push(c),
        }
    }
    Err(no_end("TextUrl", at))
}
