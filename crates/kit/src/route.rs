//! How a feature registers a handler: `OpenApiRouter::new().routes(route!(send::send_message))`.
//!
//! [`route!`](crate::route!) takes an operation described by `#[utoipa::path]` whose **first** argument says who may call
//! it: [`Allowed<R>`](crate::Allowed), [`SignedIn`] or [`Public`]. From that type it writes `x-right` (the right's name,
//! `signed_in` or `public`) and the security requirement into the description; a handler that says nothing does not compile.

use axum::{
    extract::{FromRequestParts, MatchedPath},
    handler::Handler,
    http::request::Parts,
};
use utoipa::openapi::{extensions::Extensions, path::Operation, security::SecurityRequirement};
use utoipa_axum::router::UtoipaMethodRouter;

use crate::{Allowed, Hub, Problem, RightTag, SignedIn, auth::bearer, extract::card, live::LIVE};

/// Registers one described operation; see the [module](self).
#[macro_export]
macro_rules! route {
    ($handler:path $(,)?) => {
        $crate::route::guarded($handler, $crate::macros::routes!($handler))
    };
}

/// First argument of a handler that anybody may call.
#[derive(Debug, Clone, Copy)]
pub struct Public;

impl FromRequestParts<Hub> for Public {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, hub: &Hub) -> Result<Self, Problem> {
        // The edge counts requests without a token. Nobody checks a token here, so showing one must not be a way around.
        let is_stream = parts.extensions.get::<MatchedPath>().is_some_and(|path| path.as_str() == LIVE);
        if bearer(&parts.headers).is_some() && !is_stream {
            card(parts).count_stranger(hub)?;
        }
        Ok(Self)
    }
}

/// What the first argument of a handler says about who may call it.
pub trait Authority {
    /// Value of `x-right`.
    const NAME: &'static str;
    /// Whether a token is needed.
    const TOKEN: bool;
}

impl<R: RightTag> Authority for Allowed<R> {
    const NAME: &'static str = R::RIGHT.as_str();
    const TOKEN: bool = true;
}

impl Authority for SignedIn {
    const NAME: &'static str = "signed_in";
    const TOKEN: bool = true;
}

impl Authority for Public {
    const NAME: &'static str = "public";
    const TOKEN: bool = false;
}

/// The arguments of a handler whose first one is an [`Authority`].
#[diagnostic::on_unimplemented(
    message = "the first argument of a handler has to say who may call it",
    label = "take `Allowed<R>`, `SignedIn` or `Public` first"
)]
pub trait Guarded {
    /// The first argument.
    type Authority: Authority;
}

macro_rules! guarded_tuples {
    ($($($rest:ident)*;)*) => {$(
        impl<M, A: Authority, $($rest),*> Guarded for (M, A, $($rest),*) {
            type Authority = A;
        }
    )*};
}

guarded_tuples! { ; B; B C; B C D; B C D E; B C D E F; B C D E F G; B C D E F G H; B C D E F G H I; }

/// Writes what `handler`'s first argument says into the description of its operation. Called by `route!`.
pub fn guarded<H, T>(
    _handler: H,
    (schemas, mut paths, method_router): UtoipaMethodRouter<Hub>,
) -> UtoipaMethodRouter<Hub>
where
    H: Handler<T, Hub>,
    T: Guarded + 'static,
{
    for item in paths.paths.values_mut() {
        let operations =
            [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch, &mut item.head];
        operations.into_iter().flatten().for_each(describe::<T::Authority>);
    }
    (schemas, paths, method_router)
}

fn describe<A: Authority>(operation: &mut Operation) {
    let right = Extensions::from_iter([("x-right", A::NAME)]);
    operation.extensions.get_or_insert_default().merge(right);
    operation.security = A::TOKEN.then(|| vec![SecurityRequirement::new("bearer", Vec::<String>::new())]);
}
