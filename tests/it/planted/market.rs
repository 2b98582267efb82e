//! Made-up prices of which everything is known, and the layers' verdicts on them with what came after.

use pmax::domain::{
    Bar, Currency, InstrumentId, Layer, MarketTime, Money, Price, Probability, Ratio, RiskLevel, Signal, SignalId, Validation,
    Verdict, View,
};
use pmax::signals::{self, AsOf, BookFacts, Case, Gates, Scorecard, Strategy, Tracker};
use pmax::stats;

use crate::world;

/// Bars of one made-up series before its signals count: what the second layer needs.
pub const WARM_UP: usize = 251;
const DAY: i64 = 86_400_000_000_000;
/// Trading days a year.
const DAYS: f64 = 252.0;

/// Uniform numbers from 0 to 1, the same for the same seed (SplitMix64, Steele, Lea and Flood 2014).
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (((mixed ^ (mixed >> 31)) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    pub fn normal(&mut self) -> f64 {
        stats::normal_quantile(self.roll()).unwrap()
    }
}

/// Returns in usual deviations, each leaning on the one before by `lean(bar)`: a Gaussian AR(1) whose variance is 1 whatever the lean.
pub fn leaning(dice: &mut Dice, bars: usize, lean: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut last = dice.normal();
    let step = |bar| {
        let phi: f64 = lean(bar);
        last = phi * last + libm::sqrt(1.0 - phi * phi) * dice.normal();
        last
    };
    (0..bars).map(step).collect()
}

/// Closes from 100 on that have these simple returns.
pub fn closes(returns: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut price = 100.0;
    let grow = |change: f64| {
        price *= 1.0 + change.max(-0.9);
        price
    };
    std::iter::once(100.0).chain(returns.into_iter().map(grow)).collect()
}

/// The shipped thresholds.
pub fn gates() -> Gates {
    world::config().gates
}

/// A book that stands in no trade's way.
pub fn free_book() -> BookFacts {
    BookFacts {
        sector_share: Ratio::from_f64(0.01),
        sector_limit: Ratio::from_nanos(200_000_000),
        correlation: None,
        is_held: false,
        trade_value: Some(Money::whole(250, Currency::USD).unwrap()),
        equity: Money::whole(100_000, Currency::USD).unwrap(),
    }
}

/// A signal, what the layers said, and what became of it.
pub struct Judged {
    pub validation: Validation,
    pub is_right: bool,
    pub net: f64,
}

impl Judged {
    /// Whether one layer let it pass, whatever the others said.
    pub fn is_kept_by(&self, layer: Layer) -> bool {
        self.validation.layers.iter().find(|said| said.layer == layer).unwrap().verdict != Verdict::Fail
    }
}

/// How a made-up market is traded.
pub struct Desk<'a> {
    pub strategy: &'a dyn Strategy,
    pub gates: Gates,
    /// Of both sides, as a share of the value.
    pub cost: f64,
    /// Whether the source's record grows with its outcomes; else it has none.
    pub remembers: bool,
}

impl<'a> Desk<'a> {
    pub fn new(strategy: &'a dyn Strategy) -> Self {
        Self { strategy, gates: gates(), cost: 0.0, remembers: false }
    }

    /// Lives through the closes as the engine does: outcomes first, then one view at a time, entered at the next bar's open.
    pub fn trade(&self, closes: &[f64]) -> Vec<Judged> {
        let (mut tracker, mut record, mut waiting, mut done) = (Tracker::default(), Scorecard::default(), None, Vec::new());
        let cost = Ratio::from_f64(self.cost).unwrap();
        for at in 1..closes.len() {
            let bar = bar(at, closes);
            tracker.on_open(bar.instrument, bar.open, bar.open_at);
            for resolved in tracker.on_close(&bar, cost) {
                let (view, validation): (View, Validation) = Option::take(&mut waiting).unwrap();
                let net = resolved.outcome.net_return;
                if self.remembers {
                    record.add(net, resolved.since, resolved.outcome.at);
                }
                let has_risen = resolved.outcome.exit > resolved.outcome.entry;
                done.push(Judged { validation, is_right: (view.direction.sign() > 0.0) == has_risen, net: net.to_f64() });
            }
            if waiting.is_some() || at < WARM_UP {
                continue;
            }
            let as_of = AsOf::new(&closes[..=at]);
            if let Some(view) = self.view(&as_of, &bar) {
                let case = Case { view: &view, as_of, bars_per_year: DAYS, book: free_book(), record, gates: &self.gates };
                let validation = signals::judge(&case);
                tracker.follow(&Signal { id: SignalId(at as u64), view: view.clone(), risk: RiskLevel::Low, learnt: None }, None);
                waiting = Some((view, validation));
            }
        }
        done
    }

