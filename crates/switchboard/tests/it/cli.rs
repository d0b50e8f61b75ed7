//! The command line: what it prints, what it refuses, and that a backup becomes a server again.

use std::{fs, sync::Arc};

use bench::{
    http::Client,
    product::{Launch, SETUP_CODE},
    scene::{self, PASSWORD},
};
use model::{SYSTEM_WORKSPACE, World};
use serde_json::json;
use store::{Db, DbConfig};
use testkit::{ManualClock, SeededEntropy};

use crate::place::{Place, binary};

#[tokio::test]
async fn a_plain_run_prints_its_address_and_a_setup_link_and_serves_a_page() {
    let place = Place::new();
    let launch = Launch::new(binary(), place.folder(), &[]).database(place.database().as_deref());
    let product = launch.set("listen", "127.0.0.1:0").start().await;
    let link = product.line("setup: ").await;
    let (page, code) = link.split_once('#').expect("the code is a fragment");
    assert_eq!(page, format!("{}/setup", product.url));
    assert!(code.len() >= 22, "128 bits take 22 characters");
    let shown = product.client().get("/setup").await;
    assert_eq!(shown.status, 200);
    assert!(shown.header("content-type").starts_with("text/html"));
    assert_eq!(product.client().get("/api/v1/setup").await.expect(200), json!({ "needed": true, "sandbox": true }));

    let body = json!({ "code": code, "workspace": "W", "name": "N", "email": "n@w.test", "password": PASSWORD });
    let _ = product.client().post("/api/v1/setup", &body).await.expect(201);
    assert!(place.folder().join("data").is_dir(), "everything is kept in ./data");
    let ended = product.stop().await;
    assert!(ended.status.success(), "{}", ended.output);
    assert_eq!(ended.output.matches(code).count(), 1, "the code is printed once and not logged");
}

#[tokio::test]
async fn a_sandbox_that_is_chosen_at_setup_starts_then_and_again_with_the_server() {
    let place = Place::new();
    let launch = Launch::new(binary(), place.folder(), &[]).database(place.database().as_deref());
    let launch = launch.set("listen", "127.0.0.1:0").set("sandbox.listen", "127.0.0.1:0");
    let product = launch.start().await;
    let link = product.line("setup: ").await;
    let code = link.split_once('#').expect("the code is a fragment").1;
    let body = json!({ "code": code, "workspace": "W", "name": "N", "email": "n@w.test", "password": PASSWORD, "sandbox": true });
    let signed_in = product.client().post("/api/v1/setup", &body).await.expect(201);
    let client = product.client().with(signed_in["access_token"].as_str().expect("a token"));
    let bots = client.get("/api/v1/bots").await.expect(200);
    let page = bots["items"][0]["play_url"].as_str().expect("a page on which one plays the customer");
    assert!(page.starts_with(&product.line("sandbox on ").await), "{page}");
    assert!(product.stop().await.status.success());

    let again = launch.start().await;
    assert!(again.line("sandbox on ").await.starts_with("http://127.0.0.1:"));
    assert!(again.stop().await.status.success());
}

#[tokio::test]
async fn a_server_that_others_reach_offers_no_sandbox() {
    let place = Place::new();
    let launch = Launch::new(binary(), place.folder(), &[]).database(place.database().as_deref());
    let product = launch.set("listen", "127.0.0.1:0").set("public_url", "https://desk.example.test").start().await;
    assert_eq!(product.client().get("/api/v1/setup").await.expect(200), json!({ "needed": true, "sandbox": false }));
    assert!(product.stop().await.status.success());
}

#[tokio::test]
async fn the_configuration_can_be_printed_checked_and_shown_without_secrets() {
    let place = Place::new();
    let default = place.command(&["config", "default"]).await;
    assert!(default.output.contains("disk_reserve_mb = 512"));
    fs::write(place.folder().join("switchboard.toml"), &default.output).expect("a file");
    assert!(place.command(&["config", "check"]).await.status.success(), "the defaults are a valid file");

    fs::write(place.folder().join("switchboard.toml"), "[limits]\nper_usr = 3\n").expect("a file");
    let wrong = place.command(&["config", "check"]).await;
    assert!(!wrong.status.success());
    assert!(wrong.output.contains("limits.per_usr"), "{}", wrong.output);

    fs::write(place.folder().join("switchboard.toml"), "setup_code = \"hunter2hunter2hunter2\"\n").expect("a file");
    let shown = place.command(&["config", "show"]).await;
    assert!(shown.status.success());
    assert!(shown.output.contains("disk_reserve_mb"));
    assert!(!shown.output.contains("hunter2"), "a secret is not shown");
}

