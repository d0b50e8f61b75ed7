//! The description of the API in `docs/`, from which the web client is generated.

use std::{env, fs, path::PathBuf};

use bench::product::Launch;

use crate::place::{Place, binary};

fn committed() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json"))
}

#[tokio::test]
async fn the_committed_description_is_the_one_that_the_binary_prints() {
    let place = Place::new();
    let printed = Launch::new(binary(), place.folder(), &["openapi"]).run().await;
    assert!(printed.status.success(), "{}", printed.output);
    let printed = printed.output + "\n";
    if env::var_os("UPDATE_OPENAPI").is_some() {
        fs::write(committed(), printed).expect("docs can be written");
        return;
    }
    let committed = fs::read_to_string(committed()).expect("docs/openapi.json; UPDATE_OPENAPI=1 writes it");
    assert!(
        committed == printed,
        "docs/openapi.json is not what the code says; run UPDATE_OPENAPI=1 cargo test -p switchboard openapi"
    );
}

#[tokio::test]
async fn the_server_shows_the_same_description() {
    let place = Place::new();
    let product = place.serve().start().await;
    let served = product.client().get("/api/v1/openapi.json").await.expect(200);
    let printed = Launch::new(binary(), place.folder(), &["openapi"]).run().await;
    let printed: serde_json::Value = serde_json::from_str(&printed.output).expect("JSON");
    assert_eq!(served, printed);
    let page = product.client().get("/api/v1/docs").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"));
}
