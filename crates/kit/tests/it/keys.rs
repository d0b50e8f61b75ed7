use std::{fs, os::unix::fs::PermissionsExt as _, sync::Arc};

use kit::{
    KeyRing,
    keys::{KeyError, Unsealable},
};
use model::World;
use testkit::{ManualClock, SeededEntropy};

fn world(seed: u64) -> World {
    World::new(Arc::new(ManualClock::default()), Arc::new(SeededEntropy::new(seed)))
}

#[test]
fn a_sealed_value_opens_at_its_own_place_only() {
    let keys = KeyRing::random(world(1));
    let sealed = keys.seal("bots", b"row", "token", b"12345:secret");
    assert_eq!(keys.open("bots", b"row", "token", &sealed).expect("its place"), b"12345:secret");
    assert_ne!(sealed, keys.seal("bots", b"row", "token", b"12345:secret"), "the nonce differs");
    for (table, row, column) in [
        ("bot", b"row".as_slice(), "token"),
        ("bots", b"rov", "token"),
        ("bots", b"row", "toke"),
        ("botsr", b"ow", "token"),
    ] {
        assert_eq!(keys.open(table, row, column, &sealed), Err(Unsealable), "{table} {column}");
    }
    for end in 0..sealed.len() {
        assert_eq!(keys.open("bots", b"row", "token", &sealed[..end]), Err(Unsealable));
        let mut changed = sealed.clone();
        changed[end] ^= 1;
        assert_eq!(keys.open("bots", b"row", "token", &changed), Err(Unsealable));
    }
    assert_eq!(KeyRing::random(world(2)).open("bots", b"row", "token", &sealed), Err(Unsealable));
}

#[test]
fn what_an_older_key_made_stays_good_after_a_rotation() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys");
    let old = KeyRing::load(&path, world(1)).expect("made");
    let (sealed, mac) = (old.seal("t", b"r", "c", b"value"), old.mac("tokens", b"bytes"));
    let new = KeyRing::rotate(&path, world(2)).expect("rotated");
    assert_eq!(new.open("t", b"r", "c", &sealed).expect("readable"), b"value");
    assert!(new.verify("tokens", b"bytes", &mac) && new.verify("tokens", b"bytes", &mac[..16]));
    assert!(!new.is_current(&sealed) && new.is_current(&new.seal("t", b"r", "c", b"value")));
    assert_ne!(new.mac("tokens", b"bytes"), mac);
    assert!(new.knows(&old.check_value()) && !old.knows(&new.check_value()));
    assert_eq!(old.open("t", b"r", "c", &new.seal("t", b"r", "c", b"value")), Err(Unsealable));
}

#[test]
fn a_mac_is_for_its_purpose_and_long_enough() {
    let keys = KeyRing::random(world(1));
    let mac = keys.mac("tokens", b"bytes");
    assert!(!keys.verify("cursors", b"bytes", &mac) && !keys.verify("tokens", b"byte", &mac));
    assert!(!keys.verify("tokens", b"bytes", &mac[..15]) && !keys.verify("tokens", b"bytes", b""));
    assert_ne!(keys.mac("ab", b"c"), keys.mac("a", b"bc"));
}

#[test]
fn a_key_file_is_private_or_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys");
    let made = KeyRing::load(&path, world(1)).expect("made");
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    let again = KeyRing::load(&path, world(9)).expect("read");
    assert_eq!(made.check_value(), again.check_value());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("changed");
    assert!(matches!(KeyRing::load(&path, world(1)), Err(KeyError::Exposed)));
}

#[test]
fn keys_come_as_text_too_and_are_checked() {
    let (one, two) = ("11".repeat(32), "22".repeat(32));
    let both = KeyRing::parse(&format!("{one}, {two}\n"), world(1)).expect("two keys");
    let newest = KeyRing::parse(&two, world(1)).expect("one key");
    assert_eq!(both.check_value(), newest.check_value());
    assert!(matches!(KeyRing::parse(" \n", world(1)), Err(KeyError::Empty)));
    assert!(matches!(KeyRing::parse("11", world(1)), Err(KeyError::Malformed)));
    assert!(!format!("{both:?}").contains("11"), "a ring does not print its keys");
}
