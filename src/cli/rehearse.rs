//! `pmax rehearse`: a held book through a crash, with the breakers and without.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::backtest::{self, Life, Rehearsal, Scene};
use crate::cli::args::{Args, Format, Rehearse};
use crate::cli::open::{Base, date};
use crate::cli::{Done, OK, say};
use crate::domain::{BrokerKind, InstrumentTable, Money, counted};
use crate::engine::TapeRef;
use crate::market::Player;
use crate::risk::{Action, Subject, Trip};
use crate::runtime::{RunTerms, Trouble};

/// Rehearses and reports.
pub fn run(args: &Args, options: &Rehearse) -> Done {
    let mut base = Base::open(args)?.trading_at(BrokerKind::Paper)?;
    base.config.tape.name = match options.tape.as_str() {
        "2008" => "crash-2008".to_owned(),
        "2020" => "crash-2020".to_owned(),
        other => other.to_owned(),
    };
    let tape = base.tape()?;
    let RunTerms { seed, capital, .. } = base.terms(args)?;
    let from = options.from.as_deref().map(date).transpose()?.or_else(|| tape.start()).unwrap_or_default();
    let until = options.until.as_deref().map(date).transpose()?;
    let tape_ref = TapeRef { name: tape.meta.name.clone(), sha256: tape.sha256.clone(), seed };
    let scene = Scene { setup: base.setup(&tape), tape: tape_ref, capital, from, until };
    let player = Player::new(&tape, seed);
    let rehearsal = backtest::rehearse(&scene, || player.clone());
    if rehearsal.positions == 0 {
        return Err(Trouble::new(
            format!("There is nothing to hold: at {from} no instrument of {} has a price and trades on", rehearsal.tape.name),
            "Nothing was played and nothing was changed",
            "Choose another --from within the tape; `pmax tapes` lists them",
        ));
    }
    match options.format {
        Format::Json => say(&serde_json::json!(rehearsal).to_string()),
        Format::Text => print(&rehearsal, &base.instruments),
    }
    Ok(OK)
}

fn print(rehearsal: &Rehearsal, instruments: &InstrumentTable) {
    let Rehearsal { tape, from, capital, positions, guarded, bare } = rehearsal;
    say(&format!("{} from {from}: {capital:.2} in {}, held by nobody", tape.name, counted(*positions, "equal position")));
    say("bars only; nothing is opened, and nobody re-arms");
    say("");
    say("day               guarded          bare  what happened");
    let mut dates: BTreeSet<Date> = guarded.trips.iter().filter(|(_, trip)| matters(trip)).map(|(date, _)| *date).collect();
    dates.extend(guarded.cuts.iter().map(|(date, _)| *date));
    dates.extend(guarded.days.first().into_iter().chain(guarded.days.last()).map(|(date, _)| *date));
    for date in dates {
        let happened = on(guarded, date, instruments);
        let money = |life: &Life| value_on(life, date).map_or_else(|| "n/a".to_owned(), |equity| format!("{equity:.2}"));
        let mut lines = happened.into_iter();
        say(&format!("{date} {:>14}{:>14}  {}", money(guarded), money(bare), lines.next().unwrap_or_default()));
        lines.for_each(|line| say(&format!("{:>38}  {line}", "")));
    }
    let idle = guarded.trips.iter().filter(|(_, trip)| !matters(trip)).count();
    if idle > 0 {
        say(&format!("… and {} where nothing was held any more", counted(idle, "trip")));
    }
    say("");
    let end = |life: &Life| life.equity().map_or_else(|| "n/a".to_owned(), |equity| format!("{equity:.2}"));
    say(&format!("at the end      {} guarded, {} bare", end(guarded), end(bare)));
    say(&format!("deepest fall    {:.2} % guarded, {:.2} % bare", guarded.max_drawdown, bare.max_drawdown));
}

/// Whether a trip did anything: a cut of an instrument that is not held has nothing to cut.
const fn matters(trip: &Trip) -> bool {
    !(matches!(trip.action, Action::Reduce(_)) && trip.targets.is_empty())
}

/// What tripped and what was closed on a day.
fn on(life: &Life, date: Date, instruments: &InstrumentTable) -> Vec<String> {
    let tripped = life.trips.iter().filter(|(day, trip)| *day == date && matters(trip)).map(|(_, trip)| words(trip, instruments));
    let closed: Vec<_> = life.cuts.iter().filter(|(day, _)| *day == date).map(|(_, fill)| fill).collect();
    let value: f64 = closed.iter().map(|fill| fill.price.to_f64() * fill.quantity.to_f64()).sum();
    let cuts =
        (!closed.is_empty()).then(|| format!("closed for breakers: {}, {value:.2} in all", counted(closed.len(), "trade")));
    let states = life.states.iter().filter(|(day, _)| *day == date).map(|(_, state)| format!("trading {state}"));
    tripped.chain(states).chain(cuts).collect()
}

fn words(trip: &Trip, instruments: &InstrumentTable) -> String {
    let about = match trip.subject {
        Subject::Account => String::new(),
        Subject::Instrument(id) => format!(" of {}", instruments.symbol(id)),
        Subject::Source(source) => format!(" of {}", source.word()),
    };
    format!("{}{about}: {}; {}", trip.rule.words(), trip.numbers(), trip.action.words())
}

fn value_on(life: &Life, date: Date) -> Option<Money> {
    life.days.iter().find(|(day, _)| *day == date).map(|(_, equity)| *equity)
}
