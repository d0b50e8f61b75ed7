use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use kit::{Hub, Problem, SignedIn};

use crate::cookie;

/// Get the cookie for files
///
/// Sets a cookie by which the browser shows who asks for `/files/…`. It lasts as long as the access token that this is called
/// with and ends with the session, so call it after signing in and after each refresh.
#[utoipa::path(post, path = "/files/session", tag = "files", responses((status = 204, description = "The cookie is set")))]
pub(crate) async fn open_file_session(
    principal: SignedIn,
    State(hub): State<Hub>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // An API key lives too long for a cookie, and whoever has one can send headers.
    let token = cookie::bearer(&headers).filter(|_| principal.session().is_some());
    let token = token.ok_or_else(|| {
        let detail = "An API key has no session. Send it as a Bearer token to the file's address instead.";
        Problem::conflict("session_needed", detail)
    })?;
    Ok((StatusCode::NO_CONTENT, cookie::set(&hub, &principal, token)).into_response())
}
