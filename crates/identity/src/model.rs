//! What the API shows of people and their rights, and the checks of what they type.

use kit::{Principal, Problem, Who};
use model::{InvitationId, KeyId, Right, Rights, Role, SessionId, Timestamp, UserId, WorkspaceId, check_line};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// His id.
    pub id: UserId,
    /// His name as others see it.
    pub name: String,
    /// His normalised e-mail address.
    pub email: String,
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Workspace {
    /// Its id.
    pub id: WorkspaceId,
    /// Its name.
    pub name: String,
}

/// A workspace that somebody may enter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkspaceOfMine {
    /// Its id.
    pub id: WorkspaceId,
    /// Its name.
    pub name: String,
    /// The person's role there.
    pub role: Role,
}

/// Answer to every way of signing in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = SignedIn)]
pub struct SignedInBody {
    /// Send it as `Authorization: Bearer`.
    pub access_token: String,
    /// Seconds until the access token has to be refreshed.
    pub expires_in: u64,
    /// Who signed in.
    pub user: User,
    /// The workspace that the token is for.
    pub workspace: Workspace,
    /// His role there.
    pub role: Role,
    /// What that allows.
    pub rights: Vec<Right>,
    /// Every workspace that he may enter.
    pub workspaces: Vec<WorkspaceOfMine>,
}

/// Who is asking, as the server sees it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The person; null for an API key.
    pub user: Option<User>,
    /// The workspace.
    pub workspace: Workspace,
    /// His role; null for an API key.
    pub role: Option<Role>,
    /// What may be done.
    pub rights: Vec<Right>,
    /// The sign-in; null for an API key.
    pub session_id: Option<SessionId>,
}

/// One sign-in of the person who asks.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whether it is the one that asks.
    pub current: bool,
    /// What the browser called itself.
    pub user_agent: Option<String>,
    /// Where it came from.
    pub address: Option<String>,
    /// When he signed in.
    pub created_at: Timestamp,
    /// When it was last refreshed.
    pub last_used_at: Timestamp,
    /// When it ends if it is not refreshed again.
    pub expires_at: Timestamp,
}

/// A person in a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// The person.
    pub user: User,
    /// His role.
    pub role: Role,
    /// Since when.
    pub joined_at: Timestamp,
}

/// Whom an invitation is from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Inviter {
    /// A user's or a key's id.
    pub id: uuid::Uuid,
    /// The name at that time.
    pub name: String,
}

/// Where an invitation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvitationState {
    /// It can be accepted.
    Pending,
    /// It was.
    Accepted,
    /// It was taken back, or replaced by a newer one.
    Revoked,
    /// Its time is over.
    Expired,
}

/// An invitation of somebody to a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// Whom it is for.
    pub email: String,
    /// What he becomes.
    pub role: Role,
    /// Whom it is from.
    pub invited_by: Inviter,
    /// When.
    pub created_at: Timestamp,
    /// Until when it can be accepted.
    pub expires_at: Timestamp,
    /// Where it stands.
    pub state: InvitationState,
}

/// An API key without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiKey {
    /// Its id.
    pub id: KeyId,
    /// What it is for, in its maker's words.
    pub name: String,
    /// How its secret begins.
    pub prefix: String,
    /// What it may do.
    pub scopes: Vec<Right>,
    /// Requests per minute, where it sets its own.
    pub rate_limit: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends, if ever.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// An e-mail address as it is stored and compared: trimmed, in lower case. Checked simply: mail alone proves an address.
///
/// # Errors
/// 422 `invalid_email`.
pub(crate) fn email(text: &str) -> Result<String, Problem> {
    let text = text.trim().to_lowercase();
    let strange = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | ',' | ';');
    let parts = text.split_once('@').filter(|(local, domain)| {
        !local.is_empty()
            && !domain.is_empty()
            && !domain.contains('@')
            && !domain.starts_with('.')
            && !domain.ends_with('.')
    });
    if parts.is_none() || text.len() > 254 || text.contains(strange) || check_line(&text, 254).is_err() {
        return Err(Problem::invalid_field(
            "email",
            "invalid_email",
            "This is no e-mail address. It looks like name@example.org.",
        ));
    }
    Ok(text)
}

/// A name on one line of 1 to 100 characters.
///
/// # Errors
/// 422 with the reason, on `field`.
pub(crate) fn name(field: &'static str, text: &str) -> Result<String, Problem> {
    match check_line(text, 100) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => Err(Problem::from(error).field(field, error.code(), error.to_string())),
    }
}

/// Whether `principal` may give somebody `role`, or touch somebody who has it. Nobody grants more than he has; a key is never
/// above an administrator.
pub(crate) fn may_manage(principal: &Principal, role: Role) -> bool {
    match principal.who {
        Who::Member { role: own, .. } => own.may_manage(role),
        Who::Key { .. } => role != Role::Owner && principal.rights.covers(role.rights()),
    }
}

/// 403 for what [`may_manage`] forbids.
pub(crate) fn role_too_high() -> Problem {
    let status = axum::http::StatusCode::FORBIDDEN;
    Problem::new(status, "role_too_high", "Not allowed")
        .detail("You cannot give or change a role above your own. Ask an owner.")
}

/// The rights that these names stand for, as they are stored.
pub(crate) fn scopes_text(scopes: Rights) -> String {
    scopes.iter().map(Right::as_str).collect::<Vec<_>>().join(" ")
}

/// Reads what [`scopes_text`] wrote. A right that only a newer version knew is not granted.
pub(crate) fn parse_scopes(text: &str) -> Rights {
    text.split(' ').filter_map(|it| it.parse::<Right>().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::world;

    #[test]
    fn an_email_is_trimmed_lowered_and_checked_simply() {
        for (text, want) in
            [("  Ada@Example.ORG ", "ada@example.org"), ("root@localhost", "root@localhost"), ("é+x@ü.de", "é+x@ü.de")]
        {
            assert_eq!(email(text).expect("an address"), want);
        }
        let long = format!("{}@example.org", "x".repeat(250));
        for text in [
            "",
            "@",
            "a@",
            "@b",
            "a b@c",
            "a@b@c",
            "a@.b",
            "a@b.",
            "a\n@b",
            "a\u{0}@b",
            "a\u{202e}@b",
            "Ada <ada@b>",
            long.as_str(),
        ] {
            assert_eq!(email(text).expect_err(text).code(), "invalid_email");
        }
    }

    #[test]
    fn scopes_survive_their_text_and_unknown_ones_are_not_granted() {
        assert_eq!(parse_scopes(&scopes_text(Rights::ALL)), Rights::ALL);
        assert_eq!(parse_scopes("live.read right.of.tomorrow"), Rights::of(&[Right::LiveRead]));
        assert_eq!(parse_scopes(""), Rights::NONE);
    }

    #[test]
    fn a_key_grants_only_what_it_has_and_never_ownership() {
        let key = |rights| Principal {
            workspace: world().id(),
            who: Who::Key { key: world().id() },
            name: "key".to_owned(),
            rights,
            rate: None,
            expires_at: None,
        };
        assert!(may_manage(&key(Rights::ALL), Role::Admin) && !may_manage(&key(Rights::ALL), Role::Owner));
        let few = key(Rights::of(&[Right::MembersManage, Right::MembersRead, Right::LiveRead]));
        assert!(may_manage(&few, Role::Member) && !may_manage(&few, Role::Operator) && !may_manage(&few, Role::Admin));
    }
}
