//! One series of a file: its rows in order, the length of its bars, and their places on its calendar.

use jiff::tz::TimeZone;

use crate::domain::{Bar, BarBuilder, Closed, Instrument, MarketTime, Price, Tick, TimeFrame, Volume};
use crate::market::own::checks;
use crate::market::own::import::{Asked, Imported, ImportedSeries, Raw};
use crate::market::own::sheet::SheetError;

const MINUTE: i64 = 60_000_000_000;
const DAY: i64 = 1_440 * MINUTE;
/// From this gap on rows are days.
const NEARLY_A_DAY: i64 = 20 * 60 * MINUTE;

/// The rows of one series as they were read.
pub(super) struct RawSeries<'a> {
    instrument: &'a Instrument,
    pub rows: Vec<Raw>,
}

/// What the rows of a series are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bars(TimeFrame),
    /// Single prices, of which bars of this frame are built.
    Ticks(TimeFrame),
}

/// Why a row has no place.
enum Misplaced {
    Outside(String),
    Fault(String),
}

impl<'a> RawSeries<'a> {
    pub(super) const fn of(instrument: &'a Instrument) -> Self {
        Self { instrument, rows: Vec::new() }
    }

    /// Makes bars of the rows; what is wrong or odd is added to what the file gave.
    pub(super) fn finish(
        mut self,
        asked: &Asked<'_>,
        has_range: bool,
        time: &str,
        imported: &mut Imported,
    ) -> Result<Option<ImportedSeries>, SheetError> {
        if self.rows.is_empty() {
            return Ok(None);
        }
        let mut notes = Vec::new();
        if self.is_newest_first() {
            self.rows.reverse();
            notes.push("the file has the newest first".to_owned());
        }
        self.check_order(time, imported);
        let kind = match self.kind(asked, has_range) {
            // Rows that could not be read may be why: they are named first.
            Err(_) if imported.faults.count() > 0 => return Ok(None),
            kind => kind?,
        };
        let (bars, frame, has_range) = match kind {
            Kind::Bars(frame) => (self.bars(frame, has_range, asked, time, imported), frame, has_range),
            Kind::Ticks(frame) => {
                notes.push(format!("built from {} ticks", self.rows.len()));
                (self.built(frame, asked, imported), frame, true)
            }
        };
        checks::look_through(self.instrument, frame, &bars, imported);
        let (instrument, symbol) = (self.instrument.id, self.instrument.symbol.clone());
        let has_volume = bars.iter().any(|(_, bar)| bar.volume.is_some());
        let bars = bars.into_iter().map(|(_, bar)| bar).collect();
        Ok(Some(ImportedSeries { instrument, symbol, frame, bars, has_range, has_volume, note: notes.join("; ") }))
    }

    /// Where a row lies in time, roughly enough to be ordered.
    fn key(raw: &Raw) -> i64 {
        let midnight = |date: jiff::civil::Date| {
            let at = TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok().map(|at| at.as_nanosecond());
            at.and_then(|nanos| i64::try_from(nanos).ok()).unwrap_or(0)
        };
        raw.at.map_or_else(|| raw.date.map_or(0, midnight), |at| at.0)
    }

    /// Whether rows go back in time, as many exports have them.
    fn is_newest_first(&self) -> bool {
        let pairs = || self.rows.iter().zip(self.rows.iter().skip(1)).map(|(one, next)| Self::key(one).cmp(&Self::key(next)));
        pairs().filter(|order| order.is_gt()).count() > pairs().filter(|order| order.is_lt()).count()
    }

