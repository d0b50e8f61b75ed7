use axum::{extract::State, http::StatusCode, response::Response};
use kit::{Allowed, Caller, Hub, Input, Principal, Problem, Write, audit::Act, rights};
use model::{Right, Rights, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Tx;
use utoipa::ToSchema;

use crate::{
    model::{ApiKey, name},
    rows::keys::{self, NewKey},
    tokens,
};

/// Most requests per minute that a key can be given.
const MOST_PER_MINUTE: u32 = 1_000_000;

/// The key that is wanted.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct CreateKey {
    /// What it is for, 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// What it may do; nobody gives more than he has.
    #[schema(min_items = 1)]
    scopes: Vec<Right>,
    /// When it ends; never when absent.
    expires_at: Option<Timestamp>,
    /// Requests per minute; the server's default when absent.
    #[schema(minimum = 1, maximum = 1_000_000)]
    rate_limit: Option<u32>,
}

/// A key and its secret, which is shown once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyWithSecret {
    #[serde(flatten)]
    key: ApiKey,
    /// Send it as `Authorization: Bearer`.
    secret: String,
}

/// Makes an API key.
#[utoipa::path(post, path = "/keys", tag = "keys", request_body = CreateKey, responses((status = 201, body = KeyWithSecret)))]
pub(crate) async fn create_key(
    principal: Allowed<rights::KeysManage>,
    State(hub): State<Hub>,
    caller: Caller,
    write: Write,
    Input(input): Input<CreateKey>,
) -> Result<Response, Problem> {
    let new = check(&principal, &input, hub.world().now())?;
    let actor = principal.0.clone();
    let command = move |tx: &mut Tx<'_>| create(tx, &actor, &caller, &new);
    write.secret(&hub, &principal, StatusCode::CREATED, &input, command).await
}

fn check(principal: &Principal, input: &CreateKey, now: Timestamp) -> Result<NewKey, Problem> {
    let scopes: Rights = input.scopes.iter().copied().collect();
    if scopes == Rights::NONE {
        return Err(Problem::invalid_field("scopes", "scopes_empty", "Choose at least one thing that the key may do."));
    }
    if !principal.rights.covers(scopes) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "scopes_too_high", "Not allowed")
            .detail("A key can only be given rights that you have yourself. Leave the others out."));
    }
    if input.expires_at.is_some_and(|end| end <= now) {
        return Err(Problem::invalid_field(
            "expires_at",
            "expires_in_the_past",
            "The key's end lies in the past. Choose a later one, or none.",
        ));
    }
    if input.rate_limit.is_some_and(|limit| !(1..=MOST_PER_MINUTE).contains(&limit)) {
        return Err(Problem::invalid_field(
            "rate_limit",
            "rate_limit_invalid",
            "A rate limit is 1 to 1000000 requests per minute.",
        ));
    }
    Ok(NewKey { name: name("name", &input.name)?, scopes, expires_at: input.expires_at, rate_limit: input.rate_limit })
}

fn create(tx: &mut Tx<'_>, principal: &Principal, caller: &Caller, new: &NewKey) -> Result<KeyWithSecret, Problem> {
    let secret = tokens::new_key(tx.world());
    let prefix = tokens::key_prefix(&secret).ok_or_else(|| Problem::bug("a new key has no prefix"))?;
    let key = keys::create(tx, principal.actor(), new, prefix, &tokens::hash(secret.as_bytes()))?;
    let act = Act::by(principal, "key.created").on("key", key.id, &key.name);
    act.detail(json!({ "scopes": key.scopes, "expires_at": key.expires_at })).from(caller.address()).record(tx)?;
    Ok(KeyWithSecret { key, secret })
}
