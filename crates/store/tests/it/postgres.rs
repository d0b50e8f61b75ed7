//! What only a server can do to us: connections that die, also during COMMIT.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering},
    },
};

use store::{DbConfig, Error, args};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::support::{PgDatabase, Place, Told, admin, assert_gapless, fact, postgres_server};

/// Writes rows with keys of their own until told to stop; returns the keys that were promised.
fn load(place: &Place, task: i64, stop: &Arc<AtomicBool>) -> tokio::task::JoinHandle<Vec<i64>> {
    let (db, stop, workspace) =
        (place.db.clone(), Arc::clone(stop), model::Id::from_uuid(uuid::Uuid::from_u128(1 + task as u128 % 3)));
    tokio::spawn(async move {
        let mut promised = Vec::new();
        for number in 0_i64.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let key = task * 1_000_000 + number;
            let answer = db.write(workspace, move |tx| {
                tx.exec("INSERT INTO keys_here (id) VALUES ($1)", args![key])?;
                tx.append(fact("thing.done", None))
            });
            match answer.await {
                Ok(_) => promised.push(key),
                Err(Error::Unavailable(_)) => {}
                Err(other) => panic!("{other}"),
            }
        }
        promised
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_killed_under_load_lose_and_double_nothing() {
    let Some(place) = Place::postgres().await else { return };
    place.table("CREATE TABLE keys_here (id BIGINT NOT NULL PRIMARY KEY)").await;
    let told = Told::listen(&place.db);
    let stop = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..12).map(|task| load(&place, task, &stop)).collect();
    let (server, name) =
        (postgres_server().expect("there is one"), place.postgres.as_ref().expect("a database").name());
    let kill = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    for round in 1..=25 {
        let goal = round * 40;
        while place.db.stats().commands.load(Ordering::Relaxed) < goal {
            tokio::task::yield_now().await;
        }
        admin(&server, &kill).await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut promised = HashSet::new();
    for task in tasks {
        promised.extend(task.await.expect("the task ends"));
    }
    let stored = place.read(|tx| tx.query("SELECT id FROM keys_here", &[], |row| row.get::<i64>(0))).await;
    assert!(promised.len() > 100);
    assert!(promised.is_subset(&stored.iter().copied().collect()), "something promised is lost");
    let mut events = 0;
    for number in 1..=3 {
        let workspace = model::Id::from_uuid(uuid::Uuid::from_u128(number));
        let seqs: Vec<i64> = place.log(workspace).await.iter().map(|event| event.seq).collect();
        assert_gapless(&seqs);
        assert_eq!(told.seqs(workspace), seqs, "the hooks hear of every commit once");
        events += seqs.len();
    }
    assert_eq!(events, stored.len(), "one event per row");
    place.db.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_ends_between_two_statements_runs_the_command_again() {
    let Some(place) = Place::postgres().await else { return };
    let server = postgres_server().expect("there is one");
    let workspace = place.workspace();
    for expected in 1..=10 {
        let (tell, mut told) = tokio::sync::mpsc::channel::<(i64, std::sync::mpsc::Sender<()>)>(1);
        let mut first = true;
        let writing = place.db.write(workspace, move |tx| {
            let seq = tx.append(fact("thing.done", None))?;
            if std::mem::take(&mut first) {
                let pid = tx.one("SELECT CAST(pg_backend_pid() AS BIGINT)", &[], |row| row.get(0))?;
                let (go_on, wait) = std::sync::mpsc::channel();
                tell.blocking_send((pid, go_on)).expect("the test listens");
                wait.recv().expect("the test answers");
            }
            Ok::<_, Error>(seq)
        });
        let killing = async {
            let (pid, go_on) = told.recv().await.expect("the command runs");
            // Waits until the server has ended it.
            admin(&server, &format!("SELECT pg_terminate_backend({pid}, 5000)")).await;
            go_on.send(()).expect("the command waits");
        };
        let (seq, ()) = tokio::join!(writing, killing);
        assert_eq!(seq, Ok(expected));
    }
    assert_eq!(place.log(workspace).await.len(), 10);
    place.db.close().await;
}

/// What the proxy does with the next COMMIT.
const PASS: u8 = 0;
const DROP_BEFORE: u8 = 1;
const DROP_AFTER: u8 = 2;
/// The server gets it only when somebody else waits for what this transaction has locked.
const DROP_AND_DELAY: u8 = 3;

#[derive(Default)]
struct Proxy {
    target: String,
    database: String,
    next_commit: AtomicU8,
    cut: AtomicUsize,
}

impl Proxy {
    async fn start(postgres: &PgDatabase) -> (Arc<Self>, u16) {
        let config: tokio_postgres::Config = postgres.url().parse().expect("a URL");
        let target = format!("127.0.0.1:{}", config.get_ports().first().copied().unwrap_or(5432));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let proxy = Arc::new(Self { target, database: postgres.name().to_owned(), ..Self::default() });
        let it = Arc::clone(&proxy);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&it.target).await.expect("the server answers");
                tokio::spawn(Arc::clone(&it).carry(client, server));
            }
        });
        (proxy, port)
    }

    async fn disturb(&self, order: u8, client: TcpStream, mut server: TcpStream, commit: &[u8]) {
        self.cut.fetch_add(1, Ordering::SeqCst);
        if order == DROP_AND_DELAY {
            drop(client);
            self.somebody_waits().await;
        }
        if order != DROP_BEFORE {
            server.write_all(commit).await.expect("the server takes it");
            // The server has answered, so it has committed; the answer is lost on the way.
            assert!(server.read(&mut [0; 64]).await.is_ok_and(|length| length > 0));
        }
    }

    async fn somebody_waits(&self) {
        let server = postgres_server().expect("there is one");
        let (client, connection) = tokio_postgres::connect(&server, tokio_postgres::NoTls).await.expect("it answers");
        tokio::spawn(connection);
        let sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'";
        while client.query_one(sql, &[&self.database]).await.expect("readable").get::<_, i64>(0) == 0 {
            tokio::task::yield_now().await;
        }
    }

    /// Carries bytes both ways until a COMMIT is to be disturbed.
    async fn carry(self: Arc<Self>, mut client: TcpStream, mut server: TcpStream) {
        let (mut from_client, mut from_server) = (vec![0; 65_536], vec![0; 65_536]);
        loop {
            tokio::select! {
                read = client.read(&mut from_client) => {
                    let Ok(length @ 1..) = read else { return };
                    let bytes = &from_client[..length];
                    let commit = bytes.windows(7).any(|it| it == b"COMMIT\0");
                    let order = if commit { self.next_commit.swap(PASS, Ordering::SeqCst) } else { PASS };
                    if order != PASS {
                        return self.disturb(order, client, server, bytes).await;
                    }
                    if server.write_all(bytes).await.is_err() {
                        return;
                    }
                }
                read = server.read(&mut from_server) => {
                    let Ok(length @ 1..) = read else { return };
                    if client.write_all(&from_server[..length]).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_during_commit_is_decided_by_the_id_of_the_batch() {
    let Some(server) = postgres_server() else { return };
    let postgres = PgDatabase::create(&server).await;
    let (proxy, port) = Proxy::start(&postgres).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = DbConfig::postgres(folder.path().join("data"), postgres.url_at(Some(port)));
    let place = Place::open(config, folder, Some(postgres)).await;
    place.table("CREATE TABLE runs (id BIGINT NOT NULL)").await;
    let (told, workspace) = (Told::listen(&place.db), place.workspace());
    for (number, order) in
        [DROP_BEFORE, DROP_AFTER, PASS, DROP_AND_DELAY, DROP_AFTER, DROP_AND_DELAY, DROP_BEFORE].into_iter().enumerate()
    {
        proxy.next_commit.store(order, Ordering::SeqCst);
        let key = number as i64;
        let seq = place
            .db
            .write(workspace, move |tx| {
                tx.exec("INSERT INTO runs (id) VALUES ($1)", args![key])?;
                tx.append(fact("thing.done", None))
            })
            .await;
        assert_eq!(seq, Ok(key + 1));
    }
    assert_eq!(proxy.cut.load(Ordering::SeqCst), 6);
    assert_eq!(
        place.read(|tx| tx.query("SELECT id FROM runs ORDER BY id", &[], |row| row.get::<i64>(0))).await,
        [0, 1, 2, 3, 4, 5, 6]
    );
    assert_eq!(told.seqs(workspace), [1, 2, 3, 4, 5, 6, 7]);
    place.db.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_said_to_be_and_found_again() {
    let Some(server) = postgres_server() else { return };
    let place = Place::postgres().await.expect("there is a server");
    let workspace = place.workspace();
    place.write(workspace, |tx| tx.append(fact("thing.done", None))).await;
    let name = place.postgres.as_ref().expect("a database").name().to_owned();
    admin(&server, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await;
    admin(&server, &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")).await;
    let refused = place.db.write(workspace, |tx| tx.append(fact("thing.done", None))).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    let unread = place.db.read(|tx| tx.one("SELECT COUNT(*) FROM events", &[], |row| row.get::<i64>(0))).await;
    assert!(matches!(unread, Err(Error::Unavailable(_))), "{unread:?}");
    admin(&server, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await;
    assert_eq!(place.db.write(workspace, |tx| tx.append(fact("thing.done", None))).await, Ok(2));
    assert_eq!(place.number("SELECT COUNT(*) FROM events").await, 2);
    place.db.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_are_durable_when_they_are_answered() {
    let Some(place) = Place::postgres().await else { return };
    let setting = place
        .write(place.workspace(), |tx| {
            tx.one("SELECT setting FROM pg_settings WHERE name = $1", args!["synchronous_commit"], |row| {
                row.get::<String>(0)
            })
        })
        .await;
    assert_eq!(setting, "on");
    place.db.close().await;
}
