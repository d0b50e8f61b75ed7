use axum::{Extension, extract::State, http::StatusCode, response::Response};
use kit::{Allowed, Caller, Hub, Input, Problem, Write, rights};
use model::check_line;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    bots::{self, By, Checked},
    feature::Telegram,
    model::{Api, Bot, Mode},
};

/// Name of a sandbox bot that gets none.
const DEFAULT_NAME: &str = "Sandbox Bot";

/// A bot to make.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct MakeSandboxBot {
    /// The name that people see.
    #[schema(max_length = 64)]
    name: Option<String>,
}

/// Make a bot in the sandbox and connect it
///
/// For trying everything without a Telegram account. Problem: 409 `sandbox_off`.
#[utoipa::path(post, path = "/bots/sandbox", tag = "bots", request_body = MakeSandboxBot,
    responses((status = 201, body = Bot)))]
pub(crate) async fn connect_sandbox_bot(
    principal: Allowed<rights::BotsManage>,
    State(hub): State<Hub>,
    Extension(telegram): Extension<Telegram>,
    caller: Caller,
    write: Write,
    Input(input): Input<MakeSandboxBot>,
) -> Result<Response, Problem> {
    if let Some(stored) = write.stored(&hub, &principal, &input).await? {
        return Ok(stored);
    }
    let checked = make(&telegram, input.name.as_deref()).await?;
    let (keys, by) = (hub.keys().clone(), By::principal(&principal, caller.address()));
    let command = move |tx: &mut store::Tx<'_>| bots::connect(tx, &telegram, &keys, &checked, &by);
    write.run(&hub, &principal, StatusCode::CREATED, &input, command).await
}

/// Has the sandbox make a bot and asks for it like for any other.
pub(crate) async fn make(telegram: &Telegram, name: Option<&str>) -> Result<Checked, Problem> {
    let name = match name.filter(|name| !name.trim().is_empty()) {
        Some(name) => check_line(name, 64)?.to_owned(),
        None => DEFAULT_NAME.to_owned(),
    };
    let sandbox = telegram.sandbox().ok_or_else(bots::sandbox_off)?;
    let made = sandbox.create_bot(name).await.map_err(|error| Problem::invalid("sandbox_refused", error))?;
    let me = bots::ask(telegram, Api::Sandbox, &made.token).await?;
    Ok(Checked { me, token: made.token, api: Api::Sandbox, mode: Mode::Polling, purpose: None })
}
