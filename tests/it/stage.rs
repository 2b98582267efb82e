//! A screen on a headless world, driven by keys: what the tests of the screen share.

use std::collections::BTreeMap;
use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use pmax::domain::{Duration, MarketTime, WallTime};
use pmax::engine::{Command, Setup, SnapshotRequest};
use pmax::llm::panel::Panel;
use pmax::market::Tape;
use pmax::runtime::{Allocator, BulletinView, FeedView, Frame, Headless, LinkView, Palette};
use pmax::ui::{self, Context, Effect, Event, Keymap, Picture, Scene, Theme, UiState};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::world;

/// A screen on a headless world, driven by keys.
pub struct Stage {
    pub world: Headless,
    pub state: UiState,
    pub context: Context,
    pub size: (u16, u16),
    pub quits: bool,
    /// How the way to a broker stands, as if there were one.
    pub link: Option<LinkView>,
    /// Who serves prices, as if providers did.
    pub feed: Option<FeedView>,
    /// Series and news, as if publishers told them.
    pub bulletins: Option<Arc<BulletinView>>,
    /// The language models, as if there were some.
    pub model: Arc<Panel>,
}

impl Stage {
    pub fn new(world: Headless, size: (u16, u16), palette: Palette) -> Self {
        let context = Context {
            instruments: Arc::clone(world.engine().instruments()),
            keymap: Arc::new(Keymap::new(&BTreeMap::new()).unwrap()),
            groups: BTreeMap::from([("metals".to_owned(), vec!["XAUUSD".to_owned()])]),
        };
        let state = UiState { palette, ..UiState::default() };
        Self { world, state, context, size, quits: false, link: None, feed: None, bulletins: None, model: Arc::default() }
    }

    pub fn now(&self) -> WallTime {
        self.world.now()
    }

    pub fn show(&self) -> SnapshotRequest {
        let snapshot = self.world.engine().snapshot(&SnapshotRequest::default());
        let preview = self.state.preview();
        SnapshotRequest {
            preview: preview.and_then(|preview| preview.intent.subject(&snapshot)),
            holds: preview.is_some(),
            ..SnapshotRequest::default()
        }
    }

    fn frame(&self) -> Frame {
        let told = self.world.frame(&self.show());
        let bulletins = self.bulletins.clone().or(told.bulletins);
        Frame { link: self.link.clone(), feed: self.feed.clone(), bulletins, model: Arc::clone(&self.model), ..told }
    }

    pub fn event(&mut self, event: &Event) -> Vec<Effect> {
        let frame = Arc::new(self.frame());
        let scene = Scene { frame: &frame, context: &self.context, now: self.now(), size: self.size };
        let effects = ui::update(&mut self.state, event, scene);
        for effect in &effects {
            match effect {
                Effect::Ask(number, command) => self.world.ask(*number, command.clone()),
                Effect::Kill => self.world.command(Command::Kill { why: "kill switch".to_owned() }),
                Effect::Quit => self.quits = true,
                Effect::Score => {
                    ui::update(&mut self.state, &Event::Scored(Arc::new(self.world.scored())), scene);
                }
                Effect::Allocate => {
                    let (tape, setup) = world::setup("crash-2020");
                    let allocator = Allocator::new(&tape, &setup.instruments, setup.settings);
                    let allocated = Arc::new(allocator.beside(&frame.snapshot, self.world.now()));
                    ui::update(&mut self.state, &Event::Allocated(allocated), scene);
                }
                Effect::Watch(_) | Effect::Follow(..) | Effect::Search(_) => {}
                Effect::Tape(_) | Effect::Reconnect | Effect::Show(_) | Effect::Bell => {}
            }
        }
        effects
    }

    pub fn press(&mut self, code: KeyCode) -> Vec<Effect> {
        self.world.wait(Duration::millis(500));
        self.event(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))
    }

    pub fn keys(&mut self, letters: &str) {
        for letter in letters.chars() {
            self.press(KeyCode::Char(letter));
        }
    }

    pub fn buffer(&self) -> Buffer {
        let frame = self.frame();
        let theme = Theme::new(self.state.palette);
        let (now, heartbeat) = (self.now(), Duration(0));
        let picture = Picture { state: &self.state, frame: &frame, live: &frame, context: &self.context, theme, now, heartbeat };
        let area = Rect::new(0, 0, self.size.0, self.size.1);
        let mut buffer = Buffer::empty(area);
        ui::draw(&picture, area, &mut buffer);
        buffer
    }

    pub fn text(&self) -> String {
        ui::to_text(&self.buffer())
    }

    /// Text and, below it, one letter per cell for its role.
    pub fn shot(&self) -> String {
        let theme = Theme::new(self.state.palette);
        let buffer = self.buffer();
        format!("{}\n{}\n{}", ui::to_text(&buffer), "-".repeat(40), ui::style_layer(&buffer, &|style| theme.letter(style)))
    }
}

/// In the middle of the crash, with a position and a proposal.
pub fn lived() -> Headless {
    let (tape, setup) = world::setup("crash-2020");
    lived_with(&tape, &setup)
}

/// The same with other settings.
pub fn lived_with(tape: &Tape, setup: &Setup) -> Headless {
    let at = MarketTime::parse("2020-02-20T20:45:00Z").unwrap();
    let mut world = Headless::with_usual_capital(tape, setup, MarketTime(at.0 - 21 * 86_400_000_000_000));
    world.play_until(at);
    world.command(Command::ArmPaper);
    for day in 0..8 {
        world.play_until(MarketTime::parse("2020-02-21T21:30:00Z").unwrap().plus(Duration::seconds(day * 86_400)));
        let waiting = world.engine().book().proposals().values().next().cloned();
        if let Some(proposal) = waiting.filter(|_| day < 6) {
            let seen = pmax::engine::Seen { price: Some(proposal.reference), quantity: proposal.request.quantity };
            world.command(Command::ConfirmProposal { proposal: proposal.id, revision: proposal.revision, seen });
        }
    }
    world
}
