//! What content is, by its first bytes. What a client claims is never believed.

/// Bytes that are looked at. A photo's size may stand behind some metadata.
pub(crate) const HEAD: usize = 64 * 1024;

/// What nothing is known about.
pub(crate) const UNKNOWN: &str = "application/octet-stream";

/// The types that browsers may show in place: RULES says exactly png, jpeg, gif, webp, mp4, webm, ogg, mp3.
const INLINE: [&str; 9] = [
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "video/mp4",
    "video/webm",
    "audio/ogg",
    "video/ogg",
    "audio/mpeg",
];

/// Whether content that was sniffed as this type may be shown in place.
#[must_use]
pub fn is_inline(media_type: &str) -> bool {
    INLINE.contains(&media_type)
}

/// What begins content, and what it is then.
const MAGIC: &[(&[u8], &str)] = &[
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
];

/// The media type of content that begins with `head`.
#[must_use]
pub fn sniff(head: &[u8]) -> &'static str {
    if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return kind;
    }
    let found = riff(head).or_else(|| iso_media(head)).or_else(|| ogg(head)).or_else(|| matroska(head));
    let found = found.or_else(|| is_mp3_frame(head).then_some("audio/mpeg"));
    found.or_else(|| is_text(head).then_some("text/plain")).unwrap_or(UNKNOWN)
}

fn riff(head: &[u8]) -> Option<&'static str> {
    head.starts_with(b"RIFF").then_some(())?;
    match head.get(8..12)? {
        b"WEBP" => Some("image/webp"),
        b"WAVE" => Some("audio/wav"),
        b"AVI " => Some("video/x-msvideo"),
        _ => None,
    }
}

/// The family of MP4, told apart by its brand.
fn iso_media(head: &[u8]) -> Option<&'static str> {
    (head.get(4..8)? == b"ftyp").then_some(())?;
    match head.get(8..12)? {
        b"isom" | b"iso2" | b"iso4" | b"iso5" | b"iso6" | b"mp41" | b"mp42" | b"avc1" | b"dash" | b"M4V " | b"M4VH"
        | b"MSNV" | b"mmp4" => Some("video/mp4"),
        b"M4A " | b"M4B " => Some("audio/mp4"),
        b"qt  " => Some("video/quicktime"),
        b"avif" | b"avis" => Some("image/avif"),
        b"heic" | b"heix" | b"mif1" | b"msf1" => Some("image/heic"),
        b"3gp4" | b"3gp5" | b"3gp6" => Some("video/3gpp"),
        _ => None,
    }
}

/// Ogg with pictures when its first page begins a Theora stream.
fn ogg(head: &[u8]) -> Option<&'static str> {
    head.starts_with(b"OggS\0").then_some(())?;
    let theora = head.get(28..35) == Some(b"\x80theora");
    Some(if theora { "video/ogg" } else { "audio/ogg" })
}

/// WebM is Matroska whose header says so: element 0x4282, the document type.
fn matroska(head: &[u8]) -> Option<&'static str> {
    head.starts_with(b"\x1a\x45\xdf\xa3").then_some(())?;
    let header = head.get(..64).unwrap_or(head);
    let webm = header.windows(7).any(|it| it == b"\x42\x82\x84webm");
    Some(if webm { "video/webm" } else { "video/x-matroska" })
}

/// A frame of MPEG layer III without tags before it: two frames in a row, because one header is only four bytes of proof.
fn is_mp3_frame(head: &[u8]) -> bool {
    let Some(length) = mp3_frame(head) else { return false };
    head.get(length..).is_some_and(|next| next.is_empty() || mp3_frame(next).is_some())
}

