//! After a new master key: seals every secret of the bots anew, once at each start.
//!
//! What an older key of the ring sealed stays readable meanwhile, so nothing waits for this, and a stop in between is made good
//! at the next start.

use kit::{Hub, KeyRing};
use model::BotId;
use store::{Error, Tx};

use crate::{bots, model::BotRow, store::bots as rows};

/// Runs to its end once.
pub(crate) async fn run(hub: Hub) -> Result<(), Error> {
    let all: Vec<BotRow> = hub.db().read(rows::all).await?;
    for BotRow { id, workspace, .. } in all {
        let keys = hub.keys().clone();
        hub.db().write_essential(workspace, move |tx| reseal(tx, &keys, id)).await?;
    }
    Ok(())
}

fn reseal(tx: &mut Tx<'_>, keys: &KeyRing, id: BotId) -> Result<(), Error> {
    let workspace = tx.workspace();
    let Some(row) = rows::get(tx, workspace, id)? else { return Ok(()) };
    if keys.is_current(&row.token) && keys.is_current(&row.webhook_secret) {
        return Ok(());
    }
    let Some((token, secret)) = bots::secrets(keys, &row) else {
        tracing::error!(bot = %id, "a bot's secrets open with none of the keys; give the bot its token again");
        return Ok(());
    };
    let seal = |column, plain: &str| keys.seal(rows::TABLE, id.as_bytes(), column, plain.as_bytes());
    rows::set_secrets(tx, id, &seal("token", token.expose()), &seal("webhook_secret", secret.expose()))
}
