//! Keys: one ring of master keys, and what is derived from it.
//!
//! **Masters.** 32 random bytes each, as lines of hex in a file of mode 0600 that lies outside the backup, or in the
//! environment, separated by white space or commas. The last one is the newest: it seals and signs; the others only read.
//! A key's id is derived from the key, so nobody numbers them.
//!
//! **Derivation.** Each purpose (`cursors`, `tokens`, …) and the sealing have keys of their own: BLAKE3's key derivation with
//! the purpose in its context.
//!
//! **Sealing.** XChaCha20-Poly1305 with a random nonce; in front stand the key id and the nonce, and (table, row, column) is
//! authenticated with it, so a sealed value copied to another row does not open.

use std::{
    fmt, fs,
    io::{self, Read, Write},
    path::Path,
    sync::Arc,
};

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use model::{Secret, World};
use subtle::ConstantTimeEq;

const ID: usize = 4;
const NONCE: usize = 24;

/// The ring. Cloning is cheap.
#[derive(Clone)]
pub struct KeyRing(Arc<Inner>);

struct Inner {
    world: World,
    /// Newest last; never empty.
    masters: Vec<Master>,
}

/// One master key, as what is derived from it.
struct Master {
    id: [u8; ID],
    mac: Secret<[u8; 32]>,
    sealing: Secret<[u8; 32]>,
    check: String,
}

/// Why the keys could not be read.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read or made.
    #[error("key file: {0}")]
    File(#[from] io::Error),
    /// Others than its owner can read the file.
    #[error("the key file is readable by others: set its mode to 0600")]
    Exposed,
    /// A key is not 64 hex digits.
    #[error("a key is not 64 hexadecimal digits")]
    Malformed,
    /// There is none.
    #[error("there is no key")]
    Empty,
}

/// The sealed value does not open: another place, another installation's key, or damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value does not open with the present keys")]
pub struct Unsealable;

impl KeyRing {
    /// The keys in `text`, the newest last.
    ///
    /// # Errors
    /// When one is malformed or there is none.
    pub fn parse(text: &str, world: World) -> Result<Self, KeyError> {
        let words = text.split([',', ' ', '\t', '\r', '\n']).filter(|word| !word.is_empty());
        let masters = words.map(Master::parse).collect::<Result<Vec<_>, _>>()?;
        if masters.is_empty() { Err(KeyError::Empty) } else { Ok(Self(Arc::new(Inner { world, masters }))) }
    }

