//! A target allocation for what a tape holds, beside the present book: for a command, and for the screen on a thread of its own.
//!
//! It reads bars and pictures. It is no part of the engine's state, sends the engine nothing, and no order can come of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::backtest::{Rolled, Rolling, Unrolled};
use crate::domain::{Bar, Direction, InstrumentId, InstrumentTable, MarketTime, Money, Ratio, RiskDay, WallTime};
use crate::engine::{EngineSettings, Snapshot};
use crate::market::Tape;
use crate::portfolio::{Advice, Caps, DailyCloses, DailyReturns, NoAllocation, Question, Views, WINDOW};
use crate::runtime::Frame;
use crate::runtime::desk::Desk;

/// What an allocation is made of besides bars.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AllocationTerms {
    /// Daily returns of an estimate.
    pub window: usize,
    /// Caps.
    pub caps: Caps,
    /// Share to invest; the most the caps allow where nothing is said.
    pub invested: Option<Ratio>,
    /// Where expected returns come from.
    pub expected: Expected,
}

/// Expected returns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Expected {
    /// None: the least variance.
    Nothing,
    /// What signals that stand now would earn by the record of their source, where that record is proven.
    Record {
        /// Aversion to variance.
        aversion: f64,
    },
}

/// An allocation with the moment it was made for.
#[derive(Debug, Clone, PartialEq)]
pub struct Allocated {
    /// Market time of the book.
    pub market_at: MarketTime,
    /// Wall time it was made at.
    pub made_at: WallTime,
    /// The allocation, or why there is none.
    pub answer: Result<Advised, String>,
}

/// Bars and instruments of a tape, ready to be asked.
#[derive(Debug, Clone)]
pub struct Allocator {
    bars: Arc<Vec<Bar>>,
    table: Arc<InstrumentTable>,
    /// What can be bought on the tape, by number.
    traded: Vec<InstrumentId>,
    settings: EngineSettings,
}

/// An answer with what took no part in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Advised {
    /// The allocation.
    pub advice: Advice,
    /// Instruments whose history is too short or has ended: nothing is said of them.
    pub left_out: Vec<InstrumentId>,
}

impl AllocationTerms {
    /// Those of the limits: a position as large as a ticket may open, since only tickets could bring it about.
    pub fn of(settings: &EngineSettings) -> Self {
        let limits = &settings.limits;
        let caps = Caps {
            position: limits.max_ticket_position,
            sector: limits.max_sector,
            total: limits.max_gross.min(Ratio::ONE),
            turnover: None,
        };
        Self { window: WINDOW, caps, invested: None, expected: Expected::Nothing }
    }
}

impl Allocator {
    /// For everything on a tape that can be bought.
    pub fn new(tape: &Tape, table: &Arc<InstrumentTable>, settings: EngineSettings) -> Self {
        let known = tape.meta.series.iter().filter_map(|series| table.get(InstrumentId(series.instrument)));
        let mut traded: Vec<InstrumentId> = known.filter(|known| known.tradable).map(|known| known.id).collect();
        traded.sort_unstable();
        Self { bars: Arc::clone(&tape.bars), table: Arc::clone(table), traded, settings }
    }

    /// Closes of days that had ended by then; all of the tape where nothing is said.
    fn closes(&self, until: Option<MarketTime>) -> DailyCloses {
        DailyCloses::of(&self.bars, &self.traded, until)
    }

    /// A number for each instrument's sector.
    fn sectors(&self, instruments: &[InstrumentId]) -> Vec<usize> {
        let mut numbers = BTreeMap::<&str, usize>::new();
        let mut number = |id: &InstrumentId| {
            let next = numbers.len();
            *numbers.entry(self.table.get(*id).map_or("", |known| known.sector.as_str())).or_insert(next)
        };
        instruments.iter().map(&mut number).collect()
    }

    /// The allocation beside this book, from what was known then; beside no book, all cash, and from the whole tape.
    pub fn advise(&self, book: Option<&Snapshot>, terms: &AllocationTerms) -> Result<Advised, String> {
        let closes = self.closes(book.map(|book| book.market_now));
        let (chosen, left_out) = closes.split(terms.window.saturating_add(1));
        let history = closes.returns(&chosen);
        let (held, outside) = match book {
            None => (vec![0.0; chosen.len()], 0.0),
            Some(book) => self.weights(book, &chosen)?,
        };
        let expected = match (terms.expected, book) {
            (Expected::Nothing, _) => None,
            (Expected::Record { aversion }, Some(book)) => Some((self.expected(book, &history)?, aversion)),
            (Expected::Record { .. }, None) => {
                return Err("without a run there is no record of signals, so nothing supports expected returns".to_owned());
            }
        };
        let question = Question {
            history: &history,
            window: terms.window,
            held: &held,
            outside,
            sectors: &self.sectors(&chosen),
            caps: terms.caps,
            invested: terms.invested,
            views: expected.as_ref().map(|(expected, aversion)| Views { expected, aversion: *aversion }),
        };
        let advice = question.answer().map_err(|why| self.explain(&why, &chosen))?;
        Ok(Advised { advice, left_out })
    }

