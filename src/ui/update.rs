//! The one place that changes the screen's state. No I/O: what is to be done comes back as effects.

mod dialogs;
mod perform;
pub(super) mod watching;

use std::sync::Arc;

use crossterm::event::{KeyEvent, KeyEventKind};

use crate::backtest::{self, Account};
use crate::domain::{Duration, RiskDay, Severity, WallTime};
use crate::engine::{Command, KillPhase, SnapshotRequest};
use crate::portfolio::DayResult;
use crate::runtime::{Allocated, Changed, Frame, Scored, Speed, TapeControl, WatchChange, WatchRequest};
use crate::ui::actions::ActionId;
use crate::ui::intent::{ANSWER_WITHIN, Intent, Preview, PreviewPhase};
use crate::ui::layout::{Class, class_of};
use crate::ui::rows;
use crate::ui::state::{Context, Overlay, Toast, UiState, View};
use crate::ui::ticket::Field;
use crate::ui::update::dialogs::overlay_key;

pub(super) use crate::ui::update::dialogs::open_preview;
pub(super) use crate::ui::update::perform::{perform, write_ticket};

/// How long the second press of the kill switch may take.
pub const KILL_WINDOW: Duration = Duration::seconds(3);
/// How long a warning is safe from lesser news.
const WARNING_STAYS: Duration = Duration::seconds(2);

/// What wakes the screen.
#[derive(Debug, Clone)]
pub enum Event {
    /// A key.
    Key(KeyEvent),
    /// Pasted text; it only ever fills text fields.
    Paste(String),
    /// A new size.
    Resize(u16, u16),
    /// A new picture arrived, or time passed.
    Tick,
    /// A target allocation was computed.
    Allocated(Arc<Allocated>),
    /// The scorecards were read.
    Scored(Arc<Scored>),
    /// A change of the watchlist was written, or was not.
    Watched(Arc<Changed>),
}

/// What is to be done outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Send a command to the engine, to be answered under this number.
    Ask(u64, Command),
    /// Control the tape.
    Tape(TapeControl),
    /// Connect to the broker now.
    Reconnect,
    /// Ask for other pictures.
    Show(SnapshotRequest),
    /// Fire the kill latch, at once.
    Kill,
    /// Compute a target allocation beside this book.
    Allocate,
    /// Read the scorecards of this run.
    Score,
    /// Write a change of the watchlist.
    Watch(Box<WatchChange>),
    /// Let instruments join or leave the run, to be answered under this number.
    Follow(u64, Box<WatchRequest>),
    /// Ask a provider which instruments these words name; no words end it.
    Search(String),
    /// Ring the bell.
    Bell,
    /// End the program.
    Quit,
}

/// Everything an update may look at.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The latest picture, never the frozen one: decisions are made on what is true now.
    pub frame: &'a Arc<Frame>,
    /// What does not change.
    pub context: &'a Context,
    /// Now.
    pub now: WallTime,
    /// The terminal's size.
    pub size: (u16, u16),
}

/// Applies an event.
pub fn update(state: &mut UiState, event: &Event, scene: Scene<'_>) -> Vec<Effect> {
    let mut effects = Vec::new();
    match event {
        Event::Key(key) if key.kind == KeyEventKind::Release => {}
        Event::Key(key) => press(state, *key, scene, &mut effects),
        Event::Paste(text) => {
            paste(state, text);
            watching::typed(state, scene, &mut effects);
        }
        Event::Resize(width, height) => resized(state, (*width, *height)),
        Event::Tick => {}
        Event::Allocated(allocated) => (state.target.latest, state.target.asked) = (Some(Arc::clone(allocated)), None),
        Event::Watched(changed) => watching::written(state, changed, scene, &mut effects),
        Event::Scored(scored) => (state.scores.latest, state.scores.asked) = (Some(Arc::clone(scored)), None),
    }
    pass_time(state, scene, &mut effects);
    if scene.frame.playback.is_live() && effects.iter().any(|effect| matches!(effect, Effect::Tape(_))) {
        effects.retain(|effect| !matches!(effect, Effect::Tape(_)));
        toast(state, "a live market cannot be paused or run ahead; f freezes the picture", true, scene.now);
    }
    effects.push(Effect::Show(wanted(state, scene)));
    effects
}

