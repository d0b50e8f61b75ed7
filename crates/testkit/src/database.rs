//! The database of one hub: a temporary folder, and a schema on PostgreSQL when the environment names a server.

use std::{
    env,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

use store::DbConfig;
use tempfile::TempDir;
use tokio_postgres::NoTls;

/// The environment variable that names a PostgreSQL server.
const VARIABLE: &str = "SWITCHBOARD_TEST_POSTGRES";

pub(crate) struct Database {
    folder: TempDir,
    schema: Option<Schema>,
}

struct Schema {
    server: String,
    name: String,
}

impl Database {
    pub(crate) async fn make() -> Self {
        let folder = tempfile::Builder::new().prefix("switchboard-").tempdir().expect("a temporary folder");
        let schema = match env::var(VARIABLE) {
            Ok(server) if !server.is_empty() => Some(Schema::make(server).await),
            _ => None,
        };
        Self { folder, schema }
    }

    pub(crate) fn config(&self) -> DbConfig {
        match &self.schema {
            Some(schema) => DbConfig { readers: 2, writers: 2, ..DbConfig::postgres(self.folder.path(), schema.url()) },
            None => DbConfig::sqlite(self.folder.path()),
        }
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) async fn remove(mut self) {
        if let Some(schema) = self.schema.take() {
            schema.drop_it().await;
        }
    }
}

/// A test that failed leaves its schema to this. Its server may still hold locks, so this does not wait long.
impl Drop for Database {
    fn drop(&mut self) {
        let Some(schema) = self.schema.take() else { return };
        let cleaning = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(schema.drop_it());
        });
        if cleaning.join().is_err() {
            tracing::warn!("a schema of a failed test stays behind");
        }
    }
}

impl Schema {
    async fn make(server: String) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let random = RandomState::new().build_hasher().finish();
        let name = format!("sb_test_{random:016x}_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let schema = Self { server, name };
        schema.run(&format!("CREATE SCHEMA {}", schema.name)).await;
        schema
    }

    fn url(&self) -> String {
        let separator = if self.server.contains('?') { '&' } else { '?' };
        format!("{}{separator}options=-csearch_path%3D{}", self.server, self.name)
    }

    async fn drop_it(&self) {
        self.run(&format!("SET lock_timeout = '2s'; DROP SCHEMA {} CASCADE", self.name)).await;
    }

    async fn run(&self, sql: &str) {
        let (client, connection) = tokio_postgres::connect(&self.server, NoTls)
            .await
            .unwrap_or_else(|error| panic!("{VARIABLE} names no server that can be reached: {error}"));
        let connection = tokio::spawn(connection);
        // What is made and dropped here need not survive a crash of the server.
        let sql = format!("SET synchronous_commit = off; SET client_min_messages = warning; {sql}");
        client.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        drop(client);
        connection.await.expect("the connection's task ends").expect("the connection ends well");
    }
}
