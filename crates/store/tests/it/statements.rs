//! Every SQL statement in the sources of all crates is prepared on every database.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
};

use store::Driver;

use crate::support::on_each;

/// A string literal and what stands before it, which tells whether it is a part of something longer.
struct Literal {
    text: String,
    before: String,
}

/// The string literals of a Rust source, without comments and tests.
fn literals(source: &str) -> Vec<Literal> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let code: Vec<char> = source.chars().collect();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < code.len() {
        let rest = &code[at..];
        let raw = rest.first() == Some(&'r') && matches!(rest.get(1), Some('"' | '#'));
        if rest.starts_with(&['/', '/']) {
            at += rest.iter().position(|c| *c == '\n').unwrap_or(rest.len());
        } else if rest.starts_with(&['\'', '"', '\'']) {
            at += 3;
        } else if raw && !at.checked_sub(1).is_some_and(|before| code[before].is_alphanumeric()) {
            let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
            let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
            let start = (2 + hashes).min(rest.len());
            let length = rest[start..].windows(end.len()).position(|it| it == end).unwrap_or(0);
            found.push(literal(&code[..at], rest[start..start + length].iter().collect()));
            at += start + length + end.len();
        } else if rest.first() == Some(&'"') {
            let (text, length) = quoted(&rest[1..]);
            found.push(literal(&code[..at], text));
            at += length + 1;
        } else {
            at += 1;
        }
    }
    found
}

fn literal(before: &[char], text: String) -> Literal {
    let before = &before[before.len().saturating_sub(60)..];
    Literal { text, before: before.iter().collect::<String>().trim_end().to_owned() }
}

/// The text of a literal behind its opening quote, and how long it is with the closing one.
fn quoted(code: &[char]) -> (String, usize) {
    let (mut text, mut at) = (String::new(), 0);
    while at < code.len() && code[at] != '"' {
        if code[at] == '\\' {
            at += 1;
            match code.get(at) {
                Some('\n') => {
                    while code.get(at + 1).is_some_and(|c| c.is_whitespace()) {
                        at += 1;
                    }
                }
                Some('n') => text.push('\n'),
                Some(other) => text.push(*other),
                None => {}
            }
        } else {
            text.push(code[at]);
        }
        at += 1;
    }
    (text, at + 1)
}

fn is_statement(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        ["SELECT" | "WITH", _, ..] | ["INSERT", "INTO", ..] | ["DELETE", "FROM", ..] => true,
        ["UPDATE", rest @ ..] => rest.contains(&"SET"),
        _ => false,
    }
}

/// The statements of one file that can be prepared as they are.
fn statements(source: &str) -> Vec<String> {
    written(source).into_iter().filter(|text| !text.contains('{')).collect()
}

/// The statements of one file: whole literals, `concat!` with a macro of columns, `format!` with constants of the file. What
/// comes from elsewhere stands in braces.
fn written(source: &str) -> Vec<String> {
    let all = literals(source);
    let mut names: HashMap<String, String> = HashMap::new();
    for it in &all {
        if let Some(name) = defined_name(&it.before) {
            names.insert(name, it.text.clone());
        }
    }
    let mut found: Vec<String> = concats(source, &names);
    found.extend(all.iter().filter(|it| is_statement(&it.text)).filter_map(|it| {
        let part = it.before.ends_with("concat!(");
        let text =
            names.iter().fold(it.text.clone(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value));
        (!part).then_some(text)
    }));
    found
}

/// The constant or the macro whose text a literal is.
fn defined_name(before: &str) -> Option<String> {
    if let Some(constant) = before.strip_suffix(": &str =") {
        return constant.rsplit(' ').next().map(ToOwned::to_owned);
    }
    let (_, rest) = before.rsplit_once("macro_rules! ")?;
    let (name, body) = rest.split_once('{')?;
    (body.split_whitespace().collect::<String>() == "()=>{").then(|| name.trim().to_owned())
}

