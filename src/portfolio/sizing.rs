//! How large a trade may be.
//!
//! A trade of a source whose chance is calibrated, and whose record has passed the gate in force, gets a fraction of what Kelly (1956)
//! would stake; every other one a fixed small *exploratory* share. Both are cut to whole lots, never up.
//!
//! *Kelly.* Who gains `w` of the stake with chance `p` and loses `l` of it otherwise lets the logarithm of capital grow fastest by
//! staking the share `p / l − (1 − p) / w` of it (Thorp 2006, *The Kelly criterion in blackjack, sports betting, and the stock market*).
//! Gain and loss are the means after
//! cost of the outcomes the chance was learnt from. Means leave their spread out, which makes the stake too large; the fraction and the
//! limits are there for that.
//!
//! *Shrinkage.* The chance is an estimate. With an edge `e = p w − (1 − p) l` and the standard error `σ` of `p`, the stake that grows
//! fastest in expectation is about `e² / (e² + (w + l)² σ²)` of Kelly's (Baker and McHale 2013, *Decision Analysis* 10:189), where
//! `σ² = p (1 − p) / n` counts only outcomes that did not overlap.

use serde::{Deserialize, Serialize};

use crate::domain::{Money, Price, Quantity, Ratio, SCALE};

/// `[sizing]`: how a chance becomes a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SizingSettings {
    /// Which part of Kelly's stake is taken.
    pub kelly_fraction: Ratio,
    /// Annualised volatility from which a trade is scaled down in proportion.
    pub target_volatility: Ratio,
}

/// Which rule decided the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SizingRule {
    /// A fixed small share of equity, because nothing proves the source yet.
    Exploratory,
    /// A fraction of Kelly's stake.
    Kelly(SizeTerms),
}

/// Why a trade is exploratory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotSized {
    /// Nothing supports a chance yet.
    Uncalibrated,
    /// The source's record has not passed the gate in force.
    Gate,
    /// After cost the chance and the payoff leave nothing to stake on, or the payoff is undefined.
    NoEdge,
    /// Volatility cannot be said.
    NoVolatility,
}

/// Every factor of a size, so that a person sees where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizeTerms {
    /// Kelly's stake, a share of the equity that counts; above one where it would borrow.
    pub kelly: Ratio,
    /// What the uncertainty of the chance leaves of it.
    pub shrinkage: Ratio,
    /// Which part of that is taken.
    pub fraction: Ratio,
    /// How much of the signal no layer doubted.
    pub confidence: Ratio,
    /// Target over forecast volatility, at most one.
    pub volatility: Ratio,
    /// The product of all of these.
    pub wanted: Ratio,
    /// The share that the limits leave.
    pub granted: Ratio,
    /// What bound.
    pub bound: Bound,
}

/// What decided in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The product of the factors itself.
    Kelly,
    /// The largest position of a signal.
    Position,
    /// The largest exposure in one sector.
    Sector,
    /// The largest sum of all positions.
    Gross,
    /// Cash with the costs of the order.
    Cash,
    /// The largest loss at the stop.
    Stop,
    /// The largest exposure in what moves with it.
    Correlated,
    /// The largest value of one order.
    Order,
}

/// A size and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sized {
    /// Whole lots, never above the budget.
    pub quantity: Quantity,
    /// The rule.
    pub rule: SizingRule,
    /// Why it is exploratory, where it is.
    pub why: Option<NotSized>,
}

/// A chance with what being right and being wrong were worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Odds {
    /// The chance of being right.
    pub chance: Ratio,
    /// Mean return after cost of who was right; nothing where nobody was.
    pub mean_right: Option<Ratio>,
    /// Mean return after cost of who was wrong; nothing where nobody was.
    pub mean_wrong: Option<Ratio>,
    /// Outcomes that followed one another.
    pub independent: u32,
}

/// Whether the record behind the odds has passed the gate in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// It has.
    Passed,
    /// It has not, or cannot be said to have.
    NotPassed,
}

/// What each limit still leaves, as amounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Below the largest position of a signal.
    pub position: Money,
    /// Below the largest exposure of the sector.
    pub sector: Money,
    /// Below the largest exposure in what moves with the instrument; nothing where that has no limit.
    pub correlated: Option<Money>,
    /// The largest value of one order; nothing where that has no limit.
    pub order: Option<Money>,
    /// Below the largest sum of all positions.
    pub gross: Money,
    /// In cash, costs set aside.
    pub cash: Money,
    /// Below the largest loss at the stop.
    pub stop: Money,
}

