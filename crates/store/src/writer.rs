//! The writer: group commit.
//!
//! **Purpose.** Many commands, one fsync. A writer thread takes all commands that wait (at most [`Shape::most`]), runs each
//! in its own savepoint of one transaction, commits once, tells the process what happened, and then answers them all.
//!
//! **Order.** Commands run in the order they were queued. Hooks see batches in commit order, before anyone is answered.
//!
//! **Failure.** A command that fails or panics rolls back to its savepoint and takes nobody with it. If the transaction itself
//! is gone (SQLite ends it on a full disk), nobody of the batch is answered with success and each command is run again alone,
//! once. A failed COMMIT answers the whole batch with an error that a client may retry. On PostgreSQL each batch leaves
//! an id behind; when the connection dies during COMMIT, the writer reconnects and looks it up before it answers. Deadlocks,
//! fail-overs and connections that died earlier run the batch again, at most three times.
//!
//! **Bounds.** The queue is bounded; a full one refuses with [`Error::Busy`] at once.

use std::{
    collections::VecDeque,
    fs::File,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use model::{BatchId, WorkspaceId, World};
use tokio::sync::mpsc;

use crate::{
    Error, Tx, args,
    command::Command,
    config::Reserve,
    conn::Conn,
    db::Stats,
    hooks::{Committed, Hooks},
    tx::Effects,
};

/// How often the writer tries to reach a database that left it during COMMIT, and how long it waits in between: 15 s in all.
const RECONNECTS: u32 = 75;
const RECONNECT_PAUSE: Duration = Duration::from_millis(200);

/// How a database wants its batches.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// Commands in one transaction.
    pub(crate) most: usize,
    /// One transaction serves one workspace, whose counter row is locked first.
    pub(crate) by_workspace: bool,
}

impl Shape {
    pub(crate) const SQLITE: Self = Self { most: 1024, by_workspace: false };
    // More than 64 subtransactions make every PostgreSQL backend slow.
    pub(crate) const POSTGRES: Self = Self { most: 50, by_workspace: true };
}

type Batch = Vec<Box<dyn Command>>;

/// How a batch ended.
enum End {
    Committed,
    /// Nothing was committed and the transaction is gone.
    Lost(Error),
    /// The database asks for the same transaction again.
    Rerun(Error),
    /// The COMMIT itself failed.
    Failed(Error),
}

pub(crate) struct Writer {
    pub(crate) conn: Option<Conn>,
    pub(crate) connect: Box<dyn FnMut() -> Result<Conn, Error> + Send>,
    pub(crate) queue: mpsc::Receiver<Box<dyn Command>>,
    pub(crate) held: VecDeque<Box<dyn Command>>,
    pub(crate) shape: Shape,
    pub(crate) world: World,
    pub(crate) hooks: Arc<Hooks>,
    pub(crate) reserve: Reserve,
    pub(crate) stats: Arc<Stats>,
    /// The data folder's lock, held until the last command is answered, also when every `Db` was dropped.
    pub(crate) lock: Option<Arc<File>>,
}

impl Writer {
    /// Works until every sender is gone and the queue is empty.
    pub(crate) fn run(mut self) {
        while let Some(batch) = self.next_batch() {
            self.stats.batches.fetch_add(1, Ordering::Relaxed);
            self.stats.commands.fetch_add(batch.len() as u64, Ordering::Relaxed);
            self.process(batch);
        }
        drop(self.conn.take());
        drop(self.lock.take());
    }

    fn next_batch(&mut self) -> Option<Batch> {
        if self.held.is_empty() {
            self.held.push_back(self.queue.blocking_recv()?);
        }
        while let Ok(command) = self.queue.try_recv() {
            self.held.push_back(command);
            if self.held.len() >= self.shape.most * 2 {
                break;
            }
        }
        let waiting = std::mem::take(&mut self.held);
        let workspace = waiting.front()?.workspace();
        let mut batch = Batch::new();
        for command in waiting {
            let fits = !self.shape.by_workspace || command.workspace() == workspace;
            if fits && batch.len() < self.shape.most {
                batch.push(command);
            } else {
                self.held.push_back(command);
            }
        }
        Some(batch)
    }

