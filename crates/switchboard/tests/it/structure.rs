//! The shape of the repository: who depends on whom, how long things are, what must not be written.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use toml::Table;

/// Builds on `kit` without being a feature.
const NO_FEATURES: &[&str] = &["switchboard", "testkit"];
const LONGEST_FILE: usize = 500;
const LONGEST_FUNCTION: usize = 80;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

fn manifest(folder: &Path) -> Table {
    let path = folder.join("Cargo.toml");
    fs::read_to_string(&path).ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{}", path.display()))
}

/// Every crate with the names of one kind of its dependencies.
pub(crate) fn crates(kind: &str) -> BTreeMap<String, BTreeSet<String>> {
    let folders = fs::read_dir(root().join("crates")).expect("crates/").map(|it| it.expect("an entry").path());
    let named = |folder: PathBuf| {
        let table = manifest(&folder);
        let names = table.get(kind).and_then(toml::Value::as_table).map(|it| it.keys().cloned().collect());
        let name = folder.file_name().expect("a folder has a name").to_string_lossy().into_owned();
        (name, names.unwrap_or_default())
    };
    folders.map(named).collect()
}

fn users_of(dependency: &str) -> Vec<String> {
    let uses = |it: &(String, BTreeSet<String>)| it.1.contains(dependency);
    crates("dependencies").into_iter().filter(uses).map(|(name, _)| name).collect()
}

/// One slice each. They meet in the log, in `chats` or in a trait of `kit`, never in each other.
#[test]
fn a_feature_never_depends_on_a_feature() {
    let all = crates("dependencies");
    let builds_on_kit = |name: &&String| all[*name].contains("kit") && !NO_FEATURES.contains(&name.as_str());
    let features: BTreeSet<_> = all.keys().filter(builds_on_kit).collect();
    assert!(features.len() > 2, "the scan finds the features: {features:?}");
    for feature in &features {
        let others: Vec<_> = all[*feature].iter().filter(|it| features.contains(it)).collect();
        assert!(others.is_empty(), "{feature} depends on {others:?}");
    }
}

#[test]
fn dependencies_point_one_way() {
    let all = crates("dependencies");
    let below: &[(&str, &[&str])] = &[
        ("model", &[]),
        ("store", &["model"]),
        ("net", &["model"]),
        ("kit", &["model", "store", "net"]),
        ("chats", &["model", "store", "kit"]),
        ("sandbox", &[]),
        ("web", &[]),
    ];
    for (name, allowed) in below {
        let ours: Vec<_> = all[*name].iter().filter(|it| all.contains_key(*it)).collect();
        let wrong: Vec<_> = ours.iter().filter(|it| !allowed.contains(&it.as_str())).collect();
        assert!(wrong.is_empty(), "{name} depends on {wrong:?}");
    }
}

#[test]
fn only_the_store_opens_databases_and_only_net_makes_outgoing_requests() {
    assert_eq!(users_of("rusqlite"), ["store"]);
    assert_eq!(users_of("tokio-postgres"), ["store", "testkit"]);
    assert_eq!(users_of("reqwest"), ["net"]);
}

#[test]
fn test_code_is_no_dependency_of_the_product() {
    assert_eq!(users_of("testkit"), Vec::<String>::new());
    assert_eq!(users_of("bench"), Vec::<String>::new());
}

#[test]
fn every_crate_takes_its_versions_from_the_workspace() {
    for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
        for folder in fs::read_dir(root().join("crates")).expect("crates/") {
            let folder = folder.expect("an entry").path();
            let table = manifest(&folder);
            for (name, value) in table.get(kind).and_then(toml::Value::as_table).into_iter().flatten() {
                let shared = value.get("workspace").and_then(toml::Value::as_bool);
                assert_eq!(shared, Some(true), "{name} in {}", folder.display());
            }
        }
    }
}

fn sources(folder: &Path, extension: &str, into: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|it| it.expect("an entry").path()) {
        let name = path.file_name().expect("an entry has a name").to_string_lossy();
        if path.is_dir() {
            if !["target", "node_modules", "dist", "corpus"].contains(&&*name) && !name.starts_with('.') {
                sources(&path, extension, into);
            }
        } else if path.extension().is_some_and(|it| it == extension) && !name.ends_with(".d.ts") {
            into.push(path);
        }
    }
}

pub(crate) fn rust_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    sources(&root().join("crates"), "rs", &mut files);
    sources(&root().join("bench"), "rs", &mut files);
    assert!(files.len() > 50, "the scan finds the sources");
    files
}

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn short(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[test]
fn no_file_is_too_long() {
    let mut files = rust_files();
    sources(&root().join("web/src"), "ts", &mut files);
    sources(&root().join("web/src"), "svelte", &mut files);
    let length = |path: &PathBuf| (read(path).lines().count(), short(path));
    let long: Vec<_> = files.iter().map(length).filter(|(lines, _)| *lines > LONGEST_FILE).collect();
    assert!(long.is_empty(), "split these: {long:?}");
}

/// Whether a line begins a function; strings and comments that look like one are rare enough not to matter.
fn begins_function(line: &str) -> bool {
    let mut words = line.split_whitespace();
    words.by_ref().find(|word| {
        !(word.starts_with("pub") || ["async", "const", "unsafe", "extern", "(crate)", "(super)"].contains(word))
    }) == Some("fn")
}

/// Name and length of every function: formatted code closes a body with the indentation of its first line.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<_> = text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| begins_function(line)) {
        let close = |it: &str| it.trim() == "}" && indent(it) == indent(line);
        let length = lines[at..].iter().position(|it| close(it)).map_or(1, |length| length + 1);
        let ends_at_once = line.trim_end().ends_with(';') || line.trim_end().ends_with('}');
        found.push((line.trim().to_owned(), if ends_at_once { 1 } else { length }));
    }
    found
}

#[test]
fn no_function_is_too_long() {
    let mut long = Vec::new();
    for path in rust_files() {
        let functions = functions(&read(&path)).into_iter().filter(|(_, lines)| *lines > LONGEST_FUNCTION);
        long.extend(functions.map(|(name, lines)| format!("{}: {name}: {lines} lines", short(&path))));
    }
    assert!(long.is_empty(), "split these: {long:#?}");
}

#[test]
fn the_scan_for_functions_measures_what_it_should() {
    let text = "impl X {\n    pub(crate) async fn one(\n        a: u8,\n    ) {\n        a();\n    }\n}\nfn two() {}\n";
    let lengths: Vec<_> = functions(text).into_iter().map(|(_, lines)| lines).collect();
    assert_eq!(lengths, [5, 1]);
}

/// The part of a source file before its unit tests.
fn product_part(text: &str) -> &str {
    text.split_once("\n#[cfg(test)]\nmod tests").map_or(text, |(product, _)| product)
}

#[test]
fn the_product_has_nothing_unfinished_and_does_not_unwrap() {
    // Put together here, so that this file does not find itself.
    let forbidden =
        [["TO", "DO"], ["FIX", "ME"], ["todo", "!("], ["unimplemented", "!("], [".unwrap", "()"], ["dbg", "!("]];
    let mut found = Vec::new();
    for path in rust_files().iter().filter(|path| !path.components().any(|it| it.as_os_str() == "tests")) {
        let text = read(path);
        for (number, line) in product_part(&text).lines().enumerate() {
            let hit = forbidden.iter().map(|halves| halves.concat()).find(|word| line.contains(word.as_str()));
            found.extend(hit.map(|word| format!("{}:{}: {word}", short(path), number + 1)));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
