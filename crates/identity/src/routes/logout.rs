use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use kit::{Hub, Problem, route::Public};
use model::SYSTEM_WORKSPACE;

use crate::{cookie, rows};

/// Ends the session of the cookie. Without one there is nothing to end, which is no error.
#[utoipa::path(post, path = "/auth/logout", tag = "auth", responses((status = 204)))]
pub(crate) async fn logout(_: Public, State(hub): State<Hub>, headers: HeaderMap) -> Result<Response, Problem> {
    cookie::check_origin(&headers, hub.config())?;
    if let Some(shown) = cookie::read(&headers) {
        let keys = hub.keys().clone();
        let ended = hub.db().write_essential(SYSTEM_WORKSPACE, move |tx| {
            if let Some(user) = rows::sessions::owner(tx, &keys, &shown)? {
                rows::sessions::end(tx, user, shown.session)?;
            }
            Ok::<_, store::Error>(())
        });
        ended.await?;
    }
    Ok((StatusCode::NO_CONTENT, cookie::clear(hub.config())).into_response())
}