    /// One row for each moment, the oldest first.
    fn check_order(&self, time: &str, imported: &mut Imported) {
        let are_ticks = self.are_ticks();
        for (before, raw) in self.rows.iter().zip(self.rows.iter().skip(1)) {
            match Self::key(before).cmp(&Self::key(raw)) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal if raw.at.is_some() && are_ticks => {}
                std::cmp::Ordering::Equal => {
                    let is_same = before.prices == raw.prices && before.volume == raw.volume;
                    let how = if is_same { "the same values" } else { "other values" };
                    imported.faults.add(
                        raw.row,
                        time,
                        format!("the same time as row {}, with {how}; keep one row for each", before.row),
                    );
                }
                std::cmp::Ordering::Greater => {
                    imported.faults.add(raw.row, time, format!("earlier than row {}; sort the rows by time", before.row));
                }
            }
        }
    }

    /// Whether its rows look like single prices: they come closer than bars do.
    fn are_ticks(&self) -> bool {
        self.usual_gap().is_some_and(|gap| gap < MINUTE)
    }

    fn usual_gap(&self) -> Option<i64> {
        let mut gaps: Vec<i64> =
            self.rows.iter().zip(self.rows.iter().skip(1)).map(|(one, next)| (Self::key(next) - Self::key(one)).abs()).collect();
        gaps.sort_unstable();
        gaps.get(gaps.len() / 2).copied()
    }

    fn kind(&self, asked: &Asked<'_>, has_range: bool) -> Result<Kind, SheetError> {
        let ask = |what: String| {
            Err(SheetError::Layout { what, todo: "Say how long its bars are: --frame 1m, 15m, 1h, 1d, 1w or 1mo".to_owned() })
        };
        let symbol = &self.instrument.symbol;
        let Some(gap) = self.usual_gap() else {
            return asked.frame.map_or_else(
                || ask(format!("{symbol} has one row, which does not say how long it is")),
                |frame| Ok(Kind::Bars(frame)),
            );
        };
        if !has_range && self.are_ticks() {
            return Ok(Kind::Ticks(asked.frame.unwrap_or(TimeFrame::MINUTE)));
        }
        if let Some(frame) = asked.frame {
            let is_intraday = matches!(frame, TimeFrame::Minutes(_));
            if is_intraday && self.rows.iter().any(|raw| raw.at.is_none()) {
                return ask(format!("{symbol} has dates without a time, which cannot be bars of {frame}"));
            }
            return Ok(Kind::Bars(frame));
        }
        let minutes = gap / MINUTE;
        if (NEARLY_A_DAY..=4 * DAY).contains(&gap) {
            Ok(Kind::Bars(TimeFrame::Day))
        } else if let Ok(frame) = format!("{minutes}m").parse::<TimeFrame>()
            && gap % MINUTE == 0
            && self.rows.iter().all(|raw| raw.at.is_some())
        {
            Ok(Kind::Bars(frame))
        } else {
            ask(format!("the rows of {symbol} are usually {} apart, which is no usual bar", words(gap)))
        }
    }

    fn bars(
        &self,
        frame: TimeFrame,
        has_range: bool,
        asked: &Asked<'_>,
        time: &str,
        imported: &mut Imported,
    ) -> Vec<(usize, Bar)> {
        let mut bars: Vec<(usize, Bar)> = Vec::with_capacity(self.rows.len());
        for raw in &self.rows {
            let (open_at, close_at) = match self.place(raw, frame) {
                Ok(span) => span,
                Err(Misplaced::Outside(_)) if asked.skips_closed => {
                    imported.left_out.1 += 1;
                    continue;
                }
                Err(Misplaced::Outside(what)) => {
                    imported.faults.add(raw.row, time, format!("{what}; take the row out, or say --skip-closed"));
                    continue;
                }
                Err(Misplaced::Fault(what)) => {
                    imported.faults.add(raw.row, time, what);
                    continue;
                }
            };
            if let Some((row, before)) = bars.last().filter(|(_, before)| before.close_at > open_at && before.open_at < open_at) {
                let what = format!("begins before the bar of row {row} ends at {}; is --frame right?", before.close_at);
                imported.faults.add(raw.row, time, what);
                continue;
            }
            let [open, high, low, close] = raw.prices.map(Price::from_nanos);
            if high < open.max(close) || low > open.min(close) {
                let what = format!("high {high} and low {low} do not contain open {open} and close {close}");
                imported.faults.add(raw.row, "high, low", what);
                continue;
            }
            let (instrument, volume) = (self.instrument.id, raw.volume.map(Volume::from_milli));
            bars.push((raw.row, Bar { instrument, open_at, close_at, open, high, low, close, volume, has_range }));
        }
        bars
    }

    /// Where a row's bar begins and ends.
    fn place(&self, raw: &Raw, frame: TimeFrame) -> Result<(MarketTime, MarketTime), Misplaced> {
        let calendar = self.instrument.calendar;
        if let TimeFrame::Minutes(_) = frame {
            let Some(at) = raw.at else { return Err(Misplaced::Fault("a date without a time".to_owned())) };
            if at.0.rem_euclid(MINUTE) != 0 {
                return Err(Misplaced::Fault(format!("{at} is no whole minute; a bar is named by its beginning")));
            }
            let Some(session) = calendar.session_at(at) else {
                let why = calendar.on(calendar.date_of(at)).err();
                return Err(Misplaced::Outside(format!("{at} is outside trading hours{}", why.map_or(String::new(), closed))));
            };
            let ends = at.plus(frame.length());
            let is_bound = calendar != crate::domain::Calendar::Crypto247;
            return Ok((at, if is_bound { ends.min(session.close_at) } else { ends }));
        }
        let is_midnight = |at: MarketTime| at.0.rem_euclid(DAY) == 0;
        let date = match (raw.date, raw.at) {
            (Some(date), _) => date,
            (None, Some(at)) if is_midnight(at) => TimeZone::UTC.to_datetime(at.timestamp()).date(),
            (None, Some(at)) => calendar.date_of(at),
            (None, None) => return Err(Misplaced::Fault("no time at all".to_owned())),
        };
        if frame == TimeFrame::Day {
            let session = calendar.on(date);
            return session
                .map(|session| (session.open_at, session.close_at))
                .map_err(|why| Misplaced::Outside(format!("{date} is no trading day{}", closed(why))));
        }
        // Weeks and months are named by a day in them, which need not be one of trading.
        let first = calendar.on(date).ok().or_else(|| {
            let midnight = calendar.zone().to_timestamp(date.at(0, 0, 0, 0)).ok()?;
            calendar.next_session(MarketTime(i64::try_from(midnight.as_nanosecond()).ok()?))
        });
        let span = first.and_then(|session| frame.span(calendar, session.open_at));
        span.map(|span| (span.from, span.until)).ok_or_else(|| Misplaced::Fault(format!("no session is near {date}")))
    }

    /// Bars of single prices.
    fn built(&self, frame: TimeFrame, asked: &Asked<'_>, imported: &mut Imported) -> Vec<(usize, Bar)> {
        let mut builder = BarBuilder::new(self.instrument.id, frame, self.instrument.calendar);
        let mut bars = Vec::new();
        let mut outside = 0;
        for raw in &self.rows {
            let Some(at) = raw.at else { continue };
            let tick = Tick { at, price: Price::from_nanos(raw.prices[3]), volume: raw.volume.map(Volume::from_milli) };
            bars.extend(builder.push(tick).map(|bar| (raw.row, bar)));
            let now_outside = builder.left_out().1;
            if now_outside > outside && !asked.skips_closed {
                let what = format!("{at} is outside trading hours; take the row out, or say --skip-closed");
                imported.faults.add(raw.row, "time", what);
            }
            outside = now_outside;
        }
        if asked.skips_closed {
            imported.left_out.1 += outside;
        }
        let last = self.rows.last().map_or(0, |raw| raw.row);
        // The last one may not be over: nobody knows what would still have come.
        if let Some(bar) = builder.forming() {
            imported.doubts.add(last, "time", format!("the bar that begins at {} may not be over and is left out", bar.open_at));
        }
        bars
    }
}

/// Why there is no trading, behind a clause.
fn closed(why: Closed) -> String {
    match why {
        Closed::OffHours => String::new(),
        Closed::Weekend => " (weekend)".to_owned(),
        Closed::Holiday(name) => format!(" ({name})"),
    }
}

fn words(gap: i64) -> String {
    match gap {
        0..MINUTE => format!("{} s", gap / 1_000_000_000),
        MINUTE..DAY => format!("{} min", gap / MINUTE),
        _ => format!("{} days", gap / DAY),
    }
}
