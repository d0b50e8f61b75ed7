//! Files as the rest of the server and its clients see them.

use model::{ActorKind, ActorRef, Id, Timestamp, WorkspaceId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Hash, name};

/// What a [`FileId`] names; it has no values.
#[derive(Debug)]
pub enum FileKind {}

/// Names a file of one workspace.
pub type FileId = Id<FileKind>;

/// How large a picture or video is, and how long a recording lasts, as far as known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shape {
    /// Width in pixels.
    pub width: Option<i64>,
    /// Height in pixels.
    pub height: Option<i64>,
    /// Duration in milliseconds.
    pub duration_ms: Option<i64>,
}

/// Content that is in the blob store and that no row refers to yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// Names the blob.
    pub hash: Hash,
    /// Bytes.
    pub size: u64,
    /// What it is by its first bytes.
    pub media_type: &'static str,
    /// What its head tells about pictures; whoever knows more sets it.
    pub shape: Shape,
}

/// A file: a name and an owner for some content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its id.
    pub id: FileId,
    /// The tenant it belongs to.
    pub workspace: WorkspaceId,
    /// Names the blob; other files, of other tenants too, may have the same.
    pub hash: Hash,
    /// Bytes.
    pub size: u64,
    /// What it is by its first bytes, never what somebody claimed.
    pub media_type: String,
    /// A harmless name to show and to save it under.
    pub name: String,
    /// See [`Shape`].
    pub shape: Shape,
    /// Who brought it.
    pub created_by: ActorRef,
    /// When.
    pub created_at: Timestamp,
}

impl File {
    /// Where it is served, below the server's address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("/files/{}/{}", self.id, name::percent(&self.name))
    }
}

/// A file as clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = File)]
pub struct FileView {
    /// Its id.
    pub id: FileId,
    /// The name to show.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// What it is by its first bytes.
    pub media_type: String,
    /// Width in pixels, of a picture or video.
    pub width: Option<i64>,
    /// Height in pixels, of a picture or video.
    pub height: Option<i64>,
    /// Duration of a recording in milliseconds.
    pub duration_ms: Option<i64>,
    /// Where it is served; needs the cookie of `POST /api/v1/files/session` or a Bearer token.
    pub url: String,
    /// Who brought it.
    pub created_by: Creator,
    /// When.
    pub created_at: Timestamp,
}

/// Who brought a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = FileCreator)]
pub struct Creator {
    /// What sort of actor.
    pub kind: ActorKind,
    /// Its id; absent for the system.
    pub id: Option<Uuid>,
}

impl From<&File> for FileView {
    fn from(file: &File) -> Self {
        Self {
            id: file.id,
            name: file.name.clone(),
            size: file.size,
            media_type: file.media_type.clone(),
            width: file.shape.width,
            height: file.shape.height,
            duration_ms: file.shape.duration_ms,
            url: file.url(),
            created_by: Creator { kind: file.created_by.kind, id: file.created_by.id },
            created_at: file.created_at,
        }
    }
}
