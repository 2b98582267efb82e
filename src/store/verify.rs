//! Walking the hash chain from the first entry to the last.

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

/// Recomputes every hash and reads every payload. The first break is an error that names its entry.
pub fn verify(file: &LedgerFile) -> Result<ChainReport, StoreError> {
    let sql = "SELECT seq, run, market_index, market_at, kind, version, payload, hash FROM journal ORDER BY seq";
    let mut statement = file.connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let (mut before, mut count) = ([0_u8; 32], 0_i64);
    while let Some(row) = rows.next()? {
        count += 1;
        let seq: i64 = row.get(0)?;
        if seq != count {
            return Err(StoreError::Chain { seq: count, what: "it is missing" });
        }
        let (kind, payload): (String, String) = (row.get(4)?, row.get(6)?);
        let fields = HashedFields {
            seq,
            run: row.get(1)?,
            market_index: row.get(2)?,
            market_at: row.get(3)?,
            kind: &kind,
            version: row.get(5)?,
            payload: &payload,
        };
        let expected = codec::hash(&before, &fields);
        let found: Vec<u8> = row.get(7)?;
        if found != expected {
            return Err(StoreError::Chain { seq, what: "its hash does not follow from its content and the entry before" });
        }
        codec::decode(seq, &kind, fields.version, &payload)?;
        before = expected;
    }
    let head = before.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(ChainReport { entries: count.unsigned_abs(), head })
}
