//! The one place that changes the screen's state. No I/O: what is to be done comes back as effects.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tui_input::backend::crossterm::EventHandler;

use crate::domain::{Duration, InstrumentId, Mode, OrderSide, Severity, TradingState, WallTime};
use crate::engine::{Command, KillPhase, SnapshotRequest};
use crate::risk::Acknowledged;
use crate::runtime::{Frame, Palette, Speed, TapeControl};
use crate::ui::actions::ActionId;
use crate::ui::commandline;
use crate::ui::intent::{ANSWER_WITHIN, Blocked, GUARD, Intent, Preview, PreviewPhase};
use crate::ui::layout::{Class, class_of};
use crate::ui::overlays::palette::matches;
use crate::ui::panes;
use crate::ui::state::{Context, Overlay, Pane, Sort, Toast, UiState, View};
use crate::ui::ticket::{Field, Form, Purpose};

/// How long the second press of the kill switch may take.
pub const KILL_WINDOW: Duration = Duration::seconds(3);
/// The word that re-arms.
const REARM_WORD: &str = "ARM";

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
}

/// What is to be done outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Send a command to the engine.
    Command(Command),
    /// Control the tape.
    Tape(TapeControl),
    /// Ask for other pictures.
    Show(SnapshotRequest),
    /// Fire the kill latch, at once.
    Kill,
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
        Event::Paste(text) => paste(state, text),
        Event::Resize(width, height) => resized(state, (*width, *height)),
        Event::Tick => {}
    }
    pass_time(state, scene, &mut effects);
    effects.push(Effect::Show(wanted(state, scene)));
    effects
}

/// The pictures the state needs: a preview keeps its order under the engine's checks and holds the tape.
fn wanted(state: &UiState, scene: Scene<'_>) -> SnapshotRequest {
    SnapshotRequest { preview: state.preview().and_then(|preview| preview.intent.subject(&scene.frame.snapshot)) }
}

