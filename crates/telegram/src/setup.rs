//! What the first run asks for.

use std::net::IpAddr;

use kit::{Hub, Problem};
use model::{ActorRef, WorkspaceId};

use crate::{
    bots::{self, By},
    feature::Telegram,
    model::Bot,
    routes,
};

impl Telegram {
    /// Makes a bot in the sandbox and connects it to a workspace; for the setup page's "try it with the sandbox".
    ///
    /// # Errors
    /// 409 `sandbox_off`, 503 `telegram_unreachable`, and what the database says.
    pub async fn connect_sandbox_bot(
        &self,
        hub: &Hub,
        workspace: WorkspaceId,
        actor: ActorRef,
        actor_name: String,
        address: Option<IpAddr>,
    ) -> Result<Bot, Problem> {
        let checked = routes::make(self, None).await?;
        let (telegram, keys) = (self.clone(), hub.keys().clone());
        let by = By { actor, name: actor_name, address };
        hub.db().write(workspace, move |tx| bots::connect(tx, &telegram, &keys, &checked, &by)).await
    }
}
