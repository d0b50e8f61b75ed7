//! Who may do what: one table, denied by default.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! named {
    ($(#[$meta:meta])* $name:ident, $unknown:ident, $what:literal { $($(#[$doc:meta])* $variant:ident = $text:tt,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        pub enum $name { $($(#[$doc])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// Every value, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name used in the API and in the database.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        #[doc = concat!("The text names no ", $what, " that this version knows.")]
        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
        #[error("no such name: {0:?}")]
        pub struct $unknown(pub String);

        impl FromStr for $name {
            type Err = $unknown;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|it| it.as_str() == text).ok_or_else(|| $unknown(text.to_owned()))
            }
        }
    };
}

named! {
    /// A member's role in a workspace. The order is that of power: nobody grants or touches a role above his own.
    Role, UnknownRole, "role" {
        /// Rooms that he was invited to.
        Guest = "guest",
        /// Rooms, directs, reading alerts.
        Member = "member",
        /// Conversations, contacts, templates.
        Operator = "operator",
        /// Groups, rules, sanctions, reviews; reads conversations.
        Moderator = "moderator",
        /// All but owners and deleting the workspace.
        Admin = "admin",
        /// Everything; at least one remains.
        Owner = "owner",
    }
}

named! {
    /// One thing that a principal may do; also the scopes of API keys.
    Right, UnknownRight, "right" {
        /// Change the workspace itself.
        WorkspaceManage = "workspace.manage",
        /// See who is in the workspace.
        MembersRead = "members.read",
        /// Invite, change roles, remove.
        MembersManage = "members.manage",
        /// Create and revoke API keys.
        KeysManage = "keys.manage",
        /// Read the audit log.
        AuditRead = "audit.read",
        /// See the connected bots.
        BotsRead = "bots.read",
        /// Connect, change and remove bots.
        BotsManage = "bots.manage",
        /// Read conversations and their messages.
        ConversationsRead = "conversations.read",
        /// Answer, note, resolve, reopen.
        ConversationsReply = "conversations.reply",
        /// See what is in the outbox.
        DeliveriesRead = "deliveries.read",
        /// Retry and discard deliveries.
        DeliveriesManage = "deliveries.manage",
        /// See and replay dead letters, see the state of the server.
        SystemRead = "system.read",
        /// Open the live stream.
        LiveRead = "live.read",
    }
}

/// A set of rights.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Rights(u64);

impl Rights {
    /// No right at all.
    pub const NONE: Self = Self(0);

    /// Every right.
    pub const ALL: Self = Self::of(Right::ALL);

    /// The set of these rights.
    #[must_use]
    pub const fn of(rights: &[Right]) -> Self {
        let (mut bits, mut i) = (0, 0);
        while i < rights.len() {
            bits |= 1 << rights[i] as u32;
            i += 1;
        }
        Self(bits)
    }

    /// Whether `right` is in the set.
    #[must_use]
    pub const fn has(self, right: Right) -> bool {
        self.0 & (1 << right as u32) != 0
    }

    /// Whether every right of `other` is in the set.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What is in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The rights in declaration order.
    pub fn iter(self) -> impl Iterator<Item = Right> {
        Right::ALL.iter().copied().filter(move |right| self.has(*right))
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        rights.into_iter().fold(Self::NONE, |set, right| Self(set.0 | Self::of(&[right]).0))
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Role {
    /// The table: what a member with this role may do.
    #[must_use]
    pub const fn rights(self) -> Rights {
        use Right::{
            BotsRead, ConversationsRead, ConversationsReply, DeliveriesManage, DeliveriesRead, LiveRead, MembersRead,
        };
        match self {
            Self::Owner | Self::Admin => Rights::ALL,
            Self::Moderator => Rights::of(&[MembersRead, BotsRead, ConversationsRead, DeliveriesRead, LiveRead]),
            Self::Operator => Rights::of(&[
                MembersRead,
                BotsRead,
                ConversationsRead,
                ConversationsReply,
                DeliveriesRead,
                DeliveriesManage,
                LiveRead,
            ]),
            Self::Member => Rights::of(&[MembersRead, LiveRead]),
            Self::Guest => Rights::of(&[LiveRead]),
        }
    }

    /// Whether a member with this role may give somebody `role`, or change a member who has it.
    #[must_use]
    pub const fn may_manage(self, role: Self) -> bool {
        match self {
            Self::Owner => true,
            Self::Admin => !matches!(role, Self::Owner),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_text() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>().expect("its own name"), *role);
        }
        for right in Right::ALL {
            assert_eq!(right.as_str().parse::<Right>().expect("its own name"), *right);
        }
        assert!("emperor".parse::<Role>().is_err());
    }

    #[test]
    fn only_owners_touch_owners_and_nobody_below_admin_grants_anything() {
        for role in Role::ALL {
            assert_eq!(role.may_manage(Role::Owner), *role == Role::Owner);
            assert_eq!(role.may_manage(Role::Guest), *role >= Role::Admin);
        }
    }

    #[test]
    fn a_guest_may_only_listen() {
        assert_eq!(Role::Guest.rights().iter().collect::<Vec<_>>(), [Right::LiveRead]);
        assert!(!Role::Moderator.rights().has(Right::ConversationsReply));
    }
}