    fn process(&mut self, batch: Batch) {
        let mut batch = self.refuse_below_reserve(batch);
        if batch.is_empty() {
            return;
        }
        match self.attempt_with_reruns(&mut batch) {
            End::Committed => {}
            End::Lost(_) if batch.len() > 1 => {
                return batch.into_iter().for_each(|command| self.process_alone(command));
            }
            End::Lost(error) | End::Rerun(error) | End::Failed(error) => fail_all(&mut batch, &error),
        }
        batch.into_iter().for_each(Command::answer);
    }

    fn process_alone(&mut self, command: Box<dyn Command>) {
        let mut batch = vec![command];
        match self.attempt_with_reruns(&mut batch) {
            End::Committed => {}
            End::Lost(error) | End::Rerun(error) | End::Failed(error) => fail_all(&mut batch, &error),
        }
        batch.into_iter().for_each(Command::answer);
    }

    /// Below the disk reserve only what frees space or lets people in may write.
    fn refuse_below_reserve(&mut self, batch: Batch) -> Batch {
        if !self.reserve.is_touched(&self.world) {
            return batch;
        }
        let (allowed, refused): (Batch, Batch) = batch.into_iter().partition(|command| command.essential());
        for mut command in refused {
            command.fail(Error::StorageFull);
            command.answer();
        }
        allowed
    }

    fn attempt_with_reruns(&mut self, batch: &mut Batch) -> End {
        let mut end = self.attempt(batch);
        for _ in 0..3 {
            let End::Rerun(_) = end else { break };
            end = self.attempt(batch);
        }
        end
    }

    fn attempt(&mut self, batch: &mut Batch) -> End {
        let mut conn = match self.usable_connection() {
            Ok(conn) => conn,
            Err(error) => return End::Failed(error),
        };
        let mut effects = Effects::default();
        let end = self.transact(&mut conn, batch, &mut effects);
        if !matches!(end, End::Committed) {
            conn.rollback();
        }
        self.keep(conn, &end);
        if matches!(end, End::Committed) {
            self.hooks.tell(&Committed::of(effects));
        }
        end
    }

    fn usable_connection(&mut self) -> Result<Conn, Error> {
        match self.conn.take() {
            Some(conn) if conn.is_alive() => Ok(conn),
            _ => (self.connect)(),
        }
    }

    /// Keeps the connection for the next batch, unless a new one is the better start.
    fn keep(&mut self, conn: Conn, end: &End) {
        // A file that was read-only when it was opened stays so for its connection.
        let read_only = matches!(end, End::Failed(Error::ReadOnly) | End::Lost(Error::ReadOnly));
        if conn.is_alive() && !conn.in_transaction() && !read_only {
            self.conn = Some(conn);
        }
    }

    fn transact(&mut self, conn: &mut Conn, batch: &mut Batch, effects: &mut Effects) -> End {
        let opened = conn.begin_write().and_then(|()| self.open_batch(conn, batch, effects));
        let batch_id = match opened {
            Ok(batch_id) => batch_id,
            Err(error) if conn.take_rerun() => return End::Rerun(error),
            Err(error) => return End::Failed(error),
        };
        if let [command] = batch.as_mut_slice() {
            match run(conn, &self.world, effects, command) {
                _ if conn.take_rerun() => return End::Rerun(rerun_refused()),
                Ok(true) => {}
                Ok(false) => {
                    // A command alone that failed has nothing to commit.
                    conn.rollback();
                    *effects = Effects::default();
                    return End::Committed;
                }
                Err(error) => return End::Lost(error),
            }
        } else if let Err(end) = self.run_all(conn, batch, effects) {
            return end;
        }
        match effects.write_counters(conn) {
            Ok(()) => self.commit(conn, batch, batch_id),
            Err(error) if conn.take_rerun() => End::Rerun(error),
            Err(error) if conn.in_transaction() => End::Failed(error),
            Err(error) => End::Lost(error),
        }
    }

    fn run_all(&self, conn: &mut Conn, batch: &mut Batch, effects: &mut Effects) -> Result<(), End> {
        for command in batch {
            let ended = run_guarded(conn, &self.world, effects, command);
            if conn.take_rerun() {
                return Err(End::Rerun(rerun_refused()));
            }
            ended.map_err(End::Lost)?;
        }
        Ok(())
    }

