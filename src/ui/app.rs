//! The screen's loop: signals, keys, pictures and time in, frames and requests out.

use std::sync::Arc;
use std::time::Duration as StdDuration;

use crossterm::event::{Event as TerminalEvent, EventStream, KeyCode, KeyEventKind, KeyModifiers};
use futures_util::StreamExt;
use rustix::process::{Signal, getpid, kill_process};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use crate::domain::Duration;
use crate::engine::SnapshotRequest;
use crate::runtime::{Allocated, AllocationDesk, Frame, Request, ScoresDesk, Session, WatchChange, WatchDesk, wall_now};
use crate::ui::draw::{Picture, draw};
use crate::ui::keeper::Keeper;
use crate::ui::roles::Theme;
use crate::ui::state::{Context, UiState};
use crate::ui::terminal::{Terminal, TerminalProblem, restore_now};
use crate::ui::update::{Effect, Event, Scene, update};

/// At most thirty frames a second; a key draws at once.
const FRAME_EVERY: StdDuration = StdDuration::from_millis(33);
/// How often time alone is looked at: ages, the clock, a vanished terminal.
const TICK: StdDuration = StdDuration::from_millis(500);
/// The same while something runs out: an armed kill switch, an open dialog.
const FAST_TICK: StdDuration = StdDuration::from_millis(100);

/// How the screen ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The person quit.
    Quit,
    /// A signal asked for it.
    Signal(i32),
    /// The terminal vanished.
    TerminalGone,
}

/// Everything the loop owns.
struct App {
    state: UiState,
    context: Context,
    session: Session,
    terminal: Terminal,
    shown: SnapshotRequest,
    rings: bool,
    no_colour: bool,
    size: (u16, u16),
    /// The picture of the last step.
    seen: Arc<Frame>,
    keeper: Keeper,
    desk: Option<AllocationDesk>,
    scores: ScoresDesk,
    watch: WatchDesk,
}

/// Signals that matter.
struct SignalSet {
    term: Signals,
    hup: Signals,
    int: Signals,
    quit: Signals,
    stop: Signals,
}

/// What the screen begins with.
#[derive(Debug)]
pub struct Start {
    /// The state, with what was remembered.
    pub state: UiState,
    /// Instruments, keys and groups.
    pub context: Context,
    /// Whether a critical alert rings the terminal's bell.
    pub rings: bool,
    /// Who writes the layout down.
    pub keeper: Keeper,
    /// Who computes target allocations; nobody where there is no tape.
    pub desk: Option<AllocationDesk>,
    /// Who reads the signals' record.
    pub scores: ScoresDesk,
    /// Who writes the watchlist.
    pub watch: WatchDesk,
}

/// Runs the screen on the current thread until it ends. Returns how, with the state to remember.
pub async fn run(start: Start, session: Session) -> Result<(Ended, UiState, Session), (TerminalProblem, Session)> {
    let Start { state, context, rings, keeper, desk, scores, watch } = start;
    let terminal = match Terminal::enter() {
        Ok(terminal) => terminal,
        Err(problem) => return Err((problem, session)),
    };
    let size = terminal.size();
    let no_colour = std::env::var("NO_COLOR").is_ok_and(|value| !value.is_empty());
    let seen = Arc::clone(&session.frames.borrow());
    let shown = SnapshotRequest::default();
    let mut app = App { state, context, session, terminal, shown, rings, no_colour, size, seen, keeper, desk, scores, watch };
    let ended = app.run().await;
    restore_now();
    app.keeper.finish();
    // What cannot be drawn because nobody looks any more is no trouble.
    let is_gone = Terminal::is_gone();
    let App { state, session, terminal, .. } = app;
    drop(terminal);
    match ended {
        Err(_) if is_gone => Ok((Ended::TerminalGone, state, session)),
        Ok(ended) => Ok((ended, state, session)),
        Err(error) => Err((TerminalProblem::from(error), session)),
    }
}

