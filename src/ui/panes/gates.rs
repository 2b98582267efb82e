//! Gates and stages: how much of the account counts, what would open the next stage, and how each record stands against its gate.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::backtest::{Gauged, Verdict};
use crate::domain::{MarketTime, Ratio, SignalSource};
use crate::engine::{StageView, StandingRow, StopRow};
use crate::report;
use crate::signals::GateVerdict;
use crate::ui::draw::{Picture, boxed};
use crate::ui::format;
use crate::ui::roles::Role;
use crate::ui::table::{Cell, Column, Table, left, right};

const GATES: [Column; 8] = [
    left("record", 18, 0),
    right("calls", 5, 0),
    right("in a row", 8, 3),
    right("right", 6, 0),
    right("95 %", 14, 1),
    right("gate", 8, 0),
    right("no skill", 8, 2),
    left("verdict", 10, 0),
];

const RECORD: [Column; 6] = [
    left("account", 24, 0),
    left("verdict", 10, 0),
    right("found", 8, 0),
    left("", 14, 1),
    left("95 %", 18, 2),
    left("without skill", 40, 3),
];

const STOPS: [Column; 5] =
    [left("stops", 18, 0), right("days", 4, 1), right("right", 6, 0), right("below", 6, 0), left("new orders", 24, 0)];

/// What the numbers mean.
const LEGEND: [&str; 4] = [
    "Calls of signals that the layers kept, since history had warmed up. In a row: those that did not overlap; the interval is theirs.",
    "PASS: more than the gate is right, and the interval lies above what takes no skill (always up, always down, a coin).",
    "The account's other gates: of risk days that have ended; without skill it earns nothing here, in `pmax backtest` what holding does.",
    "A source's PASS lets its chance size trades; the account's opens the next stage, and a person takes that step.",
];

/// Lines written one under the other.
struct Page<'a, 'b> {
    picture: &'a Picture<'b>,
    inner: Rect,
    line: u16,
}

impl Page<'_, '_> {
    fn put(&mut self, buffer: &mut Buffer, text: &str, role: Role) {
        for line in format::wrap(text, usize::from(self.inner.width.saturating_sub(2))) {
            self.picture.text(buffer, self.inner, self.line, &format!(" {line}"), role);
            self.line += 1;
        }
    }

    fn table(&mut self, columns: &[Column], rows: &[Vec<Cell>], buffer: &mut Buffer) {
        let height = u16::try_from(rows.len() + 1).unwrap_or(u16::MAX).min(self.inner.height.saturating_sub(self.line));
        let place = Rect { y: self.inner.y + self.line, height, ..self.inner };
        Table { columns, rows, selected: None, offset: 0 }.draw(place, buffer, self.picture.theme);
        self.line += height + 1;
    }
}

/// Draws the view.
pub fn draw(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let inner = boxed(picture, "Gates & stages", "the running account", true, area, buffer);
    let view = &picture.live.snapshot.standing;
    let mut page = Page { picture, inner, line: 0 };
    match &view.stage {
        Some(stage) => stage_lines(&mut page, stage, buffer),
        None => page.put(buffer, "Stages are off: the whole account counts (`stages.enforced` switches them on).", Role::Text),
    }
    page.line += 1;
    if view.rows.is_empty() {
        page.put(buffer, "This run knows no gates.", Role::Muted);
    } else {
        let rows: Vec<Vec<Cell>> = view.rows.iter().map(gate_cells).collect();
        page.table(&GATES, &rows, buffer);
    }
    let record = &picture.state.record.gauged;
    if !record.is_empty() {
        let rows: Vec<Vec<Cell>> = record.iter().map(record_cells).collect();
        page.table(&RECORD, &rows, buffer);
    }
    if !view.stops.is_empty() {
        let rows: Vec<Vec<Cell>> = view.stops.iter().map(stop_cells).collect();
        page.table(&STOPS, &rows, buffer);
    }
    for text in LEGEND {
        page.put(buffer, text, Role::Muted);
    }
}

