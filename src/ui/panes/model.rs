//! The language model: who answers and why, what it is, how fast it is, what was asked, and what was left without an answer.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::{CleanText, InstrumentId, WallTime, counted};
use crate::llm::ask::Task;
use crate::llm::panel::{ModelFacts, Panel, Rung, Speed, TaskFigures};
use crate::signals::{Knows, Opinion, Says};
use crate::ui::column::Column as Lines;
use crate::ui::draw::{Picture, boxed};
use crate::ui::format;
use crate::ui::roles::Role;
use crate::ui::table::{Cell, Column, Table, left, right};

const TASKS: [Column; 6] = [
    left("task", 10, 0),
    right("asked", 6, 0),
    right("answered", 8, 0),
    right("abstained", 9, 0),
    right("latest", 8, 1),
    left("", 1, 2),
];
const ABSTENTIONS: [Column; 3] = [right("ago", 5, 0), left("task", 10, 0), left("no answer, since", 30, 0)];

/// What a person does about it.
const TO_INSTALL: [&str; 2] = [
    "It is loaded at the next start, in a process of its own. Nothing waits for it, and nothing it says can reach an order.",
    "Until then the rules write the comments, and sign them `rules`.",
];

/// The command that installs one.
pub const INSTALLS: &str = "pmax model add smollm2-135m";

/// Whether there is none because nobody installed one.
pub fn is_none_installed(panel: &Panel) -> bool {
    panel.model.is_none() && panel.ladder.is_empty() && panel.why.as_str().is_empty()
}

/// What models think of an instrument, each question's latest answer in a word: information, which nothing but this screen reads.
pub fn opinions(picture: &Picture<'_>, instrument: InstrumentId) -> Option<String> {
    let snapshot = &picture.live.snapshot;
    let of_it = || snapshot.opinions.iter().filter(|opinion| opinion.instrument == instrument);
    let newest = of_it().next()?;
    let other = of_it().find(|opinion| !opinion.says.is_like(newest.says) && opinion.author == newest.author);
    let words = |opinion: &Opinion| {
        let share = opinion.share.map_or_else(String::new, |share| format!(" {share:.0} %"));
        format!("{}{share}", opinion.says.words())
    };
    let mut said: Vec<&Opinion> = std::iter::once(newest).chain(other).map(|opinion| &**opinion).collect();
    said.sort_by_key(|opinion| matches!(opinion.says, Says::Risk(_)));
    let said: Vec<String> = said.into_iter().map(words).collect();
    let knows = match newest.knows {
        Knows::InTraining => " · in its training: counts for nothing",
        Knows::Unknown => " · its training may hold what came after",
        Knows::After => "",
    };
    let age = format::age(snapshot.market_now.since(newest.at));
    let drivers: Vec<&str> = newest.drivers.iter().map(CleanText::as_str).collect();
    let because = if drivers.is_empty() { String::new() } else { format!(" · because {}", drivers.join(", ")) };
    Some(format!("{} thinks: {}, uncalibrated · {age} ago{because}{knows}", newest.author, said.join(", ")))
}

/// Why the rules speak, in a sentence without its end.
pub fn why(panel: &Panel) -> &str {
    if panel.why.as_str().is_empty() { "no language model is installed" } else { panel.why.as_str() }
}

/// Draws the view.
pub fn draw(picture: &Picture<'_>, area: Rect, buffer: &mut Buffer) {
    let panel = &picture.live.model;
    let inner = boxed(picture, "Language model", &format!("answers now: {}", panel.rung.word()), true, area, buffer);
    let mut lines = Lines::new(picture, inner);
    standing(&mut lines, panel, buffer);
    if panel.model.is_none() && panel.ladder.is_empty() {
        lines.gap();
        if is_none_installed(panel) {
            let text = format!("`{INSTALLS}` installs a small one for the CPU (98 MB); `pmax model list` names others.");
            lines.put(buffer, &text, Role::Text);
        }
        for text in TO_INSTALL {
            lines.put(buffer, text, Role::Text);
        }
        return;
    }
    ladder(&mut lines, panel, buffer);
    if let Some(model) = &panel.model {
        facts(&mut lines, model, buffer);
    }
    if panel.model.is_some() || panel.speed != Speed::default() {
        speeds(&mut lines, panel.speed, buffer);
    }
    questions(&mut lines, panel, buffer);
    lines.gap();
    let below = rest(inner, lines.line());
    let height = tasks(picture, panel, below, buffer);
    abstentions(picture, panel, rest(below, height + 1), buffer);
}

