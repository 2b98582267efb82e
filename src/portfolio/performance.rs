//! Equity over time: peak, drawdown, and results by risk day.

use std::collections::VecDeque;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::domain::{MarketTime, Money, Ratio, RiskDay};
use crate::stats;

/// Risk days used for the account's volatility.
const VOLATILITY_DAYS: usize = 20;
/// Trading days per year, the convention for daily volatility.
const DAYS_PER_YEAR: f64 = 252.0;

/// Days kept for the curve on screen; the database keeps all.
const KEPT_DAYS: usize = 2_600;

/// One risk day of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayResult {
    /// The risk day's date.
    pub date: Date,
    /// Equity when the day began.
    pub opened: Money,
    /// Equity last seen in the day.
    pub closed: Money,
}

/// The account's equity as limits and the curve need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Performance {
    equity: Money,
    peak: Money,
    max_drawdown: Ratio,
    day: Option<RiskDay>,
    week_opened: Money,
    volatility: Option<Ratio>,
    days: VecDeque<DayResult>,
}

impl Performance {
    /// Starts at `capital`, before any day.
    pub fn new(capital: Money) -> Self {
        Self {
            equity: capital,
            peak: capital,
            max_drawdown: Ratio::ZERO,
            day: None,
            week_opened: capital,
            volatility: None,
            days: VecDeque::new(),
        }
    }

    /// Whether a risk day ends before this instant.
    pub fn ends_before(&self, now: MarketTime) -> bool {
        self.day.is_some_and(|day| now >= day.ends_at)
    }

    /// Notices a new risk day. Cheap while the day lasts.
    pub fn advance(&mut self, now: MarketTime) -> bool {
        if self.day.is_some_and(|day| now < day.ends_at) {
            return false;
        }
        let next = RiskDay::of(now);
        if self.day.is_none_or(|day| day.week() != next.week()) {
            self.week_opened = self.equity;
        }
        self.day = Some(next);
        self.volatility = self.measure_volatility();
        self.days.push_back(DayResult { date: next.date, opened: self.equity, closed: self.equity });
        if self.days.len() > KEPT_DAYS {
            self.days.pop_front();
        }
        true
    }

    /// Takes the equity after a price or a fill.
    pub fn observe(&mut self, equity: Money) {
        self.equity = equity;
        if let Some(day) = self.days.back_mut() {
            day.closed = equity;
        }
        if equity.nanos() > self.peak.nanos() {
            self.peak = equity;
        } else if let Some(drawdown) = self.drawdown() {
            self.max_drawdown = self.max_drawdown.max(drawdown);
        }
    }

    /// Equity now.
    pub const fn equity(&self) -> Money {
        self.equity
    }

    /// Fall from the highest equity so far (starting capital included), as a positive share of it.
    pub fn drawdown(&self) -> Option<Ratio> {
        self.drawdown_at(self.equity)
    }

    /// What the drawdown would be at this equity.
    pub fn drawdown_at(&self, equity: Money) -> Option<Ratio> {
        self.peak.minus(equity).ok()?.ratio_to(self.peak)
    }

    /// The largest drawdown so far.
    pub const fn max_drawdown(&self) -> Ratio {
        self.max_drawdown
    }

    /// Loss since the risk day began, as a positive share of the equity then; negative for a gain.
    pub fn daily_loss(&self) -> Option<Ratio> {
        self.daily_loss_at(self.equity)
    }

    /// What the loss of the day would be at this equity.
    pub fn daily_loss_at(&self, equity: Money) -> Option<Ratio> {
        let opened = self.days.back()?.opened;
        opened.minus(equity).ok()?.ratio_to(opened)
    }

    /// Loss since the week began, as [`Self::daily_loss`].
    pub fn weekly_loss(&self) -> Option<Ratio> {
        self.weekly_loss_at(self.equity)
    }

    /// What the loss of the week would be at this equity.
    pub fn weekly_loss_at(&self, equity: Money) -> Option<Ratio> {
        self.week_opened.minus(equity).ok()?.ratio_to(self.week_opened)
    }

    /// The drawdown to about fifteen digits, cheaper than exact.
    pub fn rough_drawdown(&self) -> Option<f64> {
        rough_loss(self.peak, self.equity)
    }

    /// See [`Self::daily_loss`] and [`Self::rough_drawdown`].
    pub fn rough_daily_loss(&self) -> Option<f64> {
        rough_loss(self.days.back()?.opened, self.equity)
    }

    /// See [`Self::weekly_loss`] and [`Self::rough_drawdown`].
    pub fn rough_weekly_loss(&self) -> Option<f64> {
        rough_loss(self.week_opened, self.equity)
    }

    /// Annualised volatility of the latest 20 complete risk days (n − 1, √252); `None` until there are so many.
    pub const fn volatility(&self) -> Option<Ratio> {
        self.volatility
    }

    fn measure_volatility(&self) -> Option<Ratio> {
        let from = self.days.len().checked_sub(VOLATILITY_DAYS)?;
        let result = |day: &DayResult| day.closed.minus(day.opened).ok()?.ratio_to(day.opened).map(Ratio::to_f64);
        let results: Vec<f64> = self.days.range(from..).filter_map(result).collect();
        stats::annualised_volatility(&results, DAYS_PER_YEAR).and_then(Ratio::from_f64)
    }

    /// Results by day, oldest first.
    pub const fn days(&self) -> &VecDeque<DayResult> {
        &self.days
    }
}

fn rough_loss(from: Money, to: Money) -> Option<f64> {
    let (from, to) = (from.nanos(), to.nanos());
    (from > 0).then(|| from.checked_sub(to)).flatten().map(|lost| lost as f64 / from as f64)
}
