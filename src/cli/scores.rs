//! `pmax scores`: what the signals of a run were worth.

use serde_json::{Value, json};

use crate::cli::args::{Args, Scores as Options};
use crate::cli::journal::{ledger, no_run};
use crate::cli::open::Base;
use crate::cli::{Done, OK, say};
use crate::domain::{RunId, Verdict, counted};
use crate::signals::{By, Card, Forecasts, Key, LEARNT_FROM, Part, Scores};
use crate::stats::Interval;

/// Reads the signals and prints their scorecards.
pub fn run(args: &Args, options: &Options) -> Done {
    let base = Base::open(args)?;
    let file = ledger(&base)?;
    let row = match options.run {
        Some(run) => file.run(RunId(run))?,
        None => file.latest_run()?.ok_or_else(no_run)?,
    };
    let calls = file.calls(row.run)?;
    let abstained = "a source without a view says nothing; `Shift+S` and `pmax backtest` count how often";
    let scores = Scores::new(calls);
    let by = By::from(options.by);
    let named = |(key, card): (Key, Card)| (key.words(|id| base.instruments.symbol(id)), card);
    let cards: Vec<(String, Card)> = scores.cards(by).into_iter().map(named).collect();
    if options.format == crate::cli::args::Format::Json {
        let cards: Vec<Value> = cards.iter().map(|(name, card)| as_json(name, card)).collect();
        say(&json!({"run": row.run.0, "tape": row.tape.name, "by": by.word(), "cards": cards}).to_string());
        return Ok(OK);
    }
    say(&format!("{} on {}, by {}; {abstained}", row.run, row.tape.name, by.word()));
    for (name, card) in &cards {
        print(name, card);
    }
    say("");
    say(&format!(
        "PASS, FAIL: the mean after cost is above or below zero however often one looks, from {LEARNT_FROM} independent on."
    ));
    say(
        "right: before cost. always up: what needs no skill. independent: spans that follow one another; the interval after cost rests on them.",
    );
    say(
        "chances: learnt from the strength of signals that had ended by then; Brier score, lower is better, against the share right before.",
    );
    Ok(OK)
}

fn print(name: &str, card: &Card) {
    say("");
    let running = card.signals - card.right.of;
    let before = match card.warm_up {
        0 => String::new(),
        count => format!(", {count} from before the run began"),
    };
    let signals = counted(card.signals, "signal");
    say(&format!("{name}: {signals}{before}, {running} still running, {} independent spans", card.independent));
    if card.right.of == 0 {
        return say("  none has ended yet");
    }
    say(&format!("  right          {:<26} always up {}", part(card.right), part(card.rose)));
    say(&format!("  paid           {}", part(card.paid)));
    let expectancy = card.expectancy.map_or_else(|| "n/a".to_owned(), |mean| format!("{:+.3} %", mean * 100.0));
    let verdict = verdict(card.verdict);
    say(&format!("  after cost     {expectancy:<10} 95 % {}  {verdict}", range(card.expectancy_interval, 100.0, 3)));
    let factor = card.profit_factor.map_or_else(|| "n/a".to_owned(), |factor| format!("{factor:.2}"));
    let sharpe = card
        .sharpe
        .as_ref()
        .map_or_else(|| "n/a".to_owned(), |(ratio, interval)| format!("{ratio:.2} {}", range(*interval, 1.0, 2)));
    say(&format!("  profit factor  {factor:<10} Sharpe of span means {sharpe}"));
    match &card.forecasts {
        Some(forecasts) => print_forecasts(forecasts),
        None => say(&format!("  chances        none stated: a source needs {LEARNT_FROM} signals that have ended")),
    }
}

const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Warn | Verdict::NotProven => "NOT PROVEN",
    }
}

fn print_forecasts(forecasts: &Forecasts) {
    let Forecasts { calls, brier, base, difference, curve } = forecasts;
    let says = match difference {
        Some(test) if test.p < 0.05 && brier < base => format!("better, p = {:.3}", test.p),
        Some(test) if test.p < 0.05 => format!("worse, p = {:.3}", test.p),
        Some(test) => format!("not significant, p = {:.2}", test.p),
        None => "no test possible".to_owned(),
    };
    say(&format!("  chances        Brier {brier:.4} against {base:.4} over {}: {says}", counted(*calls, "signal")));
    let points: Vec<String> =
        curve.iter().map(|bin| format!("{:.0}→{:.0} % ({})", bin.stated * 100.0, bin.happened * 100.0, bin.calls)).collect();
    say(&format!("  said→happened  {}", points.join("  ")));
}

fn part(part: Part) -> String {
    let rate = part.rate().map_or_else(|| "n/a".to_owned(), |rate| format!("{:.1} %", rate * 100.0));
    format!("{rate} {}", range(part.interval(), 100.0, 1))
}

fn range(interval: Option<Interval>, scale: f64, digits: usize) -> String {
    interval.map_or_else(
        || "[n/a]".to_owned(),
        |interval| format!("[{:.digits$}, {:.digits$}]", interval.low * scale, interval.high * scale),
    )
}

/// A scorecard for a script.
pub(super) fn as_json(name: &str, card: &Card) -> Value {
    let interval = |interval: Option<Interval>| interval.map(|interval| [interval.low, interval.high]);
    let part =
        |part: Part| json!({"count": part.count, "of": part.of, "rate": part.rate(), "interval": interval(part.interval())});
    let forecasts = card.forecasts.as_ref().map(|forecasts| {
        let curve: Vec<Value> = forecasts
            .curve
            .iter()
            .map(|bin| {
                json!({"stated": bin.stated, "happened": bin.happened, "interval": interval(bin.interval), "signals": bin.calls})
            })
            .collect();
        json!({"signals": forecasts.calls, "brier": forecasts.brier, "base": forecasts.base,
               "p": forecasts.difference.map(|test| test.p), "curve": curve})
    });
    json!({"name": name, "signals": card.signals, "before_the_run": card.warm_up, "independent": card.independent, "right": part(card.right),
           "rose": part(card.rose), "paid": part(card.paid), "expectancy": card.expectancy,
           "verdict": verdict(card.verdict),
           "expectancy_interval": interval(card.expectancy_interval), "profit_factor": card.profit_factor,
           "sharpe": card.sharpe.map(|(ratio, _)| ratio),
           "sharpe_interval": card.sharpe.and_then(|(_, of)| interval(of)), "forecasts": forecasts})
}
