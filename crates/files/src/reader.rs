//! Who asks for a file: by the cookies, or by a token in the header as everywhere else.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use kit::{AuthError, Caller, Hub, Principal, Problem, SignedIn, limits};
use model::{Limit, WorkspaceId};

use crate::cookie;

/// Somebody who may ask, with what he is in each workspace that he has a cookie for; what he may read is another question.
pub(crate) struct Reader(Vec<Arc<Principal>>);

impl Reader {
    /// What he is in a workspace.
    pub(crate) fn within(&self, workspace: WorkspaceId) -> Option<Arc<Principal>> {
        self.0.iter().find(|it| it.workspace == workspace).cloned()
    }
}

impl FromRequestParts<Hub> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, hub: &Hub) -> Result<Self, Problem> {
        if parts.headers.contains_key(header::AUTHORIZATION) {
            let SignedIn(principal) = SignedIn::from_request_parts(parts, hub).await?;
            return Ok(Self(vec![principal]));
        }
        let mut known = Vec::new();
        for token in cookie::tokens(hub, &parts.headers) {
            match hub.auth().authenticate(&token).await {
                Ok(principal) => known.push(principal),
                Err(AuthError::Store(error)) => return Err(error.into()),
                Err(AuthError::Invalid | AuthError::Expired) => {}
            }
        }
        charge(parts, hub, known.first()).await?;
        if known.is_empty() { Err(Problem::unauthenticated()) } else { Ok(Self(known)) }
    }
}

/// Counts the request in the cells that the API counts in.
async fn charge(parts: &mut Parts, hub: &Hub, principal: Option<&Arc<Principal>>) -> Result<(), Problem> {
    let (limits, rates) = (hub.limits(), hub.config().rates);
    let per_minute = |rate| Limit::per(rate, Duration::from_secs(60));
    match principal.and_then(|it| it.user()) {
        Some(user) => limits.check("user", user, per_minute(rates.per_user))?,
        None => {
            let address = limits::network(Caller::from_request_parts(parts, hub).await?.address());
            limits.check("address", address, per_minute(rates.per_address))?
        }
    };
    Ok(())
}