/// `concat!("SELECT ", columns!(), " FROM …")`, put together.
fn concats(source: &str, names: &HashMap<String, String>) -> Vec<String> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = Vec::new();
    for (start, head) in source.match_indices("concat!(") {
        let code: Vec<char> = source[start + head.len()..].chars().collect();
        let (mut text, mut at, mut word) = (String::new(), 0, String::new());
        while at < code.len() && (code[at] != ')' || word.ends_with("!(")) {
            if code[at] == '"' {
                let (piece, length) = quoted(&code[at + 1..]);
                text.push_str(&piece);
                at += length;
            } else if code[at] == ')' {
                text.push_str(names.get(word.trim_end_matches("!(")).map_or("", String::as_str));
            }
            let joins = code[at].is_alphanumeric() || matches!(code[at], '_' | '!' | '(');
            if joins {
                word.push(code[at])
            } else {
                word.clear()
            }
            at += 1;
        }
        if is_statement(&text) {
            found.push(text);
        }
    }
    found
}

/// Statements that exist for one database only.
fn is_for(driver: Driver, sql: &str) -> bool {
    let has = |words: &[&str]| words.iter().any(|word| sql.contains(word));
    match driver {
        Driver::Sqlite => !has(&["pg_", "clock_timestamp", "information_schema"]),
        Driver::Postgres => !has(&["sqlite_schema", "pragma_"]),
    }
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn statements_are_found_in_every_form() {
    let source = r####"
        const COLUMNS: &str = "id, name";
        macro_rules! columns { () => { "a, b" }; }
        // "SELECT comment"
        let plain = "SELECT 1 FROM t WHERE q = '\"' \
                     AND x = 2";
        let quote = '"';
        let raw = r#"DELETE FROM t WHERE q = '"'"#;
        let joined = concat!("SELECT ", columns!(), " FROM t");
        let formed = format!("SELECT {COLUMNS} FROM t");
        let prose = "UPDATE me soon";
        let opaque = format!("SELECT 1 FROM {table}");
    "####;
    let mut found = statements(source);
    found.sort();
    assert_eq!(
        found,
        [
            "DELETE FROM t WHERE q = '\"'",
            "SELECT 1 FROM t WHERE q = '\"' AND x = 2",
            "SELECT a, b FROM t",
            "SELECT id, name FROM t"
        ]
    );
}

/// What `find` finds in the sources of all crates, with the file's name.
fn in_all_crates(find: impl Fn(&str) -> Vec<String>) -> Vec<(String, String)> {
    let mut files = Vec::new();
    rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &mut files);
    files.retain(|path| path.components().any(|it| it.as_os_str() == "src"));
    let mut all: Vec<(String, String)> = Vec::new();
    for file in &files {
        let source = std::fs::read_to_string(file).expect("a source file is readable");
        let name = file.to_string_lossy().rsplit_once("/../").map_or(String::new(), |it| it.1.to_owned());
        all.extend(find(&source).into_iter().map(|sql| (name.clone(), sql)));
    }
    all
}

/// The tables whose rows belong to a workspace. Those about people have the workspace as a fact and not as their owner.
fn tenants_tables() -> HashSet<String> {
    let schema = include_str!("../../../../migrations/schema.sql");
    let tables = schema.split("CREATE TABLE ").skip(1).filter_map(|table| {
        let (name, columns) = table.split_once('(')?;
        let columns = columns.split(");").next()?;
        columns.contains("workspace_id BLOB NOT NULL").then(|| name.trim().trim_matches('"').to_owned())
    });
    let about_people = ["sessions", "setup_state"];
    tables.filter(|name| !about_people.contains(&name.as_str())).collect()
}

/// Statements on rows of tenants that name no workspace, and why they may.
const OF_ALL_WORKSPACES: &[(&str, &str)] = &[
    // A secret finds its row, and the row says whose it is.
    ("FROM invitations WHERE token_hash = $1", "the token"),
    ("FROM api_keys WHERE prefix = $1", "the key"),
    // One bot is connected once in the whole installation.
    ("SELECT id FROM bots WHERE api = $1 AND telegram_id = $2", "only whether there is one is told"),
    ("FROM bots WHERE removed_at IS NULL ORDER BY id", "the supervisor works for every bot"),
    // The server's own work, which no principal asks for.
    (" jobs ", "the runner works for all; a job carries its workspace"),
    ("SELECT workspace_id, event_seq FROM counters", "the heads of all logs"),
    (
        "FROM deliveries WHERE owner_id = $1 AND state IN ('queued', 'retrying')",
        "the sender of one bot, which is one tenant's",
    ),
    ("FROM deliveries WHERE state IN ('queued', 'retrying') GROUP BY class", "a metric"),
    ("FROM files ", "the clean-up works for all; a file's row says whose it is, and the reader is compared with it"),
    ("UPDATE files ", "as above"),
    ("FROM file_uses ", "as above"),
    ("FROM deliveries WHERE state IN ('queued', 'sending', 'retrying') GROUP BY state", "the test kit"),
    ("FROM telegram_updates WHERE received_at < $1", "old numbers are forgotten"),
    ("DELETE FROM telegram_updates WHERE bot_id = $1 AND update_id = $2", "old numbers are forgotten"),
];