    /// The allocation beside a book under the usual terms, for the screen.
    pub fn beside(&self, book: &Snapshot, now: WallTime) -> Allocated {
        let answer = self.advise(Some(book), &AllocationTerms::of(&self.settings));
        Allocated { market_at: book.market_now, made_at: now, answer }
    }

    /// How the least variance under these terms would have done over the tape, of what covers the whole of it.
    pub fn roll(&self, terms: &AllocationTerms, every: usize) -> Result<Rolled, String> {
        let closes = self.closes(None);
        let (chosen, _) = closes.split(usize::MAX);
        let rolling = Rolling {
            history: &closes.returns(&chosen),
            sectors: &self.sectors(&chosen),
            caps: terms.caps,
            invested: terms.invested,
            window: terms.window,
            every,
            cost: Ratio::from_nanos(self.settings.terms.round_trip().nanos() / 2),
        };
        rolling.play().map_err(|why| match &why {
            Unrolled::TooShort { .. } | Unrolled::Missing => why.to_string(),
            Unrolled::Refused { date, why } => format!("on {date}: {}", self.explain(why, &chosen)),
        })
    }

    /// Signed values of positions as shares of equity, and the sizes of all others added up.
    fn weights(&self, book: &Snapshot, chosen: &[InstrumentId]) -> Result<(Vec<f64>, f64), String> {
        let (mut sums, mut outside) = (BTreeMap::<InstrumentId, f64>::new(), 0.0);
        for row in &book.positions {
            let share = row
                .value
                .and_then(|value: Money| value.ratio_to(book.account.equity))
                .ok_or_else(|| format!("{} has no price yet, so its weight is not known", self.table.symbol(row.instrument)))?;
            if chosen.contains(&row.instrument) {
                *sums.entry(row.instrument).or_default() += share.to_f64();
            } else {
                outside += share.to_f64().abs();
            }
        }
        Ok((chosen.iter().map(|id| sums.get(id).copied().unwrap_or_default()).collect(), outside))
    }

    /// Expected returns a day: the mean net return of the source's signals, spread over the days that a standing signal looks ahead, where the
    /// 95 % interval of that mean lies above zero after enough independent outcomes.
    fn expected(&self, book: &Snapshot, history: &DailyReturns) -> Result<Vec<f64>, String> {
        let proven = |source| {
            let card = book.scores.iter().find(|row| row.source == source)?.card;
            let is_enough = card.independent() >= u64::from(self.settings.gates.proven_after);
            card.expectancy().filter(|_| is_enough && card.expectancy_interval().is_some_and(|interval| interval.low > 0.0))
        };
        let mut sums = BTreeMap::<InstrumentId, f64>::new();
        for entry in book.signals.iter().filter(|entry| entry.outcome.is_none() && entry.validation.passed()) {
            let view = &entry.signal.view;
            let Some(mean) = proven(view.source) else { continue };
            let sign = if view.direction == Direction::Long { 1.0 } else { -1.0 };
            let days = f64::from(view.horizon_bars) / self.bars_a_day(view.instrument, book.market_now, history);
            *sums.entry(view.instrument).or_default() += sign * mean / days.max(1.0);
        }
        if sums.is_empty() {
            return Err("the record supports no expected return: no signal stands now whose source has earned more than chance"
                .to_owned());
        }
        Ok(history.instruments.iter().map(|id| sums.get(id).copied().unwrap_or_default()).collect())
    }

    /// Bars of an instrument to one of its days; a horizon is told in bars.
    fn bars_a_day(&self, instrument: InstrumentId, now: MarketTime, history: &DailyReturns) -> f64 {
        let begins = history.begins.unwrap_or_default();
        let counted = self.bars.iter().filter(|bar| bar.instrument == instrument && bar.close_at <= now);
        let bars = counted.filter(|bar| RiskDay::of(bar.close_at).date >= begins).count();
        (bars as f64 / (history.len() + 1) as f64).max(1.0)
    }

    /// The reason with the instrument's name in it.
    fn explain(&self, why: &NoAllocation, chosen: &[InstrumentId]) -> String {
        let symbol = |index: &usize| chosen.get(*index).map_or_else(|| "?".to_owned(), |id| self.table.symbol(*id));
        match why {
            NoAllocation::Unmoved(index) | NoAllocation::NotANumber(index) => format!("{}: {why}", symbol(index)),
            _ => why.to_string(),
        }
    }
}

/// Where the screen asks, with the picture whose book it is for.
pub type AllocationDesk = Desk<Arc<Frame>, Allocated>;

/// Starts the thread that allocates.
pub fn allocation_desk(allocator: Allocator, clock: fn() -> WallTime) -> std::io::Result<AllocationDesk> {
    Desk::start("allocation", move |frame: Arc<Frame>| allocator.beside(&frame.snapshot, clock()))
}
