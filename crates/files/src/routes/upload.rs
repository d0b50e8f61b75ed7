use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use futures_util::{StreamExt as _, TryStreamExt as _};
use kit::{Allowed, Hub, Problem, Query, Write, rights};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{Error, FileView, Files, name, rows};

/// How the file is called.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Named {
    /// The file's name. The header `X-File-Name`, percent-encoded UTF-8, does as well.
    name: Option<String>,
}

/// Upload a file
///
/// The body is the file itself. What it is, is found out from its first bytes; the Content-Type is not believed. A file that
/// no message uses is removed after a day. 413 `file_too_large`, 422 `file_empty`, 503 `storage_full`.
#[utoipa::path(post, path = "/files", tag = "files", params(Named),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 201, body = FileView)))]
pub(crate) async fn upload_file(
    principal: Allowed<rights::ConversationsReply>,
    State(hub): State<Hub>,
    Extension(files): Extension<Files>,
    Query(named): Query<Named>,
    write: Write,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let name = named.name.or_else(|| name_in(&headers)).unwrap_or_default();
    let _place = files.uploads().try_acquire().map_err(|_| {
        let detail = "The server takes as many uploads as it can already. Try again shortly.";
        Problem::unavailable("busy", detail, std::time::Duration::from_secs(2))
    })?;
    refuse_at_once(&files, &headers)?;
    let content = body.into_data_stream().map_err(|error| Error::Broken(error.to_string())).boxed();
    let content = files.store(content).await?;
    let (by, name) = (principal.actor(), name::clean(&name));
    let request = (content.hash.to_string(), name.clone());
    let add = move |tx: &mut store::Tx<'_>| rows::add(tx, by, &name, &content).map(|file| FileView::from(&file));
    write.run(&hub, &principal, StatusCode::CREATED, &request, add).await
}

/// Refuses what says itself that it is far too large. What is only a little too large is read to its end, so that the client
/// is there to see the answer.
fn refuse_at_once(files: &Files, headers: &HeaderMap) -> Result<(), Error> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse::<u64>().ok());
    let limit = files.config().max_size;
    if length.is_some_and(|length| length > limit.saturating_mul(2)) { Err(Error::TooLarge { limit }) } else { Ok(()) }
}

fn name_in(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("x-file-name")?;
    Some(name::unpercent(&String::from_utf8_lossy(value.as_bytes())))
}
