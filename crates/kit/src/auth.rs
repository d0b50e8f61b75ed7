//! Authority as a type in the handler's signature: without the extractor, no principal and no data.
//!
//! A handler takes [`Allowed<rights::X>`](Allowed) or [`SignedIn`] as its **first** argument, and
//! [`route!`](crate::route!) reads the right from that type into the API description (`x-right`), so the signature is the
//! only place where it is said. Order of the checks: token (401), rate (429), right (403).
//!
//! The [`Authenticator`] is asked on every request; it may answer from memory as long as a commit that changes a
//! session, a membership or a key is seen by the very next call. It must register its own commit hook in its
//! constructor, that is before [`HubBuilder::build`](crate::HubBuilder::build): hooks run in order of registration, and the
//! live streams ask the authenticator again from theirs.

use std::{fmt, marker::PhantomData, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use futures_util::future::BoxFuture;
use model::{ActorKind, ActorRef, KeyId, Right, Rights, Role, SessionId, Timestamp, UserId, WorkspaceId};

use crate::{Hub, Problem, extract::card};

/// Somebody who may do something in one workspace.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The tenant that the token or key is for.
    pub workspace: WorkspaceId,
    /// A member or a key.
    pub who: Who,
    /// Name to show.
    pub name: String,
    /// What he may do.
    pub rights: Rights,
    /// Requests per minute, where a key sets its own.
    pub rate: Option<u32>,
    /// When the token ends; open streams close then unless it is renewed.
    pub expires_at: Option<Timestamp>,
}

/// The two kinds of principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// A person with a session.
    Member {
        /// The person.
        user: UserId,
        /// The sign-in that the token belongs to.
        session: SessionId,
        /// His role in the workspace.
        role: Role,
    },
    /// An API key.
    Key {
        /// The key.
        key: KeyId,
    },
}

impl Principal {
    /// The actor of the events that he causes.
    #[must_use]
    pub fn actor(&self) -> ActorRef {
        match self.who {
            Who::Member { user, .. } => ActorRef::member(user),
            Who::Key { key } => ActorRef::new(ActorKind::Key, key.uuid()),
        }
    }

    /// The person, if it is one.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        match self.who {
            Who::Member { user, .. } => Some(user),
            Who::Key { .. } => None,
        }
    }

    /// The sign-in, if it is a person.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        match self.who {
            Who::Member { session, .. } => Some(session),
            Who::Key { .. } => None,
        }
    }

    /// The role, if it is a person.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        match self.who {
            Who::Member { role, .. } => Some(role),
            Who::Key { .. } => None,
        }
    }

    /// # Errors
    /// 403 without `right`.
    pub fn require(&self, right: Right) -> Result<(), Problem> {
        if self.rights.has(right) { Ok(()) } else { Err(Problem::forbidden()) }
    }
}

/// Why a token gave no principal.
#[derive(Debug)]
pub enum AuthError {
    /// Unknown, malformed, revoked, or its membership is gone.
    Invalid,
    /// It was good and its time is over.
    Expired,
    /// It could not be checked.
    Store(store::Error),
}

impl From<store::Error> for AuthError {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Invalid => Self::unauthenticated(),
            AuthError::Expired => Self::new(axum::http::StatusCode::UNAUTHORIZED, "token_expired", "Not signed in")
                .detail("The access token has expired. Refresh it and try again."),
            AuthError::Store(error) => error.into(),
        }
    }
}

/// Turns a token into a principal; see the module for what it promises.
pub trait Authenticator: Send + Sync + 'static {
    /// Checks `token` (an access token or an API key) against session, membership and key as they are now.
    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Arc<Principal>, AuthError>>;
}

/// A right as a type; see [`rights`].
pub trait RightTag: Send + Sync + 'static {
    /// The right.
    const RIGHT: Right;
}

/// A type for each right.
pub mod rights {
    use super::{Right, RightTag};

    macro_rules! tags {
        ($($name:ident),* $(,)?) => {$(
            #[doc = concat!("The right `Right::", stringify!($name), "`.")]
            #[derive(Debug, Clone, Copy)]
            pub enum $name {}

            impl RightTag for $name {
                const RIGHT: Right = Right::$name;
            }
        )*};
    }

    tags! {
        WorkspaceManage, MembersRead, MembersManage, KeysManage, AuditRead, BotsRead, BotsManage, ConversationsRead,
        ConversationsReply, DeliveriesRead, DeliveriesManage, SystemRead, LiveRead,
    }
}

/// A principal that holds the right `R`.
pub struct Allowed<R: RightTag>(pub Arc<Principal>, PhantomData<fn() -> R>);

impl<R: RightTag> std::ops::Deref for Allowed<R> {
    type Target = Arc<Principal>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<R: RightTag> fmt::Debug for Allowed<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Allowed").field(&R::RIGHT).field(&self.0).finish()
    }
}

impl<R: RightTag> FromRequestParts<Hub> for Allowed<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, hub: &Hub) -> Result<Self, Problem> {
        let principal = principal(parts, hub).await?;
        principal.require(R::RIGHT)?;
        Ok(Self(principal, PhantomData))
    }
}

/// Any member or key, whatever his rights.
#[derive(Debug)]
pub struct SignedIn(pub Arc<Principal>);

impl std::ops::Deref for SignedIn {
    type Target = Arc<Principal>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl FromRequestParts<Hub> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, hub: &Hub) -> Result<Self, Problem> {
        principal(parts, hub).await.map(Self)
    }
}

/// The token of an `Authorization: Bearer` header.
pub(crate) fn bearer(headers: &axum::http::HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

async fn principal(parts: &Parts, hub: &Hub) -> Result<Arc<Principal>, Problem> {
    let card = card(parts);
    let Some(token) = bearer(&parts.headers) else {
        return Err(Problem::unauthenticated());
    };
    match hub.auth().authenticate(token).await {
        Ok(principal) => {
            card.charge(hub.limits().principal(&principal))?;
            Ok(principal)
        }
        Err(error) => {
            // A request without a token was counted at the edge; a bad token is counted here.
            if !matches!(error, AuthError::Store(_)) {
                card.count_stranger(hub)?;
            }
            Err(error.into())
        }
    }
}
