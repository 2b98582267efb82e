//! The feed: which provider serves what, since when, why not the one before it, and what is left of each provider's day.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};

use crate::domain::{Calendar, InstrumentId, MarketTime, PauseOf, WallTime, new_york};
use crate::engine::QuoteRow;
use crate::runtime::{FeedView, Met, Pause, ProviderId, ProviderView, ServedView, Stands, StreamView};
use crate::ui::column::Column;
use crate::ui::draw::{Picture, boxed};
use crate::ui::format;
use crate::ui::roles::Role;

/// Symbols that one line names.
const NAMED: usize = 6;

/// Draws the view.
pub fn draw(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let Some(feed) = &picture.live.feed else {
        let inner = boxed(picture, "Feed", "no providers", true, area, buffer);
        let mut column = Column::new(picture, inner);
        column.put(buffer, "Prices come from a tape or from a broker's own market: no provider is asked.", Role::Text);
        return column.put(buffer, "`pmax --feed live` takes live prices, without key or account.", Role::Muted);
    };
    let halves = if area.width >= 100 {
        Layout::horizontal([Constraint::Percentage(45), Constraint::Percentage(55)]).areas::<2>(area)
    } else {
        Layout::vertical([Constraint::Percentage(50), Constraint::Percentage(50)]).areas::<2>(area)
    };
    let [first, second] = halves;
    providers(picture, feed, first, buffer);
    served(picture, feed, second, buffer);
}

fn providers(picture: &Picture<'_>, feed: &FeedView, area: Rect, buffer: &mut Buffer) {
    let mut column = Column::new(picture, boxed(picture, "Feed", "public providers", true, area, buffer));
    for provider in &feed.providers {
        let (mark, role) = standing(provider, picture.now);
        column.put(buffer, &format!("{mark} {}", provider.id), role);
        facts(&mut column, provider, buffer);
        column.gap();
    }
    let waits =
        format!("{} replaced by newer ones before they were taken, {} dropped", grouped(feed.conflated), grouped(feed.dropped));
    column.fact(buffer, "prices", &waits, if feed.dropped > 0 { Role::Warn } else { Role::Text });
    column.fact(buffer, "closed bars", "none dropped: while too many wait, none are asked for", Role::Muted);
    if let Some(why) = &feed.not_kept {
        let text = format!("the counts of requests cannot be kept ({why}): nobody is asked until they can");
        column.put(buffer, &text, Role::Warn);
    }
}

/// Mark and role of a provider; the words tell it too.
fn standing(provider: &ProviderView, now: WallTime) -> (&'static str, Role) {
    // No key, or one that holds nothing of this: nobody's trouble.
    let is_unasked = provider.bars.is_none_or(|stands| stands == Stands::Removed) && provider.last.is_none();
    if provider.key.is_some() && is_unasked {
        return ("○", Role::Muted);
    }
    let is_open = provider.stream.is_none_or(|stream| stream.open_since.is_some());
    let rests = matches!(provider.bars, Some(Stands::Resting { .. } | Stands::Removed));
    match (is_open, rests || provider.paused_until.is_some_and(|until| until > now)) {
        (true, false) => ("●", Role::Up),
        (true, true) | (false, false) => ("◐", Role::Warn),
        (false, true) => ("✗", Role::Danger),
    }
}

fn facts(column: &mut Column<'_, '_>, provider: &ProviderView, buffer: &mut Buffer) {
    let now = column.picture().now;
    if let Some(stream) = provider.stream {
        let (words, role) = stream_words(stream, now);
        column.fact(buffer, "stream", &words, role);
    }
    if let Some(key) = &provider.key {
        column.fact(buffer, "key", key, Role::Muted);
    }
    if let Some(stands) = provider.bars {
        let (words, role) = match stands {
            Stands::Good => ("may serve".to_owned(), Role::Text),
            Stands::Resting { until } => (format!("rests, asked again in {}", format::age(until.since(now))), Role::Warn),
            Stands::Probing { good } => (format!("being tried again, {good} of 2 good"), Role::Warn),
            Stands::Removed if provider.key.is_some() && provider.last.is_none() => {
                ("not asked for bars".to_owned(), Role::Muted)
            }
            Stands::Removed => ("not asked again".to_owned(), Role::Danger),
        };
        column.fact(buffer, "requests", &words, role);
    }
    let used = u64::from(provider.used_today);
    let (words, role) = match provider.most_today.map(u64::from) {
        Some(most) => {
            let words = format!("{} of {} left", grouped(most.saturating_sub(used)), grouped(most));
            (words, if used * 10 >= most * 9 { Role::Warn } else { Role::Text })
        }
        None => (format!("{} so far", grouped(used)), Role::Text),
    };
    column.fact(buffer, "today's requests", &words, role);
    if let Some(until) = provider.paused_until {
        column.fact(buffer, "wants a pause", &format!("for another {}", format::age(until.since(now))), Role::Warn);
    }
    if let Some((at, why)) = &provider.last {
        column.fact(buffer, "last trouble", &format!("{why}, {} ago", format::age(now.since(*at))), Role::Muted);
    }
}

