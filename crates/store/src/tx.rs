//! The transaction that commands and readers work on.

use std::collections::HashMap;

use model::{Event, Id, NewEvent, Seq, Timestamp, WorkspaceId, World};

use crate::{Arg, Delivery, Driver, Error, Row, args, conn::Conn};

/// One transaction: a command's share of a group commit, or a reader's snapshot.
///
/// SQL is one text for both databases with `$1`, `$2`… as placeholders. Time is fixed per command; ids and randomness come
/// from the [`World`], so a test can fix them.
pub struct Tx<'c> {
    conn: &'c mut Conn,
    world: &'c World,
    workspace: WorkspaceId,
    now: Timestamp,
    effects: &'c mut Effects,
}

/// What a batch leaves behind besides rows: the numbers it gave out and what is told to the process after the commit.
#[derive(Default)]
pub(crate) struct Effects {
    counters: HashMap<WorkspaceId, Counter>,
    pub(crate) events: Vec<Event>,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) jobs: Vec<WorkspaceId>,
    /// The first statement that failed in the running command and was not undone since.
    spoiled: Option<Error>,
}

#[derive(Clone, Copy, Default, PartialEq)]
struct Counter {
    event_seq: Seq,
    delivery_position: i64,
}

/// The state of [`Effects`] at a savepoint.
pub(crate) struct Mark {
    workspace: WorkspaceId,
    counter: Option<Counter>,
    events: usize,
    deliveries: usize,
    jobs: usize,
    spoiled: Option<Error>,
}

impl Effects {
    pub(crate) fn mark(&self, workspace: WorkspaceId) -> Mark {
        Mark {
            workspace,
            counter: self.counters.get(&workspace).copied(),
            events: self.events.len(),
            deliveries: self.deliveries.len(),
            jobs: self.jobs.len(),
            spoiled: self.spoiled.clone(),
        }
    }

    pub(crate) fn restore(&mut self, mark: &Mark) {
        match mark.counter {
            Some(counter) => drop(self.counters.insert(mark.workspace, counter)),
            None => drop(self.counters.remove(&mark.workspace)),
        }
        self.events.truncate(mark.events);
        self.deliveries.truncate(mark.deliveries);
        self.jobs.truncate(mark.jobs);
        self.spoiled.clone_from(&mark.spoiled);
    }

    pub(crate) fn take_spoiled(&mut self) -> Option<Error> {
        self.spoiled.take()
    }

    fn note<T>(&mut self, done: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &done
            && self.spoiled.is_none()
        {
            self.spoiled = Some(error.clone());
        }
        done
    }

    /// Writes the counters back, once per batch and workspace.
    pub(crate) fn write_counters(&mut self, conn: &mut Conn) -> Result<(), Error> {
        for (workspace, counter) in &self.counters {
            conn.exec(
                "INSERT INTO counters (workspace_id, event_seq, delivery_position) VALUES ($1, $2, $3)
                 ON CONFLICT (workspace_id) DO UPDATE SET event_seq = $2, delivery_position = $3",
                args![workspace, counter.event_seq, counter.delivery_position],
            )?;
        }
        Ok(())
    }

    /// Locks a workspace's counter row: the first statement of every PostgreSQL write transaction. It makes `seq`
    /// gapless and commit-ordered across nodes.
    pub(crate) fn lock_counter(&mut self, conn: &mut Conn, workspace: WorkspaceId) -> Result<(), Error> {
        let mut counter = Counter::default();
        conn.query(
            "INSERT INTO counters (workspace_id, event_seq, delivery_position) VALUES ($1, 0, 0)
             ON CONFLICT (workspace_id) DO UPDATE SET event_seq = counters.event_seq
             RETURNING event_seq, delivery_position",
            args![workspace],
            &mut |row| read_counter(row, &mut counter),
        )?;
        self.counters.insert(workspace, counter);
        Ok(())
    }
}

fn read_counter(row: &Row<'_>, counter: &mut Counter) -> Result<(), Error> {
    *counter = Counter { event_seq: row.get(0)?, delivery_position: row.get(1)? };
    Ok(())
}

impl<'c> Tx<'c> {
    pub(crate) fn new(conn: &'c mut Conn, world: &'c World, workspace: WorkspaceId, effects: &'c mut Effects) -> Self {
        let now = world.now();
        Self { conn, world, workspace, now, effects }
    }

    /// The workspace whose command this is (for readers: the system's).
    #[must_use]
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// The time of this command.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// A new id.
    #[must_use]
    pub fn id<K>(&self) -> Id<K> {
        self.world.id()
    }

    /// Clock and randomness.
    #[must_use]
    pub fn world(&self) -> &World {
        self.world
    }

