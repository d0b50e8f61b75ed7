use std::net::{IpAddr, Ipv4Addr};

use kit::audit::{self, Act};
use model::{AuditId, Role};
use serde_json::json;
use store::args;
use testkit::TestHub;

use crate::fixture::{ACME, acme, member, notes, tokens};

async fn record(hub: &TestHub, count: usize) -> Vec<AuditId> {
    let by = member(ACME, 1, Role::Owner);
    let recorded = hub.db().write(acme(), move |tx| {
        let act = |number: usize| {
            Act::by(&by, "member.role_changed")
                .on("member", format!("m{number}"), "Bob")
                .from(IpAddr::V4(Ipv4Addr::LOCALHOST))
                .detail(json!({ "number": number }))
        };
        (0..count).map(|number| act(number).record(tx)).collect::<Result<Vec<_>, store::Error>>()
    });
    recorded.await.expect("committed")
}

async fn verify(hub: &TestHub) -> Option<AuditId> {
    hub.db().read(|tx| audit::verify(tx, acme())).await.expect("read")
}

#[tokio::test]
async fn acts_are_listed_newest_first_page_by_page_to_who_may_read_them() {
    let hub = notes(&tokens()).start().await;
    record(&hub, 5).await;
    let owner = hub.with_token("owner");
    let first = owner.get("/api/v1/audit?limit=3").await.expect(200);
    let number = |item: &serde_json::Value| item["detail"]["number"].as_i64().expect("a number");
    assert_eq!(first.items().iter().map(number).collect::<Vec<_>>(), [4, 3, 2]);
    let entry = &first.items()[0];
    assert_eq!(entry["actor"]["name"], "owner 1");
    assert_eq!(entry["target"], json!({ "kind": "member", "id": "m4", "name": "Bob" }));
    assert_eq!(entry["address"], "127.0.0.1");
    let rest = owner.get(&format!("/api/v1/audit?limit=3&cursor={}", first.str("/next_cursor"))).await.expect(200);
    assert_eq!(rest.items().iter().map(number).collect::<Vec<_>>(), [1, 0]);
    hub.with_token("operator").get("/api/v1/audit").await.expect_problem(403, "forbidden");
    assert_eq!(hub.with_token("foreign").get("/api/v1/audit").await.expect(200).items().len(), 0);
    hub.finish().await;
}

#[tokio::test]
async fn erasing_keeps_the_chain_and_changing_breaks_it() {
    let hub = notes(&tokens()).start().await;
    let ids = record(&hub, 4).await;
    assert_eq!(verify(&hub).await, None);
    let erased = ids[1];
    hub.db().write(acme(), move |tx| audit::erase(tx, erased)).await.expect("erased");
    assert_eq!(verify(&hub).await, None);
    let list = hub.with_token("owner").get("/api/v1/audit").await.expect(200);
    assert!(!list.items()[2].to_string().contains("Bob"), "{}", list.items()[2]);
    assert_eq!(list.items()[2]["action"], "member.role_changed");
    let changed = ids[2];
    let change = hub.db().write(acme(), move |tx| {
        tx.exec("UPDATE audit_log SET actor_name = 'somebody else' WHERE id = $1", args![changed])
    });
    change.await.map_err(|error: store::Error| error).expect("changed");
    assert_eq!(verify(&hub).await, Some(changed));
    hub.finish().await;
}

#[tokio::test]
async fn a_removed_act_is_missed() {
    let hub = notes(&tokens()).start().await;
    let ids = record(&hub, 3).await;
    let removed = ids[1];
    let remove = hub.db().write(acme(), move |tx| tx.exec("DELETE FROM audit_log WHERE id = $1", args![removed]));
    remove.await.map_err(|error: store::Error| error).expect("removed");
    assert_eq!(verify(&hub).await, Some(ids[2]));
    hub.finish().await;
}

#[tokio::test]
async fn acts_stay_in_order_when_the_clock_goes_back() {
    let hub = notes(&tokens()).start().await;
    let mut ids = record(&hub, 1).await;
    hub.clock().jump(-3600);
    let hub = hub.restart().await;
    ids.extend(record(&hub, 2).await);
    assert!(ids.is_sorted());
    assert_eq!(verify(&hub).await, None);
    hub.finish().await;
}
