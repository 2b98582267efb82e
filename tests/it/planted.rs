//! Data of which everything is known: each layer can refuse, and what it keeps is better than what it refuses where its premise holds;
//! where there is nothing to find, it finds nothing, and the gates pass as often as they say.

mod market;
mod nulls;

use pmax::domain::{Direction, InstrumentId, Layer, MarketTime, Price, Probability, Ratio, SignalSource, Verdict, View};
use pmax::signals::{self, AsOf, BookFacts, Case, Gates, Momentum, Reversal, Scorecard};
use pmax::stats;

use market::{Comparison, Desk, Dice, Judged, closes, free_book, gates, leaning};

/// The planted lean: the best possible call is right in ½ + asin(0.1874) / π = 56 % of all cases.
const LEAN: f64 = 0.1874;
/// A usual day.
const USUAL: f64 = 0.01;
/// Fades every move, however small, for one bar: the best possible call where returns lean against the one before.
const FADE: Reversal = Reversal { bars: 1, threshold: 0.0, horizon: 1 };

/// Signals of many independent series.
fn many(desk: &Desk<'_>, series: u64, seed: u64, make: impl Fn(&mut Dice) -> Vec<f64>) -> Vec<Judged> {
    (0..series).flat_map(|number| desk.trade(&make(&mut Dice(seed + number)))).collect()
}

const fn right(judged: &Judged) -> f64 {
    if judged.is_right { 1.0 } else { 0.0 }
}

/// What a signal lost, as a share of its value; nothing where it earned.
const fn lost(judged: &Judged) -> f64 {
    if judged.net < 0.0 { -judged.net } else { 0.0 }
}

fn faded(dice: &mut Dice) -> Vec<f64> {
    closes(leaning(dice, 2_000, |_| -LEAN).into_iter().map(|size| size * USUAL))
}

/// Calm in which moves fade, and storms of 40 bars, three times as wild, in which they go on.
fn stormy(dice: &mut Dice) -> Vec<f64> {
    let starts = (dice.roll() * 300.0) as usize;
    let is_storm = |bar: usize| (bar + starts) % 300 >= 260;
    let sizes = leaning(dice, 2_000, |bar| if is_storm(bar) { LEAN } else { -LEAN });
    closes(sizes.into_iter().enumerate().map(|(bar, size)| size * if is_storm(bar) { 3.0 * USUAL } else { USUAL }))
}

/// Days of 1 % and days of 12 %, in spells of 60 or without memory.
fn wild(dice: &mut Dice, spell: usize) -> Vec<f64> {
    let bars = 1_200;
    let sizes: Vec<f64> = (0..bars / spell).flat_map(|_| vec![if dice.roll() < 0.3 { 0.12 } else { USUAL }; spell]).collect();
    closes(sizes.into_iter().map(|size| size * dice.normal()))
}

#[test]
fn the_first_layer_keeps_what_is_more_often_right() {
    let judged = many(&Desk::new(&FADE), 30, 100, faded);
    let all: f64 = judged.iter().map(right).sum::<f64>() / judged.len() as f64;
    let error = libm::sqrt(0.25 / judged.len() as f64);
    assert!((all - 0.56).abs() < 3.0 * error, "the planted rate is 56 %: {all}");
    let compared = Comparison::of(&judged, Layer::Statistics, right);
    assert!(compared.is_above(), "{}", compared.line("right"));
}

#[test]
fn the_second_layer_keeps_what_is_more_often_right_where_storms_turn_the_rule() {
    let compared = Comparison::of(&many(&Desk::new(&FADE), 60, 200, stormy), Layer::Regime, right);
    assert!(compared.is_above(), "{}", compared.line("right"));
    // A large move is both a strong reason to fade it and a part of the volatility that refuses it.
    let untouched = Comparison::of(&many(&Desk::new(&FADE), 30, 100, faded), Layer::Regime, right);
    assert!(!untouched.is_above(), "without storms it gains nothing: {}", untouched.line("right"));
}