fn stage_lines(page: &mut Page<'_, '_>, view: &StageView, buffer: &mut Buffer) {
    let capital = format::money(view.capital);
    // A run's first stage begins before its first price, when market time is not known yet.
    let since = if view.since > MarketTime(0) {
        format!("since {} NY", format::market_time(view.since))
    } else {
        "since the run began".to_owned()
    };
    let equity = format::money(page.picture.live.snapshot.account.equity);
    let now = format!("The account is at {}: {capital} of its {equity} count for new orders, {since}.", view.stage);
    page.put(buffer, &now, Role::Accent);
    let (text, role) = match view.next {
        Some((next, capital)) if view.is_offered => {
            (format!("▶ {next} is open, {}: `:stageup` takes the step in two steps.", format::money(capital)), Role::Up)
        }
        Some((next, capital)) => {
            (format!("Next is {next}, {}: it opens with a PASS of the account at its gate.", format::money(capital)), Role::Text)
        }
        None => ("This is the last stage.".to_owned(), Role::Text),
    };
    page.put(buffer, &text, role);
}

fn gate_cells(row: &StandingRow) -> Vec<Cell> {
    let standing = &row.standing;
    let percent = |share: f64| format!("{:.1}%", share * 100.0);
    let name = row.source.map_or_else(|| format!("account, {}", row.stage), |source| short(&source));
    let role = match row.verdict {
        GateVerdict::Pass => Role::Up,
        GateVerdict::Fail => Role::Down,
        GateVerdict::NotProven => Role::Warn,
    };
    let interval = standing
        .interval
        .map_or_else(|| format::NOT_AVAILABLE.to_owned(), |(low, high)| format!("[{:.1}, {:.1}]", low * 100.0, high * 100.0));
    vec![
        Cell::new(name, Role::Text),
        Cell::new(standing.of.to_string(), Role::Text),
        Cell::new(standing.independent.to_string(), Role::Muted),
        Cell::new(standing.rate().map_or_else(|| format::NOT_AVAILABLE.to_owned(), percent), Role::Text),
        Cell::new(interval, Role::Text),
        Cell::new(format!("> {:.0}%", standing.limit * 100.0), Role::Text),
        Cell::new(percent(standing.base), Role::Muted),
        Cell::new(row.verdict.words(), role),
    ]
}

fn record_cells(gauged: &Gauged) -> Vec<Cell> {
    let words = report::gate(gauged, 1);
    let role = match gauged.verdict {
        Verdict::Pass => Role::Up,
        Verdict::Fail => Role::Down,
        Verdict::NotProven => Role::Warn,
    };
    let passes = gauged.unskilled_passes.map_or_else(String::new, |share| format!("chance passes {:.1} %", share * 100.0));
    vec![
        Cell::new(words.asks, Role::Text),
        Cell::new(words.verdict, role),
        Cell::new(words.value, Role::Text),
        Cell::new(words.of, Role::Muted),
        Cell::new(words.range, Role::Text),
        Cell::new(passes, Role::Muted),
    ]
}

fn stop_cells(row: &StopRow) -> Vec<Cell> {
    let percent = |share: Ratio| format!("{share:.1}%");
    let (text, role) = match (row.is_stopped, row.right) {
        (true, _) => ("STOPPED; Shift+R re-arms", Role::Down),
        (false, Some(_)) => ("allowed", Role::Text),
        (false, None) => ("allowed, below 30 calls", Role::Muted),
    };
    vec![
        Cell::new(row.source.map_or_else(|| "account".to_owned(), |source| short(&source)), Role::Text),
        Cell::new(row.days.to_string(), Role::Muted),
        Cell::new(row.right.map_or_else(|| format::NOT_AVAILABLE.to_owned(), percent), Role::Text),
        Cell::new(percent(row.limit), Role::Text),
        Cell::new(text, role),
    ]
}

fn short(source: &SignalSource) -> String {
    source.word().to_owned()
}
