//! Which bots this process works for: one task per bot, started, restarted and stopped as the table says.

use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};

use kit::Hub;
use model::BotId;
use store::{Driver, Error};
use tokio::task::JoinHandle;

use crate::{
    bots,
    feature::Telegram,
    inbound::{poll, webhook},
    link::{Link, Unlinkable},
    model::{BotRow, Mode, Status},
    out::sender,
    store::bots as rows,
};

/// On PostgreSQL another node may have changed a bot.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// A bot at work.
struct Work {
    link: Arc<Link>,
    task: JoinHandle<()>,
}

/// Works for all connected bots until the server stops.
pub(crate) async fn run(hub: Hub, telegram: Telegram) {
    telegram.hook(&hub);
    telegram.stop_links();
    let mut all: HashMap<BotId, Work> = HashMap::new();
    while !hub.shutdown().is_cancelled() {
        let rows = hub.db().read(rows::all).await;
        let failed = rows.is_err();
        match rows {
            Ok(rows) => reconcile(&hub, &telegram, &mut all, rows).await,
            Err(error) => tracing::warn!(%error, "the bots could not be read; those at work go on"),
        }
        wait(&hub, &telegram, failed).await;
    }
    for work in all.into_values() {
        telegram.set_link(work.link.bot, None);
        // Its link stops with the server. A panic was reported where it happened.
        let _ended = work.task.await;
    }
}

/// Waits until bots may have changed, or the server stops.
async fn wait(hub: &Hub, telegram: &Telegram, failed: bool) {
    let look_again = async {
        match hub.db().driver() {
            _ if failed => hub.world().clock().sleep(Duration::from_secs(1)).await,
            Driver::Sqlite => std::future::pending().await,
            Driver::Postgres => hub.world().clock().sleep(LOOK_AGAIN).await,
        }
    };
    tokio::select! {
        () = hub.shutdown().cancelled() => {}
        () = telegram.changed() => {}
        () = look_again => {}
    }
}

async fn reconcile(hub: &Hub, telegram: &Telegram, all: &mut HashMap<BotId, Work>, rows: Vec<BotRow>) {
    let gone: Vec<BotId> = all.keys().filter(|id| !rows.iter().any(|row| row.id == **id)).copied().collect();
    for work in gone.iter().filter_map(|id| all.remove(id)) {
        telegram.set_link(work.link.bot, None);
        work.link.stop.cancel();
        hub.tasks().spawn(farewell(work));
    }
    for row in rows {
        let former = match all.remove(&row.id) {
            Some(work) if work.link.revision == row.revision => {
                work.link.note_said(&row);
                all.insert(row.id, work);
                continue;
            }
            former => former,
        };
        if let Some(work) = &former {
            work.link.stop.cancel();
        }
        match Link::new(hub, telegram, &row) {
            Ok(link) => {
                let link = Arc::new(link);
                telegram.set_link(row.id, Some(Arc::clone(&link)));
                let task = hub.tasks().spawn(work_for(Arc::clone(&link), former.map(|work| work.task)));
                all.insert(row.id, Work { link, task });
            }
            Err(why) => {
                telegram.set_link(row.id, None);
                unlinkable(hub, telegram, &row, &why).await;
            }
        }
    }
}

/// Nothing can be done for this bot; says why.
async fn unlinkable(hub: &Hub, telegram: &Telegram, row: &BotRow, why: &Unlinkable) {
    let (status, detail) = match why {
        Unlinkable::NoServer => {
            (Status::Stopped, "The sandbox is not running. Start the server with --sandbox to use this bot.")
        }
        Unlinkable::Sealed => (
            Status::Error,
            "The bot's token was sealed with a key that the server does not have. Enter the token again.",
        ),
    };
    if (row.status, row.status_detail.as_deref()) == (status, Some(detail)) {
        return;
    }
    let said = bots::set_status(hub, telegram, row.workspace, row.id, status, Some(detail.to_owned())).await;
    if let Err(error) = said {
        tracing::warn!(bot = %row.id, %error, "a bot's status could not be stored");
    }
}

/// Ends the work for a removed bot.
async fn farewell(work: Work) {
    let _ended = work.task.await;
    if work.link.mode == Mode::Webhook {
        webhook::withdraw(&work.link).await;
    }
}

/// Receives and sends for one bot, after whoever did so before has ended.
async fn work_for(link: Arc<Link>, former: Option<JoinHandle<()>>) {
    if let Some(former) = former {
        let _ended = former.await;
    }
    let (receiving, sending) = (Arc::clone(&link), Arc::clone(&link));
    tokio::join!(
        keep_up(&link, "receiving", move || receive(Arc::clone(&receiving))),
        keep_up(&link, "sending", move || send(Arc::clone(&sending))),
    );
}

async fn receive(link: Arc<Link>) -> Result<(), Error> {
    match link.mode {
        Mode::Polling => poll::run(&link).await,
        Mode::Webhook => {
            webhook::run(&link).await;
            Ok(())
        }
    }
}

async fn send(link: Arc<Link>) -> Result<(), Error> {
    sender::run(&link).await
}

/// Runs `life` again and again until the link stops, after a growing pause when it fails or panics.
async fn keep_up<F, Fut>(link: &Arc<Link>, what: &'static str, mut life: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<(), Error>> + Send + 'static,
{
    let mut pause = Duration::from_millis(500);
    while !link.stop.is_cancelled() {
        let started = link.hub.world().clock().monotonic();
        let ended = tokio::spawn(life()).await;
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(bot = %link.bot, %error, "{what} for a bot stopped and is started again"),
            Err(error) => tracing::error!(bot = %link.bot, %error, "{what} for a bot panicked and is started again"),
        }
        if link.hub.world().clock().monotonic().saturating_sub(started) > Duration::from_secs(60) {
            pause = Duration::from_millis(500);
        }
        if link.stop.is_cancelled() || !link.rest(pause).await {
            return;
        }
        pause = (pause * 2).min(Duration::from_secs(30));
    }
}
