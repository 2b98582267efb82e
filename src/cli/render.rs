//! `pmax render`: the real screen, without a terminal.

use std::sync::Arc;

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::cli::args::{Args, Render, RenderAs};
use crate::cli::open::{Base, date};
use crate::cli::{Done, OK, say};
use crate::domain::{BrokerKind, Duration, MarketTime, WallTime};
use crate::runtime::{Allocator, Headless, Palette, RunTerms, Trouble};
use crate::ui::{self, Context, Effect, Event, Theme, UiState};

/// Calm days before the picture, so that signals and comments are there to see.
const LIVED_BEFORE: Duration = Duration::seconds(86_400 * 21);

/// Draws the screen.
pub fn run(args: &Args, render: &Render) -> Done {
    let base = Base::open(args)?.trading_at(BrokerKind::Paper)?;
    let tape = base.tape()?;
    let (width, height) = size(&render.size)?;
    let at = match &render.at {
        Some(text) => date(text)?,
        None => tape.start().unwrap_or_default(),
    };
    let quiet_until = MarketTime(at.0 - LIVED_BEFORE.0);
    let RunTerms { seed, capital, .. } = base.terms(args)?;
    let mut world = Headless::new(&tape, &base.setup(&tape), seed, capital, quiet_until);
    world.play_until(at);
    let keymap = base.keymap()?;
    let context =
        Context { instruments: Arc::clone(&base.instruments), keymap: Arc::new(keymap), groups: base.config.groups.clone() };
    let mut state = UiState { palette: base.config.screen.palette, ..UiState::default() };
    if render.mono {
        state.palette = Palette::Mono;
    }
    state.watch.known = Some(Arc::new(base.known.clone()));
    let allocator = Allocator::new(&tape, &base.instruments, base.setup(&tape).settings);
    let mut stage = Stage { world, state, context, size: (width, height), allocator };
    stage.event(&Event::Tick);
    for token in render.keys.split_whitespace() {
        stage.token(token)?;
    }
    stage.event(&Event::Tick);
    let buffer = stage.draw();
    let text = match render.format {
        RenderAs::Text => ui::to_text(&buffer),
        RenderAs::Ansi => ui::to_ansi(&buffer),
        RenderAs::Svg => ui::to_svg(&buffer, "pmax — a trading workstation that lives in a terminal"),
    };
    say(text.trim_end_matches('\n'));
    Ok(OK)
}

/// The screen and its world.
struct Stage {
    world: Headless,
    state: UiState,
    context: Context,
    size: (u16, u16),
    allocator: Allocator,
}

impl Stage {
    fn now(&self) -> WallTime {
        self.world.now()
    }

    fn show(&self) -> crate::engine::SnapshotRequest {
        let snapshot = self.world.engine().snapshot(&crate::engine::SnapshotRequest::default());
        let preview = self.state.preview();
        crate::engine::SnapshotRequest {
            preview: preview.and_then(|preview| preview.intent.subject(&snapshot)),
            holds: preview.is_some(),
            focus: None,
        }
    }

    fn event(&mut self, event: &Event) {
        let frame = Arc::new(self.world.frame(&self.show()));
        let scene = ui::Scene { frame: &frame, context: &self.context, now: self.now(), size: self.size };
        for effect in ui::update(&mut self.state, event, scene) {
            match effect {
                Effect::Ask(number, command) => self.world.ask(number, command),
                Effect::Kill => self.world.command(crate::engine::Command::Kill { why: "kill switch".to_owned() }),
                Effect::Allocate => {
                    let allocated = self.allocator.beside(&frame.snapshot, self.world.now());
                    self.state.target.latest = Some(Arc::new(allocated));
                    self.state.target.asked = None;
                }
                Effect::Score => {
                    self.state.scores.latest = Some(Arc::new(self.world.scored()));
                    self.state.scores.asked = None;
                }
                // A rendered screen shows the list and changes nothing.
                Effect::Watch(_) => self.state.watch.is_writing = false,
                Effect::Follow(..) | Effect::Search(_) => {}
                Effect::Tape(_) | Effect::Reconnect | Effect::Show(_) | Effect::Bell | Effect::Quit => {}
            }
        }
    }

    fn token(&mut self, token: &str) -> Result<(), Trouble> {
        if let Some(time) = token.strip_prefix('+').filter(|time| !time.is_empty()) {
            let until = MarketTime(self.world.engine().market().now().0 + length(time)?.0);
            self.world.play_until(until);
            self.world.wait(Duration::seconds(1));
            self.event(&Event::Tick);
            return Ok(());
        }
        self.world.wait(Duration::seconds(1));
        for key in keys(token)? {
            self.event(&Event::Key(key));
        }
        Ok(())
    }

    fn draw(&self) -> Buffer {
        let frame = self.world.frame(&self.show());
        let picture = ui::Picture {
            state: &self.state,
            frame: &frame,
            live: &frame,
            context: &self.context,
            theme: Theme::new(self.state.palette),
            now: self.now(),
            heartbeat: Duration(0),
        };
        let area = Rect::new(0, 0, self.size.0, self.size.1);
        let mut buffer = Buffer::empty(area);
        ui::draw(&picture, area, &mut buffer);
        buffer
    }
}

fn usage(what: &str) -> Trouble {
    Trouble::new(what.to_owned(), "Nothing was drawn", "`pmax render --help` shows how")
}

fn size(text: &str) -> Result<(u16, u16), Trouble> {
    let parsed = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    parsed
        .filter(|(width, height): &(u16, u16)| (1..=500).contains(width) && (1..=200).contains(height))
        .ok_or_else(|| usage(&format!("«{text}» is not a size of at most 500x200 such as 160x45")))
}

/// A length of market time: `90m`, `6h`, `2d`, `30s`.
fn length(text: &str) -> Result<Duration, Trouble> {
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => 0,
    };
    let number: Option<i64> = text.get(..text.len().saturating_sub(1)).and_then(|digits| digits.parse().ok());
    match number {
        Some(number) if unit > 0 && (0..=10_000).contains(&number) => Ok(Duration::seconds(number * unit)),
        _ => Err(usage(&format!("«+{text}» is not a length of time such as +90m or +2d"))),
    }
}

/// A chord, or a word whose letters are pressed one by one.
fn keys(token: &str) -> Result<Vec<KeyEvent>, Trouble> {
    if let Ok(chord) = token.parse::<crokey::KeyCombination>() {
        let event: Result<KeyEvent, _> = KeyEvent::try_from(chord);
        return event.map(|key| vec![key]).map_err(|_| usage(&format!("«{token}» is not one key")));
    }
    let letter = |letter: char| KeyEvent::new(crossterm::event::KeyCode::Char(letter), crossterm::event::KeyModifiers::NONE);
    Ok(token.chars().map(letter).collect())
}
