//! The dumped schema stands beside the migrations, so that a change of it is seen in review.

use std::{fmt::Write, path::Path};

use crate::support::Place;

#[tokio::test(flavor = "multi_thread")]
async fn the_dumped_schema_is_what_the_migrations_make() {
    let place = Place::sqlite().await;
    let statements = place
        .read(|tx| {
            tx.query(
                "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND tbl_name <> 'schema_migrations'
                 ORDER BY tbl_name, CASE type WHEN 'table' THEN 0 ELSE 1 END, name",
                &[],
                |row| row.get::<String>(0),
            )
        })
        .await;
    let mut dump = format!(
        "-- The schema after all migrations (version {}). Made by: UPDATE_SCHEMA=1 cargo test -p store schema\n",
        store::LATEST_SCHEMA
    );
    for statement in statements {
        write!(dump, "\n{statement};\n").expect("a string takes all");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/schema.sql");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &dump).expect("the dump is written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == dump, "migrations/schema.sql is out of date: UPDATE_SCHEMA=1 cargo test -p store schema");
}
