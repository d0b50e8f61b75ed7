//! The PostgreSQL driver: one client owned by one thread, statements prepared once, the connection's task on the runtime.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::runtime::Handle;
use tokio_postgres::{
    Client, Config, NoTls, Socket, Statement,
    config::SslMode,
    error::{Severity, SqlState},
    tls::MakeTlsConnect,
    types::{IsNull, ToSql, Type, private::BytesMut},
};

use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{Arg, Column, Constraint, ConstraintKind, Error, Row};

/// Durable commits; and a transaction whose client vanished without a word does not keep its locks for hours.
const SESSION: &str = "SET synchronous_commit = on; SET client_min_messages = warning; \
    SET idle_in_transaction_session_timeout = '60s'; SET tcp_user_timeout = '30s'; SET tcp_keepalives_idle = '30s';";
/// Statements kept prepared per connection; more than the program has.
const STATEMENTS: usize = 1024;

pub(crate) struct Postgres {
    client: Client,
    runtime: Handle,
    statements: HashMap<Box<str>, Statement>,
    /// The last error said that the same transaction may succeed if it is run again.
    rerun: bool,
    /// Cleared by the connection's task when the connection ends.
    alive: Arc<AtomicBool>,
    in_transaction: bool,
}

impl Postgres {
    /// Connects; blocks the calling storage thread.
    pub(crate) fn connect(config: &Config, runtime: &Handle) -> Result<Self, Error> {
        runtime.block_on(Self::connect_async(config, runtime))
    }

    pub(crate) async fn connect_async(config: &Config, runtime: &Handle) -> Result<Self, Error> {
        match config.get_ssl_mode() {
            SslMode::Require => Self::connect_over(config, runtime, tls()?).await,
            _ => Self::connect_over(config, runtime, NoTls).await,
        }
    }

