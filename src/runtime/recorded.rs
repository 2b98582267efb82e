//! From written-down market events to a tape and a file of prices: at the end of a recording, after one that was cut off, and of a live run.
//!
//! While it is recorded, a recording is a segment like that of a live run: each event with its checksum, so that what a crash leaves is whole
//! up to its last events. Parquet has its index at the end, so the tape is made when the recording is over.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::{Bar, InstrumentId, InstrumentTable, MarketEvent, MarketTime, Missed, SeriesInfo, TimeFrame, counted};
use crate::market::{self, MadeSeries, MadeTape, PriceFile, Tape};
use crate::runtime::source::told_capabilities;
use crate::runtime::{Home, Trouble, write_atomically, write_bytes_atomically};
use crate::store::SegmentReader;

/// Gaps that are named; more are counted.
pub(super) const MOST_GAPS: usize = 200;

/// What stands beside a recording while it is made.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Heading {
    /// Version of this file; 1.
    pub format: u32,
    /// The recording's name.
    pub name: String,
    /// Since when.
    pub began: MarketTime,
    /// What is recorded.
    pub series: Vec<SeriesInfo>,
    /// Minutes that nobody told.
    pub gaps: Vec<Missed>,
    /// Gaps that are not named.
    #[serde(default)]
    pub more_gaps: u64,
}

/// A recording that is finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its name.
    pub name: String,
    /// The tape; nothing where no minute closed.
    pub tape: Option<PathBuf>,
    /// The prices; nothing where none came.
    pub prices: Option<PathBuf>,
    /// Bars, and how many of them are from before it began.
    pub bars: (u64, u64),
    /// How many prices.
    pub quotes: u64,
    /// Minutes that are missing.
    pub gaps: Vec<Missed>,
    /// Gaps that are not named.
    pub more_gaps: u64,
}

impl Heading {
    pub(super) fn write(&self, path: &Path) -> std::io::Result<()> {
        let text = serde_json::to_string(self).map_err(std::io::Error::other)?;
        write_atomically(path, &text)
    }
}

impl Recorded {
    /// What was written, in one sentence and the files' names.
    pub fn words(&self, instruments: &InstrumentTable) -> String {
        let (bars, before) = self.bars;
        let mut text = format!("{}: {}", self.name, counted(bars, "bar"));
        if before > 0 {
            text.push_str(&format!(" ({before} of them from before it began)"));
        }
        text.push_str(&format!(", {}", counted(self.quotes, "price")));
        if self.gaps.is_empty() {
            text.push_str(", no gaps");
        } else {
            let gaps = self.gaps.len() as u64 + self.more_gaps;
            let at_least = if self.more_gaps > 0 { "at least " } else { "" };
            let minutes: i64 = self.gaps.iter().map(|gap| gap.until.since(gap.from).0 / 60_000_000_000).sum();
            let named = self.gaps.iter().take(3).map(|gap| {
                let clock = |at: MarketTime| at.timestamp().strftime("%H:%M").to_string();
                format!("{} {}–{}", instruments.symbol(gap.instrument), clock(gap.from), clock(gap.until))
            });
            let named: Vec<String> = named.collect();
            let more = gaps.saturating_sub(named.len() as u64);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            text.push_str(&format!(
                ", {} of {at_least}{minutes} min together ({} UTC{more})",
                counted(gaps, "gap"),
                named.join(", ")
            ));
        }
        for path in [&self.tape, &self.prices].into_iter().flatten() {
            text.push_str(&format!("\n  {}", path.display()));
        }
        if self.tape.is_none() {
            text.push_str("\n  no minute closed, so there is no tape");
        }
        text
    }
}

/// Where a recording keeps its files.
pub(super) struct Places {
    pub events: PathBuf,
    pub heading: PathBuf,
    tape: PathBuf,
    prices: PathBuf,
}

impl Places {
    pub(super) fn of(folder: &Path, name: &str) -> Self {
        let at = |ending: &str| folder.join(format!("{name}{ending}"));
        let prices = at(&format!("{}.parquet", market::PRICES));
        Self { events: at(".recording"), heading: at(".recording.json"), tape: at(".parquet"), prices }
    }

