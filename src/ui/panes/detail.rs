//! One instrument: candles with volume and averages, and the facts about its series.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::widgets::Widget;

use crate::domain::{Bar, InstrumentId};
use crate::engine::QuoteRow;
use crate::runtime::FeedView;
use crate::stats;
use crate::ui::candles::{Candle, CandleChart};
use crate::ui::draw::{Picture, boxed};
use crate::ui::format;
use crate::ui::panes::feed;
use crate::ui::roles::Role;

/// Bars of the two averages.
const AVERAGES: [usize; 2] = [20, 50];
/// Bars looked back for the chart; more than any terminal has columns.
const MOST_BARS: usize = 2_000;

/// Draws the view.
pub fn draw(picture: &Picture<'_>, instrument: InstrumentId, area: Rect, buffer: &mut Buffer) {
    let Some(row) = picture.snapshot().quotes.iter().find(|row| row.instrument == instrument) else {
        picture.text(buffer, area, 0, " This instrument is not on the tape.", Role::Muted);
        return;
    };
    let known = picture.context.instruments.get(instrument);
    let name = known.map_or("", |known| known.name.as_str());
    let symbol = picture.context.instruments.symbol(instrument);
    let bars = picture.state.timeframe.bars();
    let scale = if bars == 1 {
        if picture.live.playback.is_live() { "bars of one minute, of bids" } else { "bars of the tape" }.to_owned()
    } else {
        format!("{bars} bars a candle")
    };
    let inner = boxed(picture, &format!("{symbol} {name}"), &scale, true, area, buffer);
    let quality = picture.live.feed.as_ref().map(|feed| quality_line(row, feed));
    let [facts, chart] =
        Layout::vertical([Constraint::Length(if quality.is_some() { 4 } else { 3 }), Constraint::Min(0)]).areas(inner);
    facts_lines(picture, row, facts, buffer);
    if let Some((words, role)) = quality {
        picture.text(buffer, facts, 3, &format!(" {words}"), role);
    }
    draw_chart(picture, row, chart, buffer);
}

/// How good the data of an instrument is, and why it is no better.
fn quality_line(row: &QuoteRow, feed: &FeedView) -> (String, Role) {
    let mut parts = vec![feed::quality_words(row)];
    let served = feed.served.iter().find(|one| one.instrument == row.instrument);
    if let Some(pause) = served.and_then(|one| one.paused) {
        parts.insert(0, feed::pause_words(pause));
    }
    parts.extend(feed::minutes_words(feed, row.instrument));
    parts.extend(served.map(|one| feed::met_words(&one.met)).filter(|words| !words.is_empty()));
    let is_paused = served.is_some_and(|one| one.paused.is_some());
    (parts.join(" · "), if row.is_poor || is_paused { Role::Warn } else { Role::Muted })
}

fn facts_lines(picture: &Picture<'_>, row: &QuoteRow, area: Rect, buffer: &mut Buffer) {
    let known = picture.context.instruments.get(row.instrument);
    let decimals = known.map_or(2, |known| known.decimals);
    let age = format::age(picture.age_of(row));
    let first = format!(
        " last {}   {}   age {age}{}   {} bars",
        format::price(row.last, decimals),
        format::change(row.change),
        if row.is_stale { " STALE" } else { "" },
        row.bars.len()
    );
    picture.text(buffer, area, 0, &first, if row.is_stale { Role::Stale } else { Role::Text });
    let capabilities = row.capabilities;
    let carries = format!(
        " {} · {} · {}",
        if capabilities.has_range { "open, high, low, close" } else { "close only: drawn as steps" },
        if capabilities.has_volume { "volume" } else { "no volume: orders fill whole" },
        if capabilities.is_adjusted { "adjusted by its source" } else { "as traded" },
    );
    picture.text(buffer, area, 1, &carries, Role::Muted);
    let legend = [
        (0, "averages: 20 bars (accent), 50 bars (bold)".to_owned()),
        (1, "change since the close before, or the last before this risk day".to_owned()),
    ];
    let legend = format::phrases(&legend, " · ", usize::from(area.width.saturating_sub(1)));
    picture.text(buffer, area, 2, &format!(" {legend}"), Role::Muted);
}

/// Folds bars into candles of `per` bars, aligned at the newest.
fn candles(bars: &[Bar], per: usize) -> Vec<(Candle, String)> {
    let fold = |chunk: &[Bar]| {
        let (first, last) = (chunk.first()?, chunk.last()?);
        let volume: Option<f64> = chunk.iter().map(|bar| bar.volume.map(|volume| volume.to_f64())).sum();
        let candle = Candle {
            open: first.open.to_f64(),
            high: chunk.iter().map(|bar| bar.high.to_f64()).fold(f64::MIN, f64::max),
            low: chunk.iter().map(|bar| bar.low.to_f64()).fold(f64::MAX, f64::min),
            close: last.close.to_f64(),
            volume,
        };
        let is_intraday = first.close_at.since(first.open_at).as_seconds() < 20_000.0;
        let label = if is_intraday { format::short_time(first.open_at) } else { format::date(last.close_at) };
        Some((candle, label))
    };
    let mut folded: Vec<(Candle, String)> = bars.rchunks(per.max(1)).filter_map(fold).collect();
    folded.reverse();
    folded
}

fn draw_chart(picture: &Picture<'_>, row: &QuoteRow, area: Rect, buffer: &mut Buffer) {
    let mut bars = row.bars.last(MOST_BARS);
    if let Some(forming) = row.forming {
        bars.push(Bar {
            instrument: row.instrument,
            open_at: forming.open_at,
            close_at: picture.snapshot().market_now,
            open: forming.open,
            high: forming.high,
            low: forming.low,
            close: forming.last,
            volume: None,
            has_range: true,
        });
    }
    let (values, labels): (Vec<Candle>, Vec<String>) = candles(&bars, picture.state.timeframe.bars()).into_iter().unzip();
    let closes: Vec<f64> = values.iter().map(|candle| candle.close).collect();
    let average = |length: usize| -> Vec<Option<f64>> {
        (1..=closes.len()).map(|end| closes.get(..end).and_then(|closes| stats::moving_average(closes, length))).collect()
    };
    let lines: Vec<Vec<Option<f64>>> = AVERAGES.into_iter().map(average).collect();
    let styles = [picture.style(Role::Accent), picture.style(Role::Warn)];
    let averages: Vec<(&[Option<f64>], ratatui::style::Style)> = lines.iter().map(Vec::as_slice).zip(styles).collect();
    let decimals = picture.context.instruments.get(row.instrument).map_or(2, |known| known.decimals);
    CandleChart::new(&values)
        .forming(row.forming.is_some())
        .line(!row.capabilities.has_range)
        .averages(&averages)
        .labels(&labels)
        .decimals(decimals)
        .styles(picture.style(Role::Up), picture.style(Role::Down), picture.style(Role::Muted), picture.style(Role::Muted))
        .render(area, buffer);
}
