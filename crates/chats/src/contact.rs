//! Contacts: one per platform identity and workspace.

use model::{ActorRef, Audience, ContactId, NewEvent, Right, WorkspaceId};
use serde::{Deserialize, Serialize};
use store::{Error, Row, Tx, args};
use utoipa::ToSchema;

/// The only platform today.
const TELEGRAM: &str = "telegram";

/// An outside person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Contact {
    /// Its id.
    pub id: ContactId,
    /// First and last name as the person chose them.
    pub name: String,
    /// The handle without `@`.
    pub username: Option<String>,
    /// IETF language tag of the person's app.
    pub language: Option<String>,
    /// The person blocked the bot: nothing can be delivered.
    pub unreachable: bool,
}

/// What a platform tells about a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactInput {
    /// The platform's id of the person.
    pub external_id: String,
    /// See [`Contact::name`].
    pub name: String,
    /// See [`Contact::username`].
    pub username: Option<String>,
    /// See [`Contact::language`].
    pub language: Option<String>,
}

const COLUMNS: &str = "id, name, username, language, unreachable";

fn read(row: &Row<'_>) -> Result<Contact, Error> {
    Ok(Contact {
        id: row.get(0)?,
        name: row.get(1)?,
        username: row.get(2)?,
        language: row.get(3)?,
        unreachable: row.get(4)?,
    })
}

/// One contact of a workspace.
///
/// # Errors
/// See [`Error`].
pub fn contact(tx: &mut Tx<'_>, workspace: WorkspaceId, id: ContactId) -> Result<Option<Contact>, Error> {
    tx.first(&format!("SELECT {COLUMNS} FROM contacts WHERE id = $1 AND workspace_id = $2"), args![id, workspace], read)
}

fn by_identity(tx: &mut Tx<'_>, external_id: &str) -> Result<Option<Contact>, Error> {
    let workspace = tx.workspace();
    tx.first(
        "SELECT id, name, username, language, unreachable FROM contacts
         WHERE workspace_id = $1 AND platform = $2 AND external_id = $3",
        args![workspace, TELEGRAM, external_id],
        read,
    )
}

/// The contact of an identity that just wrote: made when it is new, brought up to date when it changed. Whoever writes is reachable.
pub(crate) fn who_wrote(tx: &mut Tx<'_>, input: &ContactInput) -> Result<Contact, Error> {
    let Some(known) = by_identity(tx, &input.external_id)? else { return insert(tx, input) };
    let seen = Contact {
        id: known.id,
        name: input.name.clone(),
        username: input.username.clone(),
        language: input.language.clone().or_else(|| known.language.clone()),
        unreachable: false,
    };
    if seen != known {
        update(tx, &seen)?;
    }
    Ok(seen)
}

fn insert(tx: &mut Tx<'_>, input: &ContactInput) -> Result<Contact, Error> {
    let (workspace, now) = (tx.workspace(), tx.now());
    let contact = Contact {
        id: tx.id(),
        name: input.name.clone(),
        username: input.username.clone(),
        language: input.language.clone(),
        unreachable: false,
    };
    tx.exec(
        "INSERT INTO contacts (id, workspace_id, platform, external_id, name, username, language, unreachable, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
        args![contact.id, workspace, TELEGRAM, input.external_id, contact.name, contact.username, contact.language, false, now],
    )?;
    Ok(contact)
}

fn update(tx: &mut Tx<'_>, contact: &Contact) -> Result<(), Error> {
    let (workspace, now) = (tx.workspace(), tx.now());
    tx.exec(
        "UPDATE contacts SET name = $3, username = $4, language = $5, unreachable = $6, updated_at = $7
         WHERE id = $1 AND workspace_id = $2",
        args![contact.id, workspace, contact.name, contact.username, contact.language, contact.unreachable, now],
    )?;
    tx.append(NewEvent {
        kind: "contact.updated",
        version: 1,
        actor: ActorRef::SYSTEM,
        audience: Audience::Right(Right::ConversationsRead),
        chat: None,
        entity: Some(contact.id.uuid()),
        body: crate::message::json(&serde_json::json!({ "contact": contact }))?,
    })?;
    Ok(())
}

/// Notes whether an identity of the command's workspace can be written to; unknown identities are ignored.
///
/// # Errors
/// See [`Error`].
pub fn set_reachable(tx: &mut Tx<'_>, external_id: &str, reachable: bool) -> Result<(), Error> {
    match by_identity(tx, external_id)? {
        Some(known) if known.unreachable == reachable => update(tx, &Contact { unreachable: !reachable, ..known }),
        _ => Ok(()),
    }
}
