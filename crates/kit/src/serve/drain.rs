//! How the server stops, and the numbers that kit itself measures.

use std::{sync::atomic::Ordering, time::Duration};

use prometheus_client::metrics::gauge::Gauge;
use store::Driver;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::Hub;

/// Finishes what is in flight and stops the rest; see [`super`].
pub(super) async fn drain(hub: &Hub, connections: &TaskTracker, closing: &CancellationToken) {
    tracing::info!("draining");
    closing.cancel();
    hub.live().close();
    connections.close();
    within(hub, hub.config().drain, "requests", connections.wait()).await;
    hub.shutdown().cancel();
    hub.tasks().close();
    // Services that do not stop are aborted after the drain time; this waits a little longer than that.
    within(hub, hub.config().drain + Duration::from_secs(5), "background work", hub.tasks().wait()).await;
    hub.db().close().await;
    tracing::info!("stopped");
}

async fn within(hub: &Hub, most: Duration, what: &'static str, done: impl Future<Output = ()>) {
    tokio::select! {
        () = done => {}
        () = hub.world().clock().sleep(most) => tracing::warn!(what, "the drain time is over, the rest is dropped"),
    }
}

/// Registers kit's own gauges.
pub(super) fn measure(hub: &Hub) {
    let gauges: [(&str, &str, Gauge); 4] = [
        ("live_streams", "Open live streams", Gauge::default()),
        ("writer_queue", "Commands that wait for a writer", Gauge::default()),
        ("writer_batches", "Transactions that writers committed", Gauge::default()),
        ("writer_commands", "Commands in them", Gauge::default()),
    ];
    let wal = Gauge::<i64>::default();
    hub.metrics().register(|registry| {
        for (name, help, gauge) in &gauges {
            registry.register(*name, *help, gauge.clone());
        }
        registry.register("wal_bytes", "Size of SQLite's write-ahead log", wal.clone());
    });
    hub.metrics().before_scrape(move |hub| {
        let stats = hub.db().stats();
        let counts = [
            hub.live().open_streams(),
            stats.waiting.load(Ordering::Relaxed),
            stats.batches.load(Ordering::Relaxed),
            stats.commands.load(Ordering::Relaxed),
        ];
        for ((_, _, gauge), count) in gauges.iter().zip(counts) {
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        wal.set(wal_bytes(&hub));
        Box::pin(std::future::ready(()))
    });
}

fn wal_bytes(hub: &Hub) -> i64 {
    if hub.db().driver() == Driver::Postgres {
        return 0;
    }
    let mut name = hub.db().config().sqlite_file().into_os_string();
    name.push("-wal");
    std::fs::metadata(name).map_or(0, |file| i64::try_from(file.len()).unwrap_or(i64::MAX))
}