    /// Whether anything of this name is there.
    pub(super) fn is_taken(&self) -> bool {
        [&self.events, &self.tape, &self.prices].into_iter().any(|path| path.exists())
    }
}

/// Finishes a recording that nobody writes any more.
pub fn finish_recording(folder: &Path, name: &str, instruments: &InstrumentTable) -> Result<Recorded, Trouble> {
    let places = Places::of(folder, name);
    let text = fs::read_to_string(&places.heading).map_err(|error| trouble(&places.heading, "cannot be read", &error))?;
    let heading: Heading =
        serde_json::from_str(&text).map_err(|error| trouble(&places.heading, "is no heading of a recording", &error))?;
    let maker = Maker {
        places: &places,
        name,
        title: format!("Recorded since {}", heading.began),
        source: None,
        series: &heading.series,
        began: Some(heading.began),
        gaps: (heading.gaps.clone(), heading.more_gaps),
        instruments,
    };
    let recorded = maker.make(SegmentReader::open(&places.events)?)?;
    // The heading goes last: without it the events would belong to nobody.
    for path in [&places.events, &places.heading] {
        fs::remove_file(path).map_err(|error| trouble(path, "cannot be removed", &error))?;
    }
    Ok(recorded)
}

/// Finishes what recordings were cut off. One that is still being made is left alone.
pub fn finish_left(home: &Home, instruments: &InstrumentTable) -> Vec<Result<Recorded, Trouble>> {
    let folder = home.tapes_folder();
    let Ok(entries) = fs::read_dir(&folder) else { return Vec::new() };
    let name = |entry: fs::DirEntry| Some(entry.file_name().to_str()?.strip_suffix(".recording")?.to_owned());
    let mut names: Vec<String> = entries.flatten().filter_map(name).collect();
    names.sort();
    names.retain(|name| File::open(Places::of(&folder, name).events).is_ok_and(|file| file.try_lock().is_ok()));
    names.iter().map(|name| finish_recording(&folder, name, instruments)).collect()
}

/// Makes a tape of what a live run wrote down.
pub fn tape_of_run(
    (segment, run): (&Path, &str),
    name: &str,
    series: &[SeriesInfo],
    home: &Home,
    instruments: &InstrumentTable,
) -> Result<Recorded, Trouble> {
    let folder = home.make_tapes_folder().map_err(|error| trouble(&home.tapes_folder(), "cannot be made", &error))?;
    let places = Places::of(&folder, name);
    if places.is_taken() {
        return Err(taken(name));
    }
    let maker = Maker {
        places: &places,
        name,
        title: format!("What {run} heard"),
        source: Some(format!("recorded by {run}")),
        series,
        began: None,
        gaps: (Vec::new(), 0),
        instruments,
    };
    maker.make(SegmentReader::open(segment)?)
}

pub(super) fn taken(name: &str) -> Trouble {
    Trouble::new(
        format!("There is a tape or a recording {name} already"),
        "It was not touched",
        "Choose another name with --out NAME",
    )
}

/// Makes the files of a recording.
struct Maker<'a> {
    places: &'a Places,
    name: &'a str,
    title: String,
    source: Option<String>,
    series: &'a [SeriesInfo],
    /// Since when it is recorded, where that is known; else since the first price.
    began: Option<MarketTime>,
    /// Those that are named, and how many more there are.
    gaps: (Vec<Missed>, u64),
    instruments: &'a InstrumentTable,
}

