//! The journal as text, for people and scripts.

use std::io::Write;

use crate::domain::MarketTime;
use crate::store::{LedgerFile, StoreError};

/// How to write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// One JSON object per line.
    JsonLines,
    /// Comma-separated values with a header.
    Csv,
}

/// Writes all entries, or those of one run, oldest first. Returns how many.
pub fn export(file: &LedgerFile, run: Option<u64>, format: ExportFormat, out: &mut dyn Write) -> Result<u64, StoreError> {
    let sql = "SELECT seq, run, market_index, market_at, kind, version, payload, lower(hex(hash)) FROM journal
               WHERE ?1 IS NULL OR run = ?1 ORDER BY seq";
    let mut statement = file.connection.prepare(sql)?;
    let mut rows = statement.query([run.map(super::ledger::signed)])?;
    if format == ExportFormat::Csv {
        writeln!(out, "seq,run,market_index,market_at,kind,version,payload,hash").map_err(StoreError::Output)?;
    }
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let (seq, run, index, at): (i64, i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        let (kind, version, payload, hash): (String, i64, String, String) = (row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?);
        let at = MarketTime(at).timestamp();
        match format {
            ExportFormat::JsonLines => writeln!(
                out,
                r#"{{"seq":{seq},"run":{run},"market_index":{index},"market_at":"{at}","kind":"{kind}","version":{version},"payload":{payload},"hash":"{hash}"}}"#
            ),
            ExportFormat::Csv => {
                let quoted = payload.replace('"', "\"\"");
                writeln!(out, "{seq},{run},{index},{at},{kind},{version},\"{quoted}\",{hash}")
            }
        }
        .map_err(StoreError::Output)?;
        count += 1;
    }
    Ok(count)
}
