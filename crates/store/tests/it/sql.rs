//! One SQL text on two databases: parameters and values.

use model::{Id, Timestamp, kind};
use store::{Column, Error, args};
use uuid::Uuid;

use crate::support::on_each;

#[tokio::test(flavor = "multi_thread")]
async fn parameters_may_come_out_of_order_and_again() {
    on_each(async |place| {
        place.table("CREATE TABLE pairs (a BIGINT NOT NULL PRIMARY KEY, b TEXT NOT NULL, c BIGINT)").await;
        place
            .write(place.workspace(), |tx| {
                tx.exec("INSERT INTO pairs (b, a, c) VALUES ($2, $1, $1)", args![7_i64, "seven $1"])?;
                tx.exec("INSERT INTO pairs (b, a, c) VALUES ($1, $3, $2)", args!["nine", 90_i64, 9_i64])
            })
            .await;
        let sql = "SELECT a, b FROM pairs WHERE c = $2 AND b = $1 AND a < $2 AND a > $3 AND b <> '$3 it''s'";
        let found = place
            .read(move |tx| {
                tx.query(sql, args!["nine", 90_i64, 1_i64], |row| Ok((row.get::<i64>(0)?, row.get::<String>(1)?)))
            })
            .await;
        assert_eq!(found, [(9, "nine".to_owned())]);
        let swapped = place
            .read(|tx| {
                tx.query("SELECT a FROM pairs WHERE b = $2 AND a = $1", args![7_i64, "seven $1"], |row| {
                    row.get::<i64>(0)
                })
            })
            .await;
        assert_eq!(swapped, [7]);
    })
    .await;
}

type Everything =
    (Option<i64>, Option<bool>, Option<f64>, Option<String>, Option<Vec<u8>>, Option<Uuid>, Option<Timestamp>);

