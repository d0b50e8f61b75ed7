//! The API of identity, one file per operation.

mod accept_invitation;
mod change_password;
mod change_role;
mod create_invitation;
mod create_key;
mod get_me;
mod get_setup;
mod list_invitations;
mod list_keys;
mod list_members;
mod list_sessions;
mod login;
mod logout;
mod preview_invitation;
mod refresh_session;
mod remove_member;
mod reset_password;
mod revoke_invitation;
mod revoke_key;
mod revoke_session;
mod set_up;
mod switch_workspace;
mod update_me;

use kit::{Hub, route};
use utoipa_axum::router::OpenApiRouter;

/// All of them, below `/api/v1`.
pub(crate) fn all() -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .routes(route!(get_setup::get_setup))
        .routes(route!(set_up::set_up))
        .routes(route!(login::login))
        .routes(route!(refresh_session::refresh_session))
        .routes(route!(logout::logout))
        .routes(route!(switch_workspace::switch_workspace))
        .routes(route!(change_password::change_password))
        .routes(route!(reset_password::reset_password))
        .routes(route!(list_sessions::list_sessions))
        .routes(route!(revoke_session::revoke_session))
        .routes(route!(get_me::get_me))
        .routes(route!(update_me::update_me))
        .routes(route!(list_members::list_members))
        .routes(route!(change_role::change_role))
        .routes(route!(remove_member::remove_member))
        .routes(route!(list_invitations::list_invitations))
        .routes(route!(create_invitation::create_invitation))
        .routes(route!(preview_invitation::preview_invitation))
        .routes(route!(accept_invitation::accept_invitation))
        .routes(route!(revoke_invitation::revoke_invitation))
        .routes(route!(list_keys::list_keys))
        .routes(route!(create_key::create_key))
        .routes(route!(revoke_key::revoke_key))
}
