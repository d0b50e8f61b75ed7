use kit::{KeyRing, Paging, cursor::Cursors};
use model::{WorkspaceId, World};
use proptest::prelude::*;
use testkit::{ManualClock, SeededEntropy};

use crate::fixture::{append_many, id, notes, tokens};

fn world(seed: u64) -> World {
    World::new(std::sync::Arc::new(ManualClock::default()), std::sync::Arc::new(SeededEntropy::new(seed)))
}

#[tokio::test]
async fn pages_put_together_are_the_list_whatever_their_size() {
    let hub = notes(&tokens()).start().await;
    append_many(&hub, 47).await;
    let owner = hub.with_token("owner");
    for limit in [1, 7, 46, 47, 48, 200] {
        let (mut texts, mut url) = (Vec::new(), format!("/api/v1/notes?limit={limit}"));
        loop {
            let page = owner.get(&url).await.expect(200);
            assert!(page.items().len() <= limit);
            texts.extend(page.items().iter().map(|note| note["text"].as_str().expect("a text").to_owned()));
            let Some(next) = page.json["next_cursor"].as_str() else { break };
            assert_eq!(page.items().len(), limit, "only the last page is short");
            url = format!("/api/v1/notes?limit={limit}&cursor={next}");
        }
        assert_eq!(texts, (0..47).map(|n| format!("note {n}")).collect::<Vec<_>>(), "limit {limit}");
    }
    hub.finish().await;
}

#[tokio::test]
async fn a_cursor_is_good_only_in_its_own_list_and_workspace() {
    let hub = notes(&tokens()).start().await;
    append_many(&hub, 3).await;
    let page = hub.with_token("owner").get("/api/v1/notes?limit=1").await.expect(200);
    let cursor = page.str("/next_cursor");
    hub.with_token("operator").get(&format!("/api/v1/notes?cursor={cursor}")).await.expect(200);
    hub.with_token("owner").get(&format!("/api/v1/audit?cursor={cursor}")).await.expect_problem(400, "cursor_invalid");
    hub.with_token("foreign")
        .get(&format!("/api/v1/notes?cursor={cursor}"))
        .await
        .expect_problem(400, "cursor_invalid");
    let live = page.str("/live_cursor");
    hub.with_token("owner").get(&format!("/api/v1/notes?cursor={live}")).await.expect_problem(400, "cursor_invalid");
    hub.finish().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_live_cursor_survives_its_text_and_no_other_text_is_one(
        seq in 0..i64::MAX, flip in 0usize..32, bit in 0u8..6, garbage in "[A-Za-z0-9_-]{0,64}",
    ) {
        let (here, there): (WorkspaceId, WorkspaceId) = (id(1), id(2));
        let cursors = Cursors::new(KeyRing::random(world(1)), [7; 16]);
        let text = cursors.make(here, seq);
        prop_assert_eq!(cursors.read(here, &text), Some(seq));
        prop_assert_eq!(cursors.read(there, &text), None);
        prop_assert_eq!(cursors.read(here, &garbage), None);
        let other_epoch = Cursors::new(KeyRing::random(world(1)), [8; 16]);
        prop_assert_eq!(other_epoch.read(here, &text), None);
        let other_key = Cursors::new(KeyRing::random(world(2)), [7; 16]);
        prop_assert_eq!(other_key.read(here, &text), None);
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut bytes = text.into_bytes();
        let at = flip % bytes.len();
        let value = ALPHABET.iter().position(|letter| *letter == bytes[at]).expect("base64url");
        bytes[at] = ALPHABET[value ^ (1 << bit)];
        let forged = String::from_utf8(bytes).expect("ASCII");
        prop_assert_eq!(cursors.read(here, &forged), None);
    }

    #[test]
    fn paging_any_list_by_any_limit_gives_each_item_once(
        items in prop::collection::btree_set((0i64..50, any::<u128>()), 0..120), limit in 1i64..=200,
    ) {
        let list = page_list();
        let items: Vec<_> = items.into_iter().collect();
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let paging = Paging { limit, cursor };
            let after: Option<(i64, String)> = paging.after(&list).expect("our own cursor");
            let after = after.map(|(at, id)| (at, id.parse::<u128>().expect("a number")));
            let rows = items.iter().filter(|item| after.is_none_or(|after| **item > after));
            let rows: Vec<_> = rows.take(usize::try_from(paging.fetch()).expect("small")).copied().collect();
            let page = paging.page(&list, rows, |(at, id)| (*at, id.to_string()), 0);
            seen.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        prop_assert_eq!(seen, items);
    }
}

fn page_list() -> kit::page::List {
    kit::page::List::new(KeyRing::random(world(1)), Cursors::new(KeyRing::random(world(1)), [7; 16]), id(1), "items")
}
