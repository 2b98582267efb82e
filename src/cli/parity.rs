//! `pmax parity`: did the paper account, or the broker, do what a test of the same decisions does?

use jiff::civil::Date;
use serde_json::json;

use crate::backtest::{Parity, Shortfall, Trip};
use crate::cli::args::{Args, Format, Parity as Options};
use crate::cli::backtest::unplayable;
use crate::cli::journal::Lived;
use crate::cli::{DIFFERENT, Done, OK, say};
use crate::domain::{BrokerKind, InstrumentTable, counted};
use crate::runtime::{Trouble, broker_of, live_again};
use crate::stats::Interval;

/// Lives the run again and reports.
pub fn run(args: &Args, options: &Options) -> Done {
    let day = options.day.as_deref().map(read_day).transpose()?;
    let lived = Lived::open(args, options.run)?;
    let again = live_again(&lived.file, lived.row.run, lived.market()?, &lived.setup)?;
    let parity = again.compare(day).map_err(|error| unplayable(&error))?;
    let (run, broker) = (lived.row.run, broker_of(&lived.row));
    if options.format == Format::Json {
        say(&json!({"run": run.0, "tape": lived.row.tape.name, "broker": broker.word(), "day": day, "parity": parity})
            .to_string());
    } else {
        let of_day = day.map_or_else(String::new, |day| format!(", opened on {day}"));
        let same = if broker == BrokerKind::Paper { "decisions" } else { "orders" };
        let (tape, word) = (&lived.row.tape.name, broker.word());
        say(&format!("{run} on {tape}, {word}{of_day}: as lived against a test of the same {same}"));
        print(&parity, broker, &lived.base.instruments);
    }
    Ok(if parity.agrees { OK } else { DIFFERENT })
}

fn read_day(text: &str) -> Result<Date, Trouble> {
    text.parse().map_err(|_| {
        Trouble::new(format!("--day «{text}» is not a date"), "The journal was only read", "Write e.g. --day 2020-03-16")
    })
}

fn print(parity: &Parity, broker: BrokerKind, instruments: &InstrumentTable) {
    let Parity { same, different, only_lived, only_tested, adopted, shortfall, restarts, refused, agrees } = parity;
    let all = same + different.len() + only_lived.len() + only_tested.len() + adopted.len();
    if all == 0 {
        return say("nothing was opened, and nothing would have been");
    }
    say(&format!("to the last digit   {}", counted(*same, "position")));
    for one in different {
        let parts: Vec<&str> = one.parts.iter().map(|part| part.word()).collect();
        say(&format!("different           {}: {}", named(&one.lived, instruments), parts.join(", ")));
        say(&format!("  as lived          {}", sums(&one.lived)));
        say(&format!("  as tested         {}", sums(&one.tested)));
    }
    each("only lived", only_lived, instruments);
    each("only tested", only_tested, instruments);
    each("opened elsewhere", adopted, instruments);
    if let Some(shortfall) = shortfall {
        say(&format!("entries             {}", worse(shortfall)));
    }
    if *refused > 0 {
        say(&format!(
            "left out            {}: the broker refused it, or it never got there",
            counted(u64::from(*refused), "order")
        ));
    }
    if *restarts > 0 && !agrees && broker == BrokerKind::Paper {
        let times = counted(u64::from(*restarts), "restart");
        say(&format!("{times} in between: the paper exchange forgets then how much of the running bar's volume it has used"));
    }
}

fn each(label: &str, trips: &[Trip], instruments: &InstrumentTable) {
    for trip in trips {
        say(&format!("{label:<20}{}", named(trip, instruments)));
        say(&format!("                    {}", sums(trip)));
    }
}

fn named(trip: &Trip, instruments: &InstrumentTable) -> String {
    let trade = &trip.trade;
    format!("{} {} {}, {}", trade.side, trade.quantity, instruments.symbol(trade.instrument), trade.order)
}

fn sums(trip: &Trip) -> String {
    let trade = &trip.trade;
    let end = if trip.is_closed { format!("to {}", trade.closed_at) } else { "still open".to_owned() };
    let result = if trip.is_closed { format!("{:+.2} before cost", trade.gross) } else { "no result yet".to_owned() };
    format!("{} worth {:.2}, from {} {end}; {result}, cost {:.2}", trade.quantity, trade.value, trade.opened_at, trade.cost)
}

/// How far entries lie apart, in hundredths of a percent.
fn worse(shortfall: &Shortfall) -> String {
    let Shortfall { entries, mean, interval } = shortfall;
    let (points, count) = (mean * 1e4, counted(*entries, "entry"));
    let range = |interval: &Interval| format!(", 95 % [{:+.1}, {:+.1}]", interval.low * 1e4, interval.high * 1e4);
    let range = interval.as_ref().map_or_else(String::new, range);
    format!("{points:+.1} bp worse than tested on the mean of {count}{range}")
}
