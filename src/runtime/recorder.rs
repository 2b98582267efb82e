//! Recording live markets without engine and screen: what providers say is written down as it comes, through the same desk and the same
//! counts of requests as a live run.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::{Duration, InstrumentTable, MarketEvent, MarketTime, Missed, RiskDay, SeriesInfo, WallTime};
use crate::market::providers::{Capability, ProviderTable, ProvidersLink};
use crate::market::{self, ToldFeed};
use crate::runtime::markets::link_to_record;
use crate::runtime::recorded::{Heading, MOST_GAPS, Places, Recorded, finish_recording, taken};
use crate::runtime::recovery::calendar_of;
use crate::runtime::{Home, Trouble};
use crate::store::Segment;

/// Events that wait until they are written.
const WRITE_AT: usize = 512;
/// How long fewer of them wait at most, in nanoseconds.
const WRITE_WITHIN: i64 = 1_000_000_000;

/// A minute is told within this time of its end, where it is told at all.
const SETTLES_WITHIN: Duration = Duration::seconds(60);

/// When a recording ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// When somebody ends it.
    Asked,
    /// At this time.
    At(WallTime),
}

/// What a recording has come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// Its files.
    pub recorded: Vec<Recorded>,
    /// Prices of providers that were replaced by newer ones before they were taken.
    pub conflated: u64,
}

/// What is to be recorded.
pub struct Plan {
    /// Its name.
    pub name: String,
    /// Whether each risk day gets files of its own.
    pub by_day: bool,
    /// Who is asked.
    pub table: ProviderTable,
    /// For what.
    pub series: Vec<SeriesInfo>,
}

/// A recording under way.
pub struct Recording {
    link: ProvidersLink,
    feed: ToldFeed,
    series: Vec<SeriesInfo>,
    instruments: Arc<InstrumentTable>,
    folder: PathBuf,
    name: String,
    /// Whether each risk day gets files of its own.
    by_day: bool,
    part: Part,
    finished: Vec<Recorded>,
    waiting: Vec<MarketEvent>,
    written_at: WallTime,
    /// Bars, prices and gaps so far.
    pub counts: Counts,
}

/// What was recorded so far, for the line that says so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Closed bars.
    pub bars: u64,
    /// Prices.
    pub prices: u64,
    /// Gaps.
    pub gaps: u64,
    /// Instruments that are silent.
    pub silent: usize,
    /// Instruments in all.
    pub instruments: usize,
}

/// The file that is being written.
struct Part {
    name: String,
    day: RiskDay,
    places: Places,
    heading: Heading,
    segment: Segment,
    /// Held while it is written, so that nobody else finishes it.
    _lock: File,
}

/// The name of a recording's file: with its day, where each day has one, and a number behind it where one of that day is there already.
fn part_name(recording: &str, by_day: bool, folder: &Path, now: WallTime) -> String {
    if !by_day {
        return recording.to_owned();
    }
    let day = RiskDay::of(MarketTime(now.0)).date;
    let numbered = |number: u32| if number == 1 { format!("{recording}-{day}") } else { format!("{recording}-{day}-{number}") };
    (1..10_000).map(numbered).find(|name| !Places::of(folder, name).is_taken()).unwrap_or_else(|| numbered(1))
}

impl Part {
    fn begin(name: String, folder: &Path, series: &[SeriesInfo], now: WallTime) -> Result<Self, Trouble> {
        let day = RiskDay::of(MarketTime(now.0));
        let places = Places::of(folder, &name);
        if places.is_taken() {
            return Err(taken(&name));
        }
        let heading = Heading {
            format: 1,
            name: name.clone(),
            began: MarketTime(now.0),
            series: series.to_vec(),
            gaps: Vec::new(),
            more_gaps: 0,
        };
        let cannot = |error: std::io::Error| {
            Trouble::new(
                format!("{} cannot be written: {error}", places.events.display()),
                "What was recorded before is kept",
                "Check the disk and its rights, or choose another folder with --home",
            )
        };
        heading.write(&places.heading).map_err(cannot)?;
        let segment = Segment::create(&places.events)?;
        let lock = File::open(&places.events).map_err(cannot)?;
        lock.try_lock().map_err(|error| cannot(error.into()))?;
        Ok(Self { name, day, places, heading, segment, _lock: lock })
    }
}

