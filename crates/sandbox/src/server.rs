//! The HTTP server. It accepts by itself, because a fault must be able to close a connection without an answer,
//! which a router cannot say.

use crate::api::{self, Cut};
use crate::{Sandbox, control, hooks, play, timer};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower::ServiceExt;

/// How long answers under way may take when the sandbox stops; hung calls are cut then.
const GRACE: Duration = Duration::from_secs(1);

impl Sandbox {
    /// Serves Bot API, control API and play page on `listener` until `shutdown` is ready. A sandbox that has
    /// stopped stays stopped.
    ///
    /// # Errors
    /// None today: a connection that fails is its own end only.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let router = Router::new().merge(control::routes(&self)).merge(play::routes(&self));
        let mut connections = JoinSet::new();
        hooks::start_all(&self);
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(connection(self.clone(), router.clone(), stream));
                    }
                    Err(error) => {
                        // Out of descriptors, most likely: let some connections end first.
                        tracing::warn!(%error, "the sandbox cannot accept a connection");
                        timer::pause(Duration::from_millis(50)).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
        self.0.stop.send_replace(true);
        let drained = async { while connections.join_next().await.is_some() {} };
        // What is left after that hangs on purpose; dropping the set cuts it.
        let _ = tokio::time::timeout(GRACE, drained).await;
        Ok(())
    }
}

async fn connection(sandbox: Sandbox, router: Router, stream: TcpStream) {
    // Small answers must not wait for the receiver's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let mut stop = sandbox.0.stop.subscribe();
    let service = service_fn(|request: Request<hyper::body::Incoming>| {
        answer(sandbox.clone(), router.clone(), request.map(Body::new))
    });
    let served = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
    tokio::pin!(served);
    let stopped = async {
        // An error means that the sender is gone, which is a stop as well.
        let _ = stop.wait_for(|stopped| *stopped).await;
    };
    tokio::select! {
        // A cut is an error by design, and a client that leaves is no news.
        _ = served.as_mut() => return,
        () = stopped => {}
    }
    served.as_mut().graceful_shutdown();
    let _ = served.await;
}

async fn answer(sandbox: Sandbox, router: Router, request: Request<Body>) -> Result<Response<Body>, Cut> {
    if request.uri().path().starts_with("/bot") {
        return api::handle(&sandbox, request).await;
    }
    match router.oneshot(request).await {
        Ok(response) => Ok(response),
        Err(never) => match never {},
    }
}
