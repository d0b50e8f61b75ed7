//! The gate: turns access tokens and API keys into principals, as things are at that moment.
//!
//! **Truth.** A token is good while its session lives, its membership has the epoch that the token names, and its time is not
//! over; a key while it is not revoked and not expired.
//!
//! **Memory.** On SQLite one process sees every commit, so answers are remembered and dropped by a commit hook, which runs before
//! the command that ended the session is answered. What was read before such a commit is not remembered after it: each
//! reader notes the generation first, and the hook raises it. On PostgreSQL every request asks the primary, because another
//! node may have ended the session.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use kit::{AuthError, Authenticator, BoxFuture, KeyRing, Principal, Who};
use model::{KeyId, SYSTEM_WORKSPACE, SessionId, UserId, WorkspaceId, World};
use store::{Committed, Db, Driver};
use subtle::ConstantTimeEq;

use crate::{
    rows,
    tokens::{self, Access},
    usage::Usage,
};

/// Entries of each kind that are remembered; beyond that everything is forgotten once.
const MOST: usize = 50_000;

/// See the module.
pub(crate) struct Gate {
    db: Db,
    keys: KeyRing,
    world: World,
    memory: Arc<RwLock<Memory>>,
    usage: Usage,
}

#[derive(Default)]
struct Memory {
    generation: u64,
    members: HashMap<(SessionId, WorkspaceId), Member>,
    keys: HashMap<String, Key>,
}

#[derive(Clone)]
struct Member {
    user: UserId,
    epoch: i64,
    principal: Arc<Principal>,
}

#[derive(Clone)]
struct Key {
    id: KeyId,
    secret_hash: [u8; 32],
    principal: Arc<Principal>,
}

impl Gate {
    pub(crate) fn new(db: Db, keys: KeyRing, world: World) -> Arc<Self> {
        let memory = Arc::<RwLock<Memory>>::default();
        if db.driver() == Driver::Sqlite {
            let memory = memory.clone();
            db.on_commit(Arc::new(move |committed| {
                if committed.events.iter().any(|event| is_about_authority(&event.kind)) {
                    write(&memory).drop_stale(committed);
                }
            }));
        }
        Arc::new(Self { db, keys, world, memory, usage: Usage::default() })
    }

    pub(crate) fn usage(&self) -> &Usage {
        &self.usage
    }

    async fn member(&self, access: Access) -> Result<Arc<Principal>, AuthError> {
        if access.expires_at <= self.world.now() {
            return Err(AuthError::Expired);
        }
        let place = (access.session, access.workspace);
        let (remembered, generation) = {
            let memory = read(&self.memory);
            (memory.members.get(&place).cloned(), memory.generation)
        };
        let member = match remembered {
            Some(member) => member,
            None => self.look_up_member(access, generation).await?,
        };
        if member.epoch != access.epoch {
            return Err(AuthError::Invalid);
        }
        if member.principal.expires_at == Some(access.expires_at) {
            return Ok(member.principal);
        }
        let principal = Arc::new(Principal { expires_at: Some(access.expires_at), ..(*member.principal).clone() });
        // After a refresh the new token is the one that will be seen again.
        if member.principal.expires_at < principal.expires_at {
            let mut memory = write(&self.memory);
            if let Some(known) = memory.members.get_mut(&place).filter(|known| known.epoch == access.epoch) {
                known.principal = principal.clone();
            }
        }
        Ok(principal)
    }

    async fn look_up_member(&self, access: Access, generation: u64) -> Result<Member, AuthError> {
        let seen = self.db.read(move |tx| rows::sessions::seen(tx, access.session, access.workspace)).await;
        let seen = seen.map_err(AuthError::Store)?.ok_or(AuthError::Invalid)?;
        let principal = Principal {
            workspace: access.workspace,
            who: Who::Member { user: seen.user, session: access.session, role: seen.role },
            name: seen.name,
            rights: seen.role.rights(),
            rate: None,
            expires_at: Some(access.expires_at),
        };
        let member = Member { user: seen.user, epoch: seen.epoch, principal: Arc::new(principal) };
        if self.remembers() {
            write(&self.memory).remember(generation, |it| &mut it.members, (access.session, access.workspace), &member);
        }
        Ok(member)
    }

    async fn key(&self, text: &str) -> Result<Arc<Principal>, AuthError> {
        let prefix = tokens::key_prefix(text).ok_or(AuthError::Invalid)?;
        let (remembered, generation) = {
            let memory = read(&self.memory);
            (memory.keys.get(prefix).cloned(), memory.generation)
        };
        let key = match remembered {
            Some(key) => key,
            None => self.look_up_key(prefix.to_owned(), generation).await?,
        };
        if !bool::from(tokens::hash(text.as_bytes()).ct_eq(&key.secret_hash)) {
            return Err(AuthError::Invalid);
        }
        let now = self.world.now();
        if key.principal.expires_at.is_some_and(|end| end <= now) {
            return Err(AuthError::Expired);
        }
        self.usage.note(key.id, key.principal.workspace, now);
        Ok(key.principal)
    }

