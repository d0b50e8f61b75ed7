//! One stream of one principal, whatever its transport: [`Session::next`] says what to send.
//!
//! `next` can be dropped while it waits and called again: its state moves only when it returns something.

use std::{sync::Arc, time::Duration};

use model::{Audience, Right, Seq, Sleep};
use tokio::sync::watch;

use super::{
    Live,
    frame::Frame,
    room::{Batch, Seat},
    signals::{Present, Signal},
};
use crate::{AuthError, Principal};

const PROGRESS: Duration = Duration::from_secs(30);
/// After skipped events, so that their number tells nothing and costs little.
const PROGRESS_SOON: Duration = Duration::from_secs(1);
const BEAT: Duration = Duration::from_secs(25);

/// Why a stream ends; the numbers are WebSocket close codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Unauthenticated,
    Forbidden,
    TooMany,
    HelloTimeout,
    Restart,
}

impl End {
    pub(super) const fn code(self) -> u16 {
        match self {
            Self::Unauthenticated => 4001,
            Self::Forbidden => 4003,
            Self::HelloTimeout => 4008,
            Self::TooMany => 4029,
            Self::Restart => 1012,
        }
    }

    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::HelloTimeout => "hello_timeout",
            Self::TooMany => "too_many_streams",
            Self::Restart => "restart",
        }
    }
}

/// What to send next.
pub(super) enum Out {
    Frames(Vec<Arc<Frame>>),
    CaughtUp(String),
    Progress(String),
    Reset(String),
    Signals(Vec<Signal>),
    /// Nothing happened for a while: show that the connection lives.
    Beat,
    End(End),
}

pub(super) struct Session {
    pub(super) seat: Seat,
    pub(super) principal: Arc<Principal>,
    token: String,
    tab: String,
    head: watch::Receiver<Seq>,
    /// Everything up to here was sent, or is not for this principal.
    position: Seq,
    /// Up to here goes the backlog.
    backlog: Option<Seq>,
    reset: bool,
    unchecked: bool,
    signals: watch::Receiver<Present>,
    shown: Present,
    beat_at: Duration,
    progress_at: Duration,
    timer: Option<(Duration, Sleep)>,
}

impl Session {
    /// Authenticates and takes a seat at the place that `cursor` names, or at the head without one.
    pub(super) async fn open(live: &Live, token: String, cursor: Option<&str>, tab: String) -> Result<Self, End> {
        let principal = live.0.auth.authenticate(&token).await.map_err(|error| refused(&error))?;
        if !principal.rights.has(Right::LiveRead) {
            return Err(End::Forbidden);
        }
        let seat = live.join(&principal).ok_or(End::TooMany)?;
        let place = place(&seat, &principal, cursor).await.map_err(|error| failed(&error))?;
        let (head, now) = (seat.room.watch(), live.0.world.clock().monotonic());
        let (position, reset) = place.map_or((seat.room.head(), true), |seq| (seq, false));
        Ok(Self {
            signals: seat.room.signals.watch(),
            shown: Present::default(),
            backlog: Some(seat.room.head()),
            position,
            reset,
            // What was revoked between the check and the seat is found by checking once more.
            unchecked: true,
            beat_at: now + BEAT,
            progress_at: now + PROGRESS,
            timer: None,
            seat,
            principal,
            token,
            tab,
            head,
        })
    }

    /// The cursor of everything that was sent.
    pub(super) fn cursor(&self) -> String {
        self.seat.live.0.cursors.make(self.principal.workspace, self.position)
    }

    /// Goes on with another token of the same person.
    pub(super) async fn renew(&mut self, token: String) -> Result<(), End> {
        let before = std::mem::replace(&mut self.token, token);
        self.unchecked = true;
        let renewed = self.authenticate().await;
        if renewed.is_err() {
            self.token = before;
        }
        renewed
    }

    /// What a member says about himself: `kind` in `chat`, or no longer.
    pub(super) async fn signal(&mut self, kind: super::signals::Kind, chat: model::ChatId, active: bool) {
        let live = &self.seat.live;
        if live.may_see_chat(&self.principal, chat).await {
            let now = live.0.world.now();
            if self.seat.room.signals.set(self.seat.id, &self.principal, &self.tab, kind, chat, active, now) {
                live.0.signalled.notify_one();
            }
        }
    }

    pub(super) async fn next(&mut self) -> Out {
        match self.advance().await {
            Ok(out) => out,
            Err(end) => Out::End(end),
        }
    }

    async fn advance(&mut self) -> Result<Out, End> {
        loop {
            if self.seat.live.0.closing.is_cancelled() {
                return Err(End::Restart);
            }
            self.check().await?;
            if std::mem::take(&mut self.reset) {
                return Ok(Out::Reset(self.cursor()));
            }
            if self.position < *self.head.borrow_and_update() {
                match self.deliver().await? {
                    Some(out) => return Ok(out),
                    None => continue,
                }
            }
            if self.backlog.is_some_and(|end| self.position >= end) {
                self.backlog = None;
                return Ok(Out::CaughtUp(self.cursor()));
            }
            if let Some(out) = self.signals_or_time().await {
                return Ok(out);
            }
            self.wait().await;
        }
    }

    /// Authenticates again when a revocation may concern this stream, or the token's time is over.
    async fn check(&mut self) -> Result<(), End> {
        self.unchecked |= self.seat.ticket.take_stale();
        let now = self.seat.live.0.world.now();
        if self.unchecked || self.principal.expires_at.is_some_and(|end| end <= now) {
            self.authenticate().await?;
        }
        Ok(())
    }

