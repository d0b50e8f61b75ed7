//! Founding a workspace: it never exists without an owner, so both are one transaction.

use kit::audit::Act;
use model::{Role, WorkspaceId, World};
use store::{Db, Error, Tx};

use crate::{model::User, rows};

/// Makes a further workspace, owned by the person with this address, for whoever runs the server; `None` when there is no such
/// person. The name is 1 to 100 characters, which the caller checks.
///
/// # Errors
/// What the database says.
pub async fn create_workspace(
    db: &Db,
    world: &World,
    name: &str,
    owner_email: &str,
) -> Result<Option<WorkspaceId>, Error> {
    let email = owner_email.trim().to_lowercase();
    let Some(owner) = db.read(move |tx| rows::users::by_email(tx, &email)).await? else { return Ok(None) };
    let (id, name): (WorkspaceId, _) = (world.id(), name.to_owned());
    db.write(id, move |tx| found(tx, &name, &owner.user, Act::by_system("workspace.created"))).await?;
    Ok(Some(id))
}

/// Makes the command's workspace with its first owner and records `act` on it.
pub(crate) fn found(tx: &mut Tx<'_>, name: &str, owner: &User, act: Act) -> Result<(), Error> {
    rows::members::create_workspace(tx, name)?;
    rows::members::join(tx, owner, Role::Owner)?;
    act.on("workspace", tx.workspace(), name).record(tx)?;
    Ok(())
}
