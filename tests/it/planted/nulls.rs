//! Data in which there is nothing to find.

use pmax::backtest::{Gate, Share, Verdict};
use pmax::domain::{Direction, Layer, MarketTime, Ratio, SignalSource};
use pmax::signals::{AsOf, Scorecard, Strategy, Thought};

use super::market::{Comparison, Desk, Dice, WARM_UP, closes, free_book, leaning};
use super::{FADE, calm, judge, many, right, view};

/// Calls of a replica, and how many replicas.
const CALLS: usize = 120;
const REPLICAS: u64 = 1_500;

/// Pure noise.
fn white(dice: &mut Dice) -> Vec<f64> {
    (0..WARM_UP + CALLS).map(|_| 0.01 * dice.normal()).collect()
}

/// GARCH(1,1): calm and storms, and a sign that nothing foretells (Bollerslev 1986; 0.1 and 0.85).
fn garch(dice: &mut Dice) -> Vec<f64> {
    let mut variance = 1e-4;
    let mut last: f64 = 0.0;
    let step = |_| {
        variance = 5e-6 + 0.1 * last * last + 0.85 * variance;
        last = libm::sqrt(variance) * dice.normal();
        last
    };
    (0..WARM_UP + CALLS).map(step).collect()
}

/// A walk that drifts up: 54 of 100 bars rise.
fn drifting(dice: &mut Dice) -> Vec<f64> {
    (0..WARM_UP + CALLS).map(|_| 0.01 * (dice.normal() + 0.100_433_72)).collect()
}

/// A source that needs no skill.
struct Up;

impl Strategy for Up {
    fn source(&self) -> SignalSource {
        SignalSource::BaselineMomentum
    }

    fn warm_up(&self) -> u32 {
        1
    }

    fn look(&self, _: &AsOf<'_>) -> Option<Thought> {
        Some(Thought { direction: Direction::Long, strength: 2.5, horizon_bars: 1, rationale: String::new() })
    }
}

/// Shares of all replicas: those that passed the gate, what it said beforehand that would, and those that it called proven.
struct Passed {
    found: f64,
    printed: f64,
    proven: f64,
}

impl Passed {
    fn of(strategy: &dyn Strategy, base: f64, make: fn(&mut Dice) -> Vec<f64>) -> Self {
        let desk = Desk::new(strategy);
        let (mut found, mut printed, mut proven) = (0.0, 0.0, 0.0);
        for replica in 0..REPLICAS {
            let calls = desk.trade(&closes(make(&mut Dice(7_000_000 + replica * 7_919))));
            let share = Share::of(calls.iter().filter(|call| call.is_right).count() as u64, calls.len() as u64);
            let gate = Gate::of(&share, share.of, base);
            found += f64::from(share.rate.unwrap() > 0.55);
            proven += f64::from(gate.verdict == Verdict::Pass);
            printed += gate.unskilled_passes.unwrap();
        }
        let count = REPLICAS as f64;
        Self { found: found / count, printed: printed / count, proven: proven / count }
    }

    /// Three standard errors of the replicas.
    fn agrees(&self) -> bool {
        (self.found - self.printed).abs() < 3.0 * libm::sqrt(self.printed * (1.0 - self.printed) / REPLICAS as f64)
    }

    fn line(&self, what: &str) -> String {
        let Self { found, printed, proven } = self;
        format!(
            "{what:<46} passes {:.1} %, printed {:.1} %, called PASS {:.1} %\n",
            found * 100.0,
            printed * 100.0,
            proven * 100.0
        )
    }
}

