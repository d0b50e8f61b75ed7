//! When keys were last used: noted in memory on each request, written to the database once a minute.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kit::Hub;
use model::{KeyId, Timestamp, WorkspaceId};
use store::Db;

use crate::{gate::Gate, rows};

const PAUSE: Duration = Duration::from_secs(60);

/// What was noted and is not written yet; at most one entry per key.
#[derive(Debug, Default)]
pub(crate) struct Usage(Mutex<HashMap<KeyId, (WorkspaceId, Timestamp)>>);

impl Usage {
    pub(crate) fn note(&self, key: KeyId, workspace: WorkspaceId, at: Timestamp) {
        self.lock().insert(key, (workspace, at));
    }

    /// When this key was last used, as far as it is not written yet.
    pub(crate) fn last(&self, key: KeyId) -> Option<Timestamp> {
        self.lock().get(&key).map(|(_, at)| *at)
    }

    /// Writes what was noted; what could not be written is noted again.
    async fn flush(&self, db: &Db) -> Result<(), store::Error> {
        let mut noted = std::mem::take(&mut *self.lock()).into_iter();
        while let Some((key, (workspace, at))) = noted.next() {
            if let Err(error) = db.write(workspace, move |tx| rows::keys::note_use(tx, key, at)).await {
                let mut pending = self.lock();
                for (key, use_of_it) in std::iter::once((key, (workspace, at))).chain(noted) {
                    pending.entry(key).or_insert(use_of_it);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<KeyId, (WorkspaceId, Timestamp)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The service that writes; once more when the server stops.
pub(crate) async fn keep(gate: Arc<Gate>, hub: Hub) -> Result<(), store::Error> {
    loop {
        tokio::select! {
            () = hub.shutdown().cancelled() => return gate.usage().flush(hub.db()).await,
            () = hub.world().clock().sleep(PAUSE) => {}
        }
        match gate.usage().flush(hub.db()).await {
            // A full queue or disk passes; it is tried again in a minute.
            Err(error) if error.is_passing() => tracing::warn!(%error, "the last use of keys could not be written"),
            written => written?,
        }
    }
}
