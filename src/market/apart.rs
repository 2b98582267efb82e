//! Reading a foreign Parquet file on a thread of its own.
//!
//! The Parquet library walks over a list that claims two thousand million empty entries one by one, which takes a file of a kilobyte hours;
//! and it may stop at what it takes for impossible. Neither is to hold up or end the program.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use thiserror::Error;

/// How long a file may take to be read: fifty million bars take less.
pub(in crate::market) const READ_WITHIN: Duration = Duration::from_secs(120);

/// Why nothing came of it.
#[derive(Debug, Error)]
pub(in crate::market) enum Astray {
    /// It took too long; the thread is left to itself.
    #[error("it could not be read in time; what it says of itself leads nowhere")]
    Late,
    /// The library stopped.
    #[error("what it says of itself cannot be")]
    Stopped,
    /// There was no thread for it.
    #[error("{0}")]
    NoThread(#[from] std::io::Error),
}

/// Does the work apart, and waits so long for it.
pub(in crate::market) fn apart<T: Send + 'static>(
    within: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Astray> {
    let (done, read) = sync_channel(1);
    thread::Builder::new().name("tape".to_owned()).spawn(move || drop(done.send(work())))?;
    read.recv_timeout(within).map_err(|ended| match ended {
        RecvTimeoutError::Timeout => Astray::Late,
        RecvTimeoutError::Disconnected => Astray::Stopped,
    })
}