#[test]
fn without_skill_the_gate_passes_as_often_as_it_says() {
    let mut text = format!("more than 55 % of {CALLS} calls, {REPLICAS} replicas\n");
    type Case<'a> = (&'a str, &'a dyn Strategy, f64, fn(&mut Dice) -> Vec<f64>);
    let cases: [Case<'_>; 3] = [
        ("fade on white noise", &FADE, 0.5, white),
        ("fade on GARCH noise", &FADE, 0.5, garch),
        ("always up on white noise", &Up, 0.5, white),
    ];
    for (what, strategy, base, make) in cases {
        let passed = Passed::of(strategy, base, make);
        text += &passed.line(what);
        assert!(passed.agrees(), "{}", passed.line(what));
        assert!(passed.proven < 0.04, "a PASS without skill is as rare as its interval says: {}", passed.line(what));
    }
    // A drift passes more often than a coin does; the verdict must beat the better of up and down, so that it is no PASS.
    let drift = Passed::of(&Up, 0.54, drifting);
    assert!(drift.found > drift.printed && drift.proven < 0.04, "{}", drift.line("drift"));
    text += &drift.line("always up on a drifting walk, base 54 %");
    let fooled = Passed::of(&Up, 0.5, drifting);
    assert!(fooled.proven > 0.1, "held against a coin a drift looks like skill: {}", fooled.line("drift"));
    text += &fooled.line("the same, held against a coin");
    insta::assert_snapshot!(text);
}

/// On noise the second layer tells nothing apart, and refuses hardly more than the three in a hundred that its line stands for: the newest
/// stretch is at the end of its history, where extremes lie a little more often than in the middle.
#[test]
fn on_noise_the_second_layer_refuses_about_as_many_as_its_line_says_and_knows_nothing() {
    let judged =
        many(&Desk::new(&FADE), 30, 600, |dice| closes(leaning(dice, 2_000, |_| 0.0).into_iter().map(|size| size * 0.01)));
    let compared = Comparison::of(&judged, Layer::Regime, right);
    assert!(compared.holds_zero(), "{}", compared.line("right"));
    let refused = compared.refused.0 as f64 / judged.len() as f64;
    assert!((0.02..0.055).contains(&refused), "{refused}");
}

/// How many sources without an edge the fifth layer refuses: `looks` says after how many days it is asked, and `draw` deals the outcomes of
/// one day.
fn refused(looks: &[i64], draw: impl Fn(&mut Dice) -> Vec<f64>) -> f64 {
    let (good, market, sources) = (view(Direction::Long), calm(), 1_000);
    let is_refused = |source: u64| {
        let (mut dice, mut card) = (Dice(9_000_000 + source * 104_729), Scorecard::default());
        (1..=looks[looks.len() - 1]).any(|day| {
            for outcome in draw(&mut dice) {
                card.add(Ratio::from_f64(outcome).unwrap(), MarketTime(day), MarketTime(day + 1));
            }
            looks.contains(&day) && judge(&good, &market, free_book(), card).contains(&Layer::TrackRecord)
        })
    };
    (0..sources).filter(|source| is_refused(*source)).count() as f64 / sources as f64
}

/// What the fifth layer does to sources that neither earn nor lose: whether they are looked at once or after every tenth day, and however
/// much the outcomes of one day share, no more than its one side of 5 % is refused. The interval for one look, by comparison, is wrong at
/// the second look.
#[test]
fn the_fifth_layer_holds_its_promise_at_every_look() {
    let one = |dice: &mut Dice| vec![0.01 * dice.normal()];
    let day = |dice: &mut Dice| {
        let market = dice.normal();
        (0..20).map(|_| 0.01 * libm::sqrt(0.5) * (market + dice.normal())).collect()
    };
    let often: Vec<i64> = (30..=300).step_by(10).collect();
    let (single, watched) = (refused(&[100], one), refused(&often, one));
    let (few, together) = (refused(&[5], day), refused(&often, day));
    let most = 0.025 + 3.0 * libm::sqrt(0.025 * 0.975 / 1_000.0);
    assert!(single < most && watched < most && together < most, "{single} {watched} {together}");
    assert!(watched > 0.0, "it can refuse");
    assert_eq!(few, 0.0, "a hundred outcomes of five days are five");
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    insta::assert_snapshot!(format!(
        "sources without an edge that layer 5 refuses\n\
         one look after 100 outcomes                      {}\n\
         looked at after 30, 40, … 300, refused at one    {}\n\
         the same, each day with 20 stocks that share     {}\n\
         one look after 5 days of 20 stocks that share    {}\n",
        percent(single),
        percent(watched),
        percent(together),
        percent(few)
    ));
}
