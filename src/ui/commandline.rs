//! The command line: an action's name, or a symbol followed by what to do with it.

use crate::domain::{CleanText, Currency, InstrumentId, MarketTime, Money, OrderSide, Quantity};
use crate::engine::{BreakerRow, Command};
use crate::risk::{Subject, Unlock};
use crate::runtime::{TapeControl, WatchChange};
use crate::ui::actions::{ACTIONS, ActionId};
use crate::ui::format;
use crate::ui::intent::Intent;
use crate::ui::state::{Context, UiState, View};
use crate::ui::update::{Effect, Scene, ask, open_preview, parse_speed, perform, toast, watching, write_ticket};

/// Words that are not action names.
const WORDS: [(&str, &str); 9] = [
    ("jump DATE", "run the tape ahead to a date (UTC)"),
    ("speed N|max", "set the speed"),
    ("reset CAPITAL", "begin the paper account anew"),
    ("SYMBOL [chart|buy|sell|close [QUANTITY]]", "an instrument"),
    ("group NAME [add|remove SYMBOL|delete]", "show, edit or delete a group of quotes"),
    ("watch search WORDS|add SYMBOL|remove SYMBOL|move SYMBOL N|group SYMBOL NAME", "the watchlist"),
    ("lock SYMBOL|all TIME WHY", "take no new orders there for 30m, 4h or 2d of market time"),
    ("unlock BREAKER|SYMBOL|all WHY", "let go of a timed lock before its time: write it twice within 60 s"),
    ("quit", "end the program"),
];

/// The largest paper account, in whole dollars.
const MOST_CAPITAL: i64 = 1_000_000_000;

