//! What stands between a client's stream and the blob store: the limit, the deadlines, and a look at the first bytes.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use model::World;

use crate::{Error, blobs::ByteStream, sniff::HEAD};

/// The longest pause between two parts of an upload.
const PAUSE: Duration = Duration::from_secs(30);
/// The longest time of a whole upload.
const WHOLE: Duration = Duration::from_secs(15 * 60);

/// The first bytes of a stream that passed, at most [`HEAD`].
#[derive(Clone, Default)]
pub(crate) struct Head(Arc<Mutex<Vec<u8>>>);

impl Head {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, part: &[u8]) {
        let mut head = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = HEAD.saturating_sub(head.len()).min(part.len());
        head.extend_from_slice(part.get(..room).unwrap_or_default());
    }
}

struct Intake {
    content: ByteStream,
    head: Head,
    world: World,
    /// When it has to be over, on the monotonic clock.
    end: Duration,
    limit: u64,
    taken: u64,
}

/// The same stream, which ends with an error when it is larger than `limit` bytes, empty or too slow; and its head.
pub(crate) fn guard(content: ByteStream, limit: u64, world: &World) -> (ByteStream, Head) {
    let (head, end) = (Head::default(), world.clock().monotonic() + WHOLE);
    let intake = Intake { content, head: head.clone(), world: world.clone(), end, limit, taken: 0 };
    (stream::try_unfold(intake, Intake::pass).boxed(), head)
}

impl Intake {
    async fn pass(mut self) -> Result<Option<(Bytes, Self)>, Error> {
        let Some(part) = self.next().await? else {
            return if self.taken == 0 { Err(Error::Empty) } else { Ok(None) };
        };
        self.taken += part.len() as u64;
        if self.taken > self.limit {
            let limit = self.limit;
            self.swallow().await;
            return Err(Error::TooLarge { limit });
        }
        self.head.note(&part);
        Ok(Some((part, self)))
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let clock = self.world.clock();
        let wait = self.end.saturating_sub(clock.monotonic()).min(PAUSE);
        tokio::select! {
            part = self.content.next() => part.transpose(),
            () = clock.sleep(wait) => Err(Error::TooSlow),
        }
    }

    /// Reads on for as much again: a client that is cut off while it sends does not see the answer.
    async fn swallow(mut self) {
        while self.taken <= self.limit.saturating_mul(2) {
            match self.next().await {
                Ok(Some(part)) => self.taken += part.len() as u64,
                Ok(None) | Err(_) => return,
            }
        }
    }
}
