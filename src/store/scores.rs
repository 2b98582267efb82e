//! The signals of a run as the tables hold them, for scorecards.

use crate::domain::{InstrumentId, MarketTime, Ratio, RunId, SignalSource};
use crate::signals::{Call, Ended, Weather};
use crate::store::StoreError;
use crate::store::ledger::{LedgerFile, signed};

const SQL: &str = "SELECT s.source, s.instrument, s.direction, s.strength, s.horizon_bars, s.passed, s.as_of, s.entry, s.exit, s.net_return, \
    s.resolved_at, v.value, s.signal_id FROM llm_signals s LEFT JOIN llm_signal_validations v \
    ON v.run = s.run AND v.signal_id = s.signal_id AND v.layer = 'regime' WHERE s.run = ?1 ORDER BY s.as_of, s.signal_id";

impl LedgerFile {
    /// All signals of a run, refused ones too, ended or not, in the order they were made.
    pub fn calls(&self, run: RunId) -> Result<Vec<Call>, StoreError> {
        let mut statement = self.connection.prepare(SQL)?;
        let mut rows = statement.query([signed(run.0)])?;
        let mut calls = Vec::new();
        while let Some(row) = rows.next()? {
            calls.extend(read(row)?);
        }
        Ok(calls)
    }
}

/// A signal; nothing where its source is one that this program does not know.
fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<Call>> {
    let (source, direction): (String, String) = (row.get(0)?, row.get(2)?);
    let Some(source) = SignalSource::of_word(&source) else { return Ok(None) };
    let share = |nanos: i64| Ratio::from_nanos(nanos).to_f64();
    let (entry, exit): (Option<i64>, Option<i64>) = (row.get(7)?, row.get(8)?);
    let (net, at): (Option<i64>, Option<i64>) = (row.get(9)?, row.get(10)?);
    let ended = entry.zip(exit).zip(net.zip(at)).filter(|((entry, _), _)| *entry > 0);
    let ended = ended.map(|((entry, exit), (net, at))| Ended {
        at: MarketTime(at),
        moved: (exit - entry) as f64 / entry as f64,
        net: share(net),
    });
    Ok(Some(Call {
        source,
        instrument: InstrumentId(row.get(1)?),
        is_long: direction == "long",
        strength: share(row.get(3)?),
        horizon: row.get(4)?,
        weather: Weather::of(row.get::<_, Option<i64>>(11)?.map(share)),
        passed: row.get(5)?,
        made: MarketTime(row.get(6)?),
        ended,
    }))
}