    async fn look_up_key(&self, prefix: String, generation: u64) -> Result<Key, AuthError> {
        let wanted = prefix.clone();
        let live = self.db.read(move |tx| rows::keys::live(tx, &wanted)).await;
        let live = live.map_err(AuthError::Store)?.ok_or(AuthError::Invalid)?;
        let principal = Principal {
            workspace: live.workspace,
            who: Who::Key { key: live.key.id },
            name: live.key.name,
            rights: live.key.scopes.into_iter().collect(),
            rate: live.key.rate_limit,
            expires_at: live.key.expires_at,
        };
        let key = Key { id: live.key.id, secret_hash: live.secret_hash, principal: Arc::new(principal) };
        if self.remembers() {
            write(&self.memory).remember(generation, |it| &mut it.keys, prefix, &key);
        }
        Ok(key)
    }

    fn remembers(&self) -> bool {
        self.db.driver() == Driver::Sqlite
    }
}

impl Authenticator for Gate {
    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Arc<Principal>, AuthError>> {
        Box::pin(async move {
            if token.starts_with(tokens::KEY) {
                return self.key(token).await;
            }
            self.member(Access::read(token, &self.keys).ok_or(AuthError::Invalid)?).await
        })
    }
}

impl Memory {
    /// Keeps what was read when the memory had this generation, unless something was dropped since.
    fn remember<K: Eq + Hash, V: Clone>(
        &mut self,
        generation: u64,
        shelf: impl FnOnce(&mut Self) -> &mut HashMap<K, V>,
        key: K,
        value: &V,
    ) {
        if self.generation != generation {
            return;
        }
        let entries = shelf(self);
        if entries.len() >= MOST {
            entries.clear();
        }
        entries.insert(key, value.clone());
    }

    /// Drops what a commit may have made untrue.
    fn drop_stale(&mut self, committed: &Committed) {
        for event in &committed.events {
            let Some(entity) = event.entity else { continue };
            let system = event.workspace == SYSTEM_WORKSPACE;
            match &*event.kind {
                "session.revoked" if system => self.members.retain(|(session, _), _| session.uuid() != entity),
                "user.updated" if system => self.members.retain(|_, member| member.user.uuid() != entity),
                "member.updated" | "member.removed" => self
                    .members
                    .retain(|(_, workspace), member| *workspace != event.workspace || member.user.uuid() != entity),
                "key.updated" => self.keys.retain(|_, key| key.id.uuid() != entity),
                _ => continue,
            }
            self.generation += 1;
        }
    }
}

/// Most commits concern nobody's authority and must not wait for the memory.
fn is_about_authority(kind: &str) -> bool {
    ["session.", "user.", "member.", "key."].iter().any(|area| kind.starts_with(area))
}

fn read(memory: &RwLock<Memory>) -> RwLockReadGuard<'_, Memory> {
    memory.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(memory: &RwLock<Memory>) -> RwLockWriteGuard<'_, Memory> {
    memory.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use model::{ActorRef, Audience, Event, Rights, Role};

    use super::*;
    use crate::fixture::world;

    fn committed(workspace: WorkspaceId, kind: &'static str, entity: uuid::Uuid) -> Committed {
        let event = Event {
            workspace,
            seq: 1,
            at: world().now(),
            kind: kind.into(),
            version: 1,
            actor: ActorRef::SYSTEM,
            audience: Audience::Internal,
            chat: None,
            entity: Some(entity),
            body: None,
        };
        Committed { workspace, events: vec![Arc::new(event)], deliveries: Vec::new(), jobs: false }
    }

    fn somebody() -> ((SessionId, WorkspaceId), Member) {
        let world = world();
        let (session, workspace, user) = (world.id(), world.id(), world.id());
        let principal = Principal {
            workspace,
            who: Who::Member { user, session, role: Role::Guest },
            name: "Gus".to_owned(),
            rights: Rights::NONE,
            rate: None,
            expires_at: None,
        };
        ((session, workspace), Member { user, epoch: 1, principal: Arc::new(principal) })
    }

    #[test]
    fn what_was_read_before_a_revocation_is_not_remembered_after_it() {
        let (mut memory, (place, member)) = (Memory::default(), somebody());
        let before = memory.generation;
        memory.drop_stale(&committed(SYSTEM_WORKSPACE, "session.revoked", place.0.uuid()));
        memory.remember(before, |it| &mut it.members, place, &member);
        assert!(memory.members.is_empty());
        memory.remember(memory.generation, |it| &mut it.members, place, &member);
        assert_eq!(memory.members.len(), 1);
    }

    #[test]
    fn a_commit_drops_those_whom_it_concerns_and_no_others() {
        let (place, member) = somebody();
        let (elsewhere, nobody) = (WorkspaceId::from_uuid(uuid::Uuid::max()), uuid::Uuid::max());
        let user = member.user.uuid();
        let cases = [
            (SYSTEM_WORKSPACE, "session.revoked", place.0.uuid(), true),
            (SYSTEM_WORKSPACE, "session.revoked", nobody, false),
            (SYSTEM_WORKSPACE, "user.updated", user, true),
            (place.1, "member.updated", user, true),
            (place.1, "member.removed", user, true),
            (place.1, "member.removed", nobody, false),
            (elsewhere, "member.removed", user, false),
            (place.1, "session.revoked", place.0.uuid(), false),
            (place.1, "message.created", user, false),
        ];
        for (workspace, kind, entity, drops) in cases {
            let mut memory = Memory::default();
            memory.remember(0, |it| &mut it.members, place, &member);
            memory.drop_stale(&committed(workspace, kind, entity));
            assert_eq!(memory.members.is_empty(), drops, "{kind} of {entity} in {workspace}");
        }
    }
}
