//! One instrument: candles with volume and averages, and the facts about its series.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::widgets::Widget;

use crate::domain::{Bar, Calendar, InstrumentId, MarketTime, Resampler, Span, TimeFrame, counted};
use crate::engine::QuoteRow;
use crate::runtime::FeedView;
use crate::stats;
use crate::ui::candles::{Candle, CandleChart};
use crate::ui::draw::{Picture, boxed};
use crate::ui::format;
use crate::ui::panes::{feed, model};
use crate::ui::roles::Role;
use crate::ui::state::Context;

/// Bars of the two averages.
const AVERAGES: [usize; 2] = [20, 50];
/// Bars looked back for the chart; more than any terminal has columns.
const MOST_BARS: usize = 2_000;
/// Bars looked back for a chart of a longer frame: two hundred days of minutes.
const MOST_SOURCE: usize = 300_000;

/// Draws the view.
pub fn draw(picture: &Picture<'_>, instrument: InstrumentId, area: Rect, buffer: &mut Buffer) {
    let Some(row) = picture.snapshot().quotes.iter().find(|row| row.instrument == instrument) else {
        picture.text(buffer, area, 0, " This instrument is not on the tape.", Role::Muted);
        return;
    };
    let known = picture.context.instruments.get(instrument);
    let name = known.map_or("", |known| known.name.as_str());
    let symbol = picture.context.instruments.symbol(instrument);
    let own = own_frame(row, picture.context);
    let made = picture.state.timeframe.over(own).map(|frame| longer(picture, row, frame, usize::from(area.width)));
    let scale = match (&made, picture.live.playback.is_live(), &picture.live.feed) {
        (Some(made), _, _) => made.words(own),
        (None, true, Some(_)) => "bars of one minute".to_owned(),
        (None, true, None) => "bars of one minute, of bids".to_owned(),
        (None, false, _) => "bars of the tape".to_owned(),
    };
    let inner = boxed(picture, &format!("{symbol} {name}"), &scale, true, area, buffer);
    let quality = picture.live.feed.as_ref().map(|feed| quality_line(row, feed));
    let opinions = model::opinions(picture, instrument);
    let lines = 3 + u16::from(quality.is_some()) + u16::from(opinions.is_some());
    let [facts, chart] = Layout::vertical([Constraint::Length(lines), Constraint::Min(0)]).areas(inner);
    facts_lines(picture, row, facts, buffer);
    if let Some((words, role)) = quality {
        picture.text(buffer, facts, 3, &format!(" {words}"), role);
    }
    if let Some(opinions) = opinions {
        picture.text(buffer, facts, lines - 1, &format!(" {opinions}"), Role::Muted);
    }
    draw_chart(picture, row, made, chart, buffer);
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
    let hours = known.and_then(|known| {
        let live = picture.live.playback.is_live().then(|| format::market_hours(known.calendar, MarketTime(picture.now.0)));
        live.or_else(|| format::unusual_hours(known.calendar, picture.snapshot().market_now))
    });
    let first = hours.map_or_else(|| first.clone(), |hours| format!("{first}   {hours}"));
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

/// The length of an instrument's bars.
pub fn own_frame(row: &QuoteRow, context: &Context) -> TimeFrame {
    row.bars.iter().next().map_or(TimeFrame::MINUTE, |bar| TimeFrame::of(bar, calendar(row, context)))
}

fn calendar(row: &QuoteRow, context: &Context) -> Calendar {
    context.instruments.get(row.instrument).map_or(Calendar::Crypto247, |known| known.calendar)
}

/// Bars of a longer frame, the one under way at the end.
struct Longer {
    frame: TimeFrame,
    bars: Vec<Bar>,
    is_forming: bool,
    left_out: u64,
}

impl Longer {
    fn words(&self, own: TimeFrame) -> String {
        let left_out = match self.left_out {
            0 => String::new(),
            bars => format!(", {} outside trading hours left out", counted(bars, "bar")),
        };
        format!("{} made of {own}{left_out}", self.frame)
    }
}

/// As many bars of a longer frame as have room, and what the averages need before them.
fn longer(picture: &Picture<'_>, row: &QuoteRow, frame: TimeFrame, width: usize) -> Longer {
    let calendar = calendar(row, picture.context);
    let most = width + AVERAGES[1];
    let (mut spans, mut span): (usize, Option<Span>) = (0, None);
    let mut own: Vec<Bar> = Vec::new();
    for bar in row.bars.iter().rev().take(MOST_SOURCE) {
        if !span.is_some_and(|span| span.from <= bar.open_at && bar.open_at < span.until)
            && let Some(other) = frame.span(calendar, bar.open_at)
        {
            if spans == most {
                break;
            }
            (spans, span) = (spans + 1, Some(other));
        }
        own.push(*bar);
    }
    let (mut resampler, mut bars) = (Resampler::new(frame, calendar), Vec::with_capacity(spans));
    own.iter().rev().for_each(|bar| resampler.push(bar, |bar| bars.push(bar)));
    if let Some(bar) = forming(picture, row) {
        resampler.push(&bar, |bar| bars.push(bar));
    }
    bars.extend(resampler.forming().copied());
    Longer { frame, bars, is_forming: resampler.forming().is_some(), left_out: resampler.left_out() }
}

fn candle(bar: &Bar) -> (Candle, String) {
    let candle = Candle {
        open: bar.open.to_f64(),
        high: bar.high.to_f64(),
        low: bar.low.to_f64(),
        close: bar.close.to_f64(),
        volume: bar.volume.map(|volume| volume.to_f64()),
    };
    let is_intraday = bar.close_at.since(bar.open_at).as_seconds() < 20_000.0;
    (candle, if is_intraday { format::short_time(bar.open_at) } else { format::date(bar.close_at) })
}

/// The bar under way, as far as it is known.
fn forming(picture: &Picture<'_>, row: &QuoteRow) -> Option<Bar> {
    let forming = row.forming?;
    Some(Bar {
        instrument: row.instrument,
        open_at: forming.open_at,
        close_at: picture.snapshot().market_now,
        open: forming.open,
        high: forming.high,
        low: forming.low,
        close: forming.last,
        volume: None,
        has_range: true,
    })
}

fn draw_chart(picture: &Picture<'_>, row: &QuoteRow, made: Option<Longer>, area: Rect, buffer: &mut Buffer) {
    let (bars, is_forming) = match made {
        Some(made) => (made.bars, made.is_forming),
        None => {
            let mut bars = row.bars.last(MOST_BARS);
            bars.extend(forming(picture, row));
            (bars, row.forming.is_some())
        }
    };
    let (values, labels): (Vec<Candle>, Vec<String>) = bars.iter().map(candle).unzip();
    let closes: Vec<f64> = values.iter().map(|candle| candle.close).collect();
    let average = |length: usize| -> Vec<Option<f64>> {
        (1..=closes.len()).map(|end| closes.get(..end).and_then(|closes| stats::moving_average(closes, length))).collect()
    };
    let lines: Vec<Vec<Option<f64>>> = AVERAGES.into_iter().map(average).collect();
    let styles = [picture.style(Role::Accent), picture.style(Role::Warn)];
    let averages: Vec<(&[Option<f64>], ratatui::style::Style)> = lines.iter().map(Vec::as_slice).zip(styles).collect();
    let decimals = picture.context.instruments.get(row.instrument).map_or(2, |known| known.decimals);
    CandleChart::new(&values)
        .forming(is_forming)
        .line(!row.capabilities.has_range)
        .averages(&averages)
        .labels(&labels)
        .decimals(decimals)
        .styles(picture.style(Role::Up), picture.style(Role::Down), picture.style(Role::Muted), picture.style(Role::Muted))
        .render(area, buffer);
}