/// The length in bytes of the layer III frame that begins here.
fn mp3_frame(head: &[u8]) -> Option<usize> {
    const FIRST: [usize; 16] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0];
    const SECOND: [usize; 16] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0];
    let &[sync, version, rates, _] = head.first_chunk()?;
    if sync != 0xff || version & 0xe6 != 0xe2 {
        return None;
    }
    let (kilobits, samples, divisor) = match version >> 3 & 3 {
        3 => (FIRST, 144_000, 1),
        2 => (SECOND, 72_000, 2),
        0 => (SECOND, 72_000, 4),
        _ => return None,
    };
    let rate = [44_100, 48_000, 32_000].get(usize::from(rates >> 2 & 3))? / divisor;
    let kilobits = kilobits[usize::from(rates >> 4)];
    (kilobits > 0).then(|| samples * kilobits / rate + usize::from(rates >> 1 & 1))
}

/// UTF-8 without control characters. HTML and SVG are only text here.
fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The head may end within a character.
        Err(error) if error.error_len().is_none() && head.len() == HEAD => {
            std::str::from_utf8(head.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty() && text.chars().all(|it| !it.is_control() || matches!(it, '\n' | '\r' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mp3() -> Vec<u8> {
        // MPEG 1 layer III, 128 kbit/s, 44.1 kHz: 417 bytes a frame.
        let mut frame = vec![0xff, 0xfb, 0x90, 0x00];
        frame.resize(417, 0);
        frame.repeat(2)
    }

    #[test]
    fn content_is_known_by_its_first_bytes() {
        let cases: &[(&[u8], &str)] = &[
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
            (b"GIF89a\x01\0\x01\0", "image/gif"),
            (b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp"),
            (b"RIFF\x24\0\0\0WAVEfmt ", "audio/wav"),
            (b"\0\0\0\x20ftypisom\0\0\x02\0", "video/mp4"),
            (b"\0\0\0\x20ftypM4A \0\0\x02\0", "audio/mp4"),
            (b"\0\0\0\x20ftypheic\0\0\0\0", "image/heic"),
            (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm\x42\x87", "video/webm"),
            (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x88matroska", "video/x-matroska"),
            (b"OggS\0\x02\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x01\x13OpusHead", "audio/ogg"),
            (b"OggS\0\x02\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x01\x2a\x80theora", "video/ogg"),
            (b"ID3\x04\0\0", "audio/mpeg"),
            (&mp3(), "audio/mpeg"),
            (b"%PDF-1.7\n", "application/pdf"),
            (b"PK\x03\x04\x14\0", "application/zip"),
            ("Grüße\n".as_bytes(), "text/plain"),
            (b"<!doctype html><script>alert(1)</script>", "text/plain"),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "text/plain"),
            (b"\0\x01\x02\x03", UNKNOWN),
            (b"", UNKNOWN),
            (b"\xff\xfb", UNKNOWN),
        ];
        for (head, kind) in cases {
            assert_eq!(sniff(head), *kind, "{:?}", head.escape_ascii().to_string());
        }
    }

    #[test]
    fn no_beginning_of_anything_breaks_it() {
        for whole in
            [&mp3(), b"\0\0\0\x20ftypisom".as_slice(), b"OggS\0\x02", b"RIFF\x24\0\0\0WEBP", b"\x1a\x45\xdf\xa3\x9f"]
        {
            for end in 0..=whole.len() {
                assert!(!sniff(&whole[..end]).is_empty());
            }
        }
        // A frame that promises another one which is not there is no sound.
        let mut lone = mp3();
        lone[417] = 0;
        assert_eq!(sniff(&lone), UNKNOWN);
    }

    #[test]
    fn only_the_listed_types_are_shown_in_place() {
        for kind in
            ["image/png", "image/jpeg", "image/gif", "image/webp", "video/mp4", "video/webm", "audio/ogg", "audio/mpeg"]
        {
            assert!(is_inline(kind), "{kind}");
        }
        for kind in
            ["image/svg+xml", "text/html", "application/pdf", "text/plain", UNKNOWN, "audio/mp4", "image/PNG", ""]
        {
            assert!(!is_inline(kind), "{kind}");
        }
    }

    #[test]
    fn text_that_is_cut_within_a_character_is_still_text() {
        let mut long = "é".repeat(HEAD).into_bytes();
        long.insert(0, b'a');
        assert_eq!(sniff(&long[..HEAD]), "text/plain");
        assert_eq!(sniff(&long[..4]), UNKNOWN);
    }
}