    /// The keys in the file at `path`, which is made with one new key when it is absent.
    ///
    /// # Errors
    /// When it cannot be read or made, is readable by others, or holds something else.
    pub fn load(path: &Path, world: World) -> Result<Self, KeyError> {
        match fs::File::open(path) {
            Ok(file) => Self::parse(&read_private(file)?, world),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                write_private(path, &new_line(&world), fs::OpenOptions::new().create_new(true))?;
                Self::load(path, world)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Adds a new key to the file at `path` and returns the ring with it; what older keys sealed stays readable.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn rotate(path: &Path, world: World) -> Result<Self, KeyError> {
        Self::load(path, world.clone())?;
        write_private(path, &new_line(&world), fs::OpenOptions::new().append(true))?;
        Self::load(path, world)
    }

    /// A ring with one new key, for tests and trials.
    #[must_use]
    pub fn random(world: World) -> Self {
        let masters = vec![Master::new(world.random())];
        Self(Arc::new(Inner { world, masters }))
    }

    /// A keyed hash of `bytes` for `purpose`, by the newest key.
    #[must_use]
    pub fn mac(&self, purpose: &str, bytes: &[u8]) -> [u8; 32] {
        self.newest().mac(purpose, bytes)
    }

    /// Whether `mac`, or its beginning of at least 16 bytes, is the keyed hash of `bytes` for `purpose` by any key of the
    /// ring. Takes the same time whatever differs.
    #[must_use]
    pub fn verify(&self, purpose: &str, bytes: &[u8], mac: &[u8]) -> bool {
        (16..=32).contains(&mac.len())
            && self.0.masters.iter().any(|master| bool::from(master.mac(purpose, bytes)[..mac.len()].ct_eq(mac)))
    }

    /// Seals `plain` for this place.
    #[must_use]
    pub fn seal(&self, table: &str, row: &[u8], column: &str, plain: &[u8]) -> Vec<u8> {
        let (master, nonce) = (self.newest(), self.0.world.random::<NONCE>());
        let place = place(table, row, column);
        let payload = Payload { msg: plain, aad: &place };
        let sealed = master.cipher().encrypt(XNonce::from_slice(&nonce), payload);
        let sealed = sealed.expect("a value in memory is shorter than the cipher's limit");
        [&master.id[..], &nonce, &sealed].concat()
    }

    /// Opens what [`Self::seal`] made for this place.
    ///
    /// # Errors
    /// [`Unsealable`].
    pub fn open(&self, table: &str, row: &[u8], column: &str, sealed: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let (id, rest) = sealed.split_at_checked(ID).ok_or(Unsealable)?;
        let (nonce, text) = rest.split_at_checked(NONCE).ok_or(Unsealable)?;
        let master = self.0.masters.iter().find(|master| master.id == id).ok_or(Unsealable)?;
        let place = place(table, row, column);
        master.cipher().decrypt(XNonce::from_slice(nonce), Payload { msg: text, aad: &place }).map_err(|_| Unsealable)
    }

    /// Whether the newest key sealed it; what an older one sealed is to be sealed again.
    #[must_use]
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        sealed.starts_with(&self.newest().id)
    }

    /// A value that tells whether a ring belongs to a backup and tells nothing about the key.
    #[must_use]
    pub fn check_value(&self) -> String {
        self.newest().check.clone()
    }

    /// Whether a key of this ring made the check value.
    #[must_use]
    pub fn knows(&self, check_value: &str) -> bool {
        self.0.masters.iter().any(|master| master.check == check_value)
    }

    fn newest(&self) -> &Master {
        self.0.masters.last().expect("a ring is never empty")
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("keys", &self.0.masters.len()).finish_non_exhaustive()
    }
}

impl Master {
    fn new(key: [u8; 32]) -> Self {
        let mut id = [0; ID];
        id.copy_from_slice(&blake3::derive_key("switchboard 2026 key id", &key)[..ID]);
        Self {
            id,
            mac: Secret::new(blake3::derive_key("switchboard 2026 mac", &key)),
            sealing: Secret::new(blake3::derive_key("switchboard 2026 sealing", &key)),
            check: blake3::Hash::from_bytes(blake3::derive_key("switchboard 2026 key check", &key))
                .to_hex()
                .to_string(),
        }
    }

    fn parse(hex: &str) -> Result<Self, KeyError> {
        let hash = blake3::Hash::from_hex(hex).map_err(|_| KeyError::Malformed)?;
        Ok(Self::new(*hash.as_bytes()))
    }

    fn mac(&self, purpose: &str, bytes: &[u8]) -> [u8; 32] {
        // The purpose is hashed with the bytes, its length first, so that one derived key serves all purposes.
        let mut hasher = blake3::Hasher::new_keyed(self.mac.expose());
        hasher.update(&[u8::try_from(purpose.len()).expect("a purpose is a short word")]);
        hasher.update(purpose.as_bytes()).update(bytes);
        *hasher.finalize().as_bytes()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.sealing.expose().into())
    }
}

/// The associated data: each part with its length in front, so no two places are alike.
fn place(table: &str, row: &[u8], column: &str) -> Vec<u8> {
    let parts = [table.as_bytes(), row, column.as_bytes()];
    parts.iter().flat_map(|part| (part.len() as u64).to_le_bytes().into_iter().chain(part.iter().copied())).collect()
}

fn new_line(world: &World) -> String {
    format!("{}\n", blake3::Hash::from_bytes(world.random()).to_hex())
}

fn read_private(mut file: fs::File) -> Result<String, KeyError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            return Err(KeyError::Exposed);
        }
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}

fn write_private(path: &Path, line: &str, options: &mut fs::OpenOptions) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.write(true).open(path)?;
    file.write_all(line.as_bytes())?;
    file.sync_all()
}
