//! Keys of overlays: help, palette, prompts, the order form, and the preview that alone can send.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::backend::crossterm::EventHandler;

use crate::engine::Command;
use crate::risk::Acknowledged;
use crate::runtime::TapeControl;
use crate::ui::actions::{ActionId, Section};
use crate::ui::commandline;
use crate::ui::intent::{Blocked, GUARD, Intent, Preview, PreviewPhase};
use crate::ui::layout::{Class, class_of};
use crate::ui::overlays::help;
use crate::ui::overlays::palette::matches;
use crate::ui::state::{Overlay, UiState};
use crate::ui::ticket::Form;
use crate::ui::update::{Effect, Scene, ask, perform, toast, watching};

/// The word that re-arms.
const REARM_WORD: &str = "ARM";
/// The word that takes the step to the next stage.
const STAGE_WORD: &str = "STAGE";

/// A second step: the word that must be typed, and what it confirms.
struct Word {
    wanted: &'static str,
    confirms: Command,
    missed: &'static str,
}

impl Word {
    fn take(self, state: &mut UiState, typed: &tui_input::Input, scene: Scene<'_>, effects: &mut Vec<Effect>) {
        if typed.value().trim().eq_ignore_ascii_case(self.wanted) {
            ask(state, self.confirms, effects);
        } else {
            toast(state, &format!("{}: the word was not typed", self.missed), true, scene.now);
        }
    }
}

pub(super) fn overlay_key(
    state: &mut UiState,
    overlay: Overlay,
    key: KeyEvent,
    action: Option<ActionId>,
    scene: Scene<'_>,
    effects: &mut Vec<Effect>,
) {
    let leaves = key.code == KeyCode::Esc;
    match overlay {
        Overlay::Preview(preview) => preview_key(state, preview, key, scene, effects),
        Overlay::Notice => notice_key(state, key, action, scene, effects),
        Overlay::Watch(form) => watching::key(state, *form, key, scene, effects),
        _ if leaves => {}
        Overlay::Help { filter, row } => {
            if !matches!(action, Some(ActionId::Help)) || key.code == KeyCode::Char('?') && !filter.value().is_empty() {
                state.overlays.push(help_key(filter, row, key, scene));
            }
        }
        Overlay::Palette { input, selected } => palette_key(state, input, selected, key, scene, effects),
        Overlay::Command { mut input } => {
            if key.code == KeyCode::Enter {
                let line = input.value().trim().to_owned();
                commandline::run(state, &line, scene, effects);
            } else if key.code == KeyCode::Tab {
                state.overlays.push(Overlay::Command { input: commandline::complete(input.value(), scene.context).into() });
            } else {
                input.handle_event(&crossterm::event::Event::Key(key));
                state.overlays.push(Overlay::Command { input });
            }
        }
        Overlay::Filter { mut input } => {
            if key.code != KeyCode::Enter {
                input.handle_event(&crossterm::event::Event::Key(key));
                input.value().clone_into(&mut state.filter);
                state.overlays.push(Overlay::Filter { input });
            }
        }
        Overlay::Ticket { form, .. } => ticket_key(state, *form, key, scene),
        Overlay::Rearm { mut input, asked } => {
            if key.code == KeyCode::Enter {
                let word = Word { wanted: REARM_WORD, confirms: Command::ConfirmRearm, missed: "not re-armed" };
                word.take(state, &input, scene, effects);
            } else {
                input.handle_event(&crossterm::event::Event::Key(key));
                state.overlays.push(Overlay::Rearm { input, asked });
            }
        }
        Overlay::StageUp { mut input, asked } => {
            if key.code == KeyCode::Enter {
                let word = Word { wanted: STAGE_WORD, confirms: Command::ConfirmStageUp, missed: "not stepped up" };
                word.take(state, &input, scene, effects);
            } else {
                input.handle_event(&crossterm::event::Event::Key(key));
                state.overlays.push(Overlay::StageUp { input, asked });
            }
        }
        Overlay::History(order) => {
            if matches!(action, Some(ActionId::Close)) {
                open_preview(state, Intent::Cancel(order), scene);
            }
        }
    }
}

