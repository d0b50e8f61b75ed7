//! No bytes that Telegram, or somebody in its place, sends may make the reader of updates panic.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        telegram::read_update(text);
    }
});