    fn view(&self, as_of: &AsOf<'_>, bar: &Bar) -> Option<View> {
        let thought = self.strategy.look(as_of)?;
        Some(View {
            source: self.strategy.source(),
            instrument: bar.instrument,
            direction: thought.direction,
            strength: Ratio::from_f64(thought.strength)?,
            horizon_bars: thought.horizon_bars,
            probability: Probability::Uncalibrated,
            as_of: bar.close_at,
            reference: bar.close,
            rationale: thought.rationale,
        })
    }
}

/// The bar that ends at a close, and began where the one before ended.
fn bar(at: usize, closes: &[f64]) -> Bar {
    let price = |index: usize| Price::from_nanos((closes[index] * 1e9) as i64);
    let (open, close) = (price(at - 1), price(at));
    let when = |index: usize| MarketTime(index as i64 * DAY);
    let (high, low) = (open.max(close), open.min(close));
    let (open_at, close_at) = (when(at - 1), when(at));
    Bar { instrument: InstrumentId(2), open_at, close_at, open, high, low, close, volume: None, has_range: true }
}

/// The mean of what was kept and of what was refused, and their difference with its 95 % interval (Welch's standard error, large samples).
pub struct Comparison {
    pub kept: (usize, f64),
    pub refused: (usize, f64),
    pub difference: f64,
    pub interval: (f64, f64),
}

impl Comparison {
    pub fn of(judged: &[Judged], layer: Layer, number: impl Fn(&Judged) -> f64) -> Self {
        let side =
            |is_kept: bool| -> Vec<f64> { judged.iter().filter(|one| one.is_kept_by(layer) == is_kept).map(&number).collect() };
        Self::between(&side(true), &side(false))
    }

    pub fn between(kept: &[f64], refused: &[f64]) -> Self {
        let mean = |values: &[f64]| stats::mean(values).unwrap_or(f64::NAN);
        let part = |values: &[f64]| stats::standard_deviation(values).map_or(f64::NAN, |own| own * own / values.len() as f64);
        let difference = mean(kept) - mean(refused);
        let half = 1.96 * libm::sqrt(part(kept) + part(refused));
        let interval = (difference - half, difference + half);
        Self { kept: (kept.len(), mean(kept)), refused: (refused.len(), mean(refused)), difference, interval }
    }

    /// Kept, refused, difference and interval in one line.
    pub fn line(&self, what: &str) -> String {
        let percent = |value: f64| if value.is_nan() { "n/a".to_owned() } else { format!("{:.2} %", value * 100.0) };
        let ((kept, ours), (refused, theirs)) = (self.kept, self.refused);
        let (low, high) = self.interval;
        format!(
            "{what:<46} kept {kept:>6}: {:>8}   refused {refused:>6}: {:>8}   difference {:>8} [{}, {}]\n",
            percent(ours),
            percent(theirs),
            percent(self.difference),
            percent(low),
            percent(high)
        )
    }

    /// Whether what was kept is better for certain: above, the interval being above zero.
    pub fn is_above(&self) -> bool {
        self.interval.0 > 0.0
    }

    /// Whether nothing is told apart.
    pub fn holds_zero(&self) -> bool {
        self.interval.0 <= 0.0 && self.interval.1 >= 0.0
    }
}
