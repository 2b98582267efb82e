//! Headlines, newest first, with what they are about and the mood of their words.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::{MarketTime, counted};
use crate::runtime::{BulletinView, Headline, Topic};
use crate::signals::Mood;
use crate::ui::column::Column as Lines;
use crate::ui::draw::{Picture, boxed};
use crate::ui::format;
use crate::ui::panes::economy::standing;
use crate::ui::roles::Role;
use crate::ui::table::{Cell, Column, Table, left, right};

const HEADLINES: [Column; 6] = [
    left("time", 11, 0),
    left("mood", 7, 0),
    right("score", 5, 2),
    left("about", 10, 1),
    left("source", 12, 3),
    left("headline", 30, 0),
];

/// Symbols that one line names.
const NAMED: usize = 2;

/// Draws the view.
pub fn draw(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let view = picture.live.bulletins.as_deref().filter(|view| !view.sources.is_empty());
    let Some(view) = view else {
        let mut lines = Lines::new(picture, boxed(picture, "News", "nobody is asked", true, area, buffer));
        lines.put(buffer, "Headlines come with a live market.", Role::Text);
        return lines.put(
            buffer,
            "`pmax --feed live` asks Yahoo, the Federal Reserve and the Bureau of Labor Statistics, without a key.",
            Role::Muted,
        );
    };
    let right = counted(view.headlines.len(), "headline");
    let inner = boxed(picture, "News", &right, true, area, buffer);
    if view.headlines.is_empty() {
        let mut lines = Lines::new(picture, inner);
        let words = if view.news_heard.is_some() { "No headlines were told." } else { "Waiting for the first headlines." };
        lines.put(buffer, words, Role::Warn);
        lines.gap();
        return troubles(&mut lines, view, buffer);
    }
    let notes = 3_u16.min(inner.height.saturating_sub(4));
    let place = Rect { height: inner.height - notes, ..inner };
    let rows: Vec<Vec<Cell>> = view.headlines.iter().map(|headline| row(picture, headline)).collect();
    Table { columns: &HEADLINES, rows: &rows, selected: None, offset: picture.state.news_row }.draw(place, buffer, picture.theme);
    let mut lines = Lines::new(picture, Rect { y: place.y + place.height, height: notes, ..inner });
    let undated = view.headlines.iter().filter(|headline| headline.at.is_none()).count();
    let text = format!(
        "Mood: this program's lexicon, a crude reader. {undated} undated, kept out of any test; {} repeats left out.",
        view.repeated
    );
    lines.put(buffer, &text, Role::Muted);
    troubles(&mut lines, view, buffer);
}

fn row(picture: &Picture<'_>, headline: &Headline) -> Vec<Cell> {
    let (time, time_role) = match headline.at {
        Some(at) => (format::short_time(MarketTime(at.0)), Role::Muted),
        None => ("undated".to_owned(), Role::Stale),
    };
    let mood = headline.sentiment.mood;
    let role = match mood {
        Mood::Bullish => Role::Up,
        Mood::Bearish => Role::Down,
        Mood::Neutral => Role::Muted,
    };
    let named: Vec<String> = headline.about.iter().take(NAMED).map(|id| picture.context.instruments.symbol(*id)).collect();
    let more = headline.about.len().saturating_sub(NAMED);
    let about = if more > 0 { format!("{} +{more}", named.join(" ")) } else { named.join(" ") };
    let publisher = headline.publisher.as_str();
    let source = if publisher.is_empty() { headline.by.name() } else { publisher };
    vec![
        Cell::new(time, time_role),
        Cell::new(mood.word(), role),
        Cell::new(format!("{:+.2}", headline.sentiment.score.to_f64()), Role::Muted),
        Cell::new(about, Role::Accent),
        Cell::new(source, Role::Muted),
        Cell::new(headline.title.as_str(), Role::Text),
    ]
}

/// Sources that do not answer, each once.
fn troubles(lines: &mut Lines<'_, '_>, view: &BulletinView, buffer: &mut Buffer) {
    let now = lines.picture().now;
    for source in view.sources.iter().filter(|source| source.topic == Topic::News) {
        let (words, role) = standing(source, now);
        if role != Role::Text {
            lines.put(buffer, &format!("{}: {words}", source.id), role);
        }
    }
}
