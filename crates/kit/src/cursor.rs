//! Live cursors: an opaque, signed name of a place in a workspace's log.
//!
//! Text: base64url of the seq (8 bytes) and 16 bytes of a keyed hash over (epoch, workspace, seq). The epoch is a random
//! value of the installation's database; a restore changes it, so cursors from before it are answered with a reset. Whatever
//! does not verify, because it is garbled, foreign or of another epoch, is alike: there is no such cursor.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use model::{Seq, WorkspaceId};

use crate::KeyRing;

const PURPOSE: &str = "live cursors";
const MAC: usize = 16;

/// Makes and reads live cursors.
#[derive(Debug, Clone)]
pub struct Cursors {
    keys: KeyRing,
    epoch: [u8; 16],
}

impl Cursors {
    /// Cursors of the installation whose database has this epoch.
    #[must_use]
    pub fn new(keys: KeyRing, epoch: [u8; 16]) -> Self {
        Self { keys, epoch }
    }

    /// The cursor that says "everything up to `seq` was seen".
    #[must_use]
    pub fn make(&self, workspace: WorkspaceId, seq: Seq) -> String {
        let mac = self.keys.mac(PURPOSE, &self.signed(workspace, seq));
        let mut bytes = [0; 8 + MAC];
        bytes[..8].copy_from_slice(&seq.to_be_bytes());
        bytes[8..].copy_from_slice(&mac[..MAC]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The place that `text` names, if this installation made it for this workspace.
    #[must_use]
    pub fn read(&self, workspace: WorkspaceId, text: &str) -> Option<Seq> {
        let mut bytes = [0; 8 + MAC];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let (seq, mac) = bytes.get(..length)?.split_first_chunk::<8>()?;
        let seq = Seq::from_be_bytes(*seq);
        let known = mac.len() == MAC && self.keys.verify(PURPOSE, &self.signed(workspace, seq), mac);
        (known && seq >= 0).then_some(seq)
    }

    fn signed(&self, workspace: WorkspaceId, seq: Seq) -> [u8; 40] {
        let mut bytes = [0; 40];
        bytes[..16].copy_from_slice(&self.epoch);
        bytes[16..32].copy_from_slice(workspace.as_bytes());
        bytes[32..].copy_from_slice(&seq.to_be_bytes());
        bytes
    }
}
