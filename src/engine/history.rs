//! The market half of the state: a fold over market events.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::{
    Bar, Calendar, Capabilities, Duration, Instrument, InstrumentId, InstrumentTable, MarketEvent, MarketTime, Price, Quote,
    QuoteOrigin, Ratio, RiskDays, SeriesInfo, Watched,
};
use crate::engine::correlations::Correlations;
use crate::engine::daily::{Daily, DayNumber};
use crate::engine::spikes::Spikes;
use crate::signals::{AsOf, Closes};

/// Bars per sealed chunk; a snapshot shares sealed chunks and copies at most one.
const CHUNK: usize = 256;
/// A price is stale after this many bar periods without news.
const STALE_PERIODS: i64 = 5;

/// All bars of a series in shared chunks: a clone copies pointers, never history.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BarHistory {
    sealed: Arc<Vec<Arc<Vec<Bar>>>>,
    tail: Arc<Vec<Bar>>,
}

impl BarHistory {
    fn push(&mut self, bar: Bar) {
        let tail = Arc::make_mut(&mut self.tail);
        tail.push(bar);
        if tail.len() == CHUNK {
            let full = std::mem::replace(tail, Vec::with_capacity(CHUNK));
            Arc::make_mut(&mut self.sealed).push(Arc::new(full));
        }
    }

    /// How many bars.
    pub fn len(&self) -> usize {
        self.sealed.len() * CHUNK + self.tail.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The last `count` bars, oldest first.
    pub fn last(&self, count: usize) -> Vec<Bar> {
        let mut bars: Vec<Bar> = self.iter().rev().take(count).copied().collect();
        bars.reverse();
        bars
    }

    /// All bars, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Bar> {
        self.sealed.iter().flat_map(|chunk| chunk.iter()).chain(self.tail.iter())
    }
}

/// What is known of one instrument's market.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// What the series carries.
    pub capabilities: Capabilities,
    /// The latest price.
    pub quote: Option<Quote>,
    /// When that price was known.
    pub quoted_at: MarketTime,
    /// The last close before the current risk day: the yardstick of "change".
    pub day_reference: Option<Price>,
    /// The bar that is forming: when it began and what was seen of it.
    pub forming: Option<Forming>,
    /// All closed bars.
    pub bars: BarHistory,
    closes: Closes,
    /// Follows from the bars, so it is no part of the state's text.
    #[serde(skip)]
    spikes: Spikes,
    /// As the spikes.
    #[serde(skip)]
    daily: Daily,
    period: Duration,
    bars_per_year: f64,
    /// Whether the next bar is another provider's: the step to it is no move of the market. Follows from the inputs.
    #[serde(skip)]
    is_spliced: bool,
    /// Whether the latest bar was.
    #[serde(skip)]
    was_spliced: bool,
    /// A fact of the tape rather than of what was observed, so no part of the state.
    #[serde(skip)]
    last_print: Option<MarketTime>,
    /// When it joined a run that was under way. What closed by then is its history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    joined: Option<MarketTime>,
}

/// A bar that has not closed yet, as far as drawn quotes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forming {
    /// When it began.
    pub open_at: MarketTime,
    /// First price.
    pub open: Price,
    /// Highest so far.
    pub high: Price,
    /// Lowest so far.
    pub low: Price,
    /// Latest.
    pub last: Price,
}

/// The market half of the state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MarketState {
    now: MarketTime,
    consumed: u64,
    series: Vec<Option<Series>>,
    /// Follows from the bars, so it is no part of the state's text.
    #[serde(skip)]
    correlations: Correlations,
    #[serde(skip)]
    days: RiskDays,
}

impl Series {
    fn new(info: &SeriesInfo, instrument: Option<&Instrument>) -> Self {
        let calendar = instrument.map_or(Calendar::Crypto247, |instrument| instrument.calendar);
        Self {
            instrument: info.instrument,
            capabilities: info.capabilities,
            quote: None,
            quoted_at: MarketTime(0),
            day_reference: None,
            forming: None,
            bars: BarHistory::default(),
            closes: Closes::default(),
            spikes: Spikes::default(),
            daily: Daily::default(),
            period: Duration::seconds(86_400),
            bars_per_year: periods_per_year(calendar, Duration::seconds(86_400)),
            is_spliced: false,
            was_spliced: false,
            last_print: info.last_print,
            joined: None,
        }
    }