impl App {
    async fn run(&mut self) -> std::io::Result<Ended> {
        let mut signals = SignalSet {
            term: signal(SignalKind::terminate())?,
            hup: signal(SignalKind::hangup())?,
            int: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            stop: signal(SignalKind::from_raw(Signal::TSTP.as_raw()))?,
        };
        let mut keys = EventStream::new();
        let mut frames = self.session.frames.clone();
        self.step(&Event::Tick);
        self.draw()?;
        let mut drawn = Instant::now();
        let mut is_dirty = false;
        let mut engine_lives = true;
        loop {
            let tick = Instant::now() + if self.is_running_out() { FAST_TICK } else { TICK };
            let next_draw = drawn + FRAME_EVERY;
            tokio::select! {
                biased;
                _ = signals.term.recv() => return Ok(Ended::Signal(15)),
                _ = signals.hup.recv() => return Ok(Ended::Signal(1)),
                _ = signals.int.recv() => return Ok(Ended::Signal(2)),
                _ = signals.quit.recv() => return Ok(Ended::Signal(3)),
                _ = signals.stop.recv() => self.suspend()?,
                event = keys.next() => {
                    let Some(Ok(event)) = event else { return Ok(Ended::TerminalGone) };
                    if is_suspend(&event) {
                        self.suspend()?;
                    } else if let Some(ended) = self.take(&event) {
                        return Ok(ended);
                    }
                    self.draw()?;
                    (drawn, is_dirty) = (Instant::now(), false);
                }
                changed = frames.changed(), if engine_lives => {
                    // A dead engine thread leaves the screen alive: the ageing heartbeat tells, and the kill latch still works.
                    engine_lives = changed.is_ok();
                    is_dirty = true;
                }
                () = sleep_until(next_draw), if is_dirty => {
                    self.step(&Event::Tick);
                    self.draw()?;
                    (drawn, is_dirty) = (Instant::now(), false);
                }
                () = sleep_until(tick) => {
                    if Terminal::is_gone() {
                        return Ok(Ended::TerminalGone);
                    }
                    is_dirty = true;
                }
            }
        }
    }

    /// Whether something on the screen counts down.
    fn is_running_out(&self) -> bool {
        self.state.kill_armed.is_some() || self.state.preview().is_some()
    }

    fn take(&mut self, event: &TerminalEvent) -> Option<Ended> {
        let ended = match event {
            TerminalEvent::Key(key) => self.step(&Event::Key(*key)),
            TerminalEvent::Paste(text) => self.step(&Event::Paste(text.clone())),
            TerminalEvent::Resize(width, height) => {
                self.size = (*width, *height);
                self.step(&Event::Resize(*width, *height))
            }
            TerminalEvent::FocusGained | TerminalEvent::FocusLost | TerminalEvent::Mouse(_) => None,
        };
        self.keeper.note(&self.state, std::time::Instant::now());
        ended
    }

    fn step(&mut self, event: &Event) -> Option<Ended> {
        self.keeper.pass_time(std::time::Instant::now());
        let frame: Arc<Frame> = Arc::clone(&self.session.frames.borrow());
        self.seen = Arc::clone(&frame);
        let changed = self.watch.answer();
        if let Some(Ok(known)) = changed.as_ref().map(|changed| &changed.outcome) {
            self.context.instruments = Arc::clone(&known.instruments);
        }
        let scene = Scene { frame: &frame, context: &self.context, now: wall_now(), size: self.size };
        let mut effects = update(&mut self.state, event, scene);
        if let Some(changed) = changed {
            effects.extend(update(&mut self.state, &Event::Watched(Arc::new(changed)), scene));
        }
        if let Some(allocated) = self.desk.as_ref().and_then(AllocationDesk::answer) {
            effects.extend(update(&mut self.state, &Event::Allocated(Arc::new(allocated)), scene));
        }
        if let Some(scored) = self.scores.answer() {
            effects.extend(update(&mut self.state, &Event::Scored(Arc::new(scored)), scene));
        }
        let mut ended = None;
        for effect in effects {
            ended = self.carry_out(effect).or(ended);
        }
        ended
    }

