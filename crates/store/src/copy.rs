//! Copies tables from one database to another, whichever of the two each is: pages by primary key, bounded memory.

use std::fmt::Write;

use crate::{Arg, Column, Error, conn::Conn};

/// Rows read at once.
const PAGE: usize = 512;
/// Rows written by one statement; with our widest table this stays far below the parameters that a statement may have.
const CHUNK: usize = 64;
/// What a migration makes by itself, and what only a writer of the old database could ask for.
const LEFT_OUT: &[&str] = &["schema_migrations", "batches"];

/// A table of the schema.
pub(crate) struct Table {
    pub(crate) name: String,
    columns: Vec<TableColumn>,
    /// Where the primary key's columns are, in its order.
    key: Vec<usize>,
}

struct TableColumn {
    name: String,
    kind: String,
}

/// One value on its way.
enum Value {
    Null,
    Int(i64),
    Real(f64),
    Bool(bool),
    Text(String),
    Blob(Vec<u8>),
}

impl Value {
    /// `kind` is the column's type: SQLite keeps booleans as numbers and PostgreSQL insists on booleans.
    fn of(column: Column<'_>, kind: &str) -> Self {
        match column {
            Column::Null => Self::Null,
            Column::Int(it) if kind == "BOOLEAN" => Self::Bool(it != 0),
            Column::Int(it) => Self::Int(it),
            Column::Real(it) => Self::Real(it),
            Column::Bool(it) => Self::Bool(it),
            Column::Text(it) => Self::Text(it.to_owned()),
            Column::Blob(it) => Self::Blob(it.to_vec()),
        }
    }

    fn arg(&self) -> Arg<'_> {
        match self {
            Self::Null => Arg::Null,
            Self::Int(it) => Arg::Int(*it),
            Self::Real(it) => Arg::Real(*it),
            Self::Bool(it) => Arg::Bool(*it),
            Self::Text(it) => Arg::Text(it),
            Self::Blob(it) => Arg::Blob(it),
        }
    }
}

type Values = Vec<Value>;

/// The tables that hold data, as a SQLite database describes them; PostgreSQL has the same after the same migrations.
pub(crate) fn tables(sqlite: &mut Conn) -> Result<Vec<Table>, Error> {
    let mut names: Vec<String> = Vec::new();
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name";
    sqlite.query(sql, &[], &mut |row| {
        names.push(row.get(0)?);
        Ok(())
    })?;
    names.retain(|name| !LEFT_OUT.contains(&name.as_str()));
    names.into_iter().map(|name| describe(sqlite, name)).collect()
}

fn describe(sqlite: &mut Conn, name: String) -> Result<Table, Error> {
    let (mut columns, mut key) = (Vec::new(), Vec::new());
    let sql = "SELECT name, type, pk FROM pragma_table_info($1) ORDER BY cid";
    sqlite.query(sql, &[Arg::Text(&name)], &mut |row| {
        let place: i64 = row.get(2)?;
        if place > 0 {
            key.push((place, columns.len()));
        }
        columns.push(TableColumn { name: row.get(0)?, kind: row.get(1)? });
        Ok(())
    })?;
    if key.is_empty() {
        return Err(Error::Driver(format!("table {name} has no primary key to page by")));
    }
    key.sort_unstable();
    Ok(Table { name, columns, key: key.into_iter().map(|(_, index)| index).collect() })
}

/// Copies all rows of a table; returns how many.
pub(crate) fn copy(from: &mut Conn, to: &mut Conn, table: &Table) -> Result<u64, Error> {
    let (first_page, next_page) = (table.select(false), table.select(true));
    let (many, single) = (table.insert(CHUNK), table.insert(1));
    let (mut copied, mut last): (u64, Option<Values>) = (0, None);
    loop {
        let mut page = match &last {
            None => table.read(from, &first_page, &[])?,
            Some(row) => table.read(from, &next_page, &table.key_of(row))?,
        };
        for chunk in page.chunks(CHUNK) {
            if chunk.len() == CHUNK {
                write(to, &many, chunk)?;
            } else {
                chunk.iter().try_for_each(|row| write(to, &single, std::slice::from_ref(row)))?;
            }
        }
        copied += page.len() as u64;
        last = page.pop();
        if last.is_none() {
            return Ok(copied);
        }
    }
}

fn write(to: &mut Conn, sql: &str, rows: &[Values]) -> Result<(), Error> {
    let args: Vec<Arg<'_>> = rows.iter().flatten().map(Value::arg).collect();
    to.exec(sql, &args).map(drop)
}

impl Table {
    fn select(&self, behind: bool) -> String {
        let columns = list(self.columns.iter().map(|it| it.name.as_str()));
        let key = list(self.key.iter().map(|index| self.columns[*index].name.as_str()));
        let mut sql = format!("SELECT {columns} FROM {}", self.name);
        if behind {
            let places: Vec<String> = (1..=self.key.len()).map(|number| format!("${number}")).collect();
            // A row of one value is not a row to SQLite, so a single column is compared bare.
            let bare = self.key.len() == 1;
            let (open, close) = if bare { ("", "") } else { ("(", ")") };
            write!(sql, " WHERE {open}{key}{close} > {open}{}{close}", places.join(", ")).expect("a string takes all");
        }
        write!(sql, " ORDER BY {key} LIMIT {PAGE}").expect("a string takes all");
        sql
    }

    fn insert(&self, rows: usize) -> String {
        let columns = list(self.columns.iter().map(|it| it.name.as_str()));
        let width = self.columns.len();
        let row = |number: usize| {
            let places: Vec<String> = (1..=width).map(|column| format!("${}", number * width + column)).collect();
            format!("({})", places.join(", "))
        };
        let rows: Vec<String> = (0..rows).map(row).collect();
        format!("INSERT INTO {} ({columns}) VALUES {}", self.name, rows.join(", "))
    }

    fn read(&self, from: &mut Conn, sql: &str, after: &[Arg<'_>]) -> Result<Vec<Values>, Error> {
        let mut page = Vec::with_capacity(PAGE);
        from.query(sql, after, &mut |row| {
            let values = self.columns.iter().enumerate();
            let values = values.map(|(index, it)| row.column(index).map(|column| Value::of(column, &it.kind)));
            page.push(values.collect::<Result<Values, Error>>()?);
            Ok(())
        })?;
        Ok(page)
    }

    fn key_of<'v>(&self, row: &'v [Value]) -> Vec<Arg<'v>> {
        self.key.iter().filter_map(|index| row.get(*index)).map(Value::arg).collect()
    }
}

fn list<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
