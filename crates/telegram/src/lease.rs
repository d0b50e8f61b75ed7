//! A lease of this process on one bot's work, with what is left of it measured on the monotonic clock.

use std::time::Duration;

use kit::Hub;
use model::WorkspaceId;
use store::{Driver, Error, Lease, leases};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A lease that is held.
pub(crate) struct Held {
    hub: Hub,
    workspace: WorkspaceId,
    lease: Lease,
    ttl: Duration,
    /// On the monotonic clock, counted from before the database was asked.
    until: Duration,
}

/// Who holds leases here. On SQLite only one process can have the data folder, so whoever held a lease before is gone, and
/// a restart need not wait until it runs out.
fn owner(hub: &Hub) -> Uuid {
    match hub.db().driver() {
        Driver::Sqlite => Uuid::nil(),
        Driver::Postgres => hub.instance(),
    }
}

impl Held {
    /// Waits until the lease is free and takes it; `None` when `stop` comes first.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn wait(
        hub: &Hub,
        workspace: WorkspaceId,
        name: String,
        ttl: Duration,
        stop: &CancellationToken,
    ) -> Result<Option<Self>, Error> {
        loop {
            let (asked, owner, name) = (hub.world().clock().monotonic(), owner(hub), name.clone());
            let lease = hub.db().write_essential(workspace, move |tx| leases::acquire(tx, &name, owner, ttl)).await?;
            if let Some(lease) = lease {
                return Ok(Some(Self { hub: hub.clone(), workspace, lease, ttl, until: asked + ttl }));
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(None),
                () = hub.world().clock().sleep(ttl / 8) => {}
            }
        }
    }

    /// What the outbox checks.
    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Whether it lasts longer than `span` from now.
    pub(crate) fn outlasts(&self, span: Duration) -> bool {
        self.until > self.hub.world().clock().monotonic() + span
    }

    /// When [`Self::keep`] has something to do, on the monotonic clock.
    pub(crate) fn renew_at(&self) -> Duration {
        self.until.saturating_sub(self.ttl * 2 / 3)
    }

    /// Renews it when a third of its time is over; false when somebody else has it.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn keep(&mut self) -> Result<bool, Error> {
        let asked = self.hub.world().clock().monotonic();
        if asked < self.renew_at() {
            return Ok(true);
        }
        let (lease, ttl) = (self.lease.clone(), self.ttl);
        let renewed = self.hub.db().write_essential(self.workspace, move |tx| leases::renew(tx, &lease, ttl)).await?;
        let Some(lease) = renewed else { return Ok(false) };
        (self.lease, self.until) = (lease, asked + ttl);
        Ok(true)
    }

    /// Gives it back, so that the next owner need not wait.
    pub(crate) async fn release(self) {
        let lease = self.lease;
        let released: Result<(), Error> =
            self.hub.db().write_essential(self.workspace, move |tx| leases::release(tx, &lease)).await;
        if let Err(error) = released {
            tracing::warn!(%error, "a lease could not be given back; it will run out");
        }
    }
}