/// Runs a line.
pub(super) fn run(state: &mut UiState, line: &str, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    if line.is_empty() {
        return;
    }
    state.history.retain(|known| known != line);
    state.history.push(line.to_owned());
    if state.history.len() > 50 {
        state.history.remove(0);
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    let done = match words.as_slice() {
        ["jump", date] => jump(state, date, scene),
        ["speed", speed] => set_speed(speed, effects),
        ["reset", capital] => reset(state, capital, scene),
        ["group", rest @ ..] => group(state, rest, scene.context),
        ["watch", rest @ ..] if !rest.is_empty() => watch(state, rest, scene, effects),
        ["lock", whom, time, why @ ..] => lock(state, whom, time, why, scene, effects),
        ["lock", ..] => Err("write e.g. `lock AAPL 4h earnings tonight`, or `all` in place of the symbol".to_owned()),
        ["unlock", whom, why @ ..] => unlock(state, whom, why, scene, effects),
        ["unlock"] => Err("write e.g. `unlock AAPL news is out`; the zoomed risk pane (5, z) lists what is locked".to_owned()),
        ["colors"] => perform_named(state, "colours", scene, effects),
        [name] if ACTIONS.iter().any(|info| info.name == *name) => perform_named(state, name, scene, effects),
        [symbol, rest @ ..] => instrument(state, symbol, rest, scene),
        [] => Ok(()),
    };
    if let Err(problem) = done {
        toast(state, &problem, true, scene.now);
    }
}

type Done = Result<(), String>;

fn perform_named(state: &mut UiState, name: &str, scene: Scene<'_>, effects: &mut Vec<Effect>) -> Done {
    let info = ACTIONS.iter().find(|info| info.name == name).ok_or_else(|| unknown(name))?;
    if info.id == ActionId::Jump {
        return Err("jump where to? Write e.g. `jump 2020-03-16` or `jump 2020-03-16T20:00` (UTC)".to_owned());
    }
    perform(state, info.id, scene, effects);
    Ok(())
}

fn unknown(word: &str) -> String {
    format!("«{word}» is neither an action nor a symbol; `?` lists the actions")
}

fn jump(state: &mut UiState, date: &str, scene: Scene<'_>) -> Done {
    let until = MarketTime::parse(date).ok_or_else(|| format!("«{date}» is not a date; write e.g. 2020-03-16"))?;
    if until <= scene.frame.snapshot.market_now {
        return Err("a run cannot go back in time; begin a new one with `pmax --new --from DATE`".to_owned());
    }
    if let Some(end) = scene.frame.playback.ends_at.filter(|end| until > *end) {
        let ends = format::market_time(end);
        return Err(format!("the tape ends on {ends} New York time; nothing lies behind it, `jump` takes an earlier date"));
    }
    open_preview(state, Intent::Jump(until), scene);
    Ok(())
}

fn set_speed(speed: &str, effects: &mut Vec<Effect>) -> Done {
    let speed = parse_speed(speed).ok_or_else(|| format!("«{speed}» is not a speed; write a number or max"))?;
    effects.push(Effect::Tape(TapeControl::Set(speed)));
    Ok(())
}

fn reset(state: &mut UiState, capital: &str, scene: Scene<'_>) -> Done {
    let units: i64 = capital.replace([',', '_'], "").parse().map_err(|_| format!("«{capital}» is not an amount"))?;
    if !(1..=MOST_CAPITAL).contains(&units) {
        return Err("nothing was reset: `reset` takes 1 to 1,000,000,000 dollars".to_owned());
    }
    let capital = Money::whole(units, Currency::USD).map_err(|error| error.to_string())?;
    open_preview(state, Intent::Reset(capital), scene);
    Ok(())
}

fn lock(state: &mut UiState, whom: &str, time: &str, why: &[&str], scene: Scene<'_>, effects: &mut Vec<Effect>) -> Done {
    let subject = match whom {
        "all" => Subject::Account,
        symbol => Subject::Instrument(find(symbol, scene.context)?.0),
    };
    let Ok(Unlock::After(time)) = Unlock::try_from(time.to_owned()) else {
        return Err(format!("«{time}» is not a time; write e.g. 30m, 4h or 2d"));
    };
    let why = reason(why)?;
    ask(state, Command::Lock { subject, time, why }, effects);
    Ok(())
}

/// The first time it is asked for, the second time within a minute it is done: the engine counts. What is meant is a row of the table, or
/// whatever holds an instrument or the account for a time; a row that holds several is followed by the symbol.
fn unlock(state: &mut UiState, whom: &str, words: &[&str], scene: Scene<'_>, effects: &mut Vec<Effect>) -> Done {
    let subject_of = |word: &str| match word {
        "all" => Some(Subject::Account),
        symbol => scene.context.instruments.by_symbol(symbol).map(|known| Subject::Instrument(known.id)),
    };
    let timed = scene.frame.snapshot.breakers.iter().filter(|row| row.trip.ends_at().is_some());
    let is_meant = |row: &&BreakerRow| {
        row.trip.rule.as_str().eq_ignore_ascii_case(whom) || subject_of(whom).is_some_and(|of| of == row.trip.subject)
    };
    let mut meant: Vec<&BreakerRow> = timed.filter(is_meant).collect();
    let mut why = words;
    let is_row = meant.iter().any(|row| row.trip.rule.as_str().eq_ignore_ascii_case(whom));
    if let Some((next, rest)) = words.split_first().filter(|_| is_row)
        && let Some(subject) = subject_of(next)
    {
        meant.retain(|row| row.trip.subject == subject);
        why = rest;
    }
    let [row] = meant.as_slice() else {
        let which = if meant.is_empty() { "nothing" } else { "more than one thing" };
        let how = "name the row of the breaker and then the symbol; the zoomed risk pane (5, z) lists what is locked";
        return Err(format!("{which} called «{whom}» is locked for a time; {how}"));
    };
    let why = reason(why)?;
    let (rule, subject) = (row.trip.rule.clone(), row.trip.subject);
    if row.unlock_asked.is_none() {
        toast(state, "asked; write the same again within 60 s to let go of it", false, scene.now);
    }
    ask(state, Command::Unlock { rule, subject, why }, effects);
    Ok(())
}

/// The words after a command, as the journal keeps them.
fn reason(words: &[&str]) -> Result<CleanText, String> {
    let text = CleanText::from_outside(&words.join(" "));
    if text.as_str().is_empty() { Err("say why: the journal keeps the reason".to_owned()) } else { Ok(text) }
}

fn watch(state: &mut UiState, words: &[&str], scene: Scene<'_>, effects: &mut Vec<Effect>) -> Done {
    let Some(known) = state.watch.known.clone() else { return Err("no watchlist is kept here".to_owned()) };
    match words {
        ["search", words @ ..] => watching::open(state, &words.join(" "), scene, effects),
        ["add", symbol] => match known.live(symbol) {
            Some(one) => {
                let change = WatchChange::Watch(one.symbol.clone());
                watching::write(state, change, scene, effects);
            }
            // Who it is has to be chosen among what a provider finds.
            None => watching::open(state, symbol, scene, effects),
        },
        ["remove", symbol] => watching::remove(state, symbol, scene, effects),
        ["move", symbol, by] => {
            let by = by.parse().map_err(|_| format!("«{by}» is no number of places; write e.g. 2, or -1 for one up"))?;
            watching::write(state, WatchChange::Move((*symbol).to_owned(), by), scene, effects);
        }
        ["group", symbol, name] => {
            let symbol = find(symbol, scene.context)?.1;
            let said = watching::toggle_group(state, &symbol, name, scene)?;
            toast(state, &said, false, scene.now);
        }
        _ => return Err("write `watch search WORDS`, `watch add SYMBOL`, `watch remove SYMBOL`, `watch move SYMBOL 1` or `watch group SYMBOL NAME`".to_owned()),
    }
    Ok(())
}

fn group(state: &mut UiState, words: &[&str], context: &Context) -> Done {
    match words {
        [] | ["all"] => state.group.clear(),
        [name] => {
            if !state.group_names(context).iter().any(|known| known == name) {
                return Err(format!("there is no group «{name}»; `group {name} add SYMBOL` makes one"));
            }
            (*name).clone_into(&mut state.group);
        }
        [name, "delete"] => {
            let was_own = state.own_groups.remove(*name).is_some();
            if context.groups.contains_key(*name) {
                let file = "stands in the configuration file: take it out of [groups] there";
                return Err(format!("group «{name}» {file}{}", if was_own { "; changes made here are undone" } else { "" }));
            }
            if !was_own {
                return Err(format!("there is no group «{name}»"));
            }
            if state.group == *name {
                state.group.clear();
            }
        }
        [name, verb @ ("add" | "remove"), symbols @ ..] if !symbols.is_empty() => {
            let known: Result<Vec<String>, String> =
                symbols.iter().map(|symbol| find(symbol, context).map(|(_, name)| name)).collect();
            let known = known?;
            let configured = context.groups.get(*name).cloned().unwrap_or_default();
            let members = state.own_groups.entry((*name).to_owned()).or_insert(configured);
            members.retain(|member| !known.contains(member));
            if *verb == "add" {
                members.extend(known);
            }
            (*name).clone_into(&mut state.group);
        }
        _ => return Err("write `group NAME`, `group NAME add SYMBOL`, `group NAME delete` or `group all`".to_owned()),
    }
    Ok(())
}

fn find(symbol: &str, context: &Context) -> Result<(InstrumentId, String), String> {
    context.instruments.by_symbol(symbol).map(|known| (known.id, known.symbol.clone())).ok_or_else(|| unknown(symbol))
}

fn instrument(state: &mut UiState, symbol: &str, words: &[&str], scene: Scene<'_>) -> Done {
    let (id, name) = find(symbol, scene.context)?;
    let snapshot = &scene.frame.snapshot;
    if !snapshot.quotes.iter().any(|row| row.instrument == id) {
        return Err(format!("{name} is not on this tape"));
    }
    state.instrument = Some(id);
    match words {
        [] | ["chart"] => state.view = View::Detail(id),
        [verb @ ("buy" | "sell")] => {
            let side = if *verb == "buy" { OrderSide::Buy } else { OrderSide::Sell };
            if let Some(known) = scene.context.instruments.get(id) {
                write_ticket(state, known, side, scene);
            }
        }
        ["close", rest @ ..] if rest.len() < 2 => {
            let held = snapshot.positions.iter().find(|row| row.instrument == id);
            let row = held.ok_or_else(|| format!("no position in {name} is open"))?;
            let part = rest.first().map_or(Ok(None), |text| part_of(text, row.quantity))?;
            open_preview(state, Intent::Close(row.id, part), scene);
        }
        _ => return Err(format!("after {name} write chart, buy, sell, close or close QUANTITY")),
    }
    Ok(())
}

/// A part of a position as typed; the whole of it is no part.
fn part_of(text: &str, held: Quantity) -> Result<Option<Quantity>, String> {
    let wished = text.replace(',', "").parse::<Quantity>().ok().filter(|wished| wished.is_positive() && *wished <= held);
    let wished = wished.ok_or_else(|| format!("«{text}» is no part of the {held} that are held"))?;
    Ok((wished < held).then_some(wished))
}

/// Completes the last word: action names, then symbols.
pub(super) fn complete(line: &str, context: &Context) -> String {
    let (before, word) = line.rsplit_once(' ').map_or(("", line), |(before, word)| (before, word));
    let lower = word.to_lowercase();
    let action = ACTIONS.iter().map(|info| info.name.to_owned()).find(|name| before.is_empty() && name.starts_with(&lower));
    let symbol =
        || context.instruments.iter().map(|known| known.symbol.clone()).find(|name| name.to_lowercase().starts_with(&lower));
    let verb = || ["chart", "buy", "sell", "close"].into_iter().find(|verb| verb.starts_with(&lower)).map(str::to_owned);
    let found = if before.is_empty() { action.or_else(symbol) } else { verb().or_else(symbol) };
    match found {
        Some(found) if before.is_empty() => format!("{found} "),
        Some(found) => format!("{before} {found} "),
        None => line.to_owned(),
    }
}

/// What fits what is typed so far, for the line under the input.
pub(super) fn hints(line: &str) -> Vec<String> {
    let typed = line.trim_start().to_lowercase();
    let actions =
        ACTIONS.iter().filter(|info| info.name.starts_with(&typed)).map(|info| format!("{} — {}", info.name, info.title));
    let words = WORDS
        .iter()
        .filter(|(word, _)| typed.is_empty() || word.to_lowercase().starts_with(typed.split(' ').next().unwrap_or("")));
    words.map(|(word, what)| format!("{word} — {what}")).chain(actions).collect()
}
