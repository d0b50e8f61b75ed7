//! The tests' own authenticator and feature. A note is an event `note.created`; that is all its state.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{Json, extract::State, http::StatusCode, response::Response};
use kit::{
    Allowed, Answer, AuthError, Authenticator, BoxFuture, Feature, Hub, Input, Page, Paging, Path, Principal, Problem,
    SignedIn, Who, Write, live::ChatAccess, rights, route, route::Public,
};
use model::{
    Audience, ChatId, Event, Id, KeyId, MessageId, NewEvent, Right, Rights, Role, SessionId, Timestamp, UserId,
    WorkspaceId,
};
use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;
use store::{Tx, log};
use testkit::{Builder, Plan, TestHub};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

/// Tokens in memory; each test makes the principals that it needs.
#[derive(Clone, Default)]
pub(crate) struct Tokens(Arc<Mutex<HashMap<String, Principal>>>);

impl Tokens {
    pub(crate) fn put(&self, token: &str, principal: Principal) {
        self.0.lock().expect("no panic inside").insert(token.to_owned(), principal);
    }

    pub(crate) fn remove(&self, token: &str) {
        self.0.lock().expect("no panic inside").remove(token);
    }

    pub(crate) fn change(&self, token: &str, change: impl FnOnce(&mut Principal)) {
        change(self.0.lock().expect("no panic inside").get_mut(token).expect("a known token"));
    }
}

/// Knows the time, so that tokens can end.
struct Gate(Tokens, model::World);

impl Authenticator for Gate {
    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Arc<Principal>, AuthError>> {
        let found = self.0.0.lock().expect("no panic inside").get(token).cloned();
        let answer = match found {
            Some(principal) if principal.expires_at.is_some_and(|end| end <= self.1.now()) => Err(AuthError::Expired),
            Some(principal) => Ok(Arc::new(principal)),
            None => Err(AuthError::Invalid),
        };
        Box::pin(std::future::ready(answer))
    }
}

pub(crate) fn id<K>(number: u128) -> Id<K> {
    Id::from_uuid(Uuid::from_u128(number))
}

pub(crate) const ACME: u128 = 100;
pub(crate) const ELSEWHERE: u128 = 200;

pub(crate) fn acme() -> WorkspaceId {
    id(ACME)
}

/// The member with this number; his session has the same number.
pub(crate) fn member(workspace: u128, number: u128, role: Role) -> Principal {
    Principal {
        workspace: id(workspace),
        who: Who::Member { user: id(number), session: id(number), role },
        name: format!("{role} {number}"),
        rights: role.rights(),
        rate: None,
        expires_at: None,
    }
}

pub(crate) fn key(number: u128, rights: &[Right], rate: Option<u32>) -> Principal {
    let who = Who::Key { key: id::<model::kind::Key>(number) as KeyId };
    Principal { workspace: acme(), who, name: "a key".to_owned(), rights: Rights::of(rights), rate, expires_at: None }
}

/// Tokens: `owner`, `operator`, `guest` and `key` of one workspace, `foreign` of another.
pub(crate) fn tokens() -> Tokens {
    let tokens = Tokens::default();
    tokens.put("owner", member(ACME, 1, Role::Owner));
    tokens.put("operator", member(ACME, 2, Role::Operator));
    tokens.put("guest", member(ACME, 3, Role::Guest));
    tokens.put("foreign", member(ELSEWHERE, 4, Role::Owner));
    tokens.put("key", key(5, &[Right::ConversationsRead, Right::LiveRead], None));
    tokens
}

/// A hub with the notes feature.
pub(crate) fn notes(tokens: &Tokens) -> Builder {
    with(tokens, |feature| feature)
}

/// A hub with the notes feature and more.
pub(crate) fn with(tokens: &Tokens, more: impl Fn(Feature) -> Feature + Send + Sync + 'static) -> Builder {
    let tokens = tokens.clone();
    TestHub::builder().features(move |parts| {
        let gate = Arc::new(Gate(tokens.clone(), parts.world.clone()));
        Plan::new(gate).feature(more(feature()))
    })
}