fn press(state: &mut UiState, key: KeyEvent, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    let action = scene.context.keymap.action(key);
    if action == Some(ActionId::Kill) {
        return kill(state, scene, effects);
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

fn overlay_key(
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
        Overlay::Notice => {}
        _ if leaves => {}
        Overlay::Help { mut filter } => {
            if !matches!(action, Some(ActionId::Help)) || key.code == KeyCode::Char('?') && !filter.value().is_empty() {
                filter.handle_event(&crossterm::event::Event::Key(key));
                state.overlays.push(Overlay::Help { filter });
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
        Overlay::Rearm { mut input } => {
            if key.code == KeyCode::Enter {
                if input.value().trim().eq_ignore_ascii_case(REARM_WORD) {
                    effects.push(Effect::Command(Command::ConfirmRearm));
                } else {
                    toast(state, "not re-armed: the word was not typed", true, scene.now);
                }
            } else {
                input.handle_event(&crossterm::event::Event::Key(key));
                state.overlays.push(Overlay::Rearm { input });
            }
        }
        Overlay::History(order) => {
            if matches!(action, Some(ActionId::Close)) {
                open_preview(state, Intent::Cancel(order), scene);
            }
        }
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
    let wants_symbol = preview.wants_symbol(snapshot) && !typed_symbol(&preview, scene);
    match key.code {
        KeyCode::Esc => {}
        KeyCode::Backspace => {
            preview.typed.pop();
            state.overlays.push(Overlay::Preview(preview));
        }
        KeyCode::Char(typed) if wants_symbol && !key.modifiers.contains(KeyModifiers::CONTROL) => {
            if preview.typed.len() < 24 && (typed.is_ascii_alphanumeric() || "._-".contains(typed)) {
                preview.typed.push(typed.to_ascii_uppercase());
            }
            state.overlays.push(Overlay::Preview(preview));
        }
        KeyCode::Char('n') => {}
        KeyCode::Char('d') if matches!(preview.intent, Intent::Proposal { .. }) => {
            if let Intent::Proposal { id, .. } = preview.intent {
                effects.push(Effect::Command(Command::DeclineProposal { proposal: id }));
            }
        }
        KeyCode::Char('y') => confirm(state, preview, scene, effects),
        _ => state.overlays.push(Overlay::Preview(preview)),
    }
}

fn typed_symbol(preview: &Preview, scene: Scene<'_>) -> bool {
    let instrument = preview.shown(&scene.frame.snapshot).map(|shown| shown.request.instrument);
    instrument.is_some_and(|id| scene.context.instruments.symbol(id).eq_ignore_ascii_case(&preview.typed))
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
            effects.extend(preview.intent.command(shown, acknowledged).map(Effect::Command));
            let after = snapshot.activity.first().map_or(0, |line| line.number);
            preview.phase = PreviewPhase::Sending { after, since: scene.now };
            state.overlays.retain(|overlay| !matches!(overlay, Overlay::Ticket { .. }));
            state.overlays.push(Overlay::Preview(preview));
        }
    }
}

/// Opens a preview.
pub(super) fn open_preview(state: &mut UiState, intent: Intent, scene: Scene<'_>) {
    if matches!(class_of(scene.size.0, scene.size.1), Class::Tiny | Class::TooSmall) && intent != Intent::Quit {
        toast(state, "the terminal is too small to show an order whole; nothing was opened", true, scene.now);
        return;
    }
    state.overlays.push(Overlay::Preview(Preview::new(intent, scene.now)));
}

/// Performs an action of the registry.
pub(super) fn perform(state: &mut UiState, action: ActionId, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    match action {
        ActionId::Kill => kill(state, scene, effects),
        ActionId::ArmPaper => arm(state, scene, effects),
        ActionId::Open => open(state, scene),
        ActionId::Buy => ticket(state, OrderSide::Buy, scene),
        ActionId::Sell => ticket(state, OrderSide::Sell, scene),
        ActionId::Close => close(state, scene),
        ActionId::Modify => modify(state, scene),
        ActionId::Decline => decline(state, scene, effects),
        ActionId::NextProposal => next_proposal(state, scene),
        ActionId::Flatten => flatten(state, scene),
        ActionId::Rearm => rearm(state, scene, effects),
        ActionId::Reset => open_preview(state, Intent::Reset(scene.frame.snapshot.account.starting_capital), scene),
        ActionId::Pause => effects.push(Effect::Tape(TapeControl::TogglePause)),
        ActionId::Step => effects.push(Effect::Tape(TapeControl::Step)),
        ActionId::StepBar => effects.push(Effect::Tape(TapeControl::StepBar)),
        ActionId::Faster => effects.push(Effect::Tape(TapeControl::Faster)),
        ActionId::Slower => effects.push(Effect::Tape(TapeControl::Slower)),
        ActionId::Jump => state.overlays.push(Overlay::Command { input: "jump ".into() }),
        ActionId::Pane1 => focus(state, Pane::Quotes),
        ActionId::Pane2 => focus(state, Pane::Commentary),
        ActionId::Pane3 => focus(state, Pane::Signals),
        ActionId::Pane4 => focus(state, Pane::Positions),
        ActionId::Pane5 => focus(state, Pane::Risk),
        ActionId::Pane6 => focus(state, Pane::Alerts),
        ActionId::Equity => toggle_view(state, View::Equity),
        ActionId::Activity => toggle_view(state, View::Activity),
        ActionId::NextPane => focus(state, state.focus.next()),
        ActionId::PreviousPane => focus(state, state.focus.previous()),
        ActionId::Up => select(state, -1, scene),
        ActionId::Down => select(state, 1, scene),
        ActionId::PageUp => select(state, -10, scene),
        ActionId::PageDown => select(state, 10, scene),
        ActionId::Back => back(state),
        ActionId::Zoom => state.is_zoomed = !state.is_zoomed,
        ActionId::Sort => sort(state, scene),
        ActionId::Group => next_group(state, scene.context),
        ActionId::Filter => state.overlays.push(Overlay::Filter { input: state.filter.clone().into() }),
        ActionId::Timeframe => state.timeframe = state.timeframe.next(),
        ActionId::Freeze => state.frozen = if state.frozen.is_some() { None } else { Some(Arc::clone(scene.frame)) },
        ActionId::Acknowledge => acknowledge(state, scene, effects),
        ActionId::AcknowledgeAll => effects.push(Effect::Command(Command::AcknowledgeAll)),
        ActionId::Palette => state.overlays.push(Overlay::Palette { input: tui_input::Input::default(), selected: 0 }),
        ActionId::CommandLine => state.overlays.push(Overlay::Command { input: tui_input::Input::default() }),
        ActionId::Help => state.overlays.push(Overlay::Help { filter: tui_input::Input::default() }),
        ActionId::Colours => state.palette = next_palette(state.palette),
        ActionId::Quit => open_preview(state, Intent::Quit, scene),
    }
}

fn arm(state: &mut UiState, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    let snapshot = &scene.frame.snapshot;
    match (snapshot.mode, snapshot.state) {
        (Mode::ReadOnly, TradingState::Halted) => {
            toast(state, "trading is HALTED; re-arm it first (Shift+R)", true, scene.now);
        }
        (Mode::ReadOnly, TradingState::Active | TradingState::Reducing) => effects.push(Effect::Command(Command::ArmPaper)),
        (Mode::Paper | Mode::Demo, _) => effects.push(Effect::Command(Command::Disarm)),
    }
}

fn open(state: &mut UiState, scene: Scene<'_>) {
    let snapshot = &scene.frame.snapshot;
    if state.view != View::Panes {
        return;
    }
    match state.focus {
        Pane::Quotes => {
            if let Some(id) = state.selected_instrument(snapshot, scene.context) {
                (state.instrument, state.view) = (Some(id), View::Detail(id));
            }
        }
        Pane::Signals => match panes::signals::selected(snapshot, state.row(Pane::Signals)) {
            Some(panes::signals::Item::Proposal(row)) => {
                open_preview(state, Intent::Proposal { id: row.proposal.id, revision: row.proposal.revision }, scene);
            }
            Some(panes::signals::Item::Signal(entry)) => detail(state, entry.signal.view.instrument),
            None => {}
        },
        Pane::Positions => match panes::positions::selected(snapshot, state.row(Pane::Positions)) {
            Some(panes::positions::Item::Position(row)) => detail(state, row.instrument),
            Some(panes::positions::Item::Order(order)) => state.overlays.push(Overlay::History(order.order.id)),
            None => {}
        },
        Pane::Commentary => {
            if let Some(comment) = snapshot.commentary.get(state.row(Pane::Commentary)) {
                detail(state, comment.instrument);
            }
        }
        Pane::Alerts => {
            let alert = snapshot.alerts.get(state.row(Pane::Alerts));
            if let Some(id) = alert.and_then(|alert| alert.instrument) {
                detail(state, id);
            }
        }
        Pane::Risk => state.view = View::Equity,
    }
}

fn detail(state: &mut UiState, id: InstrumentId) {
    (state.instrument, state.view) = (Some(id), View::Detail(id));
}

fn ticket(state: &mut UiState, side: OrderSide, scene: Scene<'_>) {
    let snapshot = &scene.frame.snapshot;
    let instrument = match state.view {
        View::Detail(id) => Some(id),
        View::Panes | View::Equity | View::Activity => state.selected_instrument(snapshot, scene.context),
    };
    let Some(instrument) = instrument.and_then(|id| scene.context.instruments.get(id)) else { return };
    if !instrument.tradable {
        toast(state, &format!("{} cannot be traded itself", instrument.symbol), true, scene.now);
        return;
    }
    let mut form = Form::new(Purpose::New, instrument.id, side);
    form.focus = 1;
    state.overlays.push(Overlay::Ticket { form: Box::new(form), problem: None });
}

fn close(state: &mut UiState, scene: Scene<'_>) {
    let snapshot = &scene.frame.snapshot;
    let held = match state.view {
        View::Detail(id) => snapshot.positions.iter().find(|row| row.instrument == id).map(panes::positions::Item::Position),
        View::Panes | View::Equity | View::Activity => panes::positions::selected(snapshot, state.row(Pane::Positions)),
    };
    match held {
        Some(panes::positions::Item::Position(row)) => open_preview(state, Intent::Close(row.id), scene),
        Some(panes::positions::Item::Order(order)) => open_preview(state, Intent::Cancel(order.order.id), scene),
        None => toast(state, "nothing is open to close or cancel", true, scene.now),
    }
}

fn modify(state: &mut UiState, scene: Scene<'_>) {
    let snapshot = &scene.frame.snapshot;
    let text = |value: Option<String>| tui_input::Input::from(value.unwrap_or_default());
    let form = match panes::positions::selected(snapshot, state.row(Pane::Positions)) {
        Some(panes::positions::Item::Position(row)) => {
            let mut form = Form::new(Purpose::Protect(row.id), row.instrument, row.side.closing().opposite());
            form.stop_loss = text(row.protection.stop_loss.map(|price| price.to_string()));
            form.take_profit = text(row.protection.take_profit.map(|price| price.to_string()));
            form
        }
        Some(panes::positions::Item::Order(order)) if order.state.is_modifiable() => {
            let request = &order.order.request;
            let mut form = Form::new(Purpose::Modify(order.order.id), request.instrument, request.side);
            form.kind = panes::positions::kind_choice(request.kind);
            form.quantity = text(Some(request.quantity.to_string()));
            form.price = text(request.named_price().map(|price| price.to_string()));
            form
        }
        Some(panes::positions::Item::Order(_)) | None => {
            toast(state, "nothing is selected that could be changed", true, scene.now);
            return;
        }
    };
    state.overlays.push(Overlay::Ticket { form: Box::new(form), problem: None });
}

fn decline(state: &mut UiState, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    let row = state.row(Pane::Signals);
    match panes::signals::selected(&scene.frame.snapshot, row) {
        Some(panes::signals::Item::Proposal(row)) if state.focus == Pane::Signals => {
            effects.push(Effect::Command(Command::DeclineProposal { proposal: row.proposal.id }));
        }
        _ => toast(state, "select a proposal in the signals pane (3) first", true, scene.now),
    }
}

fn next_proposal(state: &mut UiState, scene: Scene<'_>) {
    match scene.frame.snapshot.proposals.first() {
        Some(row) => open_preview(state, Intent::Proposal { id: row.proposal.id, revision: row.proposal.revision }, scene),
        None => toast(state, "no proposal is waiting", false, scene.now),
    }
}

fn flatten(state: &mut UiState, scene: Scene<'_>) {
    if scene.frame.snapshot.state == TradingState::Halted {
        open_preview(state, Intent::Flatten, scene);
    } else {
        toast(state, "flatten is the second step of the kill switch: fire that first (F12 twice)", true, scene.now);
    }
}

fn rearm(state: &mut UiState, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    effects.push(Effect::Command(Command::RequestRearm));
    if scene.frame.snapshot.state != TradingState::Active {
        state.overlays.push(Overlay::Rearm { input: tui_input::Input::default() });
    }
}

fn focus(state: &mut UiState, pane: Pane) {
    state.focus = pane;
    state.view = View::Panes;
}

fn toggle_view(state: &mut UiState, view: View) {
    state.view = if state.view == view { View::Panes } else { view };
}

fn back(state: &mut UiState) {
    if state.view != View::Panes {
        state.view = View::Panes;
    } else if state.is_zoomed {
        state.is_zoomed = false;
    } else if !state.filter.is_empty() {
        state.filter.clear();
    } else {
        state.frozen = None;
    }
}

fn select(state: &mut UiState, by: isize, scene: Scene<'_>) {
    let snapshot = &scene.frame.snapshot;
    let moved = |row: usize, count: usize| row.saturating_add_signed(by).min(count.saturating_sub(1));
    match (state.view, state.focus) {
        (View::Activity, _) => state.activity_row = moved(state.activity_row, snapshot.activity.len()),
        (View::Panes | View::Detail(_), Pane::Quotes) => {
            let shown = state.visible_quotes(snapshot, scene.context);
            let selected = state.selected_instrument(snapshot, scene.context);
            let row = shown.iter().position(|id| Some(*id) == selected).unwrap_or(0);
            state.instrument = shown.get(moved(row, shown.len())).copied();
            if let (View::Detail(_), Some(id)) = (state.view, state.instrument) {
                state.view = View::Detail(id);
            }
        }
        (View::Panes | View::Detail(_) | View::Equity, pane) => {
            let count = match pane {
                Pane::Quotes | Pane::Risk => 1,
                Pane::Commentary => snapshot.commentary.len(),
                Pane::Signals => snapshot.proposals.len() + snapshot.signals.len(),
                Pane::Positions => snapshot.positions.len() + snapshot.orders.len(),
                Pane::Alerts => snapshot.alerts.len(),
            };
            state.rows.insert(pane, moved(state.row(pane), count));
        }
    }
}

fn sort(state: &mut UiState, scene: Scene<'_>) {
    state.sort = match state.sort {
        Sort::Listed => Sort::Symbol,
        Sort::Symbol => Sort::Change,
        Sort::Change => Sort::Listed,
    };
    let mut rows: Vec<_> = scene.frame.snapshot.quotes.iter().map(|row| (row.change, row.instrument)).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.0));
    state.fixed_order = rows.into_iter().map(|(_, id)| id).collect();
}