/// The pictures the state needs: a preview keeps its order under the engine's checks and holds the tape.
fn wanted(state: &UiState, scene: Scene<'_>) -> SnapshotRequest {
    let preview = state.preview();
    SnapshotRequest {
        preview: preview.and_then(|preview| preview.intent.subject(&scene.frame.snapshot)),
        holds: preview.is_some_and(|preview| preview.intent.is_about_orders()),
        focus: state.in_focus(&scene.frame.snapshot, scene.context),
    }
}

fn press(state: &mut UiState, key: KeyEvent, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    let action = scene.context.keymap.action(key);
    if action == Some(ActionId::Kill) {
        return kill(state, scene, effects);
    }
    if class_of(scene.size.0, scene.size.1) == Class::TooSmall {
        return;
    }
    match state.overlays.pop() {
        Some(overlay) => overlay_key(state, overlay, key, action, scene, effects),
        None => {
            if let Some(action) = action {
                perform(state, action, scene, effects);
            }
        }
    }
}

/// The first press arms, a second one within three seconds fires. A press after firing does no harm.
fn kill(state: &mut UiState, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    let is_armed = state.kill_armed.is_some_and(|since| scene.now.since(since).0 <= KILL_WINDOW.0);
    if is_armed {
        state.kill_armed = None;
        state.overlays.retain(|overlay| !matches!(overlay, Overlay::Preview(_) | Overlay::Ticket { .. }));
        effects.push(Effect::Kill);
        toast(state, "KILL SWITCH fired: trading halts, orders are cancelled", true, scene.now);
    } else {
        state.kill_armed = Some(scene.now);
    }
}

/// Pasted text fills text fields; it confirms nothing and never counts as a typed symbol.
fn paste(state: &mut UiState, text: &str) {
    let clean = crate::domain::CleanText::from_outside(text);
    let fill = |input: &mut tui_input::Input, accept: fn(char) -> bool| {
        for character in clean.as_str().chars().filter(|character| accept(*character)).take(80) {
            input.handle(tui_input::InputRequest::InsertChar(character));
        }
    };
    match state.overlays.last_mut() {
        Some(Overlay::Help { filter: input, .. } | Overlay::Command { input } | Overlay::Palette { input, .. }) => {
            fill(input, |_| true)
        }
        Some(Overlay::Watch(form)) => {
            fill(form.grouping.as_mut().unwrap_or(&mut form.input), |_| true);
            form.selected = 0;
        }
        Some(Overlay::Filter { input }) => {
            fill(input, |_| true);
            input.value().clone_into(&mut state.filter);
        }
        Some(Overlay::Ticket { form, .. }) => {
            let focused: Field = form.focused();
            if let Some(input) = form.input(focused) {
                fill(input, |character| character.is_ascii_digit() || character == '.');
            }
        }
        Some(Overlay::Preview(_) | Overlay::Rearm { .. } | Overlay::StageUp { .. }) => {}
        Some(Overlay::History(_) | Overlay::Notice) | None => {}
    }
}

/// A new size disarms a dialog that it can no longer show whole.
fn resized(state: &mut UiState, (width, height): (u16, u16)) {
    if matches!(class_of(width, height), Class::Tiny | Class::TooSmall) {
        let is_sending = |preview: &Preview| matches!(preview.phase, PreviewPhase::Sending { .. });
        state.overlays.retain(|overlay| match overlay {
            Overlay::Preview(preview) => is_sending(preview) || preview.intent == Intent::Quit,
            _ => true,
        });
    }
}

/// What time and new pictures change: lapsed arming, answered dialogs, toasts.
/// Holds the account against the plan's gates when the view is open and a risk day has ended: a few milliseconds, and so not for each frame.
fn follow_record(state: &mut UiState, scene: Scene<'_>) {
    let snapshot = &scene.frame.snapshot;
    let Some(plan) = snapshot.standing.plan.filter(|_| state.view == View::Gates) else { return };
    let begins = RiskDay::of(snapshot.standing.warm_until).date;
    let ended = snapshot.days.len().saturating_sub(1);
    let days: Vec<DayResult> = snapshot.days.iter().take(ended).filter(|day| day.date >= begins).copied().collect();
    let of = Some((days, snapshot.standing.counts));
    if state.record.of == of {
        return;
    }
    if let Some((days, counts)) = &of {
        let capital = days.first().map_or(snapshot.account.starting_capital, |first| first.opened);
        let account = Account::running(capital, days, snapshot.account.max_drawdown, *counts);
        state.record.gauged = backtest::gauge_account(&account, &plan).to_vec();
    }
    state.record.of = of;
}

