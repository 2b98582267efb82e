//! Floor 5: the ledger database, and the segments of live runs beside it.
//!
//! One hash-chained, append-only `journal` table is the truth; every other table is a projection, written in the same transaction and
//! rebuildable from it. No business rules live here: it writes what the engine decided.
//! What must stay true: SQLite ≥ 3.51.3, WAL, `synchronous=FULL`; a row of the journal is never changed or removed; an entry of a newer
//! kind than this program knows is refused, not skipped.

mod codec;
mod entry;
mod export;
mod head;
mod ledger;
mod notes;
mod projections;
mod schema;
mod scores;
mod segment;
mod trials;
mod verify;

pub use entry::{Body, Entry, RunRow, RunStatus, StoredEntry};
pub use export::{ExportFormat, export};
pub use ledger::{LedgerFile, StoreError};
pub use notes::TapePlays;
pub use segment::{Segment, SegmentReader};
pub use trials::{Trial, TrialKind, Trials, Tried};
pub use verify::{ChainReport, verify};

/// How an entry's payload is written and read back, for tests that hand it bytes.
pub mod payload {
    pub use super::codec::{Encoded, VERSION, decode, encode};
}
