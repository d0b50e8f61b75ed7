//! A server with identity and files, and the people of these tests.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::http::Method;
use bytes::Bytes;
use files::{BlobInfo, Blobs as _, ByteStream, Error, File, FileAccess, FileId, Files, FilesConfig, LocalBlobs};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use identity::{Identity, SetupCode};
use kit::{HttpConfig, Principal};
use model::{MessageId, Right, Role, Secret, WorkspaceId, World};
use serde_json::json;
use store::{Db, Tx};
use testkit::{Actor, Parts, Plan, Reply, Request, SETUP_CODE, TestHub};

/// Content that is sniffed as a picture of 2 by 3 pixels.
pub(crate) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x02\0\0\0\x03\x08\x06\0\0\0";
/// What a server with small limits takes at most.
pub(crate) const LIMIT: u64 = 100_000;
const RESERVE: u64 = 1000;

/// As the Desk decides: who may read conversations sees their messages.
struct ByRight;

impl FileAccess for ByRight {
    fn may_see(&self, _: &mut Tx<'_>, principal: &Principal, _: MessageId) -> Result<bool, store::Error> {
        Ok(principal.rights.has(Right::ConversationsRead))
    }
}

/// What a test of files needs. It has to be [closed](Self::close).
pub(crate) struct Place {
    pub(crate) hub: TestHub,
    pub(crate) files: Files,
    pub(crate) blobs: LocalBlobs,
    /// Free bytes of the disk, as the blob store is told.
    pub(crate) free: Arc<AtomicU64>,
}

/// Everything above the database, made again by each start of the server.
fn make(db: &Db, world: &World, free: &Arc<AtomicU64>, config: FilesConfig) -> (Files, LocalBlobs) {
    let free = free.clone();
    let free_space: store::FreeSpace = Arc::new(move || Some(free.load(Ordering::Relaxed)));
    let folder = db.config().folder.join("files");
    let blobs = LocalBlobs::open(folder, world.clone(), RESERVE, Some(free_space)).expect("a folder");
    let files = Files::new(db.clone(), world.clone(), Arc::new(blobs.clone()), Arc::new(ByRight), config);
    (files, blobs)
}

fn plan(parts: &Parts, free: &Arc<AtomicU64>, config: FilesConfig) -> Plan {
    let setup = identity::Config {
        hashing: identity::Hashing::cheapest(),
        setup_code: SetupCode::given(&Secret::new(SETUP_CODE.to_owned())).expect("it is long enough"),
        sandbox: None,
    };
    let identity = Identity::new(parts.db.clone(), parts.keys.clone(), parts.world.clone(), setup);
    let (files, _) = make(&parts.db, &parts.world, free, config);
    Plan::new(identity.authenticator()).feature(identity.feature()).feature(files.feature())
}

impl Place {
    /// A server as it is by default.
    pub(crate) async fn open() -> Self {
        Self::with(FilesConfig::default(), |_| ()).await
    }

    /// A server that takes files up to [`LIMIT`], one at a time.
    pub(crate) async fn small() -> Self {
        Self::with(FilesConfig { max_size: LIMIT, uploads_at_once: 1 }, |_| ()).await
    }

    /// A server that people reach over TLS.
    pub(crate) async fn behind_tls() -> Self {
        Self::with(FilesConfig::default(), |http| http.public_url = "https://desk.example".to_owned()).await
    }

    async fn with(config: FilesConfig, http: fn(&mut HttpConfig)) -> Self {
        let free = Arc::new(AtomicU64::new(u64::MAX));
        let told = free.clone();
        let hub = TestHub::builder().features(move |parts| plan(parts, &told, config)).config(http).start().await;
        let (files, blobs) = make(hub.db(), hub.hub().world(), &free, config);
        Self { hub, files, blobs, free }
    }

    pub(crate) async fn close(self) {
        self.hub.finish().await;
    }

    pub(crate) async fn workspace(&self) -> WorkspaceId {
        self.hub.owner().await.know("/workspace/id").parse().expect("an id")
    }

    /// Somebody who owns another workspace and is in no other.
    pub(crate) async fn foreign(&self) -> Actor {
        let guest = self.hub.member(Role::Guest).await;
        let there = self.second_workspace(&guest).await;
        let member = format!("/api/v1/members/{}", guest.know("/user/id"));
        self.hub.owner().await.delete(&member).await.expect(204);
        there
    }

    /// Somebody's other workspace, and he in it.
    pub(crate) async fn second_workspace(&self, of: &Actor) -> Actor {
        let world = self.hub.hub().world();
        let made = identity::create_workspace(self.hub.db(), world, "Elsewhere", &of.know("/user/email")).await;
        let workspace = made.expect("the database answers").expect("he has an account").to_string();
        let there = of.post("/api/v1/auth/workspace", json!({ "workspace": workspace })).await.expect(200);
        self.hub.with_token(there.str("/access_token"))
    }

    /// The files of `by`, brought by a channel.
    pub(crate) async fn put(&self, name: &str, content: &'static [u8]) -> File {
        let by = model::ActorRef::new(model::ActorKind::Contact, self.hub.hub().world().id::<()>().uuid());
        self.files.put(self.workspace().await, by, name, bytes(content)).await.expect("it is taken")
    }

    /// Runs a command in the first workspace.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        body: impl FnMut(&mut Tx<'_>) -> Result<T, store::Error> + Send + 'static,
    ) -> Result<T, store::Error> {
        self.hub.db().write(self.workspace().await, body).await
    }

    /// A new message of the first workspace that shows these files.
    pub(crate) async fn message_with(&self, files: &[FileId]) -> MessageId {
        let (message, files): (MessageId, _) = (self.hub.hub().world().id(), files.to_vec());
        self.run(move |tx| files::use_in(tx, message, &files)).await.expect("they are files");
        message
    }

    pub(crate) async fn all_blobs(&self) -> Vec<BlobInfo> {
        self.blobs.list(None, usize::MAX).await.expect("a listing")
    }

    /// What uploads have not finished or left behind.
    pub(crate) fn unfinished(&self) -> usize {
        let folder: PathBuf = self.hub.folder().join("files").join("tmp");
        std::fs::read_dir(folder).expect("the folder is there").count()
    }

    /// All of a blob.
    pub(crate) async fn content(&self, file: &File) -> Vec<u8> {
        read(self.files.open(file.hash, 0..file.size).await.expect("it is there")).await.expect("it is whole")
    }
}

/// Content in one part.
pub(crate) fn bytes(content: &'static [u8]) -> ByteStream {
    stream::iter([Ok(Bytes::from_static(content))]).boxed()
}

pub(crate) async fn read(content: ByteStream) -> Result<Vec<u8>, Error> {
    content.try_fold(Vec::new(), |all, part| async move { Ok([all, part.to_vec()].concat()) }).await
}

/// An upload in the making.
pub(crate) fn upload(by: &Actor, name: &str, content: &[u8]) -> Request {
    let path = format!("/api/v1/files?name={name}");
    by.request(Method::POST, &path).text("image/png", content.to_vec())
}

/// The id in a file's description.
pub(crate) fn id(reply: &Reply) -> FileId {
    reply.str("/id").parse().expect("an id")
}

/// The cookie for files of somebody, as his browser sends it.
pub(crate) async fn cookie(of: &Actor) -> String {
    let reply = of.post("/api/v1/files/session", json!({})).await.expect(204);
    reply.header("set-cookie").split(';').next().expect("a cookie").to_owned()
}
