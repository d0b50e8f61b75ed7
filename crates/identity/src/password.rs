//! Passwords: Argon2id on blocking threads, few at a time.
//!
//! A hash costs memory and time on purpose, so at most [`AT_ONCE`] run and at most [`WAITING`] wait; whoever comes then gets
//! a 503 and tries again. Checking an unknown account costs the same as a known one: it is checked against a hash of nobody's password.

use std::{sync::Arc, time::Duration};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use kit::Problem;
use model::{Secret, World};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Hashes that run at the same time.
const AT_ONCE: usize = 2;
/// Hashes that may wait for their turn.
const WAITING: usize = 64;
/// Characters that a password has at least.
const SHORTEST: usize = 10;
/// Characters that a password has at most.
const LONGEST: usize = 200;

/// What a hash costs (RFC 9106, and the OWASP password storage cheat sheet's smallest recommendation as the default).
#[derive(Debug, Clone, Copy)]
pub struct Hashing {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for Hashing {
    fn default() -> Self {
        Self { memory: 19 * 1024, passes: 2, lanes: 1 }
    }
}

impl Hashing {
    /// The least that the algorithm accepts, for tests.
    #[must_use]
    pub const fn cheapest() -> Self {
        Self { memory: 8, passes: 1, lanes: 1 }
    }

    fn argon(self) -> Argon2<'static> {
        let params = Params::new(self.memory, self.passes, self.lanes, None);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params.unwrap_or(Params::DEFAULT))
    }
}

/// Makes and checks password hashes. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Passwords {
    hashing: Hashing,
    world: World,
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
    nobody: Arc<str>,
}

impl Passwords {
    pub(crate) fn new(hashing: Hashing, world: World) -> Self {
        let nobody = hash(hashing, &world, "nobody's password").unwrap_or_default().into();
        let (running, admitted) = (Semaphore::new(AT_ONCE), Semaphore::new(AT_ONCE + WAITING));
        Self { hashing, world, running: Arc::new(running), admitted: Arc::new(admitted), nobody }
    }

    /// A hash for the database.
    pub(crate) async fn hash(&self, password: &Secret) -> Result<String, Problem> {
        let (hashing, world, password) = (self.hashing, self.world.clone(), password.clone());
        let hashed = self.run(move || hash(hashing, &world, password.expose())).await?;
        hashed.ok_or_else(|| Problem::bug("the password could not be hashed"))
    }

    /// Whether `password` belongs to `stored`; without one it takes as long and is wrong.
    pub(crate) async fn verify(&self, password: &Secret, stored: Option<&str>) -> Result<bool, Problem> {
        if password.expose().chars().count() > LONGEST {
            return Ok(false);
        }
        let (known, stored) = (stored.is_some(), stored.unwrap_or(&self.nobody).to_owned());
        let (argon, password) = (self.hashing.argon(), password.clone());
        let right = self.run(move || {
            PasswordHash::new(&stored).is_ok_and(|it| argon.verify_password(password.expose().as_bytes(), &it).is_ok())
        });
        Ok(right.await? && known)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned();
        let _admitted = admitted.map_err(|_| crowded())?;
        let running: OwnedSemaphorePermit = Arc::clone(&self.running).acquire_owned().await.map_err(|_| crowded())?;
        let done = tokio::task::spawn_blocking(move || {
            let _running = running;
            work()
        });
        done.await.map_err(|error| Problem::bug(error.to_string()))
    }
}

fn crowded() -> Problem {
    Problem::unavailable(
        "busy",
        "Too many people are signing in at this moment. Try again shortly.",
        Duration::from_secs(1),
    )
}

fn hash(hashing: Hashing, world: &World, password: &str) -> Option<String> {
    let salt: [u8; 16] = world.random();
    let hash: PasswordHash = hashing.argon().hash_password_with_salt(password.as_bytes(), &salt).ok()?;
    Some(hash.to_string())
}

/// Checks a password that somebody wants to have.
///
/// # Errors
/// 422 `password_too_short` or `password_too_long`.
pub(crate) fn check(field: &'static str, password: &Secret) -> Result<(), Problem> {
    let length = password.expose().chars().count();
    if length < SHORTEST {
        return Err(Problem::invalid_field(
            field,
            "password_too_short",
            format!("A password needs at least {SHORTEST} characters; a few words in a row do well."),
        ));
    }
    if length > LONGEST {
        let detail = format!("A password can have at most {LONGEST} characters.");
        return Err(Problem::invalid_field(field, "password_too_long", detail));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::world;

    #[tokio::test]
    async fn only_the_right_password_of_a_known_account_is_right() {
        let passwords = Passwords::new(Hashing::cheapest(), world());
        let secret = |text: &str| Secret::new(text.to_owned());
        let stored = passwords.hash(&secret("correct horse battery")).await.expect("hashed");
        assert!(stored.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{stored}");
        assert!(passwords.verify(&secret("correct horse battery"), Some(&stored)).await.expect("checked"));
        assert!(!passwords.verify(&secret("correct horse batterY"), Some(&stored)).await.expect("checked"));
        assert!(!passwords.verify(&secret("nobody's password"), None).await.expect("checked"));
        assert!(!passwords.verify(&secret(&"x".repeat(201)), Some(&stored)).await.expect("checked"));
        assert!(!passwords.verify(&secret("correct horse battery"), Some("garbage")).await.expect("checked"));
    }

    #[tokio::test]
    async fn a_crowd_is_turned_away_instead_of_queueing_without_end() {
        let passwords = Passwords::new(Hashing::cheapest(), world());
        let everyone = passwords.admitted.clone().acquire_many_owned((AT_ONCE + WAITING) as u32).await.expect("open");
        let refused = passwords.hash(&Secret::new("a password of length".to_owned())).await.expect_err("crowded");
        assert_eq!(refused.code(), "busy");
        drop(everyone);
        passwords.hash(&Secret::new("a password of length".to_owned())).await.expect("room again");
    }

    #[test]
    fn the_length_counts_characters() {
        let code = |text: String| check("password", &Secret::new(text)).err().map(|it| it.code());
        assert_eq!(code("é".repeat(9)), Some("password_too_short"));
        assert_eq!(code("é".repeat(10)), None);
        assert_eq!(code("é".repeat(200)), None);
        assert_eq!(code("é".repeat(201)), Some("password_too_long"));
    }

    #[test]
    fn the_default_costs_what_the_documentation_says() {
        assert!(hash(Hashing::default(), &world(), "x").expect("hashed").contains("m=19456,t=2,p=1"));
    }
}
