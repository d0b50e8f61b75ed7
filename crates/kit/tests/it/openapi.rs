use std::collections::BTreeMap;

use serde_json::Value;

use crate::fixture::{notes, tokens};

/// `x-right` of each operation.
fn rights(api: &Value) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (path, item) in api["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let right = operation["x-right"].as_str().unwrap_or("MISSING").to_owned();
            found.insert(format!("{method} {path}"), right);
        }
    }
    found
}

#[tokio::test]
async fn the_description_says_which_right_each_operation_needs() {
    let hub = notes(&tokens()).start().await;
    let api = hub.stranger().get("/api/v1/openapi.json").await.expect(200).json;
    assert_eq!(api["openapi"], "3.1.0");
    let rights = rights(&api);
    let expected = [
        ("get /api/v1/audit", "audit.read"),
        ("get /api/v1/dead-letters", "system.read"),
        ("post /api/v1/dead-letters/{id}/replay", "system.read"),
        ("get /api/v1/events", "live.read"),
        ("get /api/v1/live", "public"),
        ("get /api/v1/me", "signed_in"),
        ("get /api/v1/notes", "conversations.read"),
        ("post /api/v1/notes", "conversations.reply"),
        ("get /api/v1/hello", "public"),
    ];
    for (operation, right) in expected {
        assert_eq!(rights.get(operation).map(String::as_str), Some(right), "{operation}");
    }
    assert!(rights.values().all(|right| right != "MISSING"), "{rights:?}");
    hub.finish().await;
}

#[tokio::test]
async fn the_description_has_what_holds_for_every_operation() {
    let hub = notes(&tokens()).start().await;
    let api = hub.stranger().get("/api/v1/openapi.json").await.expect(200).json;
    let write = &api["paths"]["/api/v1/notes"]["post"];
    assert_eq!(write["security"][0]["bearer"], serde_json::json!([]));
    assert!(api["paths"]["/api/v1/hello"]["get"]["security"].is_null());
    let parameters = write["parameters"].as_array().expect("parameters");
    assert!(parameters.iter().any(|it| it["name"] == "Idempotency-Key" && it["in"] == "header"));
    let problem = &write["responses"]["default"]["content"]["application/problem+json"]["schema"]["$ref"];
    assert_eq!(*problem, "#/components/schemas/Problem");
    assert_eq!(api["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    let schemas = api["components"]["schemas"].as_object().expect("schemas");
    let text = api.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().expect("a name");
        assert!(schemas.contains_key(name), "{name} is named and not described");
    }
    hub.finish().await;
}

#[tokio::test]
async fn the_reference_page_needs_nothing_from_elsewhere() {
    let hub = notes(&tokens()).start().await;
    let page = hub.stranger().get("/api/v1/docs").await.expect(200);
    assert!(page.header("content-type").starts_with("text/html"));
    let script = hub.stranger().get("/api/v1/docs.js").await.expect(200);
    for text in [&page.text, &script.text] {
        assert!(!text.contains("http://") && !text.contains("https://") && !text.contains("eval("));
    }
    assert!(!page.text.contains("<script>"), "the policy forbids inline scripts");
    hub.finish().await;
}
