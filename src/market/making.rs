//! A tape out of bars that were imported or recorded: in order, described, with a place to begin.

use std::collections::BTreeMap;

use crate::domain::{Bar, InstrumentId, MarketTime, TimeFrame};
use crate::market::{SeriesMeta, TapeMeta};

/// Bars of each series that are warm-up before a tape of one's own begins to play, where it is long enough.
const WARM_UP: usize = 250;
/// A shorter tape begins after this part of it.
const PART: usize = 4;

/// What is said of one series of a tape.
#[derive(Debug, Clone)]
pub struct MadeSeries {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Its symbol.
    pub symbol: String,
    /// The length of its bars.
    pub frame: TimeFrame,
    /// Whether open, high and low are real.
    pub has_range: bool,
    /// Whether volume is told.
    pub has_volume: bool,
    /// Whether the prices are adjusted.
    pub is_adjusted: bool,
    /// Where it comes from.
    pub source: String,
    /// What to mind.
    pub note: String,
}

/// What is said of the whole tape.
#[derive(Debug, Clone)]
pub struct MadeTape {
    /// Its name.
    pub name: String,
    /// One line.
    pub title: String,
    /// What it is.
    pub description: String,
    /// Where it begins to play; after a warm-up where nothing is said.
    pub start: Option<MarketTime>,
    /// Its series.
    pub series: Vec<MadeSeries>,
    /// Whose it is to give away.
    pub licence: String,
}

/// Puts bars in the order of a tape and describes them. `Err` says why they are none.
pub fn make_tape(about: MadeTape, mut bars: Vec<Bar>) -> Result<(TapeMeta, Vec<Bar>), String> {
    bars.sort_by_key(|bar| (bar.close_at, bar.instrument));
    let mut spans: BTreeMap<InstrumentId, (MarketTime, MarketTime, u64)> = BTreeMap::new();
    for bar in &bars {
        let span = spans.entry(bar.instrument).or_insert((bar.open_at, bar.open_at, 0));
        (span.1, span.2) = (bar.open_at, span.2 + 1);
    }
    let (Some(first), Some(last)) = (bars.iter().map(|bar| bar.open_at).min(), bars.last()) else {
        return Err("there is not a single bar".to_owned());
    };
    let warm = (bars.len() / PART).min(WARM_UP * spans.len());
    let start = about.start.or_else(|| bars.get(warm).map(|bar| bar.close_at)).unwrap_or(first);
    if start <= first || start >= last.close_at {
        return Err(format!(
            "it would begin to play at {start}, which is not inside its bars, from {first} to {}",
            last.close_at
        ));
    }
    let shortest = about.series.iter().map(|series| series.frame).min().unwrap_or(TimeFrame::Day);
    let date = |at: MarketTime| at.timestamp().strftime("%Y-%m-%d").to_string();
    let described = about.series.into_iter().filter_map(|series| {
        let (first, last, rows) = spans.get(&series.instrument).copied()?;
        Some(SeriesMeta {
            instrument: series.instrument.0,
            symbol: series.symbol,
            bar: series.frame.to_string(),
            ohlc: series.has_range,
            volume: series.has_volume,
            adjusted: series.is_adjusted,
            first: date(first),
            last: date(last),
            rows,
            source: series.source,
            licence: about.licence.clone(),
            note: series.note,
        })
    });
    let series = described.collect();
    let MadeTape { name, title, description, .. } = about;
    Ok((TapeMeta { format: 1, name, title, description, start: start.to_string(), speed: speed(shortest), series }, bars))
}

/// Market seconds a second at which bars of this length come at a pace one can follow.
const fn speed(frame: TimeFrame) -> u32 {
    match frame {
        TimeFrame::Minutes(..5) => 60,
        TimeFrame::Minutes(5..60) => 300,
        TimeFrame::Minutes(_) => 600,
        TimeFrame::Day => 3_600,
        TimeFrame::Week | TimeFrame::Month => 86_400,
    }
}
