//! Reading a tape: a Parquet file of bars with its description in the key-value metadata.

use std::sync::Arc;

use bytes::Bytes;
use parquet::column::reader::ColumnReader;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::domain::{Bar, Capabilities, InstrumentId, MarketTime, Price, SeriesInfo, Volume};

/// The metadata key that holds a tape's description as JSON.
pub(super) const DESCRIPTION_KEY: &str = "pmax.tape";
/// The columns that make a bar.
const BAR_COLUMNS: [&str; 8] = ["instrument", "open_at", "close_at", "open", "high", "low", "close", "volume"];
/// More bars than this are not a tape for one workstation.
const MOST_BARS: usize = 50_000_000;
/// And more for each byte of a file neither: a bar of eight columns takes several bytes, however well it is packed.
const MOST_BARS_PER_BYTE: usize = 16;
/// A file of any size may hold so many: a few bars take less than the description.
const FEW_BARS: usize = 10_000;

/// A tape's own description.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TapeMeta {
    /// Version of the layout; 1.
    pub format: u32,
    /// Short name, as typed on the command line.
    pub name: String,
    /// One line.
    pub title: String,
    /// What it is and what to mind.
    pub description: String,
    /// Where the workstation begins to play; what lies before is warm-up.
    pub start: String,
    /// Market seconds per wall second at speed ×1 of the tape.
    pub speed: u32,
    /// Its series.
    pub series: Vec<SeriesMeta>,
}

/// One series of a tape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesMeta {
    /// Instrument number.
    pub instrument: u32,
    /// Ticker at the time the tape was made.
    pub symbol: String,
    /// Bar length in words, e.g. `1d`.
    pub bar: String,
    /// Whether open, high and low are real.
    pub ohlc: bool,
    /// Whether volume is real.
    pub volume: bool,
    /// Whether the source adjusted the prices.
    pub adjusted: bool,
    /// First date.
    pub first: String,
    /// Last date.
    pub last: String,
    /// How many bars.
    pub rows: u64,
    /// Package and file it comes from.
    pub source: String,
    /// Licence of that package.
    pub licence: String,
    /// Conventions worth knowing.
    #[serde(default)]
    pub note: String,
}

/// Bars of several series in order of their closes.
#[derive(Debug, Clone)]
pub struct Tape {
    /// Its description.
    pub meta: TapeMeta,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// Bars by close, then instrument.
    pub bars: Arc<Vec<Bar>>,
}