/// What is left of an area below so many lines.
fn rest(area: Rect, lines: u16) -> Rect {
    let lines = lines.min(area.height);
    Rect { y: area.y + lines, height: area.height - lines, ..area }
}

/// Who answers, since when, and why nobody better.
fn standing(lines: &mut Lines<'_, '_>, panel: &Panel, buffer: &mut Buffer) {
    let now = lines.picture().now;
    let since = panel.since.map_or_else(String::new, |since| format!(", for {}", format::age(now.since(since))));
    let who = match (panel.rung, &panel.model) {
        (Rung::Rules, _) => "the rules".to_owned(),
        (rung, Some(model)) => format!("{} on {}", model.name, rung.word()),
        (rung, None) => rung.word().to_owned(),
    };
    lines.fact(buffer, "answers now", &format!("{who}{since}"), Role::Accent);
    let is_said = panel.ladder.iter().any(|(_, words)| words.as_str().contains(panel.why.as_str()));
    if panel.ladder.is_empty() || !is_said {
        lines.fact(buffer, "because", why(panel), Role::Text);
    }
}

/// Each rung from the top with how it stands; the one that answers is marked.
fn ladder(lines: &mut Lines<'_, '_>, panel: &Panel, buffer: &mut Buffer) {
    for (index, (rung, words)) in panel.ladder.iter().enumerate() {
        let name = if index == 0 { "ladder" } else { "" };
        let (mark, role) = if *rung == panel.rung { ("▶", Role::Accent) } else { (" ", Role::Muted) };
        let wrapped = format::wrap(words.as_str(), usize::from(lines.width()).saturating_sub(9).max(8));
        lines.aligned(buffer, name, &format!("{mark} {:<6} {}", rung.word(), wrapped.first().map_or("", String::as_str)), role);
        for text in wrapped.iter().skip(1) {
            lines.aligned(buffer, "", &format!("{:9}{text}", ""), role);
        }
    }
}

fn facts(lines: &mut Lines<'_, '_>, model: &ModelFacts, buffer: &mut Buffer) {
    let width = usize::from(lines.width());
    let known = model.knowledge_cutoff.as_ref();
    let known = known.map_or_else(|| "nobody says what it knows".to_owned(), |day| format!("knows days up to {day}"));
    let what = [
        (0, format!("{}", model.name)),
        (0, format!("{}", model.quantisation)),
        (1, known),
        (2, format!("{}", model.architecture)),
    ];
    lines.fact(buffer, "model", &format::phrases(&what, " · ", width), Role::Text);
    let seconds = std::time::Duration::from_millis(model.loaded_ms).as_secs_f64();
    let place = [
        (0, format!("{}", model.device)),
        (0, format!("{} held", bytes(model.memory_bytes))),
        (2, format!("{} on the disk", bytes(model.file_bytes))),
        (1, format!("{} tokens at once", format::grouped(&model.context.to_string()))),
        (3, format!("loaded in {seconds:.1} s")),
    ];
    lines.fact(buffer, "runs on", &format::phrases(&place, " · ", width), Role::Text);
}

fn speeds(lines: &mut Lines<'_, '_>, speed: Speed, buffer: &mut Buffer) {
    let rate = |value: Option<f64>| value.map_or_else(|| format::NOT_AVAILABLE.to_owned(), |value| format!("{value:.1}/s"));
    let tokens = format!(
        "{} of a prompt · {} written · first after {}",
        rate(speed.prompt_per_second),
        rate(speed.written_per_second),
        time(speed.first_ms)
    );
    lines.fact(buffer, "tokens", &tokens, Role::Text);
    lines.fact(buffer, "memory traffic", &traffic(speed), Role::Text);
}