#[tokio::test]
async fn doctor_says_what_is_well_and_what_is_not() {
    let place = Place::new();
    let here = ["--set", "telegram.api_url=http://127.0.0.1:9", "--set", "listen=127.0.0.1:0"];
    let well = place.command(&[&["doctor"][..], &here[..]].concat()).await;
    assert!(well.status.success(), "{}", well.output);
    assert!(well.output.contains("ok       database opens"), "{}", well.output);
    assert!(well.output.contains("warning  http://127.0.0.1:9 does not answer"), "{}", well.output);

    let full = ["--set", "store.disk_reserve_mb=999999999"];
    let ill = place.command(&[&["doctor"][..], &here[..], &full[..]].concat()).await;
    assert!(!ill.status.success());
    assert!(ill.output.contains("problem"), "{}", ill.output);
}

#[tokio::test]
async fn a_backup_of_a_running_server_becomes_a_server_again() {
    let place = Place::new();
    let shop = place.shop().await;
    let (_, conversation) = shop.customer("Ann Lee", "Is the shop open?").await;
    let _ = scene::reply(&shop.owner, &conversation, "k", "It is").await.expect("an answer").expect(201);
    let before = scene::history(&shop.owner, &conversation).await;
    let cursor = shop.owner.get("/api/v1/conversations/counts").await.expect(200)["live_cursor"].clone();

    let backup = place.command(&["backup", "kept.backup"]).await;
    assert!(backup.status.success(), "{}", backup.output);
    assert!(shop.product.stop().await.status.success());

    let other = Place::new();
    fs::create_dir(other.folder().join("data")).expect("a folder");
    fs::copy(place.folder().join("kept.backup"), other.folder().join("kept.backup")).expect("the backup");
    let without_key = other.command(&["restore", "kept.backup"]).await;
    assert!(!without_key.status.success(), "the key is not in the backup");
    fs::copy(place.folder().join("data/switchboard.key"), other.folder().join("data/switchboard.key"))
        .expect("the key");
    let restored = other.command(&["restore", "kept.backup"]).await;
    assert!(restored.status.success(), "{}", restored.output);
    let again = other.command(&["restore", "kept.backup"]).await;
    assert!(!again.status.success(), "only an empty installation is filled");

    let product = other.serve().start().await;
    let login = json!({ "email": "owner@shop.test", "password": PASSWORD });
    let signed_in = product.client().post("/api/v1/auth/login", &login).await.expect(200);
    let owner = product.client().with(signed_in["access_token"].as_str().expect("a token"));
    let after = scene::history(&owner, &conversation).await;
    let texts = |all: &[serde_json::Value]| all.iter().map(|it| it["text"].clone()).collect::<Vec<_>>();
    assert_eq!(texts(&after), texts(&before));
    let cursor = cursor.as_str().expect("a cursor");
    let page = owner.get(&format!("/api/v1/events?cursor={cursor}")).await.expect(200);
    assert_eq!(page["reset"], true, "cursors of the former installation start afresh");
}

#[tokio::test]
async fn a_backup_is_not_restored_with_another_installations_key() {
    let place = Place::new();
    let product = place.serve().start().await;
    scene::set_up(&product).await;
    assert!(place.command(&["backup", "kept.backup"]).await.status.success());
    drop(product);

    let other = Place::new();
    drop(other.serve().start().await);
    let key = fs::read(other.folder().join("data/switchboard.key")).expect("a key");
    let third = Place::new();
    fs::create_dir(third.folder().join("data")).expect("a folder");
    fs::write(third.folder().join("data/switchboard.key"), key).expect("a file");
    set_private(&third.folder().join("data/switchboard.key"));
    fs::copy(place.folder().join("kept.backup"), third.folder().join("kept.backup")).expect("the backup");
    let refused = third.command(&["restore", "kept.backup"]).await;
    assert!(!refused.status.success());
    assert!(refused.output.contains("key"), "{}", refused.output);
    let product = third.serve().start().await;
    assert_eq!(product.client().get("/api/v1/setup").await.expect(200)["needed"], true, "nothing was written");
}

fn set_private(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("permissions");
}

#[tokio::test]
async fn two_servers_on_one_data_folder_are_refused() {
    let place = Place::new();
    // PostgreSQL is made for several processes; the embedded database is not.
    let launch = Launch::serve(binary(), place.folder());
    let first = launch.start().await;
    let second = launch.run().await;
    assert!(!second.status.success());
    assert!(second.output.contains("in use by another process"), "{}", second.output);
    assert_eq!(first.client().get("/ready").await.status, 200, "the first one goes on");
}

