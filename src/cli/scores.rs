//! `pmax scores`: what the signals of a run were worth.

use serde_json::{Value, json};

use crate::cli::args::{Args, ScoredBy, Scores as Options};
use crate::cli::journal::ledger;
use crate::cli::open::Base;
use crate::cli::{Done, OK, say};
use crate::domain::{InstrumentTable, RunId, counted};
use crate::runtime::Trouble;
use crate::signals::{Call, Card, Forecasts, LEARNT_FROM, Part, Scores};
use crate::stats::Interval;

/// Reads the signals and prints their scorecards.
pub fn run(args: &Args, options: &Options) -> Done {
    let base = Base::open(args)?;
    let file = ledger(&base)?;
    let row = match options.run {
        Some(run) => file.run(RunId(run))?,
        None => file.latest_run()?.ok_or_else(|| {
            Trouble::new("The ledger holds no run yet", "Nothing was changed", "Start the workstation once and let it play")
        })?,
    };
    let calls = file.calls(row.run)?;
    let abstained = "a source without a view says nothing and is not counted";
    let scores = Scores::new(calls);
    let cards = cards(&scores, options.by, &base.instruments);
    if options.format == crate::cli::args::Format::Json {
        let cards: Vec<Value> = cards.iter().map(|(name, card)| as_json(name, card)).collect();
        say(&json!({"run": row.run.0, "tape": row.tape.name, "by": word(options.by), "cards": cards}).to_string());
        return Ok(OK);
    }
    say(&format!("{} on {}, by {}; {abstained}", row.run, row.tape.name, word(options.by)));
    for (name, card) in &cards {
        print(name, card);
    }
    say("");
    say(
        "right: before cost. always up: what needs no skill. independent: spans that follow one another; intervals of means rest on them.",
    );
    say(
        "chances: learnt from the strength of signals that had ended by then; Brier score, lower is better, against the share right before.",
    );
    Ok(OK)
}

const fn word(by: ScoredBy) -> &'static str {
    match by {
        ScoredBy::Source => "source",
        ScoredBy::Instrument => "instrument",
        ScoredBy::Regime => "regime",
        ScoredBy::Horizon => "horizon",
        ScoredBy::Verdict => "verdict",
    }
}

/// One card for all, and one for each value of the key.
fn cards(scores: &Scores, by: ScoredBy, instruments: &InstrumentTable) -> Vec<(String, Card)> {
    let mut cards = vec![("all".to_owned(), scores.card(|_| true))];
    let mut add = |name: String, is_meant: &dyn Fn(&Call) -> bool| cards.push((name, scores.card(is_meant)));
    match by {
        ScoredBy::Source => {
            for source in scores.keys(|call| call.source) {
                add(source.word().to_owned(), &|call| call.source == source);
            }
        }
        ScoredBy::Instrument => {
            for id in scores.keys(|call| call.instrument) {
                add(instruments.symbol(id), &|call| call.instrument == id);
            }
        }
        ScoredBy::Regime => {
            for weather in scores.keys(|call| call.weather) {
                add(weather.word().to_owned(), &|call| call.weather == weather);
            }
        }
        ScoredBy::Horizon => {
            for horizon in scores.keys(|call| call.horizon) {
                add(counted(u64::from(horizon), "bar"), &|call| call.horizon == horizon);
            }
        }
        ScoredBy::Verdict => {
            for passed in scores.keys(|call| call.passed) {
                add(if passed { "kept" } else { "refused" }.to_owned(), &|call| call.passed == passed);
            }
        }
    }
    cards
}

fn print(name: &str, card: &Card) {
    say("");
    let running = card.signals - card.right.of;
    say(&format!("{name}: {}, {running} still running, {} independent", counted(card.signals, "signal"), card.independent));
    if card.right.of == 0 {
        return say("  none has ended yet");
    }
    say(&format!("  right          {:<26} always up {}", part(card.right), part(card.rose)));
    say(&format!("  paid           {}", part(card.paid)));
    let expectancy = card.expectancy.map_or_else(|| "n/a".to_owned(), |mean| format!("{:+.3} %", mean * 100.0));
    say(&format!("  after cost     {expectancy:<10} 95 % {}", range(card.expectancy_interval, 100.0, 3)));
    let factor = card.profit_factor.map_or_else(|| "n/a".to_owned(), |factor| format!("{factor:.2}"));
    let sharpe = card
        .sharpe
        .as_ref()
        .map_or_else(|| "n/a".to_owned(), |(ratio, interval)| format!("{ratio:.2} {}", range(*interval, 1.0, 2)));
    say(&format!("  profit factor  {factor:<10} Sharpe a span {sharpe}"));
    match &card.forecasts {
        Some(forecasts) => print_forecasts(forecasts),
        None => say(&format!("  chances        none stated: a source needs {LEARNT_FROM} signals that have ended")),
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

fn as_json(name: &str, card: &Card) -> Value {
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
    json!({"name": name, "signals": card.signals, "independent": card.independent, "right": part(card.right),
           "rose": part(card.rose), "paid": part(card.paid), "expectancy": card.expectancy,
           "expectancy_interval": interval(card.expectancy_interval), "profit_factor": card.profit_factor,
           "sharpe": card.sharpe.map(|(ratio, _)| ratio),
           "sharpe_interval": card.sharpe.and_then(|(_, of)| interval(of)), "forecasts": forecasts})
}
