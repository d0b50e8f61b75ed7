//! What a feature hands to the server: its routes, subscribers, jobs and services. A feature is a value, not a plug-in:
//! the binary's list of features is the whole of what runs.

use std::{fmt, future::Future, sync::Arc};

use axum::Router;
use store::subscribers::Subscriber;
use utoipa_axum::router::OpenApiRouter;

use crate::{Hub, JobHandler, Service, live::ChatAccess, work::Ending};

/// One feature; built by `Feature::new("desk").api(…).subscriber(…)…`.
pub struct Feature {
    /// Its name in logs and metrics.
    pub name: &'static str,
    /// Described JSON operations, below `/api/v1`.
    pub api: OpenApiRouter<Hub>,
    /// Routes at the top level: webhooks, pages.
    pub plain: Router<Hub>,
    /// What answers when nothing else does: the web app. At most one feature has it.
    pub fallback: Option<Router<Hub>>,
    /// What follows the log.
    pub subscribers: Vec<Arc<dyn Subscriber>>,
    /// Who runs which kind of job.
    pub jobs: Vec<Arc<dyn JobHandler>>,
    /// Long-running tasks.
    pub services: Vec<Service>,
    /// Who may see what happens in the feature's chats.
    pub chat_access: Vec<Arc<dyn ChatAccess>>,
}

impl Feature {
    /// A feature that does nothing yet.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            api: OpenApiRouter::new(),
            plain: Router::new(),
            fallback: None,
            subscribers: Vec::new(),
            jobs: Vec::new(),
            services: Vec::new(),
            chat_access: Vec::new(),
        }
    }

    /// Adds described operations below `/api/v1`.
    #[must_use]
    pub fn api(mut self, router: OpenApiRouter<Hub>) -> Self {
        self.api = self.api.merge(router);
        self
    }

    /// Adds routes at the top level. They are neither described nor counted against the rate of unauthenticated requests.
    #[must_use]
    pub fn plain(mut self, router: Router<Hub>) -> Self {
        self.plain = self.plain.merge(router);
        self
    }

    /// Sets what answers when no other route does.
    #[must_use]
    pub fn fallback(mut self, router: Router<Hub>) -> Self {
        self.fallback = Some(router);
        self
    }

    /// Adds a follower of the log.
    #[must_use]
    pub fn subscriber(mut self, subscriber: impl Subscriber + 'static) -> Self {
        self.subscribers.push(Arc::new(subscriber));
        self
    }

    /// Adds a handler of one kind of job.
    #[must_use]
    pub fn job(mut self, handler: impl JobHandler) -> Self {
        self.jobs.push(Arc::new(handler));
        self
    }

    /// Adds a supervised task: started again, after a growing pause, when it fails or panics; see [`Service`].
    #[must_use]
    pub fn service<F, Fut>(mut self, name: &'static str, start: F) -> Self
    where
        F: Fn(Hub) -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: Ending,
    {
        self.services.push(Service::new(name, start));
        self
    }

    /// Says who may see what happens in chats that this feature knows.
    #[must_use]
    pub fn chat_access(mut self, access: impl ChatAccess) -> Self {
        self.chat_access.push(Arc::new(access));
        self
    }
}

impl fmt::Debug for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feature").field("name", &self.name).finish_non_exhaustive()
    }
}
