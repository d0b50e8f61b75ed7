//! Readers: a few threads, each with a connection of its own, each answer from one snapshot.

use std::sync::{Arc, Mutex, PoisonError};

use model::{SYSTEM_WORKSPACE, World};
use tokio::sync::mpsc;

use crate::{Error, Tx, conn::Conn, tx::Effects};

/// A reading closure with its answer channel inside. It gets an error when there is no connection.
pub(crate) type Read = Box<dyn FnOnce(Result<&mut Tx<'_>, Error>) + Send>;

pub(crate) struct Reader {
    pub(crate) conn: Option<Conn>,
    pub(crate) connect: Box<dyn FnMut() -> Result<Conn, Error> + Send>,
    pub(crate) queue: Arc<Mutex<mpsc::Receiver<Read>>>,
    pub(crate) world: World,
}

impl Reader {
    /// Works until every sender is gone.
    pub(crate) fn run(mut self) {
        while let Some(read) = self.next() {
            self.serve(read);
        }
    }

    fn next(&self) -> Option<Read> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
    }

    fn serve(&mut self, read: Read) {
        let mut conn = match self.usable_connection() {
            Ok(conn) => conn,
            Err(error) => return read(Err(error)),
        };
        let mut effects = Effects::default();
        // A panic of a reading closure drops its answer channel, which its caller sees; the thread goes on.
        let served = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            read(Ok(&mut Tx::new(&mut conn, &self.world, SYSTEM_WORKSPACE, &mut effects)));
        }));
        if served.is_err() {
            tracing::error!("a reader panicked");
        }
        conn.rollback();
        if conn.is_alive() && !conn.in_transaction() {
            self.conn = Some(conn);
        }
    }

    /// A connection with an open snapshot. One that was kept may have died meanwhile; then a new one is made.
    fn usable_connection(&mut self) -> Result<Conn, Error> {
        if let Some(mut kept) = self.conn.take().filter(Conn::is_alive)
            && kept.begin_read().is_ok()
        {
            return Ok(kept);
        }
        let mut conn = (self.connect)()?;
        conn.begin_read()?;
        Ok(conn)
    }
}
