//! The signals of a run as the tables hold them, for scorecards.

use crate::domain::{InstrumentId, Layer, MarketTime, Ratio, RunId, SignalSource};
use crate::engine::{Input, InputBody, RunInput};
use crate::signals::{Call, Ended, Weather};
use crate::store::entry::Body;
use crate::store::ledger::{LedgerFile, signed};
use crate::store::{StoreError, codec};

/// The last column is the place of the first layer that refused.
const SQL: &str = "SELECT s.source, s.instrument, s.direction, s.strength, s.horizon_bars, s.as_of, s.entry, s.exit, s.net_return, \
    s.resolved_at, max(CASE WHEN v.layer = 'regime' THEN v.value END), \
    min(CASE WHEN v.verdict = 'fail' THEN CASE v.layer WHEN 'statistics' THEN 0 WHEN 'regime' THEN 1 WHEN 'risk' THEN 2 \
    WHEN 'portfolio' THEN 3 ELSE 4 END END) \
    FROM llm_signals s LEFT JOIN llm_signal_validations v ON v.run = s.run AND v.signal_id = s.signal_id \
    WHERE s.run = ?1 GROUP BY s.signal_id ORDER BY s.as_of, s.signal_id";

impl LedgerFile {
    /// All signals of a run, refused ones too, ended or not, in the order they were made.
    pub fn calls(&self, run: RunId) -> Result<Vec<Call>, StoreError> {
        let began = self.began(run)?;
        let mut statement = self.connection.prepare(SQL)?;
        let mut rows = statement.query([signed(run.0)])?;
        let mut calls = Vec::new();
        while let Some(row) = rows.next()? {
            calls.extend(read(row, began)?);
        }
        Ok(calls)
    }

    /// Until when the run's history only warmed up, as its first entry says.
    fn began(&self, run: RunId) -> Result<MarketTime, StoreError> {
        let sql = "SELECT seq, kind, version, payload FROM journal WHERE run = ?1 ORDER BY seq LIMIT 1";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([signed(run.0)])?;
        let Some(row) = rows.next()? else { return Ok(MarketTime(0)) };
        let (kind, payload): (String, String) = (row.get(1)?, row.get(3)?);
        Ok(match codec::decode(row.get(0)?, &kind, row.get(2)?, &payload)? {
            Body::Input(Input { body: InputBody::Run(RunInput::Opened { quiet_until, .. }), .. }) => quiet_until,
            Body::Input(_) | Body::Record(_) => MarketTime(0),
        })
    }
}

/// A signal; nothing where its source is one that this program does not know.
fn read(row: &rusqlite::Row<'_>, began: MarketTime) -> rusqlite::Result<Option<Call>> {
    let (source, direction): (String, String) = (row.get(0)?, row.get(2)?);
    let Some(source) = SignalSource::of_word(&source) else { return Ok(None) };
    let share = |nanos: i64| Ratio::from_nanos(nanos).to_f64();
    let (entry, exit): (Option<i64>, Option<i64>) = (row.get(6)?, row.get(7)?);
    let (net, at): (Option<i64>, Option<i64>) = (row.get(8)?, row.get(9)?);
    let ended = entry.zip(exit).zip(net.zip(at)).filter(|((entry, _), _)| *entry > 0);
    let ended = ended.map(|((entry, exit), (net, at))| Ended {
        at: MarketTime(at),
        moved: (exit - entry) as f64 / entry as f64,
        net: share(net),
    });
    let refused_by = row.get::<_, Option<u16>>(11)?.and_then(|place| Layer::ALL.get(usize::from(place)).copied());
    Ok(Some(Call {
        source,
        instrument: InstrumentId(row.get(1)?),
        is_long: direction == "long",
        strength: share(row.get(3)?),
        horizon: row.get(4)?,
        weather: Weather::of(row.get::<_, Option<i64>>(10)?.map(share)),
        refused_by,
        made: MarketTime(row.get(5)?),
        is_warm_up: row.get::<_, i64>(5)? < began.0,
        ended,
    }))
}