#[tokio::test]
async fn data_of_a_newer_version_is_refused_and_stays_as_it_is() {
    let place = Place::new();
    drop(place.serve().start().await);
    let config = match place.database() {
        Some(url) => DbConfig::postgres(place.folder().join("data"), url),
        None => DbConfig::sqlite(place.folder().join("data")),
    };
    let world = World::new(Arc::new(ManualClock::default()), Arc::new(SeededEntropy::new(1)));
    let db = Db::open(config, world).await.expect("the server has let it go");
    let sql = "INSERT INTO schema_migrations (version, name, applied_at) VALUES (9999, 'from the future', 0)";
    let written: Result<u64, store::Error> = db.write_essential(SYSTEM_WORKSPACE, move |tx| tx.exec(sql, &[])).await;
    assert_eq!(written, Ok(1));
    db.close().await;
    for command in [&["serve", "--set", "listen=127.0.0.1:0"][..], &["doctor"], &["backup", "file"]] {
        let refused = place.command(command).await;
        assert!(!refused.status.success(), "{command:?}");
        assert!(refused.output.contains("version 9999"), "{command:?}: {}", refused.output);
    }
}

#[tokio::test]
async fn a_folder_that_was_killed_on_is_free_again() {
    let place = Place::new();
    let launch = place.serve();
    launch.start().await.kill();
    assert_eq!(launch.start().await.client().get("/ready").await.status, 200);
}

#[tokio::test]
async fn a_rotated_key_keeps_what_the_old_one_sealed() {
    let place = Place::new();
    let shop = place.shop().await;
    let bots = shop.owner.get("/api/v1/bots").await.expect(200);
    let id = bots["items"][0]["id"].as_str().expect("an id").to_owned();
    assert!(shop.product.stop().await.status.success());
    let rotated = place.command(&["keys", "rotate"]).await;
    assert!(rotated.status.success(), "{}", rotated.output);

    let product = place.serve().argument("--sandbox").start().await;
    let login = json!({ "email": "owner@shop.test", "password": PASSWORD });
    let signed_in = product.client().post("/api/v1/auth/login", &login).await.expect(200);
    let owner = product.client().with(signed_in["access_token"].as_str().expect("a token"));
    // The sandbox has another address now, which a bot of the sandbox follows; its token is opened for the check.
    let checked = owner.post(&format!("/api/v1/bots/{id}/check"), &json!({})).await.expect(200);
    assert_eq!(checked["status"], "connected", "{checked}");
}

#[tokio::test]
async fn a_lost_password_is_reset_by_a_link_that_works_once() {
    let place = Place::new();
    let product = place.serve().start().await;
    let owner = scene::set_up(&product).await;
    assert!(product.stop().await.status.success());
    let unknown = place.command(&["user", "reset-password", "nobody@shop.test"]).await;
    assert!(!unknown.status.success());
    let link = place.command(&["user", "reset-password", "owner@shop.test"]).await;
    assert!(link.status.success(), "{}", link.output);
    let (_, token) = link.output.trim().split_once('#').expect("the token is a fragment");

    let product = place.serve().start().await;
    let old = Client::new(&product.url).with(owner.token());
    assert_eq!(old.get("/api/v1/me").await.status, 401, "all sessions are over");
    let reset = json!({ "token": token, "password": "another horse battery" });
    assert_eq!(product.client().post("/api/v1/auth/reset", &reset).await.status, 204);
    assert!(product.client().post("/api/v1/auth/reset", &reset).await.status.is_client_error(), "once");
    let login = |password: &str| json!({ "email": "owner@shop.test", "password": password });
    product.client().post("/api/v1/auth/login", &login(PASSWORD)).await.refused(401, "credentials_wrong");
    let _ = product.client().post("/api/v1/auth/login", &login("another horse battery")).await.expect(200);
}

#[tokio::test]
async fn a_wrong_setup_code_is_refused_and_a_short_one_is_not_taken() {
    let place = Place::new();
    let short = place.serve().variable("SWITCHBOARD_SETUP_CODE", "short").run().await;
    assert!(!short.status.success());
    assert!(short.output.contains("setup_code"), "{}", short.output);
    let product = place.serve().start().await;
    let body =
        |code: &str| json!({ "code": code, "workspace": "W", "name": "N", "email": "n@w.test", "password": PASSWORD });
    product.client().post("/api/v1/setup", &body("not-the-code-of-it")).await.refused(403, "setup_code_wrong");
    let (first, second) = {
        let (client, body) = (product.client(), body(SETUP_CODE));
        tokio::join!(client.post("/api/v1/setup", &body), client.post("/api/v1/setup", &body))
    };
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409], "one of two setups at the same time wins");
}

#[tokio::test]
async fn an_unusable_address_is_said_in_a_sentence() {
    let place = Place::new();
    let refused = place.serve().set("listen", "192.0.2.1:1").run().await;
    assert!(!refused.status.success());
    assert!(refused.output.contains("cannot listen on 192.0.2.1:1"), "{}", refused.output);
}