    fn carry_out(&mut self, effect: Effect) -> Option<Ended> {
        let taken = match effect {
            Effect::Kill => {
                if let Err(error) = self.session.kill("kill switch") {
                    tracing::error!(target: "pmax::kill", "the kill file was not written: {error}");
                }
                true
            }
            Effect::Ask(number, command) => self.session.request(Request::Ask(number, command)),
            Effect::Tape(control) => self.session.request(Request::Tape(control)),
            Effect::Reconnect => self.session.request(Request::Reconnect),
            Effect::Show(request) if request == self.shown => true,
            Effect::Show(request) => {
                self.shown = request;
                self.session.request(Request::Show(request))
            }
            Effect::Allocate => {
                self.allocate();
                true
            }
            Effect::Score => {
                if !self.scores.ask(self.seen.snapshot.run) {
                    tracing::info!(target: "pmax::scores", "scorecards are being read already");
                }
                true
            }
            Effect::Watch(change) => self.write_watchlist(*change),
            Effect::Follow(number, request) => self.session.request(Request::Watch(number, request)),
            Effect::Search(words) => self.session.request(Request::Search(words)),
            Effect::Bell => {
                if self.rings {
                    print!("\x07");
                }
                true
            }
            Effect::Quit => return Some(Ended::Quit),
        };
        if !taken {
            tracing::error!(target: "pmax::screen", "the engine did not take a request");
        }
        None
    }

    /// Has a change of the watchlist written. One that cannot be is told as one that was not.
    fn write_watchlist(&mut self, change: WatchChange) -> bool {
        let known = self.state.watch.known.clone();
        let is_taken = known.is_some_and(|known| self.watch.ask((known, change)));
        self.state.watch.is_writing = is_taken;
        is_taken
    }

    /// Asks for a target allocation beside the book of the last picture. Where one is being computed already, that one will do.
    fn allocate(&mut self) {
        let Some(desk) = &self.desk else {
            let answer = Err("it is computed from the history on a tape, and this run hears a live market".to_owned());
            let allocated = Allocated { market_at: self.seen.snapshot.market_now, made_at: wall_now(), answer };
            (self.state.target.latest, self.state.target.asked) = (Some(Arc::new(allocated)), None);
            return;
        };
        if !desk.ask(Arc::clone(&self.seen)) {
            tracing::info!(target: "pmax::allocation", "an allocation is being computed already");
        }
    }

    /// Draws the picture the last step has seen: what a key acts on is what was on the screen.
    fn draw(&mut self) -> std::io::Result<()> {
        let live = Arc::clone(&self.seen);
        let shown = self.state.frozen.clone().unwrap_or_else(|| Arc::clone(&live));
        let palette = if self.no_colour { crate::runtime::Palette::Mono } else { self.state.palette };
        let age = self.session.heartbeat_age();
        let picture = Picture {
            state: &self.state,
            frame: &shown,
            live: &live,
            context: &self.context,
            theme: Theme::new(palette),
            now: wall_now(),
            heartbeat: Duration(i64::try_from(age.as_nanos()).unwrap_or(i64::MAX)),
        };
        let title = format!("pmax — {} {}", live.snapshot.mode.badge(), live.snapshot.state);
        let mut drawn = self.size;
        self.terminal.draw(&title, |area, buffer| {
            drawn = (area.width, area.height);
            draw(&picture, area, buffer);
        })?;
        // A picture of a new size may be drawn before the terminal's own message of it arrives: what counts is what is seen.
        if drawn != self.size {
            self.size = drawn;
            self.step(&Event::Resize(drawn.0, drawn.1));
        }
        Ok(())
    }

    /// Leaves the terminal, stops this process, and takes the terminal again when it is continued.
    fn suspend(&mut self) -> std::io::Result<()> {
        restore_now();
        let began = wall_now();
        kill_process(getpid(), Signal::STOP)?;
        let away = wall_now().since(began);
        self.terminal.reenter().map_err(|problem| std::io::Error::other(problem.to_string()))?;
        let words = format!("suspended for {}; the engine stood still", crate::ui::format::age(away));
        crate::ui::update::toast(&mut self.state, &words, false, wall_now());
        self.draw()
    }
}

fn is_suspend(event: &TerminalEvent) -> bool {
    matches!(event, TerminalEvent::Key(key)
        if key.code == KeyCode::Char('z') && key.modifiers == KeyModifiers::CONTROL && key.kind == KeyEventKind::Press)
}
