//! What a script sees: its latest closes behind a shared pointer, and the functions that measure them.

use std::sync::Arc;

use rhai::{Dynamic, Engine as Interpreter, EvalAltResult, INT, Position};

use crate::domain::Direction;
use crate::stats;

/// A history that ends at some close; an older view of it shares the same closes.
#[derive(Debug, Clone)]
pub(super) struct Window {
    closes: Arc<[f64]>,
    end: usize,
}

/// What `long` and `short` make.
#[derive(Debug, Clone)]
pub(super) struct Opinion {
    pub direction: Direction,
    pub strength: f64,
    pub reason: String,
}

type Given<T> = Result<T, Box<EvalAltResult>>;

impl Window {
    pub fn new(closes: &[f64]) -> Self {
        Self { closes: Arc::from(closes), end: closes.len() }
    }

    fn all(&self) -> &[f64] {
        self.closes.get(..self.end).unwrap_or_default()
    }

    /// The last `count` closes.
    fn last(&self, count: usize) -> Given<&[f64]> {
        let all = self.all();
        all.len().checked_sub(count).and_then(|from| all.get(from..)).ok_or_else(|| {
            let what = format!("{count} closes are asked for and {} are there: raise WARM_UP", all.len());
            EvalAltResult::from(what).into()
        })
    }

    fn returns(&self, bars: INT) -> Given<Vec<f64>> {
        self.last(count(bars)? + 1).map(stats::returns)
    }

    fn extreme(&self, bars: INT, pick: fn(f64, f64) -> f64) -> Given<f64> {
        defined(self.last(count(bars)?)?.iter().copied().reduce(pick))
    }
}

/// Adds the history's functions and those on numbers.
pub(super) fn register(interpreter: &mut Interpreter) {
    interpreter.register_type_with_name::<Window>("history").register_type_with_name::<Opinion>("thought");
    interpreter.register_fn("bars", |window: &mut Window| INT::try_from(window.end).unwrap_or(INT::MAX));
    interpreter.register_fn("close", |window: &mut Window| defined(window.all().last().copied()));
    interpreter.register_fn("close", |window: &mut Window, ago: INT| {
        let ago = back(ago)?;
        window.last(ago + 1).and_then(|closes| defined(closes.first().copied()))
    });
    interpreter.register_fn("before", |window: &mut Window, ago: INT| -> Given<Window> {
        let ago = back(ago)?;
        window.last(ago)?;
        Ok(Window { closes: Arc::clone(&window.closes), end: window.end - ago })
    });
    interpreter.register_fn("highest", |window: &mut Window, bars: INT| window.extreme(bars, f64::max));
    interpreter.register_fn("lowest", |window: &mut Window, bars: INT| window.extreme(bars, f64::min));
    interpreter.register_fn("mean", |window: &mut Window, bars: INT| defined(stats::mean(window.last(count(bars)?)?)));
    interpreter.register_fn("change", |window: &mut Window, bars: INT| -> Given<f64> {
        let closes = window.last(count(bars)? + 1)?;
        defined(closes.first().zip(closes.last()).map(|(first, last)| last / first - 1.0))
    });
    interpreter.register_fn("mean_return", |window: &mut Window, bars: INT| defined(stats::mean(&window.returns(bars)?)));
    interpreter.register_fn("deviation", |window: &mut Window, bars: INT| -> Given<f64> {
        defined(stats::standard_deviation(&window.returns(bars)?).filter(|deviation| *deviation > 0.0))
    });
    interpreter.register_fn("t_statistic", |window: &mut Window, bars: INT| defined(stats::t_statistic(&window.returns(bars)?)));
    register_thoughts(interpreter);
    register_numbers(interpreter);
}

fn register_thoughts(interpreter: &mut Interpreter) {
    let made = |direction| {
        move |strength: Dynamic, reason: &str| -> Given<Opinion> {
            let strength = strength.as_float().or_else(|_| strength.as_int().map(|number| number as f64));
            let strength =
                strength.map_err(|kind| EvalAltResult::from(format!("the strength must be a number, not a {kind}")))?;
            Ok(Opinion { direction, strength, reason: reason.to_owned() })
        }
    };
    interpreter.register_fn("long", made(Direction::Long));
    interpreter.register_fn("short", made(Direction::Short));
}

fn register_numbers(interpreter: &mut Interpreter) {
    interpreter.register_fn("sqrt", |number: f64| defined(Some(libm::sqrt(number))));
    interpreter.register_fn("sqrt", |number: INT| defined(Some(libm::sqrt(number as f64))));
    interpreter.register_fn("ln", |number: f64| defined(Some(libm::log(number))));
    interpreter.register_fn("exp", |number: f64| defined(Some(libm::exp(number))));
    interpreter.register_fn("min", |left: f64, right: f64| left.min(right));
    interpreter.register_fn("max", |left: f64, right: f64| left.max(right));
    interpreter.register_fn("min", |left: INT, right: INT| left.min(right));
    interpreter.register_fn("max", |left: INT, right: INT| left.max(right));
    interpreter.register_fn("percent", |share: f64| format!("{:+.2} %", share * 100.0));
    interpreter.register_fn("digits", |number: f64, places: INT| {
        format!("{number:.*}", usize::try_from(places.clamp(0, 9)).unwrap_or(0))
    });
}

/// A number, or the end of the look where it is not defined: no number, no view.
fn defined(number: Option<f64>) -> Given<f64> {
    let ended = || EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE).into();
    number.filter(|number| number.is_finite()).ok_or_else(ended)
}

/// So many bars, at least one.
fn count(bars: INT) -> Given<usize> {
    let counted = usize::try_from(bars).ok().filter(|bars| (1..=100_000).contains(bars));
    counted.ok_or_else(|| EvalAltResult::from(format!("{bars} bars cannot be measured: write 1 or more")).into())
}

/// So many bars ago; there is nothing ahead of the latest.
fn back(ago: INT) -> Given<usize> {
    let counted = usize::try_from(ago).ok().filter(|ago| *ago <= 100_000);
    counted.ok_or_else(|| EvalAltResult::from(format!("{ago} bars ago: 0 is the latest bar, and there is none after it")).into())
}