    /// Which database this is, for the few statements that have to differ.
    #[must_use]
    pub fn driver(&self) -> Driver {
        match self.conn {
            Conn::Sqlite(_) => Driver::Sqlite,
            Conn::Postgres(_) => Driver::Postgres,
        }
    }

    /// Runs a statement that answers nothing and returns how many rows it changed.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn exec(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<u64, Error> {
        let done = self.conn.exec(sql, args);
        self.effects.note(done)
    }

    /// Runs a statement and maps each row of its answer.
    ///
    /// # Errors
    /// See [`Error`]; an error of `map` ends it.
    pub fn query<T>(
        &mut self,
        sql: &str,
        args: &[Arg<'_>],
        mut map: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut rows = Vec::new();
        let done = self.conn.query(sql, args, &mut |row| {
            rows.push(map(row)?);
            Ok(())
        });
        self.effects.note(done).map(|()| rows)
    }

    /// Runs a statement and maps the first row of its answer, if there is one.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn first<T>(
        &mut self,
        sql: &str,
        args: &[Arg<'_>],
        mut map: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let mut first = None;
        let done = self.conn.query(sql, args, &mut |row| {
            if first.is_none() {
                first = Some(map(row)?);
            }
            Ok(())
        });
        self.effects.note(done).map(|()| first)
    }

    /// As [`Tx::first`], for a row that has to exist.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it does not.
    pub fn one<T>(
        &mut self,
        sql: &str,
        args: &[Arg<'_>],
        map: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.first(sql, args, map)?.ok_or(Error::NotFound)
    }

    /// Appends a fact to this workspace's log; see [`crate::log`].
    ///
    /// # Errors
    /// See [`Error`].
    pub fn append(&mut self, event: NewEvent) -> Result<Seq, Error> {
        crate::log::append(self, event)
    }

    /// Prepares a statement on this database without running it, for the test that prepares them all.
    ///
    /// # Errors
    /// What the database says against the statement.
    pub fn prepare(&mut self, sql: &str) -> Result<(), Error> {
        self.conn.prepare(sql)
    }

    /// Runs `body` in a savepoint of its own: when it fails, only its own changes are undone and the command goes on.
    ///
    /// It is the only way to go on after a statement that failed: PostgreSQL refuses everything in a transaction with a failed
    /// statement, and a command that ignores one and returns `Ok` is undone on both databases.
    ///
    /// # Errors
    /// The outer error is the transaction's own and ends the command; the inner one is what `body` returned.
    pub fn attempt<T, E>(&mut self, body: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<Result<T, E>, Error> {
        self.conn.begin_attempt()?;
        let mark = self.effects.mark(self.workspace);
        let outcome = body(self);
        if !self.conn.in_transaction() {
            return Err(self.effects.spoiled.clone().unwrap_or_else(|| self.conn.loss()));
        }
        match outcome {
            Ok(_) if self.effects.spoiled.is_some() => {
                Err(Error::Driver("an attempt ignored a failed statement".to_owned()))
            }
            Ok(done) => self.conn.keep_attempt().map(|()| Ok(done)),
            Err(error) => {
                self.conn.undo_attempt()?;
                self.effects.restore(&mark);
                Ok(Err(error))
            }
        }
    }

    /// The last `seq` of a workspace as far as this transaction knows it: the table is behind until the batch commits.
    pub(crate) fn held_head(&self, workspace: WorkspaceId) -> Option<Seq> {
        self.effects.counters.get(&workspace).map(|counter| counter.event_seq)
    }

    pub(crate) fn next_event_seq(&mut self) -> Result<Seq, Error> {
        let counter = self.counter()?;
        counter.event_seq += 1;
        Ok(counter.event_seq)
    }

    pub(crate) fn next_delivery_position(&mut self) -> Result<i64, Error> {
        let counter = self.counter()?;
        counter.delivery_position += 1;
        Ok(counter.delivery_position)
    }

    /// The numbers of this workspace, read once per batch and held here until it commits.
    fn counter(&mut self) -> Result<&mut Counter, Error> {
        if !self.effects.counters.contains_key(&self.workspace) {
            let mut counter = Counter::default();
            self.conn.query(
                "SELECT event_seq, delivery_position FROM counters WHERE workspace_id = $1",
                args![self.workspace],
                &mut |row| read_counter(row, &mut counter),
            )?;
            self.effects.counters.insert(self.workspace, counter);
        }
        Ok(self.effects.counters.entry(self.workspace).or_default())
    }

    pub(crate) fn effects(&mut self) -> &mut Effects {
        self.effects
    }
}