    async fn connect_over<T>(config: &Config, runtime: &Handle, tls: T) -> Result<Self, Error>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: Send + 'static,
    {
        let (client, connection) = config.connect(tls).await.map_err(|e| Error::Unavailable(describe(&e)))?;
        let alive = Arc::new(AtomicBool::new(true));
        let flag = Arc::clone(&alive);
        runtime.spawn(async move {
            if let Err(reason) = connection.await {
                tracing::warn!(%reason, "the PostgreSQL connection ended");
            }
            flag.store(false, Ordering::Release);
        });
        client.batch_execute(SESSION).await.map_err(|e| Error::Unavailable(e.to_string()))?;
        let statements = HashMap::new();
        Ok(Self { client, runtime: runtime.clone(), statements, rerun: false, alive, in_transaction: false })
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire) && !self.client.is_closed()
    }

    /// Whether the transaction still exists: it is gone with its connection.
    pub(crate) fn in_transaction(&self) -> bool {
        self.in_transaction && self.is_alive()
    }

    /// Whether the transaction should run again: an error since the last call asked for it (serialisation, deadlock,
    /// fail-over), or the connection is gone, which may show between two statements.
    pub(crate) fn take_rerun(&mut self) -> bool {
        std::mem::take(&mut self.rerun) || !self.is_alive()
    }

    pub(crate) fn control(&mut self, sql: &'static str) -> Result<(), Error> {
        self.batch(sql)?;
        match sql {
            "COMMIT" | "ROLLBACK" => self.in_transaction = false,
            sql if sql.starts_with("BEGIN") => self.in_transaction = true,
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn batch(&mut self, sql: &str) -> Result<(), Error> {
        let done = self.runtime.block_on(self.client.batch_execute(sql));
        done.map_err(|e| self.error(&e))
    }

    pub(crate) fn exec(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<u64, Error> {
        let statement = self.statement(sql)?;
        let parameters: Vec<&(dyn ToSql + Sync)> = args.iter().map(|it| it as _).collect();
        let done = self.runtime.block_on(self.client.execute(&statement, &parameters));
        done.map_err(|e| self.error(&e))
    }

    pub(crate) fn query(
        &mut self,
        sql: &str,
        args: &[Arg<'_>],
        each: &mut dyn FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let statement = self.statement(sql)?;
        let parameters: Vec<&(dyn ToSql + Sync)> = args.iter().map(|it| it as _).collect();
        let rows = self.runtime.block_on(self.client.query(&statement, &parameters)).map_err(|e| self.error(&e))?;
        rows.iter().try_for_each(|row| each(&Row::Postgres(row)))
    }

    /// Prepares a statement without running it; for the test that prepares them all.
    pub(crate) fn prepare(&mut self, sql: &str) -> Result<(), Error> {
        self.statement(sql).map(drop)
    }

    fn statement(&mut self, sql: &str) -> Result<Statement, Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let prepared = self.runtime.block_on(self.client.prepare(sql));
        let statement = prepared.map_err(|e| self.error(&e))?;
        if self.statements.len() >= STATEMENTS {
            self.statements.clear();
        }
        self.statements.insert(sql.into(), statement.clone());
        Ok(statement)
    }

    fn error(&mut self, e: &tokio_postgres::Error) -> Error {
        let Some(db) = e.as_db_error() else {
            let broken = std::error::Error::source(e).is_some_and(|source| source.is::<std::io::Error>());
            if e.is_closed() || broken || !self.is_alive() {
                return self.gone(e.to_string());
            }
            return Error::Driver(describe(e));
        };
        if matches!(db.parsed_severity(), Some(Severity::Fatal | Severity::Panic)) {
            return self.gone(db.to_string());
        }
        let code = db.code();
        let stale_plan = *code == SqlState::FEATURE_NOT_SUPPORTED && db.message().starts_with("cached plan");
        if stale_plan {
            self.statements.clear();
        }
        if stale_plan || [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code) {
            self.rerun = true;
            return Error::Unavailable(db.to_string());
        }
        classify(code, db)
    }

    /// The server said or showed that this connection is over; its transaction may succeed on another one.
    fn gone(&mut self, reason: String) -> Error {
        self.alive.store(false, Ordering::Release);
        self.rerun = true;
        Error::Unavailable(reason)
    }
}

/// TLS with the system's roots. Only `sslmode=require` asks for it: a server on this machine or in a private network usually
/// shows a certificate that nobody signed, and `prefer` has to reach it.
fn tls() -> Result<MakeRustlsConnect, Error> {
    // An error means that a provider was installed before, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let unusable =
        |errors: Vec<_>| Error::Unavailable(format!("the system's root certificates cannot be read: {errors:?}"));
    MakeRustlsConnect::with_native_certs().map(|(tls, _)| tls).map_err(unusable)
}

fn describe(e: &tokio_postgres::Error) -> String {
    std::error::Error::source(e).map_or_else(|| e.to_string(), |source| format!("{e}: {source}"))
}

fn classify(code: &SqlState, db: &tokio_postgres::error::DbError) -> Error {
    let constraint = |kind| {
        let name = db.constraint().or(db.column()).unwrap_or_default().to_owned();
        Error::Constraint(Constraint { kind, name })
    };
    match *code {
        SqlState::UNIQUE_VIOLATION => constraint(ConstraintKind::Unique),
        SqlState::NOT_NULL_VIOLATION => constraint(ConstraintKind::NotNull),
        _ if code.code().starts_with("23") => constraint(ConstraintKind::Other),
        SqlState::DISK_FULL => Error::StorageFull,
        SqlState::READ_ONLY_SQL_TRANSACTION => Error::ReadOnly,
        // Class 53: insufficient resources; 57: operator intervention; 58: system error.
        _ if ["53", "57", "58"].iter().any(|class| code.code().starts_with(class)) => {
            Error::Unavailable(db.to_string())
        }
        _ => Error::Driver(db.to_string()),
    }
}

pub(crate) fn column(row: &tokio_postgres::Row, index: usize) -> Result<Column<'_>, Error> {
    fn value<'r, T: tokio_postgres::types::FromSql<'r>>(
        row: &'r tokio_postgres::Row,
        index: usize,
        wrap: impl Fn(T) -> Column<'r>,
    ) -> Result<Column<'r>, Error> {
        let value: Option<T> = row.try_get(index).map_err(Error::corrupt)?;
        Ok(value.map_or(Column::Null, wrap))
    }
    let column = row.columns().get(index).ok_or_else(|| Error::corrupt(format!("no column {index}")))?;
    match *column.type_() {
        Type::INT8 => value(row, index, Column::Int),
        Type::INT4 => value(row, index, |it: i32| Column::Int(it.into())),
        Type::BOOL => value(row, index, Column::Bool),
        Type::FLOAT8 => value(row, index, Column::Real),
        Type::TEXT | Type::VARCHAR => value(row, index, Column::Text),
        Type::BYTEA => value(row, index, Column::Blob),
        ref other => Err(Error::corrupt(format!("column {index} has type {other}"))),
    }
}

type Encoded = Result<IsNull, Box<dyn std::error::Error + Sync + Send>>;

impl ToSql for Arg<'_> {
    fn to_sql(&self, column: &Type, out: &mut BytesMut) -> Encoded {
        match *self {
            Arg::Null => Ok(IsNull::Yes),
            Arg::Int(it) if *column == Type::INT4 => i32::try_from(it)?.to_sql(column, out),
            Arg::Int(it) => it.to_sql(column, out),
            Arg::Real(it) => it.to_sql(column, out),
            Arg::Bool(it) => it.to_sql(column, out),
            Arg::Text(it) => it.to_sql(column, out),
            Arg::Blob(it) => it.to_sql(column, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, column: &Type, out: &mut BytesMut) -> Encoded {
        let fits = match self {
            Arg::Null => true,
            Arg::Int(_) => matches!(*column, Type::INT8 | Type::INT4),
            Arg::Real(_) => *column == Type::FLOAT8,
            Arg::Bool(_) => *column == Type::BOOL,
            Arg::Text(_) => matches!(*column, Type::TEXT | Type::VARCHAR),
            Arg::Blob(_) => *column == Type::BYTEA,
        };
        if fits { self.to_sql(column, out) } else { Err(format!("{self:?} is no {column}").into()) }
    }
}