    /// On PostgreSQL: locks the workspace's counter and leaves the batch's id behind.
    fn open_batch(&self, conn: &mut Conn, batch: &Batch, effects: &mut Effects) -> Result<Option<BatchId>, Error> {
        let (true, Some(first)) = (self.shape.by_workspace, batch.first()) else { return Ok(None) };
        effects.lock_counter(conn, first.workspace())?;
        let id: BatchId = self.world.id();
        conn.exec("INSERT INTO batches (id, committed_at) VALUES ($1, $2)", args![id, self.world.now()])?;
        Ok(Some(id))
    }

    fn commit(&mut self, conn: &mut Conn, batch: &Batch, batch_id: Option<BatchId>) -> End {
        let Err(error) = conn.commit() else { return End::Committed };
        match (batch_id, batch.first()) {
            (Some(id), Some(first)) if !conn.is_alive() => self.find_out(conn, first.workspace(), id, error),
            _ if conn.take_rerun() => End::Rerun(error),
            _ => End::Failed(error),
        }
    }

    /// The connection died during COMMIT: only the batch's id tells whether it took place. When the database stays away too
    /// long to ask, the callers hear that it is unavailable, and their idempotency keys settle what happened.
    fn find_out(&mut self, conn: &mut Conn, workspace: WorkspaceId, id: BatchId, error: Error) -> End {
        for number in 0..RECONNECTS {
            if number > 0 {
                pause();
            }
            let Ok(mut fresh) = (self.connect)() else { continue };
            if let Ok(found) = was_committed(&mut fresh, workspace, id) {
                *conn = fresh;
                return if found { End::Committed } else { End::Rerun(error) };
            }
        }
        tracing::error!(%error, "the fate of a commit is not known");
        End::Failed(error)
    }
}

#[expect(clippy::disallowed_methods, reason = "a storage thread waits for a server; no state hangs on how long")]
fn pause() {
    std::thread::sleep(RECONNECT_PAUSE);
}

fn rerun_refused() -> Error {
    Error::Unavailable("the transaction could not be finished".to_owned())
}

/// Whether a batch is in the database. The workspace's counter is locked first: the server may still be busy with the
/// transaction whose client is gone, and it holds that lock until its fate is decided.
fn was_committed(conn: &mut Conn, workspace: WorkspaceId, id: BatchId) -> Result<bool, Error> {
    conn.begin_write()?;
    Effects::default().lock_counter(conn, workspace)?;
    let mut found = false;
    conn.query("SELECT CAST(1 AS BIGINT) FROM batches WHERE id = $1", args![id], &mut |_| {
        found = true;
        Ok(())
    })?;
    conn.rollback();
    Ok(found)
}

/// Runs a command; false when it failed. An error means that the transaction is gone.
fn run(conn: &mut Conn, world: &World, effects: &mut Effects, command: &mut Box<dyn Command>) -> Result<bool, Error> {
    let kept = command.run(&mut Tx::new(conn, world, command.workspace(), effects));
    let spoiled = effects.take_spoiled();
    if !conn.in_transaction() {
        return Err(spoiled.unwrap_or_else(|| conn.loss()));
    }
    match spoiled {
        // PostgreSQL refuses to go on in such a transaction, so neither do we elsewhere: see `Tx::attempt`.
        Some(error) if kept => {
            command.fail(Error::Driver(format!("a command went on after a failed statement: {error}")));
            Ok(false)
        }
        _ => Ok(kept),
    }
}

/// Runs a command in its savepoint; false when it failed and is undone. An error means that the transaction is gone.
fn run_guarded(
    conn: &mut Conn,
    world: &World,
    effects: &mut Effects,
    command: &mut Box<dyn Command>,
) -> Result<bool, Error> {
    conn.savepoint()?;
    let mark = effects.mark(command.workspace());
    if run(conn, world, effects, command)? {
        match conn.release() {
            Ok(()) => return Ok(true),
            Err(error) => command.fail(error),
        }
    }
    conn.rollback_to()?;
    effects.restore(&mark);
    Ok(false)
}

fn fail_all(batch: &mut Batch, error: &Error) {
    for command in batch {
        command.fail(error.clone());
    }
}