fn next_group(state: &mut UiState, context: &Context) {
    let names = state.group_names(context);
    let position = names.iter().position(|name| *name == state.group);
    state.group = match position {
        None => names.first().cloned().unwrap_or_default(),
        Some(index) => names.get(index + 1).cloned().unwrap_or_default(),
    };
}

fn acknowledge(state: &mut UiState, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    let alerts = &scene.frame.snapshot.alerts;
    let selected = alerts.get(state.row(Pane::Alerts)).filter(|alert| state.focus == Pane::Alerts && !alert.acknowledged);
    let oldest = || alerts.iter().rev().find(|alert| !alert.acknowledged);
    if let Some(alert) = selected.or_else(oldest) {
        effects.push(Effect::Command(Command::AcknowledgeAlert { alert: alert.id }));
    }
}

const fn next_palette(palette: Palette) -> Palette {
    match palette {
        Palette::GreenRed => Palette::RedGreen,
        Palette::RedGreen => Palette::BlueOrange,
        Palette::BlueOrange => Palette::Mono,
        Palette::Mono => Palette::GreenRed,
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
        Some(Overlay::Help { filter: input } | Overlay::Command { input } | Overlay::Palette { input, .. }) => {
            fill(input, |_| true)
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
        Some(Overlay::Preview(_) | Overlay::Rearm { .. } | Overlay::History(_) | Overlay::Notice) | None => {}
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
    follow_preview(state, scene);
    if let Some(newest) = snapshot.activity.first().filter(|line| line.number > state.last_activity) {
        let is_first = state.last_activity == 0;
        state.last_activity = newest.number;
        if !is_first && !snapshot.is_quiet {
            let is_warning = newest.severity != Severity::Info;
            toast(state, &newest.text.clone(), is_warning, now);
            if newest.severity == Severity::Critical {
                effects.push(Effect::Bell);
            }
        }
    }
}

/// Closes a preview whose subject is gone or whose answer has come, and says so.
fn follow_preview(state: &mut UiState, scene: Scene<'_>) {
    let (snapshot, now) = (&scene.frame.snapshot, scene.now);
    let Some(preview) = state.preview().cloned() else { return };
    let words = match preview.phase {
        PreviewPhase::Looking => preview.gone(snapshot).map(|why| (why, true)),
        PreviewPhase::Sending { after, since } => {
            let answered = snapshot.activity.first().is_some_and(|line| line.number > after);
            let late = now.since(since).0 > ANSWER_WITHIN.0;
            if answered {
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

/// Shows a short message.
pub(super) fn toast(state: &mut UiState, text: &str, is_warning: bool, now: WallTime) {
    let seconds = if is_warning { 6 } else { 3 };
    state.toast = Some(Toast { text: text.to_owned(), until: now.plus(Duration::seconds(seconds)), is_warning });
}

/// A speed as a person types it: `60`, `x60`, `max`.
pub(super) fn parse_speed(text: &str) -> Option<Speed> {
    match text.trim_start_matches(['x', '×']) {
        "max" => Some(Speed::Max),
        number => number.parse().ok().filter(|times| *times > 0).map(Speed::Times),
    }
}