#[tokio::test(flavor = "multi_thread")]
async fn every_type_and_its_null_survive_the_way_there_and_back() {
    on_each(async |place| {
        place
            .table("CREATE TABLE kinds (id BIGINT NOT NULL PRIMARY KEY, i BIGINT, b BOOLEAN, d DOUBLE, t TEXT, x BLOB, u BLOB, at BIGINT)")
            .await;
        let uuid = place.world.id::<kind::Chat>().uuid();
        let full: Everything = (
            Some(i64::MIN),
            Some(true),
            Some(-0.5),
            Some("ünï 'quoted' $1 🙂".to_owned()),
            Some(vec![0, 255, 0]),
            Some(uuid),
            Some(Timestamp::from_micros(-1)),
        );
        let zero: Everything =
            (Some(0), Some(false), Some(3.0), Some(String::new()), Some(Vec::new()), None, Some(Timestamp::from_micros(0)));
        let rows = vec![full, zero, (None, None, None, None, None, None, None)];
        let stored = rows.clone();
        place
            .write(place.workspace(), move |tx| {
                for (number, it) in (0_i64..).zip(&stored) {
                    tx.exec(
                        "INSERT INTO kinds (id, i, b, d, t, x, u, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                        args![number, it.0, it.1, it.2, it.3, it.4, it.5, it.6],
                    )?;
                }
                Ok(())
            })
            .await;
        let found = place
            .read(|tx| {
                tx.query("SELECT i, b, d, t, x, u, at FROM kinds ORDER BY id", &[], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?))
                })
            })
            .await;
        assert_eq!(found, rows);
        let by_flag = place.read(|tx| tx.query("SELECT id FROM kinds WHERE b = $1", args![true], |row| row.get::<i64>(0))).await;
        assert_eq!(by_flag, [0]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_another_type_is_an_error_and_no_panic() {
    on_each(async |place| {
        let workspace = place.workspace();
        place.write(workspace, |tx| store::meta::set(tx, "text", "it")).await;
        let as_number = place.db.read(|tx| tx.one("SELECT value FROM meta", &[], |row| row.get::<i64>(0))).await;
        assert!(matches!(as_number, Err(Error::Corrupt(_))), "{as_number:?}");
        let missing = place.db.read(|tx| tx.one("SELECT value FROM meta", &[], |row| row.get::<String>(1))).await;
        assert!(missing.is_err());
        let width = place.read(|tx| tx.one("SELECT key, value FROM meta", &[], |row| Ok(row.width()))).await;
        assert_eq!(width, 2);
        let bare = place
            .read(|tx| tx.one("SELECT value FROM meta", &[], |row| Ok(row.column(0)? == Column::Text("it"))))
            .await;
        assert!(bare);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn meta_is_set_and_set_again() {
    on_each(async |place| {
        let workspace = place.workspace();
        assert_eq!(place.read(|tx| store::meta::get(tx, "epoch")).await, None);
        for value in ["one", "two"] {
            place.write(workspace, move |tx| store::meta::set(tx, "epoch", value)).await;
            assert_eq!(place.read(|tx| store::meta::get(tx, "epoch")).await.as_deref(), Some(value));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_constraint_says_what_it_is() {
    on_each(async |place| {
        let workspace = place.workspace();
        let insert = |key: Option<&'static str>| {
            place
                .db
                .write(workspace, move |tx| tx.exec("INSERT INTO meta (key, value) VALUES ($1, $2)", args![key, "it"]))
        };
        assert_eq!(insert(Some("key")).await, Ok(1));
        assert!(insert(Some("key")).await.expect_err("twice").is_duplicate());
        let Err(Error::Constraint(missing)) = insert(None).await else { panic!("a key is needed") };
        assert_eq!(missing.kind, store::ConstraintKind::NotNull);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_sorts_by_its_bytes() {
    on_each(async |place| {
        let workspace = place.workspace();
        place
            .write(workspace, |tx| {
                ["b", "A", "a", "Z", "é", "_"].into_iter().try_for_each(|key| store::meta::set(tx, key, ""))
            })
            .await;
        let sorted = place
            .read(|tx| {
                tx.query("SELECT key FROM meta WHERE key > $1 ORDER BY key", args!["A"], |row| row.get::<String>(0))
            })
            .await;
        assert_eq!(sorted, ["Z", "_", "a", "b", "é"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_rows_of_the_platform_are_purged_in_chunks() {
    on_each(async |place| {
        let workspace = place.workspace();
        place
            .write(workspace, |tx| {
                for number in 0..10_i64 {
                    let id: Id<kind::Batch> = tx.id();
                    tx.exec("INSERT INTO batches (id, committed_at) VALUES ($1, $2)", args![id, number])?;
                    tx.exec(
                        "INSERT INTO delivery_attempts (id, delivery_id, at, outcome) VALUES ($1, $1, $2, 'sent')",
                        args![id, number],
                    )?;
                    tx.exec(
                        "INSERT INTO idempotency (workspace_id, principal, method, route, key, request_hash, status, created_at)
                         VALUES ($1, 'p', 'POST', '/r', $2, $1, 200, $3)",
                        args![tx.workspace(), number.to_string(), number],
                    )?;
                }
                Ok(())
            })
            .await;
        type Purge = fn(&mut store::Tx<'_>, Timestamp, i64) -> Result<u64, Error>;
        let all: [(Purge, &str); 3] = [
            (store::purge::batches, "SELECT COUNT(*) FROM batches WHERE committed_at < 1000"),
            (store::purge::delivery_attempts, "SELECT COUNT(*) FROM delivery_attempts"),
            (store::purge::idempotency, "SELECT COUNT(*) FROM idempotency"),
        ];
        for (purge, left) in all {
            let before = Timestamp::from_micros(7);
            let gone = [(); 3].map(|()| place.db.write(workspace, move |tx| purge(tx, before, 4)));
            assert_eq!(futures_util::future::join_all(gone).await, [Ok(4), Ok(3), Ok(0)]);
            assert_eq!(place.number(left).await, 3);
        }
    })
    .await;
}