fn stream_words(stream: StreamView, now: WallTime) -> (String, Role) {
    match (stream.open_since, stream.retry_at.filter(|at| *at > now)) {
        (Some(since), _) => {
            let times = if stream.connections > 1 { format!(", connection {}", stream.connections) } else { String::new() };
            (format!("open for {}{times}", format::age(now.since(since))), Role::Text)
        }
        (None, Some(at)) => (format!("closed, tried again in {}", format::age(at.since(now))), Role::Warn),
        (None, None) => ("opening".to_owned(), Role::Warn),
    }
}

fn grouped(number: u64) -> String {
    format::grouped(&number.to_string())
}

fn served(picture: &Picture<'_>, feed: &FeedView, area: Rect, buffer: &mut Buffer) {
    let right = format!("{} instruments", feed.served.len());
    let mut column = Column::new(picture, boxed(picture, "Served", &right, false, area, buffer));
    for group in groups(&feed.served) {
        let Some(first) = group.first() else { continue };
        column.put(buffer, &symbols(picture, &group), Role::Accent);
        part(&mut column, "prices", first.quotes, &first.quotes_before, buffer);
        part(&mut column, "bars", first.bars, &first.bars_before, buffer);
        column.gap();
    }
    quality(picture, feed, &mut column, buffer);
    hours(&mut column, feed, buffer);
}

/// The quality of what is told: in a line for all that is whole, and one for each instrument that is not, with the reasons.
fn quality(picture: &Picture<'_>, feed: &FeedView, column: &mut Column<'_, '_>, buffer: &mut Buffer) {
    let rows = || picture.snapshot().quotes.iter();
    let of = |row: &QuoteRow| feed.served.iter().find(|one| one.instrument == row.instrument);
    let is_worth_a_line = |row: &&QuoteRow| {
        let missing = feed.minutes.iter().any(|one| one.instrument == row.instrument && one.minutes.missing > 0);
        row.is_poor || missing || of(row).is_some_and(|one| one.paused.is_some() || !one.met.is_empty())
    };
    let served = rows().filter(|row| of(row).is_some()).count();
    let named: Vec<&QuoteRow> = rows().filter(|row| of(row).is_some()).filter(is_worth_a_line).collect();
    column.put(buffer, "Quality", Role::Accent);
    for row in &named {
        let mut parts = vec![quality_words(row)];
        parts.extend(of(row).and_then(|one| one.paused).map(pause_words));
        parts.extend(minutes_words(feed, row.instrument));
        parts.extend(of(row).map(|one| met_words(&one.met)).filter(|words| !words.is_empty()));
        let is_paused = of(row).is_some_and(|one| one.paused.is_some());
        let role = if row.is_poor || is_paused { Role::Warn } else { Role::Text };
        column.fact(buffer, &picture.context.instruments.symbol(row.instrument), &parts.join("; "), role);
    }
    let others = served - named.len();
    let words = match (named.is_empty(), others) {
        (true, _) => "everything that was told was whole and sound".to_owned(),
        (false, 0) => return,
        (false, others) => format!("{others} more: whole and sound"),
    };
    column.put(buffer, &words, Role::Muted);
}

/// The share of an instrument's last expected bars that came whole and sound.
pub fn quality_words(row: &QuoteRow) -> String {
    match row.quality {
        Some(quality) if row.is_poor => {
            format!("{:.1} % of its last 60 minutes sound: too few to open anything", quality.to_f64() * 100.0)
        }
        Some(quality) => format!("{:.1} % of its last 60 minutes sound", quality.to_f64() * 100.0),
        None => "too few minutes for a score".to_owned(),
    }
}