impl Recording {
    /// Begins: asks providers, and opens the files.
    pub fn begin(plan: Plan, instruments: &Arc<InstrumentTable>, home: &Home, now: WallTime) -> Result<Self, Trouble> {
        let Plan { name, by_day, table, series } = plan;
        let folder = home.make_tapes_folder().map_err(|error| {
            let what = format!("{} cannot be made: {error}", home.tapes_folder().display());
            Trouble::new(what, "Nobody was asked", "Check the disk and its rights, or choose another folder with --home")
        })?;
        let part = Part::begin(part_name(&name, by_day, &folder, now), &folder, &series, now)?;
        let link = link_to_record(table, &series, instruments, home)?;
        let feed = ToldFeed::new(series.iter().map(|series| (series.instrument, None)), MarketTime(0));
        let feed = feed.by_hours(|id| calendar_of(instruments, id));
        let counts = Counts { instruments: series.len(), ..Counts::default() };
        let instruments = Arc::clone(instruments);
        let (finished, waiting) = (Vec::new(), Vec::new());
        Ok(Self { link, feed, series, instruments, folder, name, by_day, part, finished, waiting, written_at: now, counts })
    }

    /// Whom to call when something came.
    pub fn wake_with(&self, wake: impl Fn() + Send + Sync + 'static) {
        self.link.wake_with(wake);
    }

    /// Takes what came, and writes it.
    pub fn step(&mut self, now: WallTime) -> Result<(), Trouble> {
        let (mut news, mut served) = (Vec::new(), Vec::new());
        self.link.take(&mut news, &mut served);
        let of_prices = served.iter().filter(|served| served.capability == Capability::Quotes);
        of_prices.for_each(|served| self.feed.handed_over(&served.instruments));
        news.drain(..).for_each(|news| self.feed.hear(news, now));
        let changes = self.feed.pass_time(now);
        self.counts.silent = (self.counts.silent + changes.silent.len()).saturating_sub(changes.heard.len());
        self.note_gaps(&changes.missed)?;
        while let Some(event) = self.feed.take() {
            match event {
                MarketEvent::BarClosed { .. } => self.counts.bars += 1,
                MarketEvent::Quoted { .. } => self.counts.prices += 1,
                MarketEvent::BarOpened { .. } => {}
            }
            self.waiting.push(event);
        }
        // A clock set back must not keep what waits from the disk.
        let is_due = !(0..WRITE_WITHIN).contains(&now.since(self.written_at).0);
        if self.waiting.len() >= WRITE_AT || (!self.waiting.is_empty() && is_due) {
            self.write(now)?;
        }
        // The day's last minute is told a few seconds after its end.
        if self.by_day && self.part.day < RiskDay::of(MarketTime(now.before(SETTLES_WITHIN).0)) {
            self.turn_day(now)?;
        }
        Ok(())
    }

    fn note_gaps(&mut self, missed: &[Missed]) -> Result<(), Trouble> {
        if missed.is_empty() {
            return Ok(());
        }
        self.counts.gaps += missed.len() as u64;
        let heading = &mut self.part.heading;
        let room = MOST_GAPS.saturating_sub(heading.gaps.len());
        heading.gaps.extend(missed.iter().take(room));
        heading.more_gaps += missed.len().saturating_sub(room) as u64;
        heading.write(&self.part.places.heading).map_err(|error| {
            let what = format!("{} cannot be written: {error}", self.part.places.heading.display());
            Trouble::new(what, "What was recorded before is kept; `pmax tapes` finishes it", "Check the disk and its rights")
        })
    }

    fn write(&mut self, now: WallTime) -> Result<(), Trouble> {
        self.part.segment.append(&self.waiting)?;
        self.waiting.clear();
        self.written_at = now;
        Ok(())
    }

    /// The day's files are finished, and the next day's begun.
    fn turn_day(&mut self, now: WallTime) -> Result<(), Trouble> {
        self.write(now)?;
        let next = Part::begin(part_name(&self.name, true, &self.folder, now), &self.folder, &self.series, now)?;
        let part = std::mem::replace(&mut self.part, next);
        let name = part.name.clone();
        drop(part);
        self.finished.push(finish_recording(&self.folder, &name, &self.instruments)?);
        Ok(())
    }

    /// Ends it and finishes its files.
    pub fn end(mut self, now: WallTime) -> Result<Ended, Trouble> {
        self.step(now)?;
        self.write(now)?;
        let conflated = self.link.view().conflated;
        let Self { part, mut finished, folder, instruments, link, .. } = self;
        drop(link);
        let name = part.name.clone();
        drop(part);
        finished.push(finish_recording(&folder, &name, &instruments)?);
        Ok(Ended { recorded: finished, conflated })
    }

    /// The name of the file that is being written.
    pub fn name(&self) -> &str {
        &self.part.name
    }

    /// A name that no tape has yet: that of the day, and a number behind it where it is taken.
    pub fn free_name(home: &Home, now: WallTime) -> String {
        let folder = home.tapes_folder();
        let day = RiskDay::of(MarketTime(now.0)).date;
        let numbered = |number: u32| if number == 1 { format!("live-{day}") } else { format!("live-{day}-{number}") };
        let is_free = |name: &String| market::may_be_named(name) && !Places::of(&folder, name).is_taken();
        (1..10_000).map(numbered).find(is_free).unwrap_or_else(|| format!("live-{}", now.0))
    }
}