/// The instrument's smallest steps at its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lots {
    /// Price of a unit.
    pub price: Price,
    /// Smallest step.
    pub lot: Quantity,
    /// Smallest quantity.
    pub minimum: Quantity,
}

/// Everything a size rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizingCase {
    /// The settings; nothing where the run knows none.
    pub settings: Option<SizingSettings>,
    /// The exploratory share.
    pub exploratory: Ratio,
    /// The equity that counts.
    pub equity: Money,
    /// The instrument.
    pub lots: Lots,
    /// The odds; nothing where the chance is uncalibrated.
    pub odds: Option<Odds>,
    /// The gate in force.
    pub gate: Gate,
    /// How much of the signal no layer doubted, 0 to 1.
    pub confidence: Ratio,
    /// Forecast of the annualised volatility.
    pub volatility: Option<Ratio>,
}

/// The size of a trade; `None` where it is less than the smallest quantity. What the limits leave is asked for only where something may
/// be staked.
pub fn size(case: &SizingCase, room: impl FnOnce() -> Room) -> Option<Sized> {
    match terms(case, room) {
        Ok((terms, budget)) => {
            let quantity = case.lots.within(budget)?;
            Some(Sized { quantity, rule: SizingRule::Kelly(terms), why: None })
        }
        Err(why) => exploratory(case.equity, case.exploratory, case.lots).map(|sized| Sized { why: Some(why), ..sized }),
    }
}

/// The exploratory size: `share` of equity, rounded down to whole lots; `None` where that is less than the smallest quantity.
pub fn exploratory(equity: Money, share: Ratio, lots: Lots) -> Option<Sized> {
    let quantity = lots.within(equity.times(share).ok()?)?;
    Some(Sized { quantity, rule: SizingRule::Exploratory, why: None })
}

/// Kelly's stake as a share of capital; zero at and below break-even, and where gain or loss is not above zero.
pub fn kelly(chance: f64, gain: f64, loss: f64) -> f64 {
    let is_sound = (0.0..=1.0).contains(&chance) && gain > 0.0 && loss > 0.0 && gain.is_finite() && loss.is_finite();
    if is_sound { (chance / loss - (1.0 - chance) / gain).max(0.0) } else { 0.0 }
}

/// What the uncertainty of a chance learnt from so many outcomes leaves of Kelly's stake, 0 to 1; zero where there is no edge.
pub fn shrinkage(chance: f64, gain: f64, loss: f64, outcomes: u32) -> f64 {
    let edge = chance * gain - (1.0 - chance) * loss;
    if outcomes == 0 || edge.is_nan() || edge <= 0.0 {
        return 0.0;
    }
    let noise = (gain + loss) * (gain + loss) * chance * (1.0 - chance) / f64::from(outcomes);
    edge * edge / (edge * edge + noise)
}

/// Every factor and the amount that may be staked, or why none is.
fn terms(case: &SizingCase, room: impl FnOnce() -> Room) -> Result<(SizeTerms, Money), NotSized> {
    let (Some(settings), Some(odds)) = (case.settings, case.odds) else { return Err(NotSized::Uncalibrated) };
    if case.gate == Gate::NotPassed {
        return Err(NotSized::Gate);
    }
    let forecast = case.volatility.filter(|volatility| *volatility > Ratio::ZERO).ok_or(NotSized::NoVolatility)?;
    let gain = odds.mean_right.map(Ratio::to_f64).ok_or(NotSized::NoEdge)?;
    let loss = odds.mean_wrong.map(|wrong| -wrong.to_f64()).ok_or(NotSized::NoEdge)?;
    let chance = odds.chance.to_f64();
    let floored = |value: f64| Ratio::from_f64(libm::floor(value * 1e9) / 1e9).filter(|share| *share > Ratio::ZERO);
    let full = floored(kelly(chance, gain, loss)).ok_or(NotSized::NoEdge)?;
    let shrinkage = floored(shrinkage(chance, gain, loss, odds.independent)).ok_or(NotSized::NoEdge)?;
    let volatility = Ratio::of(settings.target_volatility.nanos().into(), forecast.nanos().into()).unwrap_or(Ratio::ZERO);
    let volatility = volatility.min(Ratio::ONE);
    let (fraction, confidence) = (settings.kelly_fraction.min(Ratio::ONE), case.confidence.min(Ratio::ONE));
    let factors = [shrinkage, fraction, confidence, volatility];
    let wanted = factors.into_iter().try_fold(full, product).filter(|share| *share > Ratio::ZERO).ok_or(NotSized::NoEdge)?;
    let (bound, budget) = bound(case.equity, wanted, &room());
    let granted = budget.ratio_to(case.equity).unwrap_or(Ratio::ZERO);
    let terms = SizeTerms { kelly: full, shrinkage, fraction, confidence, volatility, wanted, granted, bound };
    Ok((terms, budget))
}

