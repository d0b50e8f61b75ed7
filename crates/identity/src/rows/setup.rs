//! The one row that says whether the installation is set up.

use model::{UserId, WorkspaceId};
use store::{Error, Tx, args};

pub(crate) fn is_done(tx: &mut Tx<'_>) -> Result<bool, Error> {
    Ok(tx.first("SELECT 1 FROM setup_state WHERE id = 1", &[], |_| Ok(()))?.is_some())
}

/// Takes the row; `false` when another setup has it.
pub(crate) fn take(tx: &mut Tx<'_>, user: UserId, workspace: WorkspaceId) -> Result<bool, Error> {
    let now = tx.now();
    let taken = tx.exec(
        "INSERT INTO setup_state (id, user_id, workspace_id, completed_at) VALUES (1, $1, $2, $3) ON CONFLICT (id) DO NOTHING",
        args![user, workspace, now],
    )?;
    Ok(taken == 1)
}