fn pass_time(state: &mut UiState, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    let (snapshot, now) = (&scene.frame.snapshot, scene.now);
    if state.kill_armed.is_some_and(|since| now.since(since).0 > KILL_WINDOW.0) {
        state.kill_armed = None;
    }
    if state.toast.as_ref().is_some_and(|toast| toast.until <= now) {
        state.toast = None;
    }
    if snapshot.kill != KillPhase::Idle {
        let opens = |preview: &Preview| matches!(preview.intent, Intent::Ticket(_) | Intent::Proposal { .. });
        state.overlays.retain(|overlay| !matches!(overlay, Overlay::Preview(preview) if opens(preview)));
    }
    take_answers(state, scene);
    watching::follow(state, scene, effects);
    follow_preview(state, scene);
    rows::settle(state, snapshot);
    follow_record(state, scene);
    let Some(newest) = snapshot.activity.first().filter(|line| line.number > state.last_activity) else { return };
    let is_first = state.last_activity == 0;
    if is_first || snapshot.is_quiet {
        state.last_activity = newest.number;
    } else if notify(state, &newest.text, newest.severity != Severity::Info, now) {
        state.last_activity = newest.number;
        if newest.severity == Severity::Critical {
            effects.push(Effect::Bell);
        }
    }
}

/// Takes what the engine answered: a refusal is shown whatever dialog it belongs to, and closes the one it makes pointless.
fn take_answers(state: &mut UiState, scene: Scene<'_>) {
    let answered = state.answered;
    for answer in scene.frame.answers.iter().filter(|answer| answer.number > answered) {
        state.answered = answer.number;
        if let Some(refusal) = &answer.refusal {
            let is_of = |overlay: &Overlay| match overlay {
                Overlay::Rearm { asked, .. } | Overlay::StageUp { asked, .. } => *asked == answer.number,
                _ => false,
            };
            state.overlays.retain(|overlay| !is_of(overlay));
            toast(state, refusal, true, scene.now);
        }
    }
}

/// Closes a preview whose subject is gone or whose answer has come, and says so.
fn follow_preview(state: &mut UiState, scene: Scene<'_>) {
    let (snapshot, now) = (&scene.frame.snapshot, scene.now);
    let Some(preview) = state.preview().cloned() else { return };
    let words = match preview.phase {
        PreviewPhase::Looking => preview.gone(snapshot).map(|why| (why, true)),
        PreviewPhase::Sending { asked, since } => {
            let late = now.since(since).0 > ANSWER_WITHIN.0;
            if state.answered >= asked {
                state.overlays.pop();
                return;
            }
            late.then(|| ("no answer from the engine yet; see the log (l) before asking again".to_owned(), true))
        }
    };
    if let Some((words, is_warning)) = words {
        state.overlays.pop();
        toast(state, &words, is_warning, now);
    }
}

/// Sends a command and returns the number under which it will be answered.
pub(super) fn ask(state: &mut UiState, command: Command, effects: &mut Vec<Effect>) -> u64 {
    state.asked += 1;
    effects.push(Effect::Ask(state.asked, command));
    state.asked
}

/// Shows a short message that answers a key.
pub(super) fn toast(state: &mut UiState, text: &str, is_warning: bool, now: WallTime) {
    let seconds = if is_warning { 6 } else { 3 };
    let until = now.plus(Duration::seconds(seconds));
    state.toast = Some(Toast { text: text.to_owned(), since: now, until, is_warning });
}

/// Shows a short message nobody asked for, and returns whether it did. It waits behind an answer of this instant, and behind a
/// warning that has not been there for [`WARNING_STAYS`] unless it is one itself.
fn notify(state: &mut UiState, text: &str, is_warning: bool, now: WallTime) -> bool {
    let waits = state.toast.as_ref().is_some_and(|standing| {
        let age = now.since(standing.since).0;
        age == 0 || standing.is_warning && !is_warning && age < WARNING_STAYS.0
    });
    if !waits {
        toast(state, text, is_warning, now);
    }
    !waits
}

/// A speed as a person types it: `60`, `x60`, `max`.
pub(super) fn parse_speed(text: &str) -> Option<Speed> {
    match text.trim_start_matches(['x', '×']) {
        "max" => Some(Speed::Max),
        number => number.parse().ok().filter(|times| *times > 0).map(Speed::Times),
    }
}