#[test]
fn the_third_layer_keeps_what_loses_less() {
    let loss = |spell| Comparison::of(&many(&Desk::new(&FADE), 30, 300, |dice| wild(dice, spell)), Layer::Risk, |one| -lost(one));
    let compared = loss(60);
    assert!(compared.is_above(), "{}", compared.line("lost"));
    let forgetful = loss(1);
    assert!(forgetful.holds_zero(), "where wild days have no memory it knows nothing: {}", forgetful.line("lost"));
}

/// A held stock and a candidate for the same side, of so much correlation: whether the fourth layer keeps it by the last 60 returns, and
/// whether both lose on the day after.
fn pair(dice: &mut Dice, correlation: f64) -> (bool, bool) {
    let (mut held, mut other) = (Vec::new(), Vec::new());
    for _ in 0..61 {
        let (ours, own) = (dice.normal(), dice.normal());
        held.push(ours);
        other.push(correlation * ours + libm::sqrt(1.0 - correlation * correlation) * own);
    }
    let (tomorrow, after) = (held.pop().unwrap(), other.pop().unwrap());
    let book = BookFacts { correlation: stats::correlation(&held, &other), ..free_book() };
    let said = judge(&view(Direction::Long), &calm(), book, Scorecard::default());
    (!said.contains(&Layer::Portfolio), tomorrow < 0.0 && after < 0.0)
}

fn together() -> Comparison {
    let mut dice = Dice(400);
    let drawn = (0..4_000).map(|number| pair(&mut dice, if number % 2 == 0 { 0.95 } else { 0.0 }));
    let (kept, refused): (Vec<_>, Vec<_>) = drawn.partition(|(is_kept, _)| *is_kept);
    let losses =
        |side: Vec<(bool, bool)>| -> Vec<f64> { side.into_iter().map(|(_, lose)| if lose { -1.0 } else { 0.0 }).collect() };
    Comparison::between(&losses(kept), &losses(refused))
}

#[test]
fn the_fourth_layer_keeps_what_does_not_lose_together_with_the_book() {
    let compared = together();
    assert!(compared.is_above(), "{}", compared.line("lose together"));
    // Two normal numbers are both below zero with probability ¼ + asin(ρ) / 2π.
    let expected = 0.25 + libm::asin(0.95) / (2.0 * std::f64::consts::PI);
    let error = libm::sqrt(expected * (1.0 - expected) / compared.refused.0 as f64);
    assert!((-compared.refused.1 - expected).abs() < 3.0 * error, "{}", compared.line("lose together"));
}

/// A source with the planted edge and one without, both paying 0.1 % a round trip, each with a record of its own.
fn remembered() -> Vec<Judged> {
    let desk = Desk { cost: 0.001, remembers: true, ..Desk::new(&FADE) };
    let series = |number: u64| {
        let lean = if number.is_multiple_of(2) { -LEAN } else { 0.0 };
        desk.trade(&closes(leaning(&mut Dice(500 + number), 2_000, |_| lean).into_iter().map(|size| size * USUAL)))
    };
    (0..60).flat_map(series).collect()
}

#[test]
fn the_fifth_layer_keeps_sources_that_earn_their_cost() {
    let compared = Comparison::of(&remembered(), Layer::TrackRecord, |one| one.net);
    assert!(compared.is_above(), "{}", compared.line("net"));
}

fn view(direction: Direction) -> View {
    View {
        source: SignalSource::BaselineMomentum,
        instrument: InstrumentId(2),
        direction,
        strength: Ratio::from_nanos(2_500_000_000),
        horizon_bars: 5,
        probability: Probability::Uncalibrated,
        as_of: MarketTime(0),
        reference: Price::from_nanos(100_000_000_000),
        rationale: String::new(),
    }
}

/// A market without news: 1 % up, 1 % down.
fn calm() -> Vec<f64> {
    closes((0..300).map(|bar| if bar % 2 == 0 { 0.01 } else { -0.01 }))
}

/// The layers that refuse.
fn judge(view: &View, closes: &[f64], book: BookFacts, record: Scorecard) -> Vec<Layer> {
    let gates = gates();
    let case = Case { view, as_of: AsOf::new(closes), bars_per_year: 252.0, book, record, gates: &gates };
    let said = signals::judge(&case);
    said.layers.into_iter().filter(|layer| layer.verdict == Verdict::Fail).map(|layer| layer.layer).collect()
}

