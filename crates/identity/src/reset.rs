//! The link for somebody who forgot his password, issued by whoever runs the server.

use kit::audit::Act;
use model::SYSTEM_WORKSPACE;
use store::{Db, Error};

use crate::{rows, tokens};

/// Ends every session of the person with this address and returns a link under which he chooses a new password, good once and
/// for 24 hours; `None` when there is no such person.
///
/// # Errors
/// What the database says.
pub async fn issue_reset_link(db: &Db, public_url: &str, email: &str) -> Result<Option<String>, Error> {
    let email = email.trim().to_lowercase();
    let token = db.write(SYSTEM_WORKSPACE, move |tx| {
        let Some(account) = rows::users::by_email(tx, &email)? else { return Ok(None) };
        let token = tokens::one_time::<32>(tx.world());
        rows::resets::issue(tx, account.user.id, &tokens::hash(token.as_bytes()))?;
        rows::sessions::end_all(tx, account.user.id, None)?;
        Act::by_system("user.password_reset_issued").on("user", account.user.id, &account.user.name).record(tx)?;
        Ok::<_, Error>(Some(token))
    });
    Ok(token.await?.map(|token| format!("{}/reset#{token}", public_url.trim_end_matches('/'))))
}
