//! The watchlist's window: one line of words, one line of how the search stands, and the rows below, which do not move while it is asked.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::{AssetClass, Calendar, Instrument, counted};

use crate::runtime::{Draft, Known, SearchStands};
use crate::ui::draw::Picture;
use crate::ui::format;
use crate::ui::overlays::window;
use crate::ui::roles::Role;
use crate::ui::state::WatchForm;
use crate::ui::table::{Cell, Column, Table, left, offset_for};
use crate::ui::watching::{Row, rows, search, words};

const COLUMNS: [Column; 6] = [
    left("symbol", 10, 0),
    left("name", 22, 0),
    left("kind", 9, 1),
    left("in", 4, 2),
    left("exchange or names", 18, 4),
    left("stands", 30, 0),
];

/// A wait that is not worth a word, in nanoseconds.
const SOON: i64 = 2_000_000_000;

/// Draws the window.
pub fn draw(picture: &Picture<'_>, form: &WatchForm, area: Rect, buffer: &mut Buffer) {
    let inner = window(picture, "Watchlist — type to look for an instrument", (112, 30), area, buffer);
    let Some(known) = &picture.state.watch.known else { return };
    if let Some(draft) = &form.draft {
        return confirm(picture, draft, inner, buffer);
    }
    picture.text(buffer, inner, 0, &format!("› {}▏", form.input.value()), Role::Accent);
    let (said, role) = stands(picture, form, known);
    picture.text(buffer, inner, 1, &said, role);
    let all = rows(form, known, picture.live.feed.as_ref());
    let table = Rect { y: inner.y + 2, height: inner.height.saturating_sub(4), ..inner };
    if all.is_empty() {
        picture.text(buffer, table, 0, "nothing that is known here matches", Role::Muted);
    }
    let selected = form.selected.min(all.len().saturating_sub(1));
    let cells: Vec<Vec<Cell>> = all.iter().map(|row| cells(picture, row, known)).collect();
    if !cells.is_empty() {
        let offset = offset_for(selected, usize::from(table.height.saturating_sub(1)));
        Table { columns: &COLUMNS, rows: &cells, selected: Some(selected), offset }.draw(table, buffer, picture.theme);
    }
    let bottom = Rect { y: inner.y + inner.height.saturating_sub(1), height: 1, ..inner };
    match &form.grouping {
        Some(group) => {
            let words = format!("group: {}▏   Enter puts it in, or takes it out; Esc leaves it", group.value());
            picture.text(buffer, bottom, 0, &words, Role::Accent);
        }
        None => {
            let keys = "Enter adds   Del lets go   Shift+↑↓ moves   Ctrl+G group   Esc closes";
            picture.text(buffer, bottom, 0, keys, Role::Muted);
        }
    }
}

/// How the search stands, in one line that is always there.
fn stands(picture: &Picture<'_>, form: &WatchForm, known: &Known) -> (String, Role) {
    let feed = picture.live.feed.as_ref();
    if picture.state.watch.is_writing || picture.state.watch.leaving.is_some() {
        return ("the change is being written …".to_owned(), Role::Muted);
    }
    if words(form).is_empty() {
        let watched = counted(known.watched().len(), "instrument");
        let later = if feed.is_some() { "" } else { "; a run with --feed live follows this list" };
        return (format!("{watched} watched{later}"), Role::Muted);
    }
    if feed.is_none() {
        return ("nobody is asked in this run: only what is known here is searched".to_owned(), Role::Warn);
    }
    match search(form, feed).map(|search| &search.stands) {
        None | Some(SearchStands::Waiting) => ("asking Yahoo …".to_owned(), Role::Muted),
        // A second between two requests is not worth a word.
        Some(SearchStands::Later { until }) if until.since(picture.now).0 < SOON => ("asking Yahoo …".to_owned(), Role::Muted),
        Some(SearchStands::Later { until }) => {
            let wait = format::age(until.since(picture.now));
            (format!("no room in Yahoo's budget for {wait}: only what is known here is searched"), Role::Warn)
        }
        Some(SearchStands::Found(hits)) if hits.is_empty() => ("Yahoo knows nothing by these words".to_owned(), Role::Muted),
        Some(SearchStands::Found(hits)) => (format!("Yahoo found {}", hits.len()), Role::Muted),
        Some(SearchStands::Refused(why)) => (format!("Yahoo: {why}; only what is known here is searched"), Role::Warn),
    }
}