/// The arrows and page keys scroll, everything else is typed into the filter.
fn help_key(mut filter: tui_input::Input, row: usize, key: KeyEvent, scene: Scene<'_>) -> Overlay {
    let (last, page) = help::reach(scene.context, filter.value(), scene.size);
    let row = match key.code {
        KeyCode::Up => row.saturating_sub(1),
        KeyCode::Down => (row + 1).min(last),
        KeyCode::PageUp => row.saturating_sub(page),
        KeyCode::PageDown => (row + page).min(last),
        _ => {
            filter.handle_event(&crossterm::event::Event::Key(key));
            0
        }
    };
    Overlay::Help { filter, row }
}

/// Any key closes the notice and does what it always does, but none that leads to a trade: that one is pressed again, knowingly.
fn notice_key(state: &mut UiState, key: KeyEvent, action: Option<ActionId>, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    let Some(action) = action.filter(|_| !matches!(key.code, KeyCode::Enter | KeyCode::Esc)) else { return };
    match action.info().section {
        Section::Trade => toast(state, "the notice is closed; press the key again if you mean it", false, scene.now),
        Section::Tape | Section::View | Section::Program => perform(state, action, scene, effects),
    }
}

fn palette_key(
    state: &mut UiState,
    mut input: tui_input::Input,
    selected: usize,
    key: KeyEvent,
    scene: Scene<'_>,
    effects: &mut Vec<Effect>,
) {
    let found = matches(input.value());
    let last = found.len().saturating_sub(1);
    let selected = match key.code {
        KeyCode::Enter => {
            if let Some(action) = found.get(selected.min(last)) {
                perform(state, *action, scene, effects);
            }
            return;
        }
        KeyCode::Up => selected.saturating_sub(1),
        KeyCode::Down => (selected + 1).min(last),
        _ => {
            input.handle_event(&crossterm::event::Event::Key(key));
            0
        }
    };
    state.overlays.push(Overlay::Palette { input, selected });
}

fn ticket_key(state: &mut UiState, mut form: Form, key: KeyEvent, scene: Scene<'_>) {
    let count = form.fields().len().max(1);
    let focused = form.focused();
    match key.code {
        KeyCode::Tab | KeyCode::Down => form.focus = (form.focus + 1) % count,
        KeyCode::BackTab | KeyCode::Up => form.focus = (form.focus + count - 1) % count,
        KeyCode::Enter => {
            let Some(instrument) = scene.context.instruments.get(form.instrument) else { return };
            match form.read(instrument) {
                Ok(intent) => {
                    state.overlays.push(Overlay::Ticket { form: Box::new(form), problem: None });
                    open_preview(state, intent, scene);
                }
                Err((field, why)) => {
                    form.focus = form.fields().iter().position(|other| *other == field).unwrap_or(form.focus);
                    let problem = Some(format!("{}: {why}", field.label()));
                    state.overlays.push(Overlay::Ticket { form: Box::new(form), problem });
                }
            }
            return;
        }
        KeyCode::Left | KeyCode::Right | KeyCode::Char(' ') if form.input(focused).is_none() => form.choose(focused),
        _ => {
            let is_number = matches!(key.code, KeyCode::Char(typed) if !(typed.is_ascii_digit() || typed == '.'));
            if let Some(input) = form.input(focused).filter(|_| !is_number) {
                input.handle_event(&crossterm::event::Event::Key(key));
            }
        }
    }
    state.overlays.push(Overlay::Ticket { form: Box::new(form), problem: None });
}

