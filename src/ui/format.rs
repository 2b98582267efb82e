//! Numbers and times as text of fixed shape.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::domain::{
    Calendar, Closed, Duration, Hours, MarketSession, MarketTime, Money, Price, Quantity, Ratio, WallTime, new_york,
};

/// What is shown where a number is undefined.
pub const NOT_AVAILABLE: &str = "n/a";

/// A price with the instrument's decimals.
pub fn price(price: Option<Price>, decimals: u8) -> String {
    let decimals = usize::from(decimals);
    price.map_or_else(|| NOT_AVAILABLE.to_owned(), |price| grouped(&format!("{price:.decimals$}")))
}

/// An amount with two decimals and separators.
pub fn money(amount: Money) -> String {
    grouped(&format!("{amount:.2}"))
}

/// An amount with its sign.
pub fn signed_money(amount: Money) -> String {
    grouped(&format!("{amount:+.2}"))
}

/// A quantity as short as it is exact.
pub fn quantity(quantity: Quantity) -> String {
    grouped(&quantity.to_string())
}

/// A share in percent with its sign and an arrow: direction never rests on colour.
pub fn change(change: Option<Ratio>) -> String {
    change.map_or_else(|| NOT_AVAILABLE.to_owned(), |change| format!("{} {change:+.2}%", arrow(change)))
}

/// A share in percent.
pub fn percent(share: Option<Ratio>) -> String {
    share.map_or_else(|| NOT_AVAILABLE.to_owned(), |share| format!("{share:.2}%"))
}

/// Up, down or flat, in one cell.
pub fn arrow(change: Ratio) -> char {
    match change.cmp(&Ratio::ZERO) {
        std::cmp::Ordering::Greater => '▲',
        std::cmp::Ordering::Less => '▼',
        std::cmp::Ordering::Equal => '·',
    }
}

/// Separates thousands in the whole part.
pub fn grouped(text: &str) -> String {
    let (sign, body) = match text.strip_prefix(['-', '+']) {
        Some(body) => (text.get(..1).unwrap_or(""), body),
        None => ("", text),
    };
    let (whole, places) = body.split_once('.').map_or((body, None), |(whole, places)| (whole, Some(places)));
    let mut out = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(places) = places {
        out.push('.');
        out.push_str(places);
    }
    out
}