fn cells(picture: &Picture<'_>, row: &Row<'_>, known: &Known) -> Vec<Cell> {
    let of_known = |one: &Instrument, is_watched: bool| {
        let (plain, stands) = match (is_watched, one.tradable) {
            (true, true) => (Role::Text, "watched"),
            (true, false) => (Role::Text, "watched, not tradable"),
            (false, _) => (Role::Muted, "known, not watched"),
        };
        let groups = groups_of(picture, &one.symbol);
        let stands = if groups.is_empty() { stands.to_owned() } else { format!("{stands} · {groups}") };
        vec![
            Cell::new(&one.symbol, plain),
            Cell::new(&one.name, plain),
            Cell::new(kind_word(one.kind), Role::Muted),
            Cell::new(one.currency.to_string(), Role::Muted),
            Cell::new(names_of(known, &one.symbol), Role::Muted),
            Cell::new(stands, if is_watched { Role::Up } else { Role::Muted }),
        ]
    };
    match row {
        Row::Watched(one) => of_known(one, true),
        Row::Known(one) => of_known(one, false),
        Row::Found(hit, same) => {
            let currency = crate::runtime::draft_of(hit).map(|draft| draft.instrument.currency.to_string());
            let (stands, role) = match (same, &currency) {
                (Some(one), _) => (format!("is {}", one.symbol), Role::Up),
                (None, Ok(_)) => ("new".to_owned(), Role::Accent),
                (None, Err(why)) => (why.clone(), Role::Warn),
            };
            vec![
                Cell::new(&hit.symbol, Role::Text),
                Cell::new(hit.name.as_str(), Role::Text),
                Cell::new(hit.listing.word(), Role::Muted),
                Cell::new(currency.unwrap_or_else(|_| format::NOT_AVAILABLE.to_owned()), Role::Muted),
                Cell::new(hit.exchange.as_str(), Role::Muted),
                Cell::new(stands, role),
            ]
        }
    }
}

fn groups_of(picture: &Picture<'_>, symbol: &str) -> String {
    let state = picture.state;
    let holds = |members: &Vec<String>| members.iter().any(|member| member.eq_ignore_ascii_case(symbol));
    let configured = picture.context.groups.iter().filter(|(name, _)| !state.own_groups.contains_key(*name));
    let all = state.own_groups.iter().chain(configured).filter(|(_, members)| holds(members));
    all.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
}

fn names_of(known: &Known, symbol: &str) -> String {
    // What a provider calls it who wants a key is of use to few.
    let names = known.table.known.get(symbol).into_iter().flatten().filter(|(provider, _)| provider.key().is_none());
    names.map(|(provider, alias)| format!("{provider} {}", alias.shown())).collect::<Vec<_>>().join(", ")
}

const fn kind_word(kind: AssetClass) -> &'static str {
    match kind {
        AssetClass::Stock => "share",
        AssetClass::Index => "index",
        AssetClass::Commodity => "commodity",
        AssetClass::Crypto => "crypto",
        AssetClass::Fx => "currency",
    }
}

const fn hours(calendar: Calendar) -> &'static str {
    match calendar {
        Calendar::UsEquity => "09:30 to 16:00 New York on weekdays",
        Calendar::Crypto247 => "always",
        Calendar::Fx245 => "Sunday 17:00 to Friday 17:00 New York",
    }
}

/// What a new instrument would be, before it is written.
fn confirm(picture: &Picture<'_>, draft: &Draft, inner: Rect, buffer: &mut Buffer) {
    let one = &draft.instrument;
    let names: Vec<String> = draft.names.iter().map(|(provider, alias)| format!("{provider} {}", alias.shown())).collect();
    let facts = [
        ("symbol here", one.symbol.clone()),
        ("name", one.name.clone()),
        ("kind", kind_word(one.kind).to_owned()),
        ("priced in", one.currency.to_string()),
        ("tick, lot", format!("{}, {}", one.tick, one.lot)),
        ("decimals", one.decimals.to_string()),
        ("sector", one.sector.clone()),
        ("hours", hours(one.calendar).to_owned()),
        ("called", names.join(", ")),
        ("orders", if one.tradable { "taken on paper" } else { "none: watch-only" }.to_owned()),
    ];
    picture.text(buffer, inner, 0, "A new instrument of your own would be:", Role::Accent);
    let mut line = 2;
    for (label, value) in &facts {
        picture.text(buffer, inner, line, &format!("{label:>12}  {value}"), Role::Text);
        line += 1;
    }
    line += 1;
    for note in &draft.notes {
        picture.text(buffer, inner, line, note, Role::Warn);
        line += 1;
    }
    line += u16::from(!draft.notes.is_empty());
    picture.text(buffer, inner, line, "y writes it into instruments.toml and watches it   Esc goes back", Role::Accent);
}
