//! The plan's gates in words.

use crate::backtest::{Gauged, PlanGate};
use crate::report::words::{chance, verdict};

/// A gate in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateWords {
    /// What it asks.
    pub asks: String,
    /// The verdict on it.
    pub verdict: &'static str,
    /// What was found, of how many, with its interval.
    pub found: String,
    /// What was found, alone.
    pub value: String,
    /// Of how many.
    pub of: String,
    /// The 95 % interval.
    pub range: String,
    /// What chance would do, how much could be told from it, and how much it takes; empty where chance has no say.
    pub chance: String,
}

/// A gate in words, after so many different tests.
pub fn gate(gauged: &Gauged, tests: u64) -> GateWords {
    let Gauged { gate, limit, found, count, interval, base, .. } = *gauged;
    let (name, unit) = (asks(gate), of(gate));
    let (shown, sense) = (scale(gate), if gate == PlanGate::PaperDrawdown { "<" } else { ">" });
    let sense = if gate == PlanGate::StopBelow { "≥" } else { sense };
    let said = |value: Option<f64>| value.map_or_else(|| "n/a".to_owned(), shown);
    let range = interval.map_or_else(|| "n/a".to_owned(), |(low, high)| format!("[{}, {}]", shown(low), shown(high)));
    let spans = gauged.independent.map_or_else(String::new, |spans| format!(" in {spans} spans"));
    let value = said(found);
    let counted = format!("{value} on {count} {unit}{spans}, 95 % {range}");
    let words = if gate == PlanGate::PaperTrades { value.clone() } else { counted };
    let of = if gate == PlanGate::PaperTrades { String::new() } else { format!("of {count} {unit}") };
    let mut parts = Vec::new();
    parts.extend(base.map(|base| format!("without skill {}", shown(base))));
    parts.extend(gauged.unskilled_passes.map(|passes| {
        let luckiest = chance(gauged.luckiest_passes(tests));
        let best = if tests > 1 { format!(", the luckiest of {tests} tests {luckiest}") } else { String::new() };
        let who = if gauged.independent.is_some() { "a coin" } else { "chance" };
        format!("{who} passes {}{best}", chance(Some(passes)))
    }));
    parts.extend(gauged.power.map(|power| format!("power {}", chance(Some(power)))));
    parts.extend(gauged.needed.map(|needed| format!("{needed:.0} {unit} would do")));
    let asks = format!("{name} {sense} {}", shown(limit));
    GateWords { asks, verdict: verdict(gauged.verdict), found: words, value, of, range, chance: parts.join("; ") }
}

const fn asks(gate: PlanGate) -> &'static str {
    match gate {
        PlanGate::CallsRight => "calls right, latest",
        PlanGate::LayersPassed => "signals passed",
        PlanGate::PaperTrades => "round trips",
        PlanGate::PaperSharpe => "Sharpe",
        PlanGate::PaperDrawdown => "drawdown",
        PlanGate::StageFirst => "first step, calls",
        PlanGate::StageSecond => "second step, calls",
        PlanGate::StageThird => "third step, calls",
        PlanGate::StopBelow => "stop, latest calls",
    }
}

const fn of(gate: PlanGate) -> &'static str {
    match gate {
        PlanGate::LayersPassed => "signals",
        PlanGate::PaperTrades => "round trips",
        PlanGate::PaperSharpe | PlanGate::PaperDrawdown => "days",
        PlanGate::CallsRight | PlanGate::StageFirst | PlanGate::StageSecond | PlanGate::StageThird | PlanGate::StopBelow => {
            "calls"
        }
    }
}

fn scale(gate: PlanGate) -> fn(f64) -> String {
    match gate {
        PlanGate::PaperTrades => |value| format!("{value:.0}"),
        PlanGate::PaperSharpe => |value| format!("{value:.2}"),
        PlanGate::CallsRight
        | PlanGate::LayersPassed
        | PlanGate::PaperDrawdown
        | PlanGate::StageFirst
        | PlanGate::StageSecond
        | PlanGate::StageThird
        | PlanGate::StopBelow => |value| format!("{:.1} %", value * 100.0),
    }
}