/// An age in at most four cells.
pub fn age(age: Duration) -> String {
    let seconds = age.0.max(0) / 1_000_000_000;
    match seconds {
        0..=99 => format!("{seconds}s"),
        100..=5_999 => format!("{}m", seconds / 60),
        6_000..=172_799 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Date and minute in New York, where the tapes' sessions are.
pub fn market_time(at: MarketTime) -> String {
    new_york().to_datetime(at.timestamp()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// The same as wide, blank for what happened before the tape had a time.
pub fn moment(at: MarketTime) -> String {
    if at <= MarketTime(0) { format!("{:<16}", "—") } else { market_time(at) }
}

/// Date and minute in UTC, as dates are typed.
pub fn utc(at: MarketTime) -> String {
    at.timestamp().strftime("%Y-%m-%d %H:%M").to_string()
}

/// Month, day and minute in New York; blank, as wide, for what happened before the market had a time.
pub fn short_time(at: MarketTime) -> String {
    if at <= MarketTime(0) {
        return format!("{:<11}", "—");
    }
    new_york().to_datetime(at.timestamp()).strftime("%m-%d %H:%M").to_string()
}

/// The date in New York.
pub fn date(at: MarketTime) -> String {
    new_york().to_datetime(at.timestamp()).strftime("%Y-%m-%d").to_string()
}

/// Whether a market trades, why not, and when it does next, in New York's time.
pub fn market_hours(calendar: Calendar, at: MarketTime) -> String {
    let zone = new_york();
    let clock = |at: MarketTime, how: &str| zone.to_datetime(at.timestamp()).strftime(how).to_string();
    if calendar == Calendar::Crypto247 {
        return "always open".to_owned();
    }
    let (why, next) = match calendar.hours(at) {
        Hours::Open(MarketSession { close_at, early: Some(name), .. }) => {
            return format!("half day until {} New York ({name})", clock(close_at, "%H:%M"));
        }
        Hours::Open(session) => return format!("open until {} New York", clock(session.close_at, "%H:%M")),
        Hours::Closed { why: Closed::OffHours, next } => ("closed".to_owned(), next),
        Hours::Closed { why: Closed::Weekend, next } => ("weekend".to_owned(), next),
        Hours::Closed { why: Closed::Holiday(name), next } => (format!("holiday: {name}"), next),
    };
    let Some(next) = next else { return why };
    let early =
        next.early.map_or_else(String::new, |name| format!(", half day until {} ({name})", clock(next.close_at, "%H:%M")));
    format!("{why}; opens {} New York{early}", clock(next.open_at, "%a %m-%d %H:%M"))
}

/// The same, where it is not what one expects: nothing in and around ordinary sessions.
pub fn unusual_hours(calendar: Calendar, at: MarketTime) -> Option<String> {
    let is_usual = match calendar.hours(at) {
        Hours::Open(session) => session.early.is_none(),
        Hours::Closed { why, .. } => why == Closed::OffHours,
    };
    (!is_usual).then(|| market_hours(calendar, at))
}

/// Clock time in UTC.
pub fn wall_time(at: WallTime) -> String {
    at.timestamp().strftime("%H:%M:%S").to_string()
}

/// Cuts text to at most `width` cells; a cut ends in `…`. A word with a digit in it stays whole or goes whole, since a part of a
/// number is another number.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let text = text.trim_end();
    if text.width() <= width {
        return text.to_owned();
    }
    let (mut end, mut used) = (0, 0);
    for character in text.chars() {
        used += character.width().unwrap_or(0);
        if used + 1 > width {
            break;
        }
        end += character.len_utf8();
    }
    let (kept, rest) = text.split_at(end);
    let begun = kept.rfind(char::is_whitespace).map_or(0, |blank| blank + 1);
    let word = kept.get(begun..).unwrap_or_default().chars().chain(rest.chars()).take_while(|letter| !letter.is_whitespace());
    let is_inside = !rest.starts_with(char::is_whitespace);
    let kept = if is_inside && word.into_iter().any(|letter| letter.is_ascii_digit()) { kept.get(..begun) } else { Some(kept) };
    format!("{}{}", kept.unwrap_or_default(), if width > 0 { "…" } else { "" })
}

/// Joins phrases that stay or go whole: the one of the highest number goes first, of several the last.
pub fn phrases(parts: &[(u8, String)], between: &str, width: usize) -> String {
    let mut kept: Vec<&(u8, String)> = parts.iter().collect();
    loop {
        let line = kept.iter().map(|part| part.1.as_str()).collect::<Vec<_>>().join(between);
        let last = (0..kept.len()).max_by_key(|index| kept.get(*index).map(|part| part.0));
        match last {
            Some(last) if line.width() > width && kept.len() > 1 => drop(kept.remove(last)),
            Some(_) | None => return line,
        }
    }
}

/// Breaks text into lines of at most `width` cells at spaces.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split([' ', '\n']).filter(|word| !word.is_empty()) {
        if !line.is_empty() && line.width() + 1 + word.width() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// The same in at most so many lines: the last one holds all the rest, to be cut where it is written.
pub fn wrap_at_most(text: &str, width: usize, most: usize) -> Vec<String> {
    let mut lines = wrap(text, width);
    if lines.len() > most {
        let rest = lines.split_off(most.saturating_sub(1)).join(" ");
        lines.push(rest);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_shape() {
        assert_eq!(grouped("1234567.891"), "1,234,567.891");
        assert_eq!(grouped("-123.4"), "-123.4");
        assert_eq!(grouped("+1000"), "+1,000");
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("ab", 4), "ab");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("abc", 0), "");
        assert_eq!(cut("costs 6,543.21 so far", 9), "costs …");
        assert_eq!(cut("costs 6,543.21 so far", 14), "costs …");
        assert_eq!(cut("costs 6,543.21 so far", 15), "costs 6,543.21…");
        assert_eq!(cut("-1,234.56%", 6), "…");
        assert_eq!(cut("abc   ", 3), "abc");
        let parts = [(0, "a 1".to_owned()), (2, "b 2".to_owned()), (1, "c 3".to_owned())];
        assert_eq!(phrases(&parts, "  ", 13), "a 1  b 2  c 3");
        assert_eq!(phrases(&parts, "  ", 12), "a 1  c 3");
        assert_eq!(phrases(&parts, "  ", 2), "a 1");
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap_at_most("one two three", 7, 1), ["one two three"]);
        assert_eq!(wrap_at_most("one two three", 7, 2), ["one two", "three"]);
        assert_eq!(age(Duration::seconds(99)), "99s");
        assert_eq!(age(Duration::seconds(86_400 * 5)), "5d");
    }
}