/// Keys of a preview: `y` confirms, `n` and Esc do not, `d` declines a proposal; while it is sending only the kill switch is heard.
fn preview_key(state: &mut UiState, mut preview: Preview, key: KeyEvent, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    let snapshot = &scene.frame.snapshot;
    let is_guarded = scene.now.since(preview.opened).0 < GUARD.0;
    if matches!(preview.phase, PreviewPhase::Sending { .. }) || is_guarded && key.code != KeyCode::Esc {
        state.overlays.push(Overlay::Preview(preview));
        return;
    }
    if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
        state.overlays.push(Overlay::Preview(preview));
        return;
    }
    let wants_symbol = preview.wants_symbol(snapshot) && !typed_symbol(&preview, scene);
    match key.code {
        KeyCode::Esc => {}
        KeyCode::Backspace => {
            preview.typed.pop();
            state.overlays.push(Overlay::Preview(preview));
        }
        KeyCode::Char(typed) if wants_symbol && !key.modifiers.contains(KeyModifiers::CONTROL) => {
            // Only what goes on spelling the symbol is taken: a confirm key pressed out of habit does not end up in it.
            let so_far = format!("{}{}", preview.typed, typed.to_ascii_uppercase());
            if symbol_of(&preview, scene).is_some_and(|symbol| symbol.to_uppercase().starts_with(&so_far)) {
                preview.typed = so_far;
            }
            state.overlays.push(Overlay::Preview(preview));
        }
        KeyCode::Char('n') => {}
        KeyCode::Char('d') if matches!(preview.intent, Intent::Proposal { .. }) => {
            if let Intent::Proposal { id, .. } = preview.intent {
                ask(state, Command::DeclineProposal { proposal: id }, effects);
            }
        }
        KeyCode::Char('y') => confirm(state, preview, scene, effects),
        _ => state.overlays.push(Overlay::Preview(preview)),
    }
}

fn typed_symbol(preview: &Preview, scene: Scene<'_>) -> bool {
    symbol_of(preview, scene).is_some_and(|symbol| symbol.eq_ignore_ascii_case(&preview.typed))
}

fn symbol_of(preview: &Preview, scene: Scene<'_>) -> Option<String> {
    preview.shown(&scene.frame.snapshot).map(|shown| scene.context.instruments.symbol(shown.request.instrument))
}

fn confirm(state: &mut UiState, mut preview: Preview, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    let snapshot = &scene.frame.snapshot;
    let shown = preview.shown(snapshot);
    let symbol = shown.map_or_else(String::new, |shown| scene.context.instruments.symbol(shown.request.instrument));
    match preview.blocked(snapshot, &symbol, scene.now) {
        None => {}
        Some(Blocked::Refused(why) | Blocked::Gone(why)) => {
            toast(state, &format!("not sent — {why}"), true, scene.now);
            state.overlays.push(Overlay::Preview(preview));
            return;
        }
        Some(Blocked::Guard | Blocked::Sending | Blocked::TypeSymbol) => {
            state.overlays.push(Overlay::Preview(preview));
            return;
        }
    }
    match preview.intent {
        Intent::Quit => effects.push(Effect::Quit),
        Intent::Jump(until) => effects.push(Effect::Tape(TapeControl::Jump(until))),
        _ => {
            let acknowledged = if preview.wants_symbol(snapshot) { Acknowledged::Precautions } else { Acknowledged::Nothing };
            let Some(command) = preview.intent.command(shown, acknowledged) else { return };
            let asked = ask(state, command, effects);
            preview.phase = PreviewPhase::Sending { asked, since: scene.now };
            state.overlays.retain(|overlay| !matches!(overlay, Overlay::Ticket { .. }));
            state.overlays.push(Overlay::Preview(preview));
        }
    }
}

/// Opens a preview.
pub(in crate::ui) fn open_preview(state: &mut UiState, intent: Intent, scene: Scene<'_>) {
    if matches!(class_of(scene.size.0, scene.size.1), Class::Tiny | Class::TooSmall) && intent != Intent::Quit {
        toast(state, "the terminal is too small to show an order whole; nothing was opened", true, scene.now);
        return;
    }
    state.overlays.push(Overlay::Preview(Preview::new(intent, scene.now)));
}
