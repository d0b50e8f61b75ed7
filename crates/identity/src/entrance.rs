//! What all ways of signing in share: a session is opened, a workspace chosen, an answer made.

use std::time::Duration;

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use kit::{Caller, Hub, KeyRing, Principal, Problem, Who};
use model::{Right, SYSTEM_WORKSPACE, SessionId, Timestamp, UserId, WorkspaceId};
use store::Tx;

use crate::{
    attempts::network_mark,
    cookie,
    model::{SignedInBody, User, WorkspaceOfMine},
    rows::{self, sessions::Origin, users::Standing},
    tokens::{Access, Refresh},
};

/// How long an access token is good.
pub(crate) const ACCESS_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// Somebody who has just come in.
#[derive(Debug)]
pub(crate) struct Entrance {
    pub(crate) token: Refresh,
    pub(crate) ticket: Ticket,
}

/// What an access token and the answer around it are made of.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) session: SessionId,
    pub(crate) user: User,
    pub(crate) chosen: Standing,
    pub(crate) all: Vec<Standing>,
    pub(crate) at: Timestamp,
}

/// Opens a session for somebody who has proved who he is, in the workspace he wants or used last.
///
/// # Errors
/// 404 when he is no member of the workspace that he wants, 403 `no_workspace` when he is a member of none.
pub(crate) async fn enter(
    hub: &Hub,
    caller: &Caller,
    user: UserId,
    wanted: Option<WorkspaceId>,
) -> Result<Entrance, Problem> {
    let keys = hub.keys().clone();
    let origin = origin(caller);
    let network = network_mark(&keys, user, caller.address());
    let opened = hub.db().write_essential(SYSTEM_WORKSPACE, move |tx| open(tx, &keys, user, wanted, &origin, &network));
    opened.await
}

pub(crate) fn origin(caller: &Caller) -> Origin {
    Origin { user_agent: caller.user_agent().map(str::to_owned), address: caller.address().to_canonical().to_string() }
}

/// The part of [`enter`] that is one transaction of the system workspace.
pub(crate) fn open(
    tx: &mut Tx<'_>,
    keys: &KeyRing,
    user: UserId,
    wanted: Option<WorkspaceId>,
    origin: &Origin,
    network: &[u8; 16],
) -> Result<Entrance, Problem> {
    let account = rows::users::get(tx, user)?;
    let all = rows::users::standings(tx, user)?;
    let chosen = choose(&all, wanted, account.last_workspace)?;
    let token = rows::sessions::open(tx, keys, user, chosen.workspace.id, origin)?;
    rows::users::note_network(tx, user, network)?;
    rows::users::set_last_workspace(tx, user, chosen.workspace.id)?;
    Ok(Entrance { token, ticket: Ticket { session: token.session, user: account.user, chosen, all, at: tx.now() } })
}

/// The workspace to enter: the wanted one, else the last one, else the oldest.
///
/// # Errors
/// See [`enter`].
pub(crate) fn choose(
    all: &[Standing],
    wanted: Option<WorkspaceId>,
    last: Option<WorkspaceId>,
) -> Result<Standing, Problem> {
    let find = |id: WorkspaceId| all.iter().find(|it| it.workspace.id == id);
    let chosen = match wanted {
        Some(id) => Some(find(id).ok_or_else(Problem::not_found)?),
        None => last.and_then(find).or(all.first()),
    };
    chosen.cloned().ok_or_else(|| {
        Problem::new(StatusCode::FORBIDDEN, "no_workspace", "Not allowed")
            .detail("You are not a member of any workspace. Ask somebody who is for an invitation.")
    })
}

impl Entrance {
    /// The whole answer: body and cookie.
    pub(crate) fn answer(self, hub: &Hub, status: StatusCode) -> Response {
        let cookie = cookie::set(&self.token, hub.config());
        (status, cookie, Json(self.ticket.body(hub.keys()))).into_response()
    }
}

impl Ticket {
    /// The body of the answer, with an access token.
    pub(crate) fn body(self, keys: &KeyRing) -> SignedInBody {
        let Standing { workspace, role, epoch } = self.chosen;
        let expires_at = self.at + ACCESS_LIFETIME;
        let access = Access { session: self.session, workspace: workspace.id, expires_at, epoch };
        let mine = |it: Standing| WorkspaceOfMine { id: it.workspace.id, name: it.workspace.name, role: it.role };
        SignedInBody {
            access_token: access.sign(keys),
            expires_in: ACCESS_LIFETIME.as_secs(),
            user: self.user,
            workspace,
            role,
            rights: role.rights().iter().collect::<Vec<Right>>(),
            workspaces: self.all.into_iter().map(mine).collect(),
        }
    }

    /// The person as a principal, for what the server does in his name right away.
    pub(crate) fn principal(&self) -> Principal {
        let Standing { workspace, role, .. } = &self.chosen;
        Principal {
            workspace: workspace.id,
            who: Who::Member { user: self.user.id, session: self.session, role: *role },
            name: self.user.name.clone(),
            rights: role.rights(),
            rate: None,
            expires_at: Some(self.at + ACCESS_LIFETIME),
        }
    }
}

/// The person behind a principal.
///
/// # Errors
/// 403 `people_only` for an API key.
pub(crate) fn person(principal: &Principal) -> Result<(UserId, SessionId), Problem> {
    match principal.who {
        Who::Member { user, session, .. } => Ok((user, session)),
        Who::Key { .. } => Err(Problem::new(StatusCode::FORBIDDEN, "people_only", "Not allowed")
            .detail("This concerns a person's own account; an API key has none. Sign in as a person.")),
    }
}