/// What became of its minutes, where anything but being told.
pub fn minutes_words(feed: &FeedView, instrument: InstrumentId) -> Option<String> {
    let minutes = feed.minutes.iter().find(|one| one.instrument == instrument)?.minutes;
    let part = |count: u64, word: &str| (count > 0).then(|| format!("{} {word}", grouped(count)));
    let parts = [part(minutes.told, "minutes told"), part(minutes.silent, "without a trade"), part(minutes.missing, "missing")];
    Some(parts.into_iter().flatten().collect::<Vec<_>>().join(", ")).filter(|words| !words.is_empty())
}

/// What was unsound since the start, and not used.
pub fn met_words(met: &[Met]) -> String {
    let each = met.iter().map(|met| format!("{} {} ({})", grouped(met.count), met.flaw.words(), met.by));
    each.collect::<Vec<_>>().join(", ")
}

/// That nothing trades, and since when.
pub fn pause_words(pause: Pause) -> String {
    let at = new_york().to_datetime(pause.since.timestamp()).strftime("%H:%M").to_string();
    match pause.of {
        PauseOf::Instruments => format!("no trades since {at} New York: halted, or nobody trades"),
        PauseOf::Market => format!("the whole market has not traded since {at} New York: a pause, or a holiday"),
    }
}

/// Which markets are open, and when the others are.
fn hours(column: &mut Column<'_, '_>, feed: &FeedView, buffer: &mut Buffer) {
    let picture = column.picture();
    let calendar = |one: &ServedView| picture.context.instruments.get(one.instrument).map(|known| known.calendar);
    let now = MarketTime(picture.now.0);
    for (calendar_shown, name) in
        [(Calendar::UsEquity, "US shares"), (Calendar::Fx245, "currencies"), (Calendar::Crypto247, "crypto")]
    {
        if feed.served.iter().any(|one| calendar(one) == Some(calendar_shown)) {
            let role = if calendar_shown.is_open(now) { Role::Text } else { Role::Muted };
            column.fact(buffer, name, &format::market_hours(calendar_shown, now), role);
        }
    }
}

/// Instruments that are served alike.
fn groups(served: &[ServedView]) -> Vec<Vec<&ServedView>> {
    let by = |pair: Option<(ProviderId, WallTime)>| pair.map(|(by, _)| by);
    let is_alike = |one: &ServedView, other: &ServedView| {
        (by(one.quotes), by(one.bars)) == (by(other.quotes), by(other.bars))
            && (&one.quotes_before, &one.bars_before) == (&other.quotes_before, &other.bars_before)
    };
    let mut groups: Vec<Vec<&ServedView>> = Vec::new();
    for one in served {
        match groups.iter_mut().find(|group| group.first().is_some_and(|first| is_alike(first, one))) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}

fn symbols(picture: &Picture<'_>, group: &[&ServedView]) -> String {
    let symbol = |id: InstrumentId| picture.context.instruments.symbol(id);
    let named: Vec<String> = group.iter().take(NAMED).map(|one| symbol(one.instrument)).collect();
    match group.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

fn part(
    column: &mut Column<'_, '_>,
    name: &str,
    serving: Option<(ProviderId, WallTime)>,
    before: &[(ProviderId, String)],
    buffer: &mut Buffer,
) {
    let now = column.picture().now;
    match serving {
        Some((by, since)) => column.fact(buffer, name, &format!("{by}, for {}", format::age(now.since(since))), Role::Text),
        None => column.fact(buffer, name, "nobody yet", Role::Warn),
    }
    for (id, why) in before {
        column.fact(buffer, "", &format!("not {id}: {why}"), Role::Warn);
    }
}

/// Who serves prices now, for the status line: nobody where none is heard.
pub fn serving(feed: &FeedView) -> String {
    let mut names: Vec<&str> = Vec::new();
    for (by, _) in feed.served.iter().filter_map(|one| one.quotes) {
        if !names.contains(&by.name()) {
            names.push(by.name());
        }
    }
    if names.is_empty() { "nobody yet".to_owned() } else { names.join(", ") }
}