    /// History as of the last closed bar.
    pub fn as_of(&self) -> AsOf<'_> {
        self.closes.as_of()
    }

    /// Whether its bars are days; a session counts as one, and so does half of it.
    pub(super) fn is_daily(&self) -> bool {
        self.period >= Duration::seconds(86_400)
    }

    /// Bars per year, for annualising.
    pub const fn bars_per_year(&self) -> f64 {
        self.bars_per_year
    }

    /// How unusual the volatility of the last ten bars is, in robust deviations; `None` while history is short.
    pub fn volatility_spike(&self) -> Option<f64> {
        self.spikes.deviations()
    }

    /// Whether its volatility may be above the usual: cheaper than to know by how much.
    pub(super) fn is_livelier_than_usual(&self) -> bool {
        self.spikes.may_be_high()
    }

    /// Whether its latest bar is the first of another provider.
    pub(super) const fn was_spliced(&self) -> bool {
        self.was_spliced
    }

    /// Closes by risk day.
    pub(super) const fn daily(&self) -> &Daily {
        &self.daily
    }

    /// The last price, whatever its age.
    pub fn last(&self) -> Option<Price> {
        self.quote.map(|quote| quote.last)
    }

    /// Whether nothing was heard for longer than five bar periods.
    pub fn is_stale(&self, now: MarketTime) -> bool {
        self.quote.is_none() || now.since(self.quoted_at).0 > self.period.0 * STALE_PERIODS
    }

    /// Whether a bar closed before the series joined a run that was under way.
    pub(super) fn is_history(&self, bar: &Bar) -> bool {
        self.joined.is_some_and(|joined| bar.close_at <= joined)
    }

    /// Whether it is a tape's, which tells all that it has, and ends.
    pub(super) const fn has_end(&self) -> bool {
        self.last_print.is_some()
    }

    /// Whether an order that arrives now can still meet a price.
    pub fn can_fill(&self, now: MarketTime) -> bool {
        self.last_print.is_none_or(|last| now < last)
    }

    /// Change since the last close before this risk day. A daily bar that has closed stands against the close before it until the
    /// next one opens: its own close would be the yardstick from the turn of the day on, and the change nothing.
    pub fn change(&self) -> Option<Ratio> {
        let reference = match self.bars.iter().next_back() {
            Some(closed) if self.is_daily() && self.forming.is_none() && self.last() == Some(closed.close) => {
                self.bars.iter().nth_back(1).map(|before| before.close)
            }
            Some(_) | None => self.day_reference,
        };
        self.last()?.change_from(reference?)
    }

    fn on_bar(&mut self, bar: &Bar, calendar: Calendar, days: &mut RiskDays) {
        if self.bars.is_empty() {
            self.period = period(bar, calendar);
            self.bars_per_year = periods_per_year(calendar, self.period);
        }
        self.bars.push(*bar);
        self.forming = None;
        // The day turned before it joined: its yardstick is the last close of an earlier day.
        if let Some(joined) = self.joined.filter(|joined| bar.close_at <= *joined)
            && days.of(bar.close_at).date < days.of(joined).date
        {
            self.day_reference = Some(bar.close);
        }
        let close = bar.close.to_f64();
        self.closes.push(close);
        self.was_spliced = std::mem::take(&mut self.is_spliced);
        if self.was_spliced {
            self.spikes.begin_at(bar.open.to_f64());
        }
        self.spikes.on_close(close);
        self.daily.on_bar(bar, days);
    }

    fn on_price(&mut self, price: Price) {
        if let Some(forming) = &mut self.forming {
            forming.high = forming.high.max(price);
            forming.low = forming.low.min(price);
            forming.last = price;
        }
    }
}

/// The usual time from one bar to the next: a session bar counts as a day.
fn period(bar: &Bar, calendar: Calendar) -> Duration {
    let length = bar.close_at.since(bar.open_at);
    let day = Duration::seconds(86_400);
    match calendar {
        Calendar::UsEquity if length >= Duration::seconds(3 * 3600) => day,
        Calendar::UsEquity | Calendar::Crypto247 | Calendar::Fx245 => length,
    }
}

/// 252 sessions of 6.5 hours, 365 days of 24 hours, or 52 weeks of 120 hours.
fn periods_per_year(calendar: Calendar, period: Duration) -> f64 {
    let hours = period.as_seconds() / 3600.0;
    match calendar {
        Calendar::UsEquity if hours >= 24.0 => 252.0,
        Calendar::UsEquity => 252.0 * 6.5 / hours,
        Calendar::Crypto247 => 365.0 * 24.0 / hours,
        Calendar::Fx245 if hours >= 24.0 => 260.0,
        Calendar::Fx245 => 52.0 * 120.0 / hours,
    }
}

