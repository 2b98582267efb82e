//! The plan's gates in words.

use crate::backtest::{Gauged, PlanGate};
use crate::report::words::{chance, verdict};

/// A gate in two sentences: what it asks, and what was found beside what chance would do in so many different tests.
pub fn gate(gauged: &Gauged, tests: u64) -> (String, String) {
    let Gauged { gate, limit, found, count, interval, base, .. } = *gauged;
    let (name, unit) = (asks(gate), of(gate));
    let (shown, sense) = (scale(gate), if gate == PlanGate::PaperDrawdown { "<" } else { ">" });
    let sense = if gate == PlanGate::StopBelow { "≥" } else { sense };
    let said = |value: Option<f64>| value.map_or_else(|| "n/a".to_owned(), shown);
    let mut parts = vec![format!("{}: {}", verdict(gauged.verdict), said(found))];
    if gate != PlanGate::PaperTrades {
        let range = interval.map_or_else(|| "n/a".to_owned(), |(low, high)| format!("[{}, {}]", shown(low), shown(high)));
        parts = vec![format!("{} of {count} {unit}, 95 % {range}", parts.concat())];
    }
    parts.extend(base.map(|base| format!("without skill {}", shown(base))));
    parts.extend(gauged.unskilled_passes.map(|passes| {
        let luckiest = chance(gauged.luckiest_passes(tests));
        format!("chance passes {}, the luckiest of {tests} {luckiest}", chance(Some(passes)))
    }));
    parts.extend(gauged.power.map(|power| format!("power {}", chance(Some(power)))));
    parts.extend(gauged.needed.map(|needed| format!("{needed:.0} would do")));
    (format!("{name} {sense} {}", shown(limit)), parts.join("; "))
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
