//! Idempotent writes.
//!
//! A write with an `Idempotency-Key` leaves its answer in the command's own transaction, under (workspace, principal, method,
//! route, key) and with a hash of the request. A repeat gets that answer; the same key with another request is a 409
//! `idempotency_conflict`. Only success is stored: a refusal is run again. A repeat that comes while the first is in flight
//! waits, because both go through the workspace's one writer. Answers above 16 KB, and answers that show a secret once, are
//! not kept: their repeat is a 409 `result_not_repeatable` that names the resource, unless it can be read again
//! ([`Write::run_or_reread`]). Rows live 7 days.

use std::io;

use axum::{
    body::Body,
    extract::{FromRequestParts, MatchedPath},
    http::{HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use store::{Tx, args};

use crate::{Hub, Principal, Problem};

/// Bytes of an answer above which only its resource is kept.
const MOST_KEPT: usize = 16 * 1024;

/// Extractor of a write's idempotency key; see the module.
#[derive(Debug)]
pub struct Write(Option<Box<Keyed>>);

#[derive(Debug, Clone)]
struct Keyed {
    key: String,
    method: Method,
    route: MatchedPath,
    /// Path and query, which name what is written to.
    target: String,
}

impl<S: Sync> FromRequestParts<S> for Write {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self(None)) };
        let key = value
            .to_str()
            .ok()
            .filter(|key| (1..=128).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()));
        let key = key.ok_or_else(|| {
            Problem::new(StatusCode::BAD_REQUEST, "idempotency_key_invalid", "Invalid idempotency key")
                .detail("Idempotency-Key must be 1 to 128 visible ASCII characters.")
        })?;
        let route = parts.extensions.get::<MatchedPath>().expect("a handler has a route").clone();
        let target = parts.uri.path_and_query().map_or_else(|| parts.uri.path(), |it| it.as_str()).to_owned();
        Ok(Self(Some(Box::new(Keyed { key: key.to_owned(), method: parts.method.clone(), route, target }))))
    }
}

/// How much of the answer is kept.
#[derive(Clone, Copy, PartialEq)]
enum Keep {
    Answer,
    Resource,
}

/// What a repeat finds.
struct Stored {
    hash: Vec<u8>,
    status: i64,
    body: Option<String>,
    resource: Option<String>,
}

/// What the command's transaction came to.
enum Done<T> {
    Value(T),
    Text(String),
    Stored(Stored),
}

impl Write {
    /// The client's key, by which it finds its own echo in the live stream.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.0.as_ref().map(|keyed| keyed.key.as_str())
    }

    /// Runs `command` in one transaction of the principal's workspace, or gives the stored answer of its first run. `body` is
    /// whatever tells this request from another one to the same address: the parsed body, usually.
    ///
    /// # Errors
    /// What the command refuses, 409 `idempotency_conflict`, 409 `result_not_repeatable`.
    pub async fn run<T, E, F>(
        &self,
        hub: &Hub,
        principal: &Principal,
        status: StatusCode,
        body: &impl Serialize,
        command: F,
    ) -> Result<Response, Problem>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Serialize + Send + 'static,
        E: Into<Problem> + From<store::Error> + Send + 'static,
    {
        self.execute(hub, principal, status, body, Keep::Answer, command, None).await
    }

    /// As [`Self::run`], for an answer that may be larger than 16 KB: a repeat calls `reread` with the resource's id.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn run_or_reread<T, E, F, R>(
        &self,
        hub: &Hub,
        principal: &Principal,
        status: StatusCode,
        body: &impl Serialize,
        command: F,
        reread: R,
    ) -> Result<Response, Problem>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        R: FnMut(&mut Tx<'_>, &str) -> Result<T, E> + Send + 'static,
        T: Serialize + Send + 'static,
        E: Into<Problem> + From<store::Error> + Send + 'static,
    {
        self.execute(hub, principal, status, body, Keep::Answer, command, Some(Box::new(reread))).await
    }

    /// As [`Self::run`], for an answer that shows a secret once: a repeat is a 409 `result_not_repeatable`. The answer has
    /// a top-level `id`, which is kept.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn secret<T, E, F>(
        &self,
        hub: &Hub,
        principal: &Principal,
        status: StatusCode,
        body: &impl Serialize,
        command: F,
    ) -> Result<Response, Problem>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Serialize + Send + 'static,
        E: Into<Problem> + From<store::Error> + Send + 'static,
    {
        self.execute(hub, principal, status, body, Keep::Resource, command, None).await
    }

    /// The stored answer, if this write was done already: to ask before doing something slow ahead of the command, such as
    /// checking a token with its issuer.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn stored(
        &self,
        hub: &Hub,
        principal: &Principal,
        body: &impl Serialize,
    ) -> Result<Option<Response>, Problem> {
        let Some(keyed) = &self.0 else { return Ok(None) };
        let (slot, hash) = (Slot::new(keyed, principal), keyed.hash(body));
        let stored = hub.db().read(move |tx| slot.find(tx)).await?;
        stored.map(|stored| stored.answer(&hash)).transpose()
    }

    #[expect(clippy::too_many_arguments, reason = "the public functions each fix some of them")]
    async fn execute<T, E, F>(
        &self,
        hub: &Hub,
        principal: &Principal,
        status: StatusCode,
        body: &impl Serialize,
        keep: Keep,
        mut command: F,
        mut reread: Option<Reread<T, E>>,
    ) -> Result<Response, Problem>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Serialize + Send + 'static,
        E: Into<Problem> + From<store::Error> + Send + 'static,
    {
        let Some(keyed) = &self.0 else {
            let value = hub.db().write(principal.workspace, command).await.map_err(E::into)?;
            return json(status, &value);
        };
        let (slot, hash) = (Slot::new(keyed, principal), keyed.hash(body));
        let done = hub.db().write(principal.workspace, move |tx| {
            if let Some(stored) = slot.find(tx)? {
                return match (&mut reread, stored.unkept(&hash)) {
                    (Some(reread), Some(id)) => reread(tx, id).map(Done::Value),
                    _ => Ok(Done::Stored(stored)),
                };
            }
            let value = command(tx)?;
            let text = serde_json::to_string(&value).map_err(|error| store::Error::Corrupt(error.to_string()))?;
            slot.keep(tx, &hash, status, &text, keep)?;
            Ok(Done::Text(text))
        });
        match done.await.map_err(E::into)? {
            Done::Value(value) => json(status, &value),
            Done::Text(text) => Ok(answer(status, text)),
            Done::Stored(stored) => stored.answer(&keyed.hash(body)),
        }
    }
}

