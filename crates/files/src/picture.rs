//! How large a picture is, read from its head, so that a page can keep its place free while it loads.

/// Width and height in pixels.
pub(crate) type Dimensions = (i64, i64);

/// The size of a picture of this sniffed type; `None` for what is none or hides it beyond `head`.
pub(crate) fn dimensions(media_type: &str, head: &[u8]) -> Option<Dimensions> {
    let found = match media_type {
        "image/png" => Some((big(head, 16, 4)?, big(head, 20, 4)?)),
        "image/gif" => Some((little(head, 6, 2)?, little(head, 8, 2)?)),
        "image/webp" => webp(head),
        "image/jpeg" => jpeg(head),
        _ => None,
    };
    found.filter(|(width, height)| *width > 0 && *height > 0)
}

fn big(bytes: &[u8], at: usize, length: usize) -> Option<i64> {
    let bytes = bytes.get(at..at + length)?;
    Some(bytes.iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte)))
}

fn little(bytes: &[u8], at: usize, length: usize) -> Option<i64> {
    let bytes = bytes.get(at..at + length)?;
    Some(bytes.iter().rev().fold(0, |sum, byte| sum << 8 | i64::from(*byte)))
}

/// The three forms of WebP: with extensions, lossless, lossy.
fn webp(head: &[u8]) -> Option<Dimensions> {
    match head.get(12..16)? {
        b"VP8X" => Some((little(head, 24, 3)? + 1, little(head, 27, 3)? + 1)),
        b"VP8L" => {
            let bits = little(head, 21, 4)?;
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
        }
        b"VP8 " => Some((little(head, 26, 2)? & 0x3fff, little(head, 28, 2)? & 0x3fff)),
        _ => None,
    }
}

/// Walks over the segments to the frame header, any of the SOF markers.
fn jpeg(head: &[u8]) -> Option<Dimensions> {
    let mut at = 2;
    loop {
        let marker = big(head, at, 2)?;
        if matches!(marker, 0xffc0..=0xffc3 | 0xffc5..=0xffc7 | 0xffc9..=0xffcb | 0xffcd..=0xffcf) {
            return Some((big(head, at + 7, 2)?, big(head, at + 5, 2)?));
        }
        if marker < 0xff01 || marker == 0xffda {
            return None;
        }
        at += 2 + usize::try_from(big(head, at + 2, 2)?).ok().filter(|length| *length >= 2)?;
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn each_format_tells_its_size() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0";
        assert_eq!(dimensions("image/png", png), Some((640, 480)));
        assert_eq!(dimensions("image/gif", b"GIF89a\x80\x02\xe0\x01"), Some((640, 480)));
        let jpeg = b"\xff\xd8\xff\xe0\0\x04AB\xff\xc2\0\x11\x08\x01\xe0\x02\x80\x03";
        assert_eq!(dimensions("image/jpeg", jpeg), Some((640, 480)));
        let extended = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x7f\x02\0\xdf\x01\0";
        assert_eq!(dimensions("image/webp", extended), Some((640, 480)));
        let lossy = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x80\x02\xe0\x01";
        assert_eq!(dimensions("image/webp", lossy), Some((640, 480)));
        let lossless = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\x7f\xc2\x77\0";
        assert_eq!(dimensions("image/webp", lossless), Some((640, 480)));
        assert_eq!(dimensions("application/pdf", png), None);
    }

    #[test]
    fn a_broken_picture_has_no_size() {
        let jpeg = b"\xff\xd8\xff\xe0\0\x04AB\xff\xc2\0\x11\x08\x01\xe0\x02\x80";
        for end in 0..jpeg.len() {
            assert_eq!(dimensions("image/jpeg", &jpeg[..end]), None);
        }
        assert_eq!(dimensions("image/jpeg", b"\xff\xd8\xff\xe0\0\0\xff\xe0\0\0"), None);
        assert_eq!(dimensions("image/gif", b"GIF89a\0\0\0\0"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(head in vec(any::<u8>(), 0..200), start in 0..5_usize) {
            let starts: [&[u8]; 5] = [b"", b"\xff\xd8\xff\xe0", b"RIFF\0\0\0\0WEBPVP8X", b"RIFF\0\0\0\0WEBPVP8L", b"GIF89a"];
            let head = [starts[start], &head].concat();
            prop_assert!(!crate::sniff(&head).is_empty());
            for kind in ["image/png", "image/jpeg", "image/gif", "image/webp"] {
                prop_assert!(dimensions(kind, &head).is_none_or(|(width, height)| width > 0 && height > 0));
            }
        }
    }
}