impl Maker<'_> {
    fn make(self, events: impl Iterator<Item = MarketEvent>) -> Result<Recorded, Trouble> {
        let damaged = |path: &Path, error: &dyn std::fmt::Display| trouble(path, "cannot be written", error);
        let (places, instruments) = (self.places, self.instruments);
        let fresh = places.prices.with_extension("new");
        let file = File::create(&fresh).map_err(|error| damaged(&fresh, &error))?;
        let mut prices = PriceFile::begin(BufWriter::new(file)).map_err(|error| damaged(&fresh, &error))?;
        let (mut bars, mut began): (Vec<Bar>, _) = (Vec::new(), self.began);
        for event in events {
            match event {
                MarketEvent::BarClosed { bar, .. } => bars.push(bar),
                MarketEvent::Quoted { quote, stamp } => {
                    began.get_or_insert(stamp.event_at);
                    prices.add(quote, stamp, instruments).map_err(|error| damaged(&fresh, &error))?;
                }
                MarketEvent::BarOpened { .. } => {}
            }
        }
        let quotes = prices.finish(instruments).map_err(|error| damaged(&fresh, &error))?;
        let before = bars.iter().filter(|bar| began.is_some_and(|began| bar.close_at <= began)).count() as u64;
        let counts = (bars.len() as u64, before);
        let tape = if bars.is_empty() { None } else { Some(self.write_tape(began, bars)?) };
        let prices = if quotes > 0 {
            fs::rename(&fresh, &places.prices).map_err(|error| damaged(&places.prices, &error))?;
            Some(places.prices.clone())
        } else {
            fs::remove_file(&fresh).map_err(|error| trouble(&fresh, "cannot be removed", &error))?;
            None
        };
        let (gaps, more_gaps) = self.gaps;
        Ok(Recorded { name: self.name.to_owned(), tape, prices, bars: counts, quotes, gaps, more_gaps })
    }

    fn write_tape(&self, began: Option<MarketTime>, bars: Vec<Bar>) -> Result<PathBuf, Trouble> {
        let instruments = self.instruments;
        // What was recorded counts, whatever is watched today.
        let recorded: BTreeSet<InstrumentId> = bars.iter().map(|bar| bar.instrument).collect();
        let described = recorded.into_iter().filter_map(|id| {
            let mut own = bars.iter().filter(|bar| bar.instrument == id).peekable();
            let known = instruments.get(id)?;
            let listed = self.series.iter().find(|series| series.instrument == id);
            let capabilities = listed.map_or(told_capabilities(known.kind), |series| series.capabilities);
            let from = listed.map_or("providers", |series| series.source.as_str());
            Some(MadeSeries {
                instrument: id,
                symbol: instruments.symbol(id),
                frame: TimeFrame::of(own.peek()?, known.calendar),
                has_range: capabilities.has_range,
                has_volume: own.any(|bar| bar.volume.is_some()),
                is_adjusted: false,
                source: self.source.clone().unwrap_or_else(|| format!("recorded from {from}")),
                note: "A minute without a trade has no bar.".to_owned(),
            })
        });
        let gaps = match self.gaps.0.len() as u64 + self.gaps.1 {
            0 => String::new(),
            gaps => format!(" {} that no provider told.", counted(gaps, "gap")),
        };
        let is_inside = |at: MarketTime| {
            bars.iter().any(|bar| bar.open_at < at) && bars.iter().map(|bar| bar.close_at).max().is_some_and(|last| at < last)
        };
        let made = MadeTape {
            name: self.name.to_owned(),
            title: self.title.clone(),
            description: format!("Minute bars as they were told, with what was known before as warm-up.{gaps}"),
            start: began.filter(|began| is_inside(*began)),
            series: described.collect(),
            licence: "for your own use".to_owned(),
        };
        let path = &self.places.tape;
        let refuse = |what: &str| trouble(path, "cannot be made", &what);
        let (meta, bars) = market::make_tape(made, bars).map_err(|what| refuse(&what))?;
        let bytes = market::tape_bytes(&meta, &bars, instruments).map_err(|error| refuse(&error.to_string()))?;
        Tape::read(self.name, bytes.clone().into()).map_err(|error| refuse(&error.to_string()))?;
        write_bytes_atomically(path, &bytes).map_err(|error| trouble(path, "cannot be written", &error))?;
        Ok(path.clone())
    }
}

fn trouble(path: &Path, what: &str, error: &dyn std::fmt::Display) -> Trouble {
    Trouble::new(
        format!("{} {what}: {error}", path.display()),
        "What was recorded is kept as it is",
        "Check the disk and its rights; `pmax tapes` finishes what was left",
    )
}