/// The least of what is wanted and what each limit leaves.
fn bound(equity: Money, wanted: Ratio, room: &Room) -> (Bound, Money) {
    let Room { position, sector, correlated, order, gross, cash, stop } = *room;
    let nothing = Money::zero(equity.currency());
    // A stake beyond what money can hold is cut by the limits all the same.
    let wanted = equity.times(wanted).unwrap_or(Money::from_nanos(i64::MAX, equity.currency()));
    let limits =
        [(Bound::Position, position), (Bound::Sector, sector), (Bound::Gross, gross), (Bound::Cash, cash), (Bound::Stop, stop)];
    let optional = [correlated.map(|left| (Bound::Correlated, left)), order.map(|most| (Bound::Order, most))];
    let least = limits
        .into_iter()
        .chain(optional.into_iter().flatten())
        .fold((Bound::Kelly, wanted), |least, other| if other.1.nanos() < least.1.nanos() { other } else { least });
    if least.1.nanos() < 0 { (least.0, nothing) } else { least }
}

/// The product, rounded down; `None` where it does not fit.
fn product(left: Ratio, right: Ratio) -> Option<Ratio> {
    Ratio::of(i128::from(left.nanos()) * i128::from(right.nanos()), i128::from(SCALE) * i128::from(SCALE))
}

impl Lots {
    /// The largest quantity of whole lots that a budget buys; `None` where that is less than the smallest.
    fn within(self, budget: Money) -> Option<Quantity> {
        let quantity = Quantity::affordable(budget, self.price)?.floored_to(self.lot);
        (quantity.is_positive() && quantity >= self.minimum).then_some(quantity)
    }
}

impl Bound {
    /// What bound, to follow "capped by".
    pub const fn words(self) -> &'static str {
        match self {
            Self::Kelly => "nothing else",
            Self::Position => "the position limit",
            Self::Sector => "the sector limit",
            Self::Gross => "the limit of gross exposure",
            Self::Cash => "cash",
            Self::Stop => "the loss at the stop",
            Self::Correlated => "the limit of what moves together",
            Self::Order => "the largest order",
        }
    }
}

