//! A closure on its way through a writer's queue.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use model::WorkspaceId;
use tokio::sync::oneshot;

use crate::{Error, Tx};

/// A command in the queue, with its types hidden.
pub(crate) trait Command: Send {
    fn workspace(&self) -> WorkspaceId;
    /// Whether it may run while the disk reserve is touched.
    fn essential(&self) -> bool;
    /// Runs it and keeps the outcome; true when its changes are to stay.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Forgets the outcome and keeps an error instead.
    fn fail(&mut self, error: Error);
    /// Gives the outcome to whoever waits.
    fn answer(self: Box<Self>);
}

pub(crate) struct Call<F, T, E> {
    pub(crate) workspace: WorkspaceId,
    pub(crate) essential: bool,
    pub(crate) body: F,
    pub(crate) outcome: Option<Result<T, E>>,
    pub(crate) answer: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Command for Call<F, T, E>
where
    F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    fn essential(&self) -> bool {
        self.essential
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        let body = &mut self.body;
        let outcome = catch_unwind(AssertUnwindSafe(|| body(tx)))
            .unwrap_or_else(|panic| Err(Error::Panicked(panic_text(panic.as_ref())).into()));
        let keep = outcome.is_ok();
        self.outcome = Some(outcome);
        keep
    }

    fn fail(&mut self, error: Error) {
        self.outcome = Some(Err(error.into()));
    }

    fn answer(self: Box<Self>) {
        let outcome = self.outcome.unwrap_or_else(|| Err(Error::Closed.into()));
        // Nobody waits any more when the client hung up; what was committed stays committed.
        drop(self.answer.send(outcome));
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
