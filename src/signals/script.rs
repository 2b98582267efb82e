//! Strategies of one's own, written in Rhai: a small language that reaches neither files, clock, chance nor network.
//!
//! A script states `NAME`, `HORIZON` and `WARM_UP` and defines `look(history)`, which gives nothing (it abstains) or a thought made with
//! `long` or `short`. It is handed exactly its `WARM_UP` latest closes: it cannot look ahead, and older history cannot change what it
//! thinks. What it may use is bounded — steps, depth, texts, lists — and a number that is not defined ends the look: no number, no view.
//! A script that fails has no view; it never stops the engine.

mod reference;
mod window;

use std::fmt;
use std::sync::Arc;

use rhai::packages::{ArithmeticPackage, BasicArrayPackage, BasicIteratorPackage, BasicStringPackage, LogicPackage, Package};
use rhai::{AST, CallFnOptions, Dynamic, Engine as Interpreter, EvalAltResult, Position, Scope};

use crate::domain::{CleanText, Ratio, ScriptName, SignalSource};
use crate::signals::script::window::{Opinion, Window};
use crate::signals::{AsOf, Strategy, Thought};

pub use reference::{ScriptRef, Scripts};

/// Steps for one bar: a loop over the longest history twice over, and no more.
const STEPS: u64 = 10_000;
/// Closes that the engine keeps for certain.
const LONGEST_WARM_UP: u32 = 640;
/// Bars a thought may look ahead, as with the baselines.
const LONGEST_HORIZON: u32 = 250;
/// Letters of a reason.
const LONGEST_REASON: usize = 160;
/// Strength beyond which a number of deviations is a mistake in the script.
const STRONGEST: f64 = 1_000.0;

/// A script, ready to look. A clone shares its text.
#[derive(Clone)]
pub struct Script {
    reference: ScriptRef,
    horizon: u32,
    warm_up: u32,
    inside: Arc<Inside>,
}

struct Inside {
    interpreter: Interpreter,
    ast: AST,
}

/// Why a file is not a strategy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct ScriptError {
    /// Which file.
    pub file: String,
    /// Where in it, counted from 1; none where something is missing.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
}

impl ScriptError {
    fn sentence(&self) -> String {
        let Self { file, line, what } = self;
        line.map_or_else(|| format!("{file}: {what}"), |line| format!("{file}, line {line}: {what}"))
    }
}

impl Script {
    /// Reads a script and lets it look at a few made-up histories, so that what is misspelt shows at once. `file` is its name for errors.
    pub fn read(file: &str, text: &str) -> Result<Self, ScriptError> {
        let refuse = |line: Option<usize>, what: String| ScriptError { file: file.to_owned(), line, what };
        let interpreter = interpreter();
        let ast = interpreter.compile(text).map_err(|error| refuse(error.position().line(), error.err_type().to_string()))?;
        let is_look = |name: &str, parameters: usize| name == "look" && parameters == 1;
        if !ast.iter_functions().any(|function| is_look(function.name, function.params.len())) {
            return Err(refuse(None, "it has no `fn look(history)`".to_owned()));
        }
        let name = constant(&ast, "NAME", "\"breakout\"", |value| value.into_string().ok());
        let name: ScriptName = name.and_then(|name| name.parse()).map_err(|what| refuse(None, what))?;
        let whole = |constant_name: &'static str, most: u32| {
            let read = |value: Dynamic| value.as_int().ok().and_then(|number| u32::try_from(number).ok());
            let number = constant(&ast, constant_name, "20", read).map_err(|what| refuse(None, what))?;
            let is_fit = (1..=most).contains(&number);
            is_fit.then_some(number).ok_or_else(|| refuse(None, format!("{constant_name} = {number}: write 1 to {most}")))
        };
        let (horizon, warm_up) = (whole("HORIZON", LONGEST_HORIZON)?, whole("WARM_UP", LONGEST_WARM_UP)?);
        let reference = ScriptRef::of(name, text);
        let script = Self { reference, horizon, warm_up, inside: Arc::new(Inside { interpreter, ast }) };
        for history in rehearsals(usize::try_from(warm_up).unwrap_or(0)) {
            if let Err((line, what)) = script.ask(&history) {
                return Err(refuse(line, what));
            }
        }
        Ok(script)
    }

    /// Bars it looks ahead.
    pub const fn horizon(&self) -> u32 {
        self.horizon
    }

    /// Its name and the hash of its text.
    pub const fn reference(&self) -> ScriptRef {
        self.reference
    }

    /// What the script says of the closes at hand; in trouble the line and what happened there.
    fn ask(&self, closes: &[f64]) -> Result<Option<Thought>, (Option<usize>, String)> {
        let Inside { interpreter, ast } = &*self.inside;
        let options = CallFnOptions::new().eval_ast(false);
        let window = Window::new(closes);
        let answer: Result<Dynamic, _> = interpreter.call_fn_with_options(options, &mut Scope::new(), ast, "look", (window,));
        match answer {
            Ok(nothing) if nothing.is_unit() => Ok(None),
            Ok(answer) => match answer.try_cast::<Opinion>() {
                Some(opinion) => self.thought(opinion).map(Some).map_err(|what| (None, what)),
                None => Err((None, "look must give nothing, or long(…) or short(…)".to_owned())),
            },
            Err(error) => match error.unwrap_inner() {
                EvalAltResult::ErrorTerminated(..) => Ok(None),
                inner => Err(said(inner, error.position())),
            },
        }
    }

    fn thought(&self, opinion: Opinion) -> Result<Thought, String> {
        let Opinion { direction, strength, reason } = opinion;
        if !(0.0..=STRONGEST).contains(&strength) || Ratio::from_f64(strength).is_none() {
            return Err(format!("the strength {strength} is not a number of deviations from 0 to {STRONGEST}"));
        }
        let reason: String = reason.chars().take(LONGEST_REASON).collect();
        let rationale = CleanText::from_outside(&reason).to_string();
        Ok(Thought { direction, strength, horizon_bars: self.horizon, rationale })
    }
}