#[test]
fn each_layer_can_refuse_alone() {
    let (good, market, none) = (view(Direction::Long), calm(), Scorecard::default());
    assert_eq!(judge(&good, &market, free_book(), none), []);
    let weak = View { strength: Ratio::from_nanos(1_900_000_000), ..good.clone() };
    assert_eq!(judge(&weak, &market, free_book(), none), [Layer::Statistics]);
    let storm = closes((0..300).map(|bar| if bar % 2 == 0 { 1.0 } else { -1.0 } * if bar < 280 { 0.01 } else { 0.02 }));
    assert_eq!(judge(&good, &storm, free_book(), none), [Layer::Regime]);
    let always_wild = closes((0..300).map(|bar| if bar % 2 == 0 { 0.09 } else { -0.09 }));
    assert_eq!(judge(&good, &always_wild, free_book(), none), [Layer::Risk]);
    let large = BookFacts {
        trade_value: free_book().trade_value.and_then(|value| value.times(Ratio::from_nanos(60_000_000_000)).ok()),
        ..free_book()
    };
    assert_eq!(judge(&good, &market, large, none), [Layer::Risk], "a sixth of equity loses more than half a percent at its stop");
    for book in [
        BookFacts { is_held: true, ..free_book() },
        BookFacts { sector_share: Ratio::from_f64(0.21), ..free_book() },
        BookFacts { sector_share: None, ..free_book() },
        BookFacts { correlation: Some(0.91), ..free_book() },
    ] {
        assert_eq!(judge(&good, &market, book, none), [Layer::Portfolio]);
    }
    let mut bad = Scorecard::default();
    for outcome in 0..30 {
        assert_eq!(judge(&good, &market, free_book(), bad), [], "{outcome} outcomes prove nothing");
        let loss = Ratio::from_nanos(if outcome % 3 == 0 { 1_000_000 } else { -10_000_000 });
        bad.add(loss, MarketTime(outcome), MarketTime(outcome + 1));
    }
    assert_eq!(judge(&good, &market, free_book(), bad), [Layer::TrackRecord]);
}

/// What each layer was seen to do, for people to read: the numbers behind the tests above, and those that speak against a layer.
#[test]
fn what_the_layers_are_worth() {
    let fade = Desk::new(&FADE);
    let mut text = String::from("premise holds\n");
    let planted = many(&fade, 30, 100, faded);
    text += &Comparison::of(&planted, Layer::Statistics, right).line("1 statistics: right");
    text += &Comparison::of(&many(&fade, 60, 200, stormy), Layer::Regime, right).line("2 regime: right, storms turn the rule");
    let losing = |one: &Judged| -lost(one);
    text +=
        &Comparison::of(&many(&fade, 30, 300, |dice| wild(dice, 60)), Layer::Risk, losing).line("3 risk: mean loss, wild spells");
    text += &together().line("4 portfolio: lose together with the book");
    text += &Comparison::of(&remembered(), Layer::TrackRecord, |one| one.net).line("5 track record: net of cost");
    text += "premise does not hold\n";
    let noise = many(&fade, 30, 600, |dice| closes(leaning(dice, 2_000, |_| 0.0).into_iter().map(|size| size * USUAL)));
    text += &Comparison::of(&noise, Layer::Statistics, right).line("1 statistics: right, pure noise");
    text += &Comparison::of(&planted, Layer::Regime, right).line("2 regime: right, no storms");
    text += &Comparison::of(&many(&fade, 30, 300, |dice| wild(dice, 1)), Layer::Risk, losing)
        .line("3 risk: mean loss, wild days without memory");
    text += "strategies as shipped\n";
    let shipped = |gates: &Gates| {
        let settings = crate::world::config().strategies;
        let momentum = Momentum {
            bars: settings.momentum_bars,
            threshold: settings.momentum_threshold.to_f64(),
            horizon: settings.momentum_horizon,
        };
        let desk = Desk { gates: *gates, ..Desk::new(&momentum) };
        many(&desk, 30, 100, faded)
    };
    text +=
        &Comparison::of(&shipped(&gates()), Layer::Statistics, right).line("1 statistics: momentum's own threshold is as high");
    insta::assert_snapshot!(text);
}
