//! The store alone: how many commands per second are durable when many callers wait at once.
//!
//! A command does what accepting a reply does to the tables: a message with its place in the chat, an event, a delivery.

use std::{
    fmt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use futures_util::future::join_all;
use model::{
    ActorRef, Audience, ChatId, Clock, ConversationId, DeliveryClass, Entropy, MessageId, NewEvent, Right, Sleep,
    Timestamp, WorkspaceId, World,
};
use store::{Channel, Db, DbConfig, Error, NewDelivery, Tx, args, outbox};

use crate::stats::{self, Sample};

/// What to run.
#[derive(Debug, Clone)]
pub struct Load {
    /// An empty folder on the disk that is measured; not on tmpfs.
    pub folder: PathBuf,
    /// An empty PostgreSQL database instead of SQLite.
    pub url: Option<String>,
    /// Callers that each wait for their command before they send the next.
    pub callers: usize,
    /// Commands of each caller, after a tenth as many that are not measured.
    pub commands: usize,
}

/// What came out; `Display` writes it as a few lines.
#[derive(Debug)]
pub struct Figures {
    machine: String,
    callers: usize,
    elapsed: Duration,
    cpu: Duration,
    batches: u64,
    latency: Sample,
    memory: u64,
}

impl Figures {
    /// Durable commands per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.latency.count() as f64 / self.elapsed.as_secs_f64()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.latency.count() as f64;
        writeln!(f, "{}", self.machine)?;
        writeln!(f, "{} callers: {:.0} commands/s, {}", self.callers, self.rate(), self.latency.line())?;
        writeln!(
            f,
            "{:.1} commands per commit, {:.0} commits/s, {:.1} us of CPU per command, {} MB resident",
            count / self.batches.max(1) as f64,
            self.batches as f64 / self.elapsed.as_secs_f64(),
            self.cpu.as_secs_f64() * 1e6 / count,
            self.memory >> 20
        )
    }
}

/// Runs the load on a fresh database in this process. Needs a tokio runtime with several threads.
///
/// # Errors
/// What the store says.
pub async fn run(load: &Load) -> Result<Figures, Error> {
    std::fs::create_dir_all(&load.folder).map_err(|e| Error::Unavailable(e.to_string()))?;
    let machine = stats::machine(&load.folder);
    let config = match &load.url {
        None => DbConfig::sqlite(&load.folder),
        Some(url) => DbConfig::postgres(&load.folder, url),
    };
    let world = World::new(Arc::new(RealClock(Instant::now())), Arc::new(Counted(AtomicU64::new(1))));
    let db = Db::open(config, world.clone()).await?;
    let workspace = world.id();
    let chats: Vec<ChatId> = (0..load.callers).map(|_| world.id()).collect();
    open_chats(&db, workspace, chats.clone()).await?;
    call(&db, workspace, &chats, load.commands.div_ceil(10)).await?;
    let (begun, cpu, batches) = (Instant::now(), stats::cpu(None), db.stats().batches.load(Ordering::Relaxed));
    let latency = call(&db, workspace, &chats, load.commands).await?;
    let figures = Figures {
        machine,
        callers: load.callers,
        elapsed: begun.elapsed(),
        cpu: stats::cpu(None).saturating_sub(cpu),
        batches: db.stats().batches.load(Ordering::Relaxed) - batches,
        latency: Sample::new(latency),
        memory: stats::memory(std::process::id()),
    };
    db.close().await;
    Ok(figures)
}

async fn open_chats(db: &Db, workspace: WorkspaceId, chats: Vec<ChatId>) -> Result<(), Error> {
    db.write(workspace, move |tx| {
        for chat in &chats {
            tx.exec(
                "INSERT INTO chats (id, workspace_id, kind, last_seq, inbound_total, created_at)
                 VALUES ($1, $2, 'private', 0, 0, $3)",
                args![chat, workspace, tx.now()],
            )?;
        }
        Ok(())
    })
    .await
}

async fn call(db: &Db, workspace: WorkspaceId, chats: &[ChatId], commands: usize) -> Result<Vec<Duration>, Error> {
    let callers = chats.iter().map(|chat| {
        let (db, chat) = (db.clone(), *chat);
        tokio::spawn(async move {
            let mut latency = Vec::with_capacity(commands);
            for _ in 0..commands {
                let begun = Instant::now();
                db.write(workspace, move |tx| reply(tx, chat)).await?;
                latency.push(begun.elapsed());
            }
            Ok::<_, Error>(latency)
        })
    });
    let mut all = Vec::new();
    for ended in join_all(callers).await {
        all.extend(ended.map_err(|e| Error::Panicked(e.to_string()))??);
    }
    Ok(all)
}

/// The text of a message; about as long as people's messages are.
const TEXT: &str = "Thank you for waiting. Your order left our house this morning and should be with you by Thursday.";

fn reply(tx: &mut Tx<'_>, chat: ChatId) -> Result<(), Error> {
    let message: MessageId = tx.id();
    let conversation = ConversationId::from_uuid(chat.uuid());
    let seq: i64 =
        tx.one("UPDATE chats SET last_seq = last_seq + 1 WHERE id = $1 RETURNING last_seq", args![chat], |row| {
            row.get(0)
        })?;
    tx.exec(
        "INSERT INTO messages (chat_id, seq, id, workspace_id, conversation_id, author_kind, author_id, author_name, text, note,
         inbound_total, created_at) VALUES ($1, $2, $3, $4, $5, 'member', $3, 'Ada', $6, $7, 0, $8)",
        args![chat, seq, message, tx.workspace(), conversation, TEXT, false, tx.now()],
    )?;
    let body =
        serde_json::json!({ "id": message, "seq": seq, "text": TEXT, "author": { "kind": "member", "name": "Ada" } });
    let body = serde_json::value::to_raw_value(&body).map_err(|e| Error::Corrupt(e.to_string()))?;
    outbox::enqueue(
        tx,
        NewDelivery {
            channel: Channel::Telegram,
            owner: tx.workspace().uuid(),
            chat: Some(chat),
            class: DeliveryClass::Reply,
            payload: body.clone(),
            message: Some(message),
            conversation: Some(conversation),
            expires_at: None,
        },
    )?;
    tx.append(NewEvent {
        kind: "message.created",
        version: 1,
        actor: ActorRef::SYSTEM,
        audience: Audience::Right(Right::ConversationsRead),
        chat: Some(chat),
        entity: Some(chat.uuid()),
        body,
    })?;
    Ok(())
}

struct RealClock(Instant);

impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Scattered numbers; ids only have to differ here.
struct Counted(AtomicU64);

impl Entropy for Counted {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let number = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            let mixed = (number ^ (number >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
        }
    }
}