fn names_its_workspace(sql: &str, tables: &HashSet<String>) -> bool {
    let words: Vec<&str> = sql.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '{').collect();
    let concerned = words.iter().any(|word| tables.contains(*word) || word.starts_with('{'));
    // In the columns of a SELECT it is only shown.
    let condition = if sql.starts_with("SELECT") { sql.split_once(" FROM ").map_or(sql, |it| it.1) } else { sql };
    let condition = if sql.starts_with("SELECT {") { sql } else { condition };
    !concerned || condition.contains("workspace_id") || OF_ALL_WORKSPACES.iter().any(|(part, _)| sql.contains(part))
}

#[test]
fn no_statement_reaches_rows_of_a_workspace_without_naming_it() {
    let tables = tenants_tables();
    assert!(tables.contains("messages") && tables.contains("events") && !tables.contains("users"), "{tables:?}");
    let good = |sql: &str| names_its_workspace(sql, &tables);
    assert!(
        good("SELECT id FROM chats WHERE id = $1 AND workspace_id = $2") && good("SELECT id FROM users WHERE id = $1")
    );
    assert!(!good("SELECT id, workspace_id FROM chats WHERE id = $1") && !good("DELETE FROM chats WHERE id = $1"));
    assert!(!good("SELECT {COLUMNS} WHERE id = $1"), "what stands in braces may be such a table");
    let all = in_all_crates(written);
    let of_features = all.iter().filter(|(file, _)| !MOVES_WHOLE_DATABASES.contains(&file.as_str()));
    let wrong: Vec<String> = of_features
        .map(|(file, sql)| (file, sql.split_whitespace().collect::<Vec<_>>().join(" ")))
        .filter(|(_, sql)| !names_its_workspace(sql, &tables))
        .map(|(file, sql)| format!("{file}: {sql}"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    for (part, why) in OF_ALL_WORKSPACES {
        let used = all.iter().any(|(_, sql)| format!("{sql} ").contains(part));
        assert!(used, "nothing is allowed by {part:?} ({why}) any more");
    }
}

/// What the two databases understand differently, or what would bring a clock of its own.
#[test]
fn no_statement_uses_what_the_databases_do_differently() {
    let banned = ["NOW()", "CURRENT_TIMESTAMP", "LIKE", "ILIKE", "RANDOM()", "AUTOINCREMENT", "GLOB"];
    for (file, sql) in in_all_crates(written) {
        let words: Vec<&str> = sql.split(|c: char| c.is_whitespace() || c == ',').collect();
        let found = banned.iter().find(|banned| words.iter().any(|word| word.eq_ignore_ascii_case(banned)));
        assert!(found.is_none(), "{file}: {found:?} in {sql}");
    }
}

/// Backup, restore and moving copy every row of every table.
const MOVES_WHOLE_DATABASES: &[&str] = &["store/src/copy.rs", "store/src/backup.rs"];

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_of_every_crate_prepares_on_every_database() {
    let all = in_all_crates(statements);
    let crates: HashSet<&str> = all.iter().filter_map(|(file, _)| file.split('/').next()).collect();
    println!("{} statements in {crates:?}", all.len());
    assert!(all.len() >= 60 && crates.contains("store"), "only {} statements were found in {crates:?}", all.len());
    on_each(async |place| {
        let driver = place.db.driver();
        let statements: Vec<(String, String)> = all.iter().filter(|(_, sql)| is_for(driver, sql)).cloned().collect();
        let wrong = place
            .write(place.workspace(), move |tx| {
                let mut wrong = Vec::new();
                for (file, sql) in &statements {
                    if let Err(error) = tx.attempt(|tx| tx.prepare(sql))? {
                        wrong.push(format!("{file}: {error}\n    {sql}"));
                    }
                }
                Ok(wrong)
            })
            .await;
        assert!(wrong.is_empty(), "{driver:?} refuses:\n{}", wrong.join("\n"));
    })
    .await;
}