fn questions(lines: &mut Lines<'_, '_>, panel: &Panel, buffer: &mut Buffer) {
    let (hits, misses) = panel.cache;
    let share = match hits + misses {
        0 => format::NOT_AVAILABLE.to_owned(),
        all => format!("{:.0}% of {}", hits as f64 / all as f64 * 100.0, format::grouped(&all.to_string())),
    };
    let queue = format!(
        "{} waiting · {} replaced · cache {share} · {}",
        panel.waiting,
        format::grouped(&panel.superseded.to_string()),
        counted(usize::try_from(panel.restarts).unwrap_or(usize::MAX), "restart"),
    );
    lines.fact(buffer, "questions", &queue, if panel.restarts > 0 { Role::Warn } else { Role::Text });
}

/// What writing reads from memory, beside what the memory gives.
fn traffic(speed: Speed) -> String {
    let shown = |value: Option<f64>| value.map_or_else(|| format::NOT_AVAILABLE.to_owned(), |value| format!("{value:.1}"));
    let share = speed.gigabytes_per_second.zip(speed.measured_gigabytes_per_second.filter(|most| *most > 0.0));
    let share = share.map_or_else(String::new, |(reached, most)| format!(": {:.0}%", reached / most * 100.0));
    format!(
        "{} of the {} GB/s that were measured{share}",
        shown(speed.gigabytes_per_second),
        shown(speed.measured_gigabytes_per_second)
    )
}

/// What was asked and answered of each task. Returns how many lines that takes.
fn tasks(picture: &Picture<'_>, panel: &Panel, area: Rect, buffer: &mut Buffer) -> u16 {
    let rows: Vec<Vec<Cell>> = Task::ALL.iter().zip(&panel.tasks).map(|(task, figures)| task_cells(*task, figures)).collect();
    let height = u16::try_from(rows.len() + 1).unwrap_or(u16::MAX).min(area.height);
    Table { columns: &TASKS, rows: &rows, selected: None, offset: 0 }.draw(Rect { height, ..area }, buffer, picture.theme);
    height
}

fn task_cells(task: Task, figures: &TaskFigures) -> Vec<Cell> {
    let count = |number: u64| format::grouped(&number.to_string());
    let abstained = if figures.abstained > 0 { Role::Warn } else { Role::Muted };
    vec![
        Cell::new(task.word(), Role::Text),
        Cell::new(count(figures.asked), Role::Text),
        Cell::new(count(figures.answered), Role::Text),
        Cell::new(count(figures.abstained), abstained),
        Cell::new(time(figures.last_ms), Role::Text),
        Cell::new("", Role::Text),
    ]
}

/// Questions that got no answer, the newest first, with what is said of each.
fn abstentions(picture: &Picture<'_>, panel: &Panel, area: Rect, buffer: &mut Buffer) {
    if panel.abstentions.is_empty() {
        return picture.text(buffer, area, 0, " Every question was answered so far.", Role::Muted);
    }
    let cells = |(at, task, why): &(WallTime, Task, CleanText)| {
        vec![
            Cell::new(format::age(picture.now.since(*at)), Role::Muted),
            Cell::new(task.word(), Role::Text),
            Cell::new(why.as_str(), Role::Text),
        ]
    };
    let rows: Vec<Vec<Cell>> = panel.abstentions.iter().rev().map(cells).collect();
    let offset = picture.state.model_row.min(rows.len().saturating_sub(1));
    Table { columns: &ABSTENTIONS, rows: &rows, selected: None, offset }.draw(area, buffer, picture.theme);
}

/// A short time as people read it.
fn time(milliseconds: Option<f64>) -> String {
    match milliseconds {
        None => format::NOT_AVAILABLE.to_owned(),
        Some(short) if short < 1_000.0 => format!("{short:.0} ms"),
        Some(long) => format!("{:.1} s", long / 1_000.0),
    }
}

/// Bytes as people read them, a thousand thousand to the million.
fn bytes(count: u64) -> String {
    let count = count as f64;
    if count >= 1e9 { format!("{:.1} GB", count / 1e9) } else { format!("{:.0} MB", count / 1e6) }
}