fn feature() -> Feature {
    let api = OpenApiRouter::new()
        .routes(route!(write_note))
        .routes(route!(write_secret))
        .routes(route!(write_long))
        .routes(route!(list))
        .routes(route!(get_note))
        .routes(route!(me))
        .routes(route!(panic))
        .routes(route!(hello));
    Feature::new("notes").api(api).chat_access(Everywhere)
}

/// Who may read conversations sees every chat.
struct Everywhere;

impl ChatAccess for Everywhere {
    fn may_see<'a>(&'a self, principal: &'a Principal, _: ChatId) -> BoxFuture<'a, bool> {
        Box::pin(std::future::ready(principal.rights.has(Right::ConversationsRead)))
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct Note {
    pub(crate) id: MessageId,
    pub(crate) text: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct NewNote {
    text: String,
}

fn append(tx: &mut Tx<'_>, by: &Principal, text: &str) -> Result<Note, Problem> {
    let text = model::check_text(text, 100_000)?;
    let note = Note { id: tx.id(), text: text.to_owned() };
    tx.append(event("note.created", &note, Audience::Everyone, by))?;
    Ok(note)
}

pub(crate) fn event(kind: &'static str, body: &impl Serialize, audience: Audience, by: &Principal) -> NewEvent {
    let body = to_raw_value(body).expect("serialisable");
    NewEvent { kind, version: 1, actor: by.actor(), audience, chat: None, entity: None, body }
}

/// Writes a note.
#[utoipa::path(post, path = "/notes", tag = "notes", request_body = NewNote, responses((status = 201, body = Note)))]
async fn write_note(
    by: Allowed<rights::ConversationsReply>,
    State(hub): State<Hub>,
    write: Write,
    Input(body): Input<NewNote>,
) -> Result<Response, Problem> {
    let (principal, text) = (by.0.clone(), body.text.clone());
    write.run(&hub, &by, StatusCode::CREATED, &body, move |tx| append(tx, &principal, &text)).await
}

/// Writes a note whose answer is a secret.
#[utoipa::path(post, path = "/secrets", tag = "notes", request_body = NewNote, responses((status = 201, body = Note)))]
async fn write_secret(
    by: Allowed<rights::KeysManage>,
    State(hub): State<Hub>,
    write: Write,
    Input(body): Input<NewNote>,
) -> Result<Response, Problem> {
    if let Some(answer) = write.stored(&hub, &by, &body).await? {
        return Ok(answer);
    }
    let (principal, text) = (by.0.clone(), body.text.clone());
    write.secret(&hub, &by, StatusCode::CREATED, &body, move |tx| append(tx, &principal, &text)).await
}

/// Writes a note whose answer is long.
#[utoipa::path(post, path = "/long", tag = "notes", request_body = NewNote, responses((status = 201, body = Note)))]
async fn write_long(
    by: Allowed<rights::ConversationsReply>,
    State(hub): State<Hub>,
    write: Write,
    Input(body): Input<NewNote>,
) -> Result<Response, Problem> {
    let (principal, text) = (by.0.clone(), body.text.clone());
    let command = move |tx: &mut Tx<'_>| append(tx, &principal, &text);
    let reread = |tx: &mut Tx<'_>, id: &str| id.parse().ok().and_then(|id| find(tx, id)).ok_or_else(Problem::not_found);
    write.run_or_reread(&hub, &by, StatusCode::CREATED, &body, command, reread).await
}

/// The note with this id in the workspace of the tests.
fn find(tx: &mut Tx<'_>, id: MessageId) -> Option<Note> {
    log::after(tx, acme(), 0, 1_000).ok()?.iter().filter_map(note_of).find(|note| note.id == id)
}

fn note_of(event: &Event) -> Option<Note> {
    event.body().ok()
}

/// Lists the events of the workspace, oldest first.
#[utoipa::path(get, path = "/notes", tag = "notes", params(Paging), responses((status = 200, body = Page<Note>)))]
async fn list(by: Allowed<rights::ConversationsRead>, State(hub): State<Hub>, paging: Paging) -> Answer<Page<Note>> {
    let (workspace, list) = (by.workspace, hub.list(by.workspace, "notes"));
    let (after, fetch) = (paging.after(&list)?.unwrap_or(0_i64), paging.fetch());
    let read = hub.db().read(move |tx| Ok((log::after(tx, workspace, after, fetch)?, log::head(tx, workspace)?)));
    let (events, head) = read.await.map_err(|error: store::Error| error)?;
    let page = paging.page(&list, events, |event| event.seq, head);
    Ok(Json(page.map(|event| note_of(&event).unwrap_or_else(|| Note { id: id(0), text: event.kind.into_owned() }))))
}

/// One note.
#[utoipa::path(get, path = "/notes/{id}", tag = "notes", responses((status = 200, body = Note)))]
async fn get_note(
    _: Allowed<rights::ConversationsRead>,
    State(hub): State<Hub>,
    Path(id): Path<MessageId>,
) -> Answer<Note> {
    let known: Option<Note> = hub.db().read(move |tx| Ok::<_, Problem>(find(tx, id))).await?;
    known.map(Json).ok_or_else(Problem::not_found)
}

/// Who asks.
#[utoipa::path(get, path = "/me", tag = "notes", responses((status = 200, body = String)))]
async fn me(by: SignedIn) -> Json<String> {
    Json(by.name.clone())
}

/// Panics.
#[utoipa::path(post, path = "/panic", tag = "notes", responses((status = 204)))]
async fn panic(_: Public) -> StatusCode {
    panic!("on purpose, with a secret inside")
}

/// Says hello to anybody.
#[utoipa::path(get, path = "/hello", tag = "notes", responses((status = 200, body = String)))]
async fn hello(_: Public) -> Json<String> {
    Json("hello ".repeat(400))
}

/// Appends `count` notes at once.
pub(crate) async fn append_many(hub: &TestHub, count: usize) {
    let by = member(ACME, 1, Role::Owner);
    let written = hub.db().write(acme(), move |tx| {
        for number in 0..count {
            append(tx, &by, &format!("note {number}"))?;
        }
        Ok::<_, Problem>(())
    });
    written.await.expect("committed");
}

/// Appends one event.
pub(crate) async fn append_event(hub: &TestHub, workspace: WorkspaceId, new: impl Fn() -> NewEvent + Send + 'static) {
    hub.db().write(workspace, move |tx| tx.append(new())).await.expect("committed");
}

/// An event about somebody's session, membership or key.
pub(crate) fn about(kind: &'static str, entity: Option<Uuid>) -> NewEvent {
    NewEvent { entity, ..event(kind, &(), Audience::Internal, &member(ACME, 1, Role::Owner)) }
}

/// The texts of the notes in a list of events.
pub(crate) fn texts(events: &[serde_json::Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["body"]["text"].as_str()).collect()
}

/// The places of events.
pub(crate) fn seqs(events: &[serde_json::Value]) -> Vec<i64> {
    events.iter().map(|event| event["seq"].as_i64().expect("a number")).collect()
}

/// Counts calls.
#[derive(Clone, Default)]
pub(crate) struct Counter(Arc<AtomicU64>);

impl Counter {
    pub(crate) fn up(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    /// Waits until it has reached `count`.
    pub(crate) async fn reaches(&self, count: u64) {
        testkit::eventually(|| async { (self.get() >= count).then_some(()) }).await;
    }
}

/// Waits until somebody sleeps on the hub's clock for what the test wants to let pass.
pub(crate) fn session(number: u128) -> SessionId {
    id(number)
}

pub(crate) fn user(number: u128) -> UserId {
    id(number)
}

pub(crate) fn later(hub: &TestHub, seconds: u64) -> Timestamp {
    hub.hub().world().now() + std::time::Duration::from_secs(seconds)
}