/// Why a file is not a usable tape.
#[derive(Debug, Error)]
pub enum TapeError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {source}")]
    Io {
        /// Which file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no tape of this name.
    #[error("there is no tape «{name}»; there are {known}")]
    NoTape {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// Not Parquet, or a damaged file.
    #[error("tape {name} is damaged or not Parquet: {source}")]
    Parquet {
        /// Which tape.
        name: String,
        /// What the reader said.
        source: parquet::errors::ParquetError,
    },
    /// Parquet, but not laid out as a tape.
    #[error("tape {name} is not laid out as a tape: {what}")]
    Layout {
        /// Which tape.
        name: String,
        /// What is missing or wrong.
        what: String,
    },
    /// A bar that cannot be.
    #[error("tape {name}, row {row}: {what}")]
    Bar {
        /// Which tape.
        name: String,
        /// Which row, counted from 1.
        row: usize,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// The columns of a row group.
#[derive(Default)]
struct Columns {
    instrument: Vec<i64>,
    open_at: Vec<i64>,
    close_at: Vec<i64>,
    open: Vec<Option<i64>>,
    high: Vec<Option<i64>>,
    low: Vec<Option<i64>>,
    close: Vec<i64>,
    volume: Vec<Option<i64>>,
}

impl Tape {
    /// Reads a tape from the bytes of its file and checks every bar.
    pub fn read(name: &str, bytes: Bytes) -> Result<Self, TapeError> {
        let sha256: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let parquet = |source| TapeError::Parquet { name: name.to_owned(), source };
        let most = most_rows(bytes.len());
        let reader = SerializedFileReader::new(bytes).map_err(parquet)?;
        let meta = description(name, &reader)?;
        check_size(name, &reader, most)?;
        let mut bars = Vec::new();
        for group in 0..reader.num_row_groups() {
            let columns = Columns::read(name, &*reader.get_row_group(group).map_err(parquet)?)?;
            columns.append_bars(name, &mut bars)?;
        }
        check_order(name, &bars)?;
        check_announced(name, &bars, &meta)?;
        Ok(Self { meta, sha256, bars: Arc::new(bars) })
    }

    /// The series as the engine wants them announced.
    pub fn series(&self) -> Vec<SeriesInfo> {
        let mut last_prints = std::collections::BTreeMap::new();
        for bar in self.bars.iter() {
            last_prints.insert(bar.instrument, if bar.has_range { bar.open_at } else { bar.close_at });
        }
        let info = |series: &SeriesMeta| SeriesInfo {
            instrument: InstrumentId(series.instrument),
            last_print: last_prints.get(&InstrumentId(series.instrument)).copied(),
            capabilities: Capabilities { has_range: series.ohlc, has_volume: series.volume, is_adjusted: series.adjusted },
            source: format!("{} ({})", series.source, series.licence),
        };
        self.meta.series.iter().map(info).collect()
    }

    /// Where playing begins.
    pub fn start(&self) -> Option<MarketTime> {
        MarketTime::parse(&self.meta.start)
    }

    /// First open and last close.
    pub fn span(&self) -> Option<(MarketTime, MarketTime)> {
        let first = self.bars.iter().map(|bar| bar.open_at).min()?;
        Some((first, self.bars.last()?.close_at))
    }
}

fn description(name: &str, reader: &SerializedFileReader<Bytes>) -> Result<TapeMeta, TapeError> {
    let layout = |what: String| TapeError::Layout { name: name.to_owned(), what };
    let pairs = reader.metadata().file_metadata().key_value_metadata();
    let text = pairs
        .and_then(|pairs| pairs.iter().find(|pair| pair.key == DESCRIPTION_KEY))
        .and_then(|pair| pair.value.as_deref())
        .ok_or_else(|| layout(format!("its metadata has no «{DESCRIPTION_KEY}»")))?;
    let meta: TapeMeta = serde_json::from_str(text).map_err(|error| layout(format!("«{DESCRIPTION_KEY}»: {error}")))?;
    if meta.format != 1 {
        return Err(layout(format!("format {} is not known; this program reads format 1", meta.format)));
    }
    if meta.speed == 0 || MarketTime::parse(&meta.start).is_none() {
        return Err(layout("start must be an instant and speed above 0".to_owned()));
    }
    Ok(meta)
}

/// Rows that a Parquet file of so many bytes may claim.
pub(super) fn most_rows(bytes: usize) -> usize {
    bytes.saturating_mul(MOST_BARS_PER_BYTE).clamp(FEW_BARS, MOST_BARS)
}

/// Holds what the file says of itself against its size, before anything of that size is asked for.
fn check_size(name: &str, reader: &SerializedFileReader<Bytes>, most: usize) -> Result<(), TapeError> {
    let rows = |group: &parquet::file::metadata::RowGroupMetaData| usize::try_from(group.num_rows()).unwrap_or(usize::MAX);
    let all = reader.metadata().row_groups().iter().map(rows).fold(0, usize::saturating_add);
    if all <= most {
        return Ok(());
    }
    Err(TapeError::Layout { name: name.to_owned(), what: format!("it says that it holds {all} rows, more than {most}") })
}

impl Columns {
    fn read(name: &str, group: &dyn RowGroupReader) -> Result<Self, TapeError> {
        let layout = |what: String| TapeError::Layout { name: name.to_owned(), what };
        let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(usize::MAX);
        let mut columns = Self::default();
        let mut known = BAR_COLUMNS.to_vec();
        for index in 0..group.num_columns() {
            let column = group.metadata().column(index).column_path().string();
            // What else a tape may hold, such as symbols for other programs, is none of a bar.
            let Some(place) = known.iter().position(|name| *name == column) else { continue };
            known.remove(place);
            let values = read_column(name, group, index, rows)?;
            let present = || values.iter().map(|value| value.ok_or_else(|| layout(format!("«{column}» has gaps"))));
            match column.as_str() {
                "instrument" => columns.instrument = present().collect::<Result<_, _>>()?,
                "open_at" => columns.open_at = present().collect::<Result<_, _>>()?,
                "close_at" => columns.close_at = present().collect::<Result<_, _>>()?,
                "close" => columns.close = present().collect::<Result<_, _>>()?,
                "open" => columns.open = values,
                "high" => columns.high = values,
                "low" => columns.low = values,
                "volume" => columns.volume = values,
                _ => {}
            }
        }
        let complete = columns.instrument.len() == rows && columns.open_at.len() == rows && columns.close_at.len() == rows;
        let prices = columns.close.len() == rows && columns.open.len() == rows && columns.high.len() == rows;
        if complete && prices && columns.low.len() == rows && columns.volume.len() == rows {
            Ok(columns)
        } else {
            Err(layout("a column is missing or short: instrument, open_at, close_at, open, high, low, close, volume".to_owned()))
        }
    }

    fn append_bars(&self, name: &str, bars: &mut Vec<Bar>) -> Result<(), TapeError> {
        let ranges = self.open.iter().zip(&self.high).zip(&self.low);
        let times = self.instrument.iter().zip(&self.open_at).zip(&self.close_at);
        let ends = self.close.iter().zip(&self.volume);
        for (((instrument, open_at), close_at), (((open, high), low), (close, volume))) in times.zip(ranges.zip(ends)) {
            let refuse = |what| TapeError::Bar { name: name.to_owned(), row: bars.len() + 1, what };
            let range = match (open, high, low) {
                (Some(open), Some(high), Some(low)) => Some((*open, *high, *low)),
                (None, None, None) => None,
                _ => return Err(refuse("open, high and low must be given together or not at all")),
            };
            let (open, high, low) = range.unwrap_or((*close, *close, *close));
            let instrument = u32::try_from(*instrument).map_err(|_| refuse("the instrument number is not a number"))?;
            let bar = Bar {
                instrument: InstrumentId(instrument),
                open_at: MarketTime(*open_at),
                close_at: MarketTime(*close_at),
                open: Price::from_nanos(open),
                high: Price::from_nanos(high),
                low: Price::from_nanos(low),
                close: Price::from_nanos(*close),
                volume: volume.map(Volume::from_milli),
                has_range: range.is_some(),
            };
            if let Some(what) = impossible(&bar) {
                return Err(refuse(what));
            }
            bars.push(bar);
        }
        Ok(())
    }
}

/// What is wrong with a bar, if anything.
fn impossible(bar: &Bar) -> Option<&'static str> {
    if bar.close_at <= bar.open_at {
        return Some("the bar ends before it begins");
    }
    if bar.low.nanos() <= 0 {
        return Some("a price is not above zero");
    }
    if bar.high < bar.open.max(bar.close) || bar.low > bar.open.min(bar.close) {
        return Some("the high or the low does not contain open and close");
    }
    bar.volume.is_some_and(|volume| volume.milli() < 0).then_some("the volume is negative")
}

fn check_order(name: &str, bars: &[Bar]) -> Result<(), TapeError> {
    let mut last = std::collections::BTreeMap::new();
    let mut before = MarketTime(i64::MIN);
    for (index, bar) in bars.iter().enumerate() {
        let refuse = |what| Err(TapeError::Bar { name: name.to_owned(), row: index + 1, what });
        if bar.close_at < before {
            return refuse("rows are not in order of close_at");
        }
        before = bar.close_at;
        if last.insert(bar.instrument, bar.close_at).is_some_and(|ended| bar.open_at < ended) {
            return refuse("the bar overlaps the one before it");
        }
    }
    Ok(())
}

fn check_announced(name: &str, bars: &[Bar], meta: &TapeMeta) -> Result<(), TapeError> {
    let known: std::collections::BTreeSet<u32> = meta.series.iter().map(|series| series.instrument).collect();
    let stranger = bars.iter().position(|bar| !known.contains(&bar.instrument.0));
    stranger.map_or(Ok(()), |index| {
        Err(TapeError::Bar { name: name.to_owned(), row: index + 1, what: "its instrument is not among the tape's series" })
    })
}

/// Reads a column of integers; a null is `None`.
fn read_column(name: &str, group: &dyn RowGroupReader, index: usize, rows: usize) -> Result<Vec<Option<i64>>, TapeError> {
    let parquet = |source| TapeError::Parquet { name: name.to_owned(), source };
    let most_definitions = group.metadata().column(index).column_descr().max_def_level();
    let mut definitions = Vec::new();
    let values: Vec<i64> = match group.get_column_reader(index).map_err(parquet)? {
        ColumnReader::Int32ColumnReader(mut reader) => {
            let mut values = Vec::new();
            reader.read_records(rows, Some(&mut definitions), None, &mut values).map_err(parquet)?;
            values.into_iter().map(i64::from).collect()
        }
        ColumnReader::Int64ColumnReader(mut reader) => {
            let mut values = Vec::new();
            reader.read_records(rows, Some(&mut definitions), None, &mut values).map_err(parquet)?;
            values
        }
        _ => {
            let what = format!("column {} does not hold integers", index + 1);
            return Err(TapeError::Layout { name: name.to_owned(), what });
        }
    };
    if most_definitions == 0 {
        return Ok(values.into_iter().map(Some).collect());
    }
    let mut values = values.into_iter();
    Ok(definitions.iter().map(|level| if *level == most_definitions { values.next() } else { None }).collect())
}