impl Strategy for Script {
    fn source(&self) -> SignalSource {
        SignalSource::Script(self.reference.name)
    }

    fn warm_up(&self) -> u32 {
        self.warm_up
    }

    fn look(&self, as_of: &AsOf<'_>) -> Option<Thought> {
        self.examine(as_of).ok().flatten()
    }

    fn examine(&self, as_of: &AsOf<'_>) -> Result<Option<Thought>, String> {
        // A copy of a bounded window: a few hundred numbers a bar, whatever the length of history.
        let Some(closes) = as_of.last(usize::try_from(self.warm_up).unwrap_or(usize::MAX)) else { return Ok(None) };
        self.ask(closes).map_err(|(line, what)| line.map_or_else(|| what.clone(), |line| format!("line {line}: {what}")))
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Script").field("reference", &self.reference).finish_non_exhaustive()
    }
}

/// An interpreter with numbers, texts, lists and the history, and nothing else. Powers are left out: their last digit depends on the
/// platform; `sqrt`, `ln` and `exp` come from `libm`.
fn interpreter() -> Interpreter {
    let mut interpreter = Interpreter::new_raw();
    interpreter
        .set_max_operations(STEPS)
        .set_max_call_levels(16)
        .set_max_expr_depths(48, 48)
        .set_max_variables(64)
        .set_max_functions(32)
        .set_max_string_size(1_000)
        .set_max_array_size(1_000)
        .set_max_map_size(100);
    for word in ["eval", "print", "debug", "**", "**="] {
        interpreter.disable_symbol(word);
    }
    interpreter.register_global_module(ArithmeticPackage::new().as_shared_module());
    interpreter.register_global_module(LogicPackage::new().as_shared_module());
    interpreter.register_global_module(BasicStringPackage::new().as_shared_module());
    interpreter.register_global_module(BasicIteratorPackage::new().as_shared_module());
    interpreter.register_global_module(BasicArrayPackage::new().as_shared_module());
    window::register(&mut interpreter);
    interpreter
}

fn constant<T>(ast: &AST, name: &str, example: &str, read: impl Fn(Dynamic) -> Option<T>) -> Result<T, String> {
    let missing = || format!("it lacks `const {name} = {example};`");
    let (_, _, value) = ast.iter_literal_variables(true, false).find(|(known, ..)| *known == name).ok_or_else(missing)?;
    read(value).ok_or_else(|| format!("{name} is not as it should be; write e.g. `const {name} = {example};`"))
}

/// The line of an error and its words without the position.
fn said(error: &EvalAltResult, outer: Position) -> (Option<usize>, String) {
    let text = match error {
        EvalAltResult::ErrorTooManyOperations(_) => format!("it takes more than {STEPS} steps for one bar"),
        other => other.to_string(),
    };
    let words = text.rsplit_once(" (line ").map_or(text.as_str(), |(words, _)| words);
    (error.position().line().or_else(|| outer.line()), words.to_owned())
}

/// Made-up histories: a rise, a fall, a still market, and one that swings.
fn rehearsals(length: usize) -> [Vec<f64>; 4] {
    let steps = |step: fn(usize) -> f64| {
        (0..length).scan(100.0, move |price, index| {
            *price *= 1.0 + step(index);
            Some(*price)
        })
    };
    [
        steps(|index| if index % 3 == 0 { -0.002 } else { 0.006 }).collect(),
        steps(|index| if index % 3 == 0 { 0.002 } else { -0.006 }).collect(),
        steps(|_| 0.0).collect(),
        steps(|index| if index % 7 < 3 { 0.02 } else { -0.014 }).collect(),
    ]
}

#[cfg(test)]
mod tests;
