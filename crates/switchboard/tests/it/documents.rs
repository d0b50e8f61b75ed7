//! The documents name things that exist.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::Value;
use toml::Table;

use crate::structure::{crates, read, root, rust_files};

fn document(name: &str) -> String {
    read(&root().join("docs").join(name))
}

/// What stands between backticks.
fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn sources() -> String {
    rust_files().iter().map(|path| read(path)).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_test_that_the_architecture_names_exists() {
    let sources = sources();
    // A sentence with three underscores or more is the name of a test; nothing else in that document looks like one.
    let is_test = |name: &String| name.matches('_').count() > 2 && !name.contains(['.', '<', ' ']);
    let named: Vec<_> = quoted(&document("architecture.md")).into_iter().filter(is_test).collect();
    assert!(named.len() > 80, "the document names tests: {}", named.len());
    let missing: Vec<_> = named.iter().filter(|name| !sources.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}

/// `kit::it live::some_test` as the crate and the name; nothing for what names no test.
fn test_of(quoted: &str) -> Option<(&str, &str)> {
    let (place, path) = quoted.split_once(' ')?;
    let name = place.strip_suffix("::it").or(place.strip_suffix("::unit"))?;
    Some((name, path.rsplit("::").next()?)).filter(|(name, _)| *name != "crate")
}

#[test]
fn every_test_that_the_list_of_rules_names_exists() {
    let quoted = quoted(&document("invariants.md"));
    let named: Vec<_> = quoted.iter().filter_map(|it| test_of(it)).collect();
    assert!(named.len() > 100, "the document names tests: {}", named.len());
    let files: Vec<_> = rust_files().into_iter().map(|path| (read(&path), path)).collect();
    let exists = |of: &str, name: &str| {
        let definition = format!("fn {name}(");
        let is_of = |path: &PathBuf| path.components().any(|it| it.as_os_str() == of);
        files.iter().any(|(text, path)| is_of(path) && text.contains(&definition))
    };
    let missing: Vec<_> = named.iter().filter(|(of, name)| !exists(of, name)).collect();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}

/// The codes that stand as literals in calls of `Problem`'s constructors, in the crates that the binary is made of.
fn codes() -> BTreeSet<String> {
    let parts = &crates("dependencies")["switchboard"];
    let is_part = |path: &&PathBuf| path.components().any(|it| parts.contains(&*it.as_os_str().to_string_lossy()));
    let sources = rust_files().iter().filter(is_part).map(|path| read(path)).collect::<Vec<_>>().join("\n");
    let mut found = BTreeSet::new();
    for constructor in ["Problem::new(", "Problem::invalid(", "Problem::conflict(", "Problem::unavailable("] {
        for (at, _) in sources.match_indices(constructor) {
            let rest = &sources[at + constructor.len()..];
            let call: String = rest.chars().take(120).collect();
            let literal = call.split('"').nth(1).unwrap_or_default();
            let before = call.split('"').next().unwrap_or_default();
            // A code that is a variable has its literal elsewhere; the document's own list is checked by hand there.
            let direct = !before.contains([')', ';', '{']) && !literal.is_empty();
            if direct && literal.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
                found.insert(literal.to_owned());
            }
        }
    }
    found
}

#[test]
fn every_error_code_is_in_the_description_of_the_api() {
    let codes = codes();
    assert!(codes.len() > 30, "the scan finds the codes: {codes:?}");
    let named = quoted(&document("api.md"));
    let missing: Vec<_> = codes.iter().filter(|code| !named.contains(*code)).collect();
    assert!(missing.is_empty(), "docs/api.md does not name {missing:?}");
}

#[test]
fn every_dependency_has_its_line_and_a_user() {
    let workspace: Table = read(&root().join("Cargo.toml")).parse().expect("TOML");
    let all = workspace["workspace"]["dependencies"].as_table().expect("a table");
    let ours = |value: &toml::Value| value.get("path").is_some();
    let named = quoted(&document("dependencies.md"));
    let manifests = fs::read_dir(root().join("crates")).expect("crates/").map(|it| it.expect("an entry").path());
    let manifests = manifests.chain([root().join("bench")]).map(|folder| read(&folder.join("Cargo.toml")));
    let manifests = manifests.collect::<Vec<_>>().join("\n");
    for (name, _) in all.iter().filter(|(_, value)| !ours(value)) {
        assert!(named.contains(name), "docs/dependencies.md says nothing about {name}");
        let used = ["\n{}.workspace", "\n{} = {"].iter().any(|form| manifests.contains(&form.replace("{}", name)));
        assert!(used, "nobody uses {name}");
    }
    let web: Value = serde_json::from_str(&read(&root().join("web/package.json"))).expect("JSON");
    for kind in ["dependencies", "devDependencies"] {
        for name in web[kind].as_object().expect("an object").keys() {
            assert!(named.contains(name), "docs/dependencies.md says nothing about {name}");
        }
    }
}

#[test]
fn every_kind_of_event_in_the_document_is_written_somewhere() {
    let sources = sources();
    let kinds = document("events.md");
    let kinds = quoted(&kinds)
        .into_iter()
        .filter(|it| it.split_once('.').is_some_and(|(noun, verb)| is_word(noun) && is_word(verb)));
    let rights = [
        "conversations.read",
        "deliveries.read",
        "bots.read",
        "members.read",
        "members.manage",
        "keys.manage",
        "system.read",
    ];
    let missing: Vec<_> = kinds
        .filter(|kind| !rights.contains(&kind.as_str()) && !sources.contains(&format!("\"{kind}\"")))
        .filter(|kind| !["retention.log_days", "conversation.inbound_total", "actor.kind"].contains(&kind.as_str()))
        .collect();
    assert!(missing.is_empty(), "no such events: {missing:?}");
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut files: Vec<_> =
        fs::read_dir(root().join("docs")).expect("docs/").map(|it| it.expect("an entry").path()).collect();
    files.push(root().join("README.md"));
    for file in files.iter().filter(|path| path.extension().is_some_and(|it| it == "md")) {
        let text = read(file);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            let local = !path.is_empty() && !path.contains("://");
            let there = file.parent().expect("a file is in a folder").join(path).exists();
            assert!(!local || there, "{} links to {target}", file.display());
        }
    }
}