    async fn authenticate(&mut self) -> Result<(), End> {
        let auth = self.seat.live.0.auth.clone();
        let principal = auth.authenticate(&self.token).await.map_err(|error| refused(&error))?;
        let same = principal.workspace == self.principal.workspace && principal.actor() == self.principal.actor();
        if !same || principal.session() != self.principal.session() {
            return Err(End::Unauthenticated);
        }
        if !principal.rights.has(Right::LiveRead) {
            return Err(End::Forbidden);
        }
        self.principal = principal;
        self.unchecked = false;
        Ok(())
    }

    /// Reads on; `None` when nothing of it is for this principal, or he has to be checked first.
    async fn deliver(&mut self) -> Result<Option<Out>, End> {
        let batch = self.seat.room.after(&self.seat.live, self.position).await.map_err(|error| failed(&error))?;
        let Batch::Frames(mut frames) = batch else {
            self.position = self.seat.room.head();
            return Ok(Some(Out::Reset(self.cursor())));
        };
        let end = frames.last().expect("a batch is not empty").seq();
        keep_visible(&self.seat.live, &self.principal, &mut frames).await;
        if self.seat.ticket.is_stale() {
            return Ok(None);
        }
        self.position = end;
        if frames.last().is_none_or(|last| last.seq() < end) {
            let soon = self.seat.live.0.world.clock().monotonic() + PROGRESS_SOON;
            self.progress_at = self.progress_at.min(soon);
        }
        Ok(if frames.is_empty() { None } else { Some(Out::Frames(frames)) })
    }

    async fn signals_or_time(&mut self) -> Option<Out> {
        if self.signals.has_changed().unwrap_or(false) || self.shown.is_unread() {
            let present = self.signals.borrow_and_update().clone();
            let mut news = present.since(&self.shown, &self.principal, &self.tab);
            let mut visible = Vec::with_capacity(news.len());
            for signal in news.drain(..) {
                if self.seat.live.may_see_chat(&self.principal, signal.chat).await {
                    visible.push(signal);
                }
            }
            self.shown = present;
            if !visible.is_empty() {
                return Some(Out::Signals(visible));
            }
        }
        let now = self.seat.live.0.world.clock().monotonic();
        if now >= self.progress_at {
            self.progress_at = now + PROGRESS;
            return Some(Out::Progress(self.cursor()));
        }
        if now >= self.beat_at {
            self.beat_at = now + BEAT;
            return Some(Out::Beat);
        }
        None
    }

    async fn wait(&mut self) {
        let live = self.seat.live.clone();
        let clock = live.0.world.clock();
        let mut until = self.beat_at.min(self.progress_at);
        if let Some(end) = self.principal.expires_at {
            until = until.min(clock.monotonic() + end.since(live.0.world.now()));
        }
        // A timer that rings too early only looks again; a new one is made when it would ring too late.
        if self.timer.as_ref().is_none_or(|(at, _)| *at > until || *at <= clock.monotonic()) {
            self.timer = Some((until, clock.sleep(until.saturating_sub(clock.monotonic()))));
        }
        let (_, timer) = self.timer.as_mut().expect("it was just set");
        tokio::select! {
            _ = self.head.changed() => {}
            _ = self.signals.changed() => self.signals.mark_changed(),
            () = self.seat.ticket.staled() => {}
            () = live.0.closing.cancelled() => {}
            () = timer => self.timer = None,
        }
    }
}

/// Leaves in what `principal` may see now.
async fn keep_visible(live: &Live, principal: &Principal, frames: &mut Vec<Arc<Frame>>) {
    let simple = |frame: &Arc<Frame>| match frame.audience() {
        Audience::Everyone => Some(true),
        Audience::Right(right) => Some(principal.rights.has(right)),
        Audience::User(user) => Some(principal.user() == Some(user)),
        Audience::Internal => Some(false),
        Audience::Chat(_) => None,
    };
    if frames.iter().all(|frame| simple(frame).is_some()) {
        frames.retain(|frame| simple(frame).unwrap_or(false));
        return;
    }
    for frame in std::mem::take(frames) {
        let visible = match (simple(&frame), frame.audience()) {
            (Some(visible), _) => visible,
            (None, Audience::Chat(chat)) => live.may_see_chat(principal, chat).await,
            (None, _) => false,
        };
        if visible {
            frames.push(frame);
        }
    }
}

/// The place that the cursor names, `None` when there is no such place.
async fn place(seat: &Seat, principal: &Principal, cursor: Option<&str>) -> Result<Option<Seq>, store::Error> {
    let live = &seat.live;
    seat.room.open(live).await?;
    let Some(cursor) = cursor else { return Ok(Some(seat.room.head())) };
    let Some(seq) = live.0.cursors.read(principal.workspace, cursor) else { return Ok(None) };
    if seq > seat.room.head() {
        // Another node may have given it out a moment ago.
        seat.room.look(live).await?;
    }
    Ok((seq <= seat.room.head()).then_some(seq))
}

fn refused(error: &AuthError) -> End {
    match error {
        AuthError::Invalid | AuthError::Expired => End::Unauthenticated,
        AuthError::Store(error) => failed(error),
    }
}

/// The database does not answer: the client comes back with its cursor.
fn failed(error: &store::Error) -> End {
    tracing::warn!(%error, "a live stream ends because the database does not answer");
    End::Restart
}
