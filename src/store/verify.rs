//! Walking the hash chain from the first entry to the last.

use rusqlite::Connection;

use crate::store::codec::{self, HashedFields};
use crate::store::{LedgerFile, StoreError};

/// A chain that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainReport {
    /// How many entries were walked.
    pub entries: u64,
    /// Hash of the last one, in hex.
    pub head: String,
}

/// What is done with an entry's content besides hashing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Payloads {
    /// Nothing: whoever reads the run reads it anyway.
    Hashed,
    /// It is read.
    Read,
}

/// Recomputes every hash, reads every payload, and holds the end against its anchor. The first break is an error that names its entry.
pub fn verify(file: &LedgerFile) -> Result<ChainReport, StoreError> {
    let report = walk(&file.connection, Payloads::Read)?;
    file.check_head()?;
    Ok(report)
}

/// Recomputes every hash. The first break is an error that names its entry.
pub(super) fn walk(connection: &Connection, payloads: Payloads) -> Result<ChainReport, StoreError> {
    let sql = "SELECT seq, run, market_index, market_at, kind, version, payload, hash FROM journal ORDER BY seq";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let (mut before, mut count) = ([0_u8; 32], 0_i64);
    while let Some(row) = rows.next()? {
        count += 1;
        let seq: i64 = row.get(0)?;
        if seq != count {
            return Err(StoreError::Chain { seq: count, what: "it is missing" });
        }
        let not_text = |_| StoreError::Chain { seq, what: "its content is not text" };
        let (kind, payload) = (row.get_ref(4)?.as_str().map_err(not_text)?, row.get_ref(6)?.as_str().map_err(not_text)?);
        let fields = HashedFields {
            seq,
            run: row.get(1)?,
            market_index: row.get(2)?,
            market_at: row.get(3)?,
            kind,
            version: row.get(5)?,
            payload,
        };
        let expected = codec::hash(&before, &fields);
        if row.get_ref(7)?.as_blob().ok() != Some(expected.as_slice()) {
            return Err(StoreError::Chain { seq, what: "its hash does not follow from its content and the entry before" });
        }
        if payloads == Payloads::Read {
            codec::decode(seq, kind, fields.version, payload)?;
        }
        before = expected;
    }
    let head = before.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(ChainReport { entries: count.unsigned_abs(), head })
}