type Reread<T, E> = Box<dyn FnMut(&mut Tx<'_>, &str) -> Result<T, E> + Send>;

impl Keyed {
    fn hash(&self, body: &impl Serialize) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.target.as_bytes()).update(&[0]);
        serde_json::to_writer(HashWriter(&mut hasher), body).expect("a request body is serialisable");
        *hasher.finalize().as_bytes()
    }
}

struct HashWriter<'a>(&'a mut blake3::Hasher);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The key of a row.
struct Slot {
    workspace: model::WorkspaceId,
    principal: String,
    keyed: Keyed,
}

impl Slot {
    fn new(keyed: &Keyed, principal: &Principal) -> Self {
        let actor = principal.actor();
        let id = actor.id.expect("a principal has an id");
        Self {
            workspace: principal.workspace,
            principal: format!("{}:{}", actor.kind.as_str(), id.simple()),
            keyed: keyed.clone(),
        }
    }

    fn find(&self, tx: &mut Tx<'_>) -> Result<Option<Stored>, store::Error> {
        tx.first(
            "SELECT request_hash, status, body, resource FROM idempotency
             WHERE workspace_id = $1 AND principal = $2 AND method = $3 AND route = $4 AND key = $5",
            args![
                self.workspace,
                self.principal,
                self.keyed.method.as_str(),
                self.keyed.route.as_str(),
                self.keyed.key
            ],
            |row| Ok(Stored { hash: row.get(0)?, status: row.get(1)?, body: row.get(2)?, resource: row.get(3)? }),
        )
    }

    fn keep(
        &self,
        tx: &mut Tx<'_>,
        hash: &[u8; 32],
        status: StatusCode,
        text: &str,
        keep: Keep,
    ) -> Result<(), store::Error> {
        let whole = keep == Keep::Answer && text.len() <= MOST_KEPT;
        let (body, resource) = if whole { (Some(text), None) } else { (None, id_of(text)) };
        let now = tx.now();
        tx.exec(
            "INSERT INTO idempotency (workspace_id, principal, method, route, key, request_hash, status, body, resource, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            args![
                self.workspace,
                self.principal,
                self.keyed.method.as_str(),
                self.keyed.route.as_str(),
                self.keyed.key,
                hash,
                i64::from(status.as_u16()),
                body,
                resource,
                now
            ],
        )?;
        Ok(())
    }
}

/// The top-level `id` of an answer.
fn id_of(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct HasId {
        id: Option<String>,
    }
    serde_json::from_str::<HasId>(text).ok().and_then(|it| it.id)
}

impl Stored {
    /// The resource of an answer that was not kept, if the request is the same.
    fn unkept(&self, hash: &[u8; 32]) -> Option<&str> {
        if self.hash == hash && self.body.is_none() { self.resource.as_deref() } else { None }
    }

    fn answer(self, hash: &[u8; 32]) -> Result<Response, Problem> {
        if self.hash != hash {
            let detail = "This idempotency key was used for another request. Use a new key for each new request.";
            return Err(Problem::conflict("idempotency_conflict", detail));
        }
        let status = u16::try_from(self.status).ok().and_then(|it| StatusCode::from_u16(it).ok());
        let status = status.ok_or_else(|| Problem::bug("a stored answer has no HTTP status"))?;
        match (self.body, self.resource) {
            (Some(body), _) => Ok(answer(status, body)),
            (None, resource) => {
                let detail = "This was done already, and its answer is not repeated. Read the resource instead.";
                let problem = Problem::conflict("result_not_repeatable", detail);
                Err(match resource {
                    Some(id) => problem.resource(id),
                    None => problem,
                })
            }
        }
    }
}

fn json(status: StatusCode, value: &impl Serialize) -> Result<Response, Problem> {
    if status == StatusCode::NO_CONTENT {
        return Ok(status.into_response());
    }
    let text = serde_json::to_string(value).map_err(|error| Problem::bug(error.to_string()))?;
    Ok(answer(status, text))
}

fn answer(status: StatusCode, text: String) -> Response {
    if status == StatusCode::NO_CONTENT {
        return status.into_response();
    }
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
