//! One connected bot as this process works for it.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use kit::Hub;
use model::{BotId, Secret, WorkspaceId};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    api::BotApi,
    bots,
    feature::Telegram,
    model::{Api, BotRow, Mode, Status},
};

/// See the module. A change of token or mode makes a new one.
pub(crate) struct Link {
    pub(crate) hub: Hub,
    pub(crate) telegram: Telegram,
    pub(crate) bot: BotId,
    pub(crate) workspace: WorkspaceId,
    pub(crate) revision: i64,
    pub(crate) server: Api,
    pub(crate) mode: Mode,
    pub(crate) api: BotApi,
    pub(crate) secret: Secret,
    /// There may be something to send.
    pub(crate) work: Notify,
    /// The work has to end.
    pub(crate) stop: CancellationToken,
    said: Mutex<(Status, Option<String>)>,
    webhook_set: AtomicBool,
}

/// Why a bot cannot be worked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unlinkable {
    /// Its Bot API server is not configured.
    NoServer,
    /// Its token does not open with the present keys.
    Sealed,
}

impl Link {
    /// Prepares to work for a bot; unseals its secrets.
    pub(crate) fn new(hub: &Hub, telegram: &Telegram, row: &BotRow) -> Result<Self, Unlinkable> {
        let (token, secret) = bots::secrets(hub.keys(), row).ok_or(Unlinkable::Sealed)?;
        let api = telegram.bot_api(row.api, token).ok_or(Unlinkable::NoServer)?;
        Ok(Self {
            hub: hub.clone(),
            telegram: telegram.clone(),
            bot: row.id,
            workspace: row.workspace,
            revision: row.revision,
            server: row.api,
            mode: row.mode,
            api,
            secret,
            work: Notify::new(),
            stop: hub.shutdown().child_token(),
            said: Mutex::new((row.status, row.status_detail.clone())),
            webhook_set: AtomicBool::new(false),
        })
    }

    /// Says how the connection stands; writes only what changed, and never fails its caller.
    pub(crate) async fn say(&self, status: Status, detail: Option<&str>) {
        let said = (status, detail.map(str::to_owned));
        {
            let mut last = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            if *last == said {
                return;
            }
            last.clone_from(&said);
        }
        let stored = bots::set_status(&self.hub, &self.telegram, self.workspace, self.bot, said.0, said.1).await;
        if let Err(error) = stored {
            tracing::warn!(bot = %self.bot, %error, "a bot's status could not be stored");
            // Whatever is said next is not what is stored.
            *self.said.lock().unwrap_or_else(PoisonError::into_inner) = (Status::Connecting, Some(String::new()));
        }
    }

    /// What the table says now; another node, or a person's check, may have stored it.
    pub(crate) fn note_said(&self, row: &BotRow) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = (row.status, row.status_detail.clone());
    }

    /// Whether this process set the webhook: then its secret is ours as well.
    pub(crate) fn was_set(&self) -> bool {
        self.webhook_set.load(Ordering::Relaxed)
    }

    pub(crate) fn note_set(&self) {
        self.webhook_set.store(true, Ordering::Relaxed);
    }

    /// Sleeps on the world's clock; false when the work has to end first.
    pub(crate) async fn rest(&self, pause: std::time::Duration) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = self.hub.world().clock().sleep(pause) => true,
        }
    }
}
