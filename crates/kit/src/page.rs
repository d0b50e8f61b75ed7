//! Keyset paging: a list is read in an order given by a key, and a cursor is the key of the last item, signed.
//!
//! ```text
//! let list = hub.list(principal.workspace, "deliveries");
//! let after: Option<(Timestamp, DeliveryId)> = paging.after(&list)?;      // 400 cursor_invalid when forged or of another list
//! let (rows, head) = hub.db().read(move |tx| Ok((newest(tx, after, paging.fetch())?, log::head(tx, workspace)?))).await?;
//! Ok(Json(paging.page(&list, rows, |row| (row.created_at, row.id), head)))
//! ```

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use model::{Seq, WorkspaceId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::{IntoParams, ToSchema};

use crate::{
    KeyRing, Problem,
    cursor::Cursors,
    extract::{bad_query, unreadable_query},
};

/// Items of a page when the client names no number.
pub const DEFAULT_LIMIT: i64 = 50;
/// Most items of a page.
pub const MOST: i64 = 200;

const PURPOSE: &str = "page cursors";
const MAC: usize = 16;

/// Which page of a list is asked for; an extractor of the query's `limit` and `cursor`.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// Most items of the page, 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    #[serde(default = "default_limit")]
    pub limit: i64,
    /// `next_cursor` of the page before; absent for the first page.
    pub cursor: Option<String>,
}

fn default_limit() -> i64 {
    DEFAULT_LIMIT
}

/// One page of a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items in the list's order.
    pub items: Vec<T>,
    /// Give it as `cursor` for the next page; null on the last one.
    pub next_cursor: Option<String>,
    /// The live stream's cursor of the snapshot that the page was read in.
    pub live_cursor: String,
}

/// Names a list of a workspace, and signs its cursors; made by [`Hub::list`](crate::Hub::list).
#[derive(Debug, Clone)]
pub struct List {
    keys: KeyRing,
    cursors: Cursors,
    workspace: WorkspaceId,
    name: &'static str,
}

impl List {
    /// A list of a workspace; features use [`Hub::list`](crate::Hub::list).
    #[must_use]
    pub fn new(keys: KeyRing, cursors: Cursors, workspace: WorkspaceId, name: &'static str) -> Self {
        Self { keys, cursors, workspace, name }
    }

    fn signed(&self, key: &[u8]) -> Vec<u8> {
        [self.workspace.as_bytes(), self.name.as_bytes(), &[0], key].concat()
    }

    fn encode<K: Serialize>(&self, key: &K) -> String {
        let key = serde_json::to_vec(key).expect("a key is numbers, ids and texts");
        let mac = self.keys.mac(PURPOSE, &self.signed(&key));
        URL_SAFE_NO_PAD.encode([&mac[..MAC], &key].concat())
    }

    fn decode<K: DeserializeOwned>(&self, text: &str) -> Option<K> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (mac, key) = bytes.split_at_checked(MAC)?;
        if !self.keys.verify(PURPOSE, &self.signed(key), mac) {
            return None;
        }
        serde_json::from_slice(key).ok()
    }
}

impl Paging {
    /// The key of the last item of the page before; `None` for the first page.
    ///
    /// # Errors
    /// 400 `cursor_invalid` when the cursor was not made by this list of this workspace.
    pub fn after<K: DeserializeOwned>(&self, list: &List) -> Result<Option<K>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        list.decode(cursor).map(Some).ok_or_else(|| {
            Problem::new(StatusCode::BAD_REQUEST, "cursor_invalid", "Invalid cursor")
                .detail("The cursor does not belong to this list. Start again without one.")
        })
    }

    /// How many rows to read: one more than the page holds, which tells whether there is a next one.
    #[must_use]
    pub fn fetch(&self) -> i64 {
        self.limit + 1
    }

    /// The page of up to [`Self::fetch`] rows; `key` gives an item's place, `head` is the log's head in the same snapshot.
    pub fn page<T, K: Serialize>(&self, list: &List, mut rows: Vec<T>, key: impl Fn(&T) -> K, head: Seq) -> Page<T> {
        let most = usize::try_from(self.limit).unwrap_or(0);
        let more = rows.len() > most;
        rows.truncate(most);
        let next_cursor = rows.last().filter(|_| more).map(|last| list.encode(&key(last)));
        Page { items: rows, next_cursor, live_cursor: list.cursors.make(list.workspace, head) }
    }
}

impl<T> Page<T> {
    /// The same page with other items; for what is looked up after the rows were read.
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(convert).collect(),
            next_cursor: self.next_cursor,
            live_cursor: self.live_cursor,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let paging =
            axum::extract::Query::<Self>::try_from_uri(&parts.uri).map_err(|it| unreadable_query(&it.body_text()))?.0;
        if (1..=MOST).contains(&paging.limit) { Ok(paging) } else { Err(bad_query("Give a limit of 1 to 200.")) }
    }
}