impl MarketState {
    /// An empty market with the series of a tape or feed.
    pub fn new(series: &[SeriesInfo], instruments: &InstrumentTable) -> Self {
        let mut state = Self::default();
        for info in series {
            state.set(Series::new(info, instruments.get(info.instrument)));
        }
        state
    }

    fn set(&mut self, series: Series) {
        let Ok(index) = usize::try_from(series.instrument.0) else { return };
        if index >= self.series.len() {
            self.series.resize(index + 1, None);
        }
        if let Some(slot) = self.series.get_mut(index) {
            *slot = Some(series);
        }
    }

    /// An instrument joins. One that is there already is only defined anew.
    pub(super) fn join(&mut self, watched: &Watched, since: Option<MarketTime>) {
        let Watched { instrument, capabilities } = watched;
        let index = usize::try_from(instrument.id.0).unwrap_or(usize::MAX);
        if let Some(Some(known)) = self.series.get_mut(index) {
            known.capabilities = *capabilities;
            return;
        }
        let (source, last_print) = (String::new(), None);
        let info = SeriesInfo { instrument: instrument.id, capabilities: *capabilities, source, last_print };
        self.set(Series { joined: since, ..Series::new(&info, Some(instrument)) });
    }

    /// An instrument leaves, and with it what was heard of it.
    pub(super) fn leave(&mut self, instrument: InstrumentId) {
        if let Some(slot) = usize::try_from(instrument.0).ok().and_then(|index| self.series.get_mut(index)) {
            *slot = None;
        }
    }

    /// Market time: that of the latest event.
    pub const fn now(&self) -> MarketTime {
        self.now
    }

    /// How many market events were consumed; a position on the tape.
    pub const fn consumed(&self) -> u64 {
        self.consumed
    }

    /// One series.
    pub fn get(&self, instrument: InstrumentId) -> Option<&Series> {
        self.series.get(usize::try_from(instrument.0).ok()?)?.as_ref()
    }

    /// All series by instrument number.
    pub fn iter(&self) -> impl Iterator<Item = &Series> {
        self.series.iter().flatten()
    }

    /// Takes an event. An instrument that the tape did not announce is ignored.
    pub(super) fn observe(&mut self, event: &MarketEvent, instruments: &InstrumentTable) {
        self.now = event.known_at();
        self.consumed += 1;
        let index = usize::try_from(event.instrument().0).unwrap_or(usize::MAX);
        let Some(Some(series)) = self.series.get_mut(index) else { return };
        let printed =
            |last: Price| Quote { instrument: event.instrument(), last, bid: None, ask: None, origin: QuoteOrigin::Venue };
        series.quoted_at = event.known_at();
        match event {
            MarketEvent::Quoted { quote, stamp } => {
                // A price is as old as it says, not as its arrival.
                series.quoted_at = stamp.event_at.min(stamp.known_at);
                series.on_price(quote.last);
                series.quote = Some(*quote);
            }
            MarketEvent::BarOpened { open, stamp, .. } => {
                let (open_at, open) = (stamp.event_at, *open);
                series.forming = Some(Forming { open_at, open, high: open, low: open, last: open });
                series.quote = Some(printed(open));
            }
            MarketEvent::BarClosed { bar, .. } => {
                let calendar = instruments.get(bar.instrument).map_or(Calendar::Crypto247, |known| known.calendar);
                series.on_bar(bar, calendar, &mut self.days);
                series.quote = Some(printed(bar.close));
            }
        }
    }

    /// Another provider tells the bars of these from now on.
    pub(super) fn splice(&mut self, instruments: &[InstrumentId]) {
        for series in self.series.iter_mut().flatten().filter(|series| instruments.contains(&series.instrument)) {
            series.is_spliced = !series.bars.is_empty();
        }
    }

    /// How unusual the correlation of everything that may be traded is, in robust deviations whichever way; `None` while history is short.
    pub(super) fn correlation_shift(&self) -> Option<f64> {
        self.correlations.shift()
    }

    /// Sets the yardstick of "change" when a risk day turns, and takes the days that have ended.
    pub(super) fn turn_day(&mut self, today: DayNumber, instruments: &InstrumentTable) {
        let may_trade = |series: &&Series| instruments.get(series.instrument).is_some_and(|known| known.tradable);
        self.correlations.turn_day(self.series.iter().flatten().filter(may_trade).map(|series| &series.daily), today);
        for series in self.series.iter_mut().flatten() {
            series.day_reference = series.last();
        }
    }
}