impl NotSized {
    /// Why, in words to follow "NOT PROVEN: exploratory size, ".
    pub const fn words(self) -> &'static str {
        match self {
            Self::Uncalibrated => "the chance is uncalibrated",
            Self::Gate => "the source has not passed its gate",
            Self::NoEdge => "nothing is left to stake on after cost",
            Self::NoVolatility => "volatility is unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize as _;

    use super::*;
    use crate::domain::Currency;

    fn ratio(value: f64) -> Ratio {
        Ratio::from_f64(value).unwrap()
    }

    fn dollars(amount: i64) -> Money {
        Money::whole(amount, Currency::USD).unwrap()
    }

    fn lots(price: &str) -> Lots {
        let lot: Quantity = "0.001".parse().unwrap();
        Lots { price: price.parse().unwrap(), lot, minimum: lot }
    }

    fn odds(chance: f64, gain: f64, loss: f64, independent: u32) -> Odds {
        Odds { chance: ratio(chance), mean_right: Some(ratio(gain)), mean_wrong: Some(ratio(-loss)), independent }
    }

    /// A source with an edge, and limits as they ship.
    fn case() -> SizingCase {
        SizingCase {
            settings: Some(SizingSettings { kelly_fraction: ratio(0.25), target_volatility: ratio(0.2) }),
            exploratory: ratio(0.0025),
            equity: dollars(100_000),
            lots: lots("73.45"),
            odds: Some(odds(0.6, 0.04, 0.04, 400)),
            gate: Gate::Passed,
            confidence: Ratio::ONE,
            volatility: Some(ratio(0.2)),
        }
    }

    fn room() -> Room {
        Room {
            position: dollars(2_000),
            sector: dollars(20_000),
            correlated: Some(dollars(30_000)),
            order: Some(dollars(50_000)),
            gross: dollars(100_000),
            cash: dollars(99_000),
            stop: dollars(10_000),
        }
    }

    fn terms_of(case: &SizingCase) -> SizeTerms {
        terms_within(case, room())
    }

    fn terms_within(case: &SizingCase, room: Room) -> SizeTerms {
        match size(case, || room).unwrap().rule {
            SizingRule::Kelly(terms) => terms,
            SizingRule::Exploratory => panic!("it is exploratory: {case:?}"),
        }
    }

    #[test]
    fn the_exploratory_size_is_whole_lots_within_the_budget() {
        let size =
            |price: &str| exploratory(dollars(100_000), ratio(0.0025), lots(price)).map(|sized| sized.quantity.to_string());
        assert_eq!(size("73.45").as_deref(), Some("3.403"));
        assert_eq!(size("250").as_deref(), Some("1"));
        assert_eq!(size("300000"), None);
        assert_eq!(size("0"), None);
    }

    #[test]
    fn what_is_not_proven_is_exploratory_and_says_why() {
        let of = |case: SizingCase| size(&case, room).map(|sized| (sized.rule, sized.why, sized.quantity.to_string()));
        let small = |why| Some((SizingRule::Exploratory, Some(why), "3.403".to_owned()));
        assert_eq!(of(SizingCase { odds: None, ..case() }), small(NotSized::Uncalibrated));
        assert_eq!(of(SizingCase { settings: None, ..case() }), small(NotSized::Uncalibrated));
        assert_eq!(of(SizingCase { gate: Gate::NotPassed, ..case() }), small(NotSized::Gate));
        assert_eq!(of(SizingCase { odds: Some(odds(0.5, 0.04, 0.04, 400)), ..case() }), small(NotSized::NoEdge), "break-even");
        let one_sided = Odds { mean_wrong: None, ..odds(0.9, 0.04, 0.04, 400) };
        assert_eq!(of(SizingCase { odds: Some(one_sided), ..case() }), small(NotSized::NoEdge), "no loss was ever seen");
        assert_eq!(of(SizingCase { volatility: None, ..case() }), small(NotSized::NoVolatility));
    }

    #[test]
    fn the_terms_say_what_bound() {
        let terms = terms_of(&case());
        assert_eq!((terms.bound, terms.kelly, terms.granted), (Bound::Position, ratio(5.0), ratio(0.02)));
        assert_eq!(size(&case(), room).unwrap().quantity.to_string(), "27.229", "2,000 buy 27.2294…");
        let poor = terms_of(&SizingCase { odds: Some(odds(0.5005, 0.04, 0.04, 1_000_000)), ..case() });
        assert!(poor.bound == Bound::Kelly && poor.granted <= poor.wanted && poor.wanted < ratio(0.02), "{poor:?}");
        for (bound, room) in [
            (Bound::Sector, Room { sector: dollars(100), ..room() }),
            (Bound::Gross, Room { gross: dollars(100), ..room() }),
            (Bound::Cash, Room { cash: dollars(100), ..room() }),
            (Bound::Stop, Room { stop: dollars(100), ..room() }),
            (Bound::Correlated, Room { correlated: Some(dollars(100)), ..room() }),
            (Bound::Order, Room { order: Some(dollars(100)), ..room() }),
        ] {
            let sized = terms_within(&case(), room);
            assert_eq!((sized.bound, sized.granted), (bound, ratio(0.001)));
        }
        assert_eq!(size(&case(), || Room { gross: dollars(-5), ..room() }), None, "a limit is overrun");
    }

    #[test]
    fn volatility_scales_down_and_never_up() {
        let volatility = |value: f64| terms_of(&SizingCase { volatility: Some(ratio(value)), ..case() }).volatility;
        assert_eq!((volatility(0.4), volatility(0.2), volatility(0.1)), (ratio(0.5), Ratio::ONE, Ratio::ONE));
    }

    #[derive(serde::Deserialize)]
    struct Oracle {
        kelly: Vec<(f64, f64, f64, f64)>,
        shrinkage: Vec<(f64, f64, f64, u32, f64)>,
    }

    #[test]
    fn kelly_and_its_shrinkage_agree_with_the_oracle() {
        let text = include_str!("../../tests/oracles/sizing.json");
        let oracle = Oracle::deserialize(&mut serde_json::Deserializer::from_str(text)).unwrap();
        assert!(oracle.kelly.len() > 20 && oracle.shrinkage.len() > 20);
        for (chance, gain, loss, expected) in oracle.kelly {
            let found = kelly(chance, gain, loss);
            assert!((found - expected).abs() <= 1e-9 * (1.0 + expected), "{chance} {gain} {loss}: {found} against {expected}");
        }
        for (chance, gain, loss, outcomes, expected) in oracle.shrinkage {
            let found = shrinkage(chance, gain, loss, outcomes);
            assert!((found - expected).abs() <= 1e-9, "{chance} {gain} {loss} {outcomes}: {found} against {expected}");
        }
    }

    prop_compose! {
        fn cases()(
            chance in 0.0..1.0_f64, gain in 0.0005..0.3_f64, loss in 0.0005..0.3_f64, independent in 0..2_000_u32,
            equity in 1_000..10_000_000_i64, price in 1_000_000..5_000_000_000_000_i64, lot in 1..2_000_i64,
            confidence in 0.0..1.0_f64, volatility in 0.01..3.0_f64,
        ) -> SizingCase {
            let lot = Quantity::from_nanos(lot * 1_000_000);
            SizingCase {
                equity: dollars(equity),
                lots: Lots { price: Price::from_nanos(price), lot, minimum: lot },
                odds: Some(odds(chance, gain, loss, independent)),
                confidence: ratio(confidence),
                volatility: Some(ratio(volatility)),
                ..case()
            }
        }
    }

    fn rooms() -> impl Strategy<Value = Room> {
        (prop::array::uniform7(-50_000..10_000_000_i64), any::<[bool; 2]>()).prop_map(|(amounts, [has_correlated, has_order])| {
            let [position, sector, gross, cash, stop, correlated, order] = amounts.map(dollars);
            let (correlated, order) = (has_correlated.then_some(correlated), has_order.then_some(order));
            Room { position, sector, correlated, order, gross, cash, stop }
        })
    }

    fn value(case: &SizingCase, room: Room) -> Option<(SizingRule, Money)> {
        let sized = size(case, || room)?;
        Some((sized.rule, Money::notional(case.lots.price, sized.quantity, Currency::USD).unwrap()))
    }

    proptest! {
        #[test]
        fn a_size_is_whole_lots_and_never_above_any_limit(case in cases(), room in rooms()) {
            let Some(sized) = size(&case, || room) else { return Ok(()) };
            prop_assert!(sized.quantity.is_positive() && sized.quantity.is_multiple_of(case.lots.lot));
            let value = Money::notional(case.lots.price, sized.quantity, Currency::USD).unwrap().nanos();
            match sized.rule {
                SizingRule::Kelly(terms) => {
                    let Room { position, sector, correlated, order, gross, cash, stop } = room;
                    for limit in [position, sector, gross, cash, stop].into_iter().chain(correlated).chain(order) {
                        prop_assert!(value <= limit.nanos(), "{value} above {limit:?}");
                    }
                    prop_assert!(value <= case.equity.times(terms.wanted).unwrap_or(room.position).nanos() + 1);
                    prop_assert!(terms.volatility <= Ratio::ONE && terms.shrinkage <= Ratio::ONE && terms.granted <= terms.wanted);
                }
                SizingRule::Exploratory => prop_assert!(value <= case.equity.times(case.exploratory).unwrap().nanos()),
            }
        }

        #[test]
        fn a_better_chance_is_never_a_smaller_stake(case in cases(), room in rooms(), more in 0.0..0.2_f64) {
            let odds = case.odds.unwrap();
            let better = Odds { chance: ratio((odds.chance.to_f64() + more).min(1.0)), ..odds };
            let (worse, better) = (value(&case, room), value(&SizingCase { odds: Some(better), ..case }, room));
            if let Some((SizingRule::Kelly(_), worse)) = worse {
                let (rule, better) = better.unwrap();
                prop_assert!(matches!(rule, SizingRule::Kelly(_)) && better.nanos() >= worse.nanos());
            }
        }

        #[test]
        fn nothing_is_staked_at_or_below_break_even(gain in 0.001..0.3_f64, loss in 0.001..0.3_f64, below in 0.0..1.0_f64) {
            let (gain, loss) = (ratio(gain).to_f64(), ratio(loss).to_f64());
            let even = loss / (gain + loss);
            let case = |chance: f64| SizingCase { odds: Some(odds(chance, gain, loss, 400)), ..case() };
            prop_assert!(kelly(even * below, gain, loss) <= 1e-12);
            // A billionth below, since the chance itself is rounded to one.
            let sized = size(&case((even - 2e-9) * below), room).unwrap();
            prop_assert_eq!((sized.rule, sized.why), (SizingRule::Exploratory, Some(NotSized::NoEdge)));
        }
    }
}
