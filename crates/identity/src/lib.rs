#![doc = include_str!("../README.md")]

mod account;
mod attempts;
mod cookie;
mod entrance;
#[cfg(test)]
mod fixture;
mod gate;
mod jobs;
mod model;
mod password;
mod reset;
mod routes;
mod rows;
mod setup;
mod tokens;
mod usage;
mod workspace;

use std::{fmt, sync::Arc};

use ::model::World;
use axum::Extension;
use kit::{Authenticator, BoxFuture, Feature, Hub, KeyRing, Principal, Problem};
use store::Db;

use crate::{gate::Gate, password::Passwords};
pub use crate::{
    model::{
        ApiKey, Invitation, InvitationState, Inviter, Me, Member, Session, SignedInBody, User, Workspace,
        WorkspaceOfMine,
    },
    password::Hashing,
    reset::issue_reset_link,
    setup::{SetupCode, SetupCodeRefused},
    workspace::create_workspace,
};

/// Connects a sandbox bot for the person who has just set the installation up; given by the binary when a sandbox runs.
pub type SandboxStarter = Arc<dyn Fn(Hub, Arc<Principal>) -> BoxFuture<'static, Result<(), Problem>> + Send + Sync>;

/// What the operator decides about identity.
#[derive(Clone)]
pub struct Config {
    /// What a password hash costs.
    pub hashing: Hashing,
    /// The one-time code that setup asks for.
    pub setup_code: SetupCode,
    /// Set when a sandbox listener runs.
    pub sandbox: Option<SandboxStarter>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("hashing", &self.hashing)
            .field("sandbox", &self.sandbox.is_some())
            .finish_non_exhaustive()
    }
}

/// Who people are and what they may do. Cloning is cheap.
///
/// Make it before the hub is built: it registers the commit hook that its memory depends on.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    db: Db,
    world: World,
    gate: Arc<Gate>,
    passwords: Passwords,
    setup_code: SetupCode,
    sandbox: Option<SandboxStarter>,
}

impl Identity {
    /// Identity on this database.
    #[must_use]
    pub fn new(db: Db, keys: KeyRing, world: World, config: Config) -> Self {
        let passwords = Passwords::new(config.hashing, world.clone());
        let gate = Gate::new(db.clone(), keys, world.clone());
        Self(Arc::new(Inner { db, world, gate, passwords, setup_code: config.setup_code, sandbox: config.sandbox }))
    }

    /// What checks tokens and keys, for the hub.
    #[must_use]
    pub fn authenticator(&self) -> Arc<dyn Authenticator> {
        self.0.gate.clone()
    }

    /// Whether nobody has set the installation up yet.
    ///
    /// # Errors
    /// What the database says.
    pub async fn needs_setup(&self) -> Result<bool, store::Error> {
        self.0.db.read(rows::setup::is_done).await.map(|done| !done)
    }

    /// Routes, jobs and services.
    #[must_use]
    pub fn feature(&self) -> Feature {
        let gate = self.0.gate.clone();
        Feature::new("identity")
            .api(routes::all().layer(Extension(self.clone())))
            .job(jobs::Purge)
            .service("key usage", move |hub| usage::keep(gate.clone(), hub))
    }

    fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    fn gate(&self) -> &Gate {
        &self.0.gate
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}
