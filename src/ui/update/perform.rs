//! What each action of the registry does.

use std::sync::Arc;

use crate::domain::{Alert, BrokerKind, Instrument, InstrumentId, Mode, OrderSide, Price, TimeFrame, TradingState};
use crate::engine::{Command, Snapshot};
use crate::runtime::{Palette, TapeControl};
use crate::ui::actions::ActionId;
use crate::ui::intent::Intent;
use crate::ui::panes;
use crate::ui::rows::{self, RowKey};
use crate::ui::state::{Context, Overlay, Pane, Sort, UiState, View};
use crate::ui::ticket::{Form, Purpose};
use crate::ui::update::{Effect, Scene, ask, kill, open_preview, toast, watching};

/// Performs an action of the registry.
pub(in crate::ui) fn perform(state: &mut UiState, action: ActionId, scene: Scene<'_>, effects: &mut Vec<Effect>) {
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
        ActionId::StageUp => stage_up(state, scene, effects),
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
        ActionId::Broker => toggle_view(state, View::Broker),
        ActionId::Feed => toggle_view(state, View::Feed),
        ActionId::Economy => toggle_view(state, View::Economy),
        ActionId::News => toggle_view(state, View::News),
        ActionId::Gates => toggle_view(state, View::Gates),
        ActionId::Model => {
            toggle_view(state, View::Model);
            state.model_row = 0;
        }
        ActionId::Target => target(state, scene, effects),
        ActionId::Scores => scores(state, scene, effects),
        ActionId::Reconnect => reconnect(state, scene, effects),
        ActionId::NextPane => focus(state, state.focus.next()),
        ActionId::PreviousPane => focus(state, state.focus.previous()),
        ActionId::Up => select(state, -1, scene),
        ActionId::Down => select(state, 1, scene),
        ActionId::PageUp => select(state, -10, scene),
        ActionId::PageDown => select(state, 10, scene),
        ActionId::Back => back(state),
        ActionId::Zoom => state.is_zoomed = !state.is_zoomed,
        ActionId::Sort => sort(state, scene),
        ActionId::Group if state.view == View::Scores => (state.scores.by, state.scores.row) = (state.scores.by.next(), 0),
        ActionId::Group => next_group(state, scene.context),
        ActionId::Filter => state.overlays.push(Overlay::Filter { input: state.filter.clone().into() }),
        ActionId::Timeframe => state.timeframe = state.timeframe.next(own_frame(state, scene)),
        ActionId::Freeze => state.frozen = if state.frozen.is_some() { None } else { Some(Arc::clone(scene.frame)) },
        ActionId::Watch => watching::open(state, "", scene, effects),
        ActionId::Acknowledge => acknowledge(state, scene, effects),
        ActionId::AcknowledgeAll => drop(ask(state, Command::AcknowledgeAll, effects)),
        ActionId::Palette => state.overlays.push(Overlay::Palette { input: tui_input::Input::default(), selected: 0 }),
        ActionId::CommandLine => state.overlays.push(Overlay::Command { input: tui_input::Input::default() }),
        ActionId::Help => state.overlays.push(Overlay::Help { filter: tui_input::Input::default(), row: 0 }),
        ActionId::Colours => state.palette = next_palette(state.palette),
        ActionId::Quit => open_preview(state, Intent::Quit, scene),
    }
}

/// The length of the bars of the instrument that is looked at.
fn own_frame(state: &UiState, scene: Scene<'_>) -> TimeFrame {
    let shown = match state.view {
        View::Detail(id) => Some(id),
        _ => state.instrument,
    };
    let row = scene.frame.snapshot.quotes.iter().find(|row| Some(row.instrument) == shown);
    row.map_or(TimeFrame::MINUTE, |row| panes::detail::own_frame(row, scene.context))
}

fn arm(state: &mut UiState, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    let snapshot = &scene.frame.snapshot;
    match (snapshot.mode, snapshot.state) {
        (Mode::ReadOnly, TradingState::Halted) => {
            toast(state, "trading is HALTED; re-arm it first (Shift+R)", true, scene.now);
        }
        (Mode::ReadOnly, TradingState::Active | TradingState::Reducing) => {
            ask(state, Command::ArmPaper, effects);
        }
        (Mode::Paper | Mode::Demo, _) => {
            ask(state, Command::Disarm, effects);
        }
    }
}

fn reconnect(state: &mut UiState, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    match &scene.frame.link {
        Some(link) if !link.is_ready => effects.push(Effect::Reconnect),
        Some(_) => toast(state, "the link to the broker is ready", false, scene.now),
        None => toast(state, "paper trading has no link", false, scene.now),
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
        Pane::Signals => match panes::signals::under_cursor(state, snapshot) {
            Some(panes::signals::Item::Proposal(row)) => {
                open_preview(state, Intent::Proposal { id: row.proposal.id, revision: row.proposal.revision }, scene);
            }
            Some(panes::signals::Item::Signal(entry)) => detail(state, entry.signal.view.instrument),
            None => {}
        },
        Pane::Positions => match panes::positions::under_cursor(state, snapshot) {
            Some(panes::positions::Item::Position(row)) => detail(state, row.instrument),
            Some(panes::positions::Item::Order(order)) => state.overlays.push(Overlay::History(order.order.id)),
            None => {}
        },
        Pane::Commentary => {
            if let Some(RowKey::Comment(instrument, _)) = state.under_cursor.get(&Pane::Commentary) {
                detail(state, *instrument);
            }
        }
        Pane::Alerts => {
            if let Some(id) = alert_under_cursor(state, snapshot).and_then(|alert| alert.instrument) {
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
        View::Panes
        | View::Equity
        | View::Activity
        | View::Broker
        | View::Feed
        | View::Economy
        | View::News
        | View::Allocation
        | View::Scores
        | View::Gates
        | View::Model => state.selected_instrument(snapshot, scene.context),
    };
    let Some(instrument) = instrument.and_then(|id| scene.context.instruments.get(id)) else { return };
    write_ticket(state, instrument, side, scene);
}

/// Opens the form of a new order.
pub(in crate::ui) fn write_ticket(state: &mut UiState, instrument: &Instrument, side: OrderSide, scene: Scene<'_>) {
    let snapshot = &scene.frame.snapshot;
    if !instrument.tradable {
        toast(state, &format!("{} cannot be traded itself", instrument.symbol), true, scene.now);
        return;
    }
    let mut form = Form::new(Purpose::New, instrument.id, side);
    form.focus = 1;
    // At a broker an opening order must carry a stop: the form suggests one, to be changed.
    let last = snapshot.quotes.iter().find(|row| row.instrument == instrument.id).and_then(|row| row.last);
    if snapshot.broker == BrokerKind::Xapi
        && let Some(last) = last
    {
        let away = Price::from_nanos(last.nanos() / 50 * if side == OrderSide::Buy { -1 } else { 1 });
        form.stop_loss =
            last.plus(away).map_or_else(|_| String::new(), |stop| stop.rounded_to(instrument.tick).to_string()).into();
    }
    state.overlays.push(Overlay::Ticket { form: Box::new(form), problem: None });
}

/// What closing and changing say where the row they would act on is not in sight.
const ELSEWHERE: &str = "closing and changing act on the row selected under Positions: go there first (4)";

/// Whether the cursor of the positions pane is what the person looks at.
fn is_at_positions(state: &UiState) -> bool {
    state.view == View::Panes && state.focus == Pane::Positions
}

fn close(state: &mut UiState, scene: Scene<'_>) {
    if !is_at_positions(state) {
        return toast(state, ELSEWHERE, false, scene.now);
    }
    match panes::positions::under_cursor(state, &scene.frame.snapshot) {
        Some(panes::positions::Item::Position(row)) => open_preview(state, Intent::Close(row.id, None), scene),
        Some(panes::positions::Item::Order(order)) => open_preview(state, Intent::Cancel(order.order.id), scene),
        None => toast(state, "nothing is open to close or cancel", true, scene.now),
    }
}

fn modify(state: &mut UiState, scene: Scene<'_>) {
    if !is_at_positions(state) {
        return toast(state, ELSEWHERE, false, scene.now);
    }
    let text = |value: Option<String>| tui_input::Input::from(value.unwrap_or_default());
    let form = match panes::positions::under_cursor(state, &scene.frame.snapshot) {
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
    match state.under_cursor.get(&Pane::Signals) {
        Some(RowKey::Proposal(proposal)) if state.view == View::Panes && state.focus == Pane::Signals => {
            let proposal = *proposal;
            ask(state, Command::DeclineProposal { proposal }, effects);
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
    let asked = ask(state, Command::RequestRearm, effects);
    if scene.frame.snapshot.needs_rearming {
        state.overlays.push(Overlay::Rearm { input: tui_input::Input::default(), asked });
    }
}

/// Asks for the next stage; where it is open, the word that takes the step is asked for.
fn stage_up(state: &mut UiState, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    let asked = ask(state, Command::RequestStageUp, effects);
    if scene.frame.snapshot.standing.stage.is_some_and(|stage| stage.is_offered) {
        state.overlays.push(Overlay::StageUp { input: tui_input::Input::default(), asked });
    }
}

/// Opens the view and asks for an allocation beside the book as it is now; closing it asks for nothing.
fn target(state: &mut UiState, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    toggle_view(state, View::Allocation);
    if state.view == View::Allocation {
        (state.target.asked, state.target.row) = (Some(scene.now), 0);
        effects.push(Effect::Allocate);
    }
}

/// Opens the view and asks for the scorecards as they are now.
fn scores(state: &mut UiState, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    toggle_view(state, View::Scores);
    if state.view == View::Scores {
        (state.scores.asked, state.scores.row) = (Some(scene.now), 0);
        effects.push(Effect::Score);
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
        (View::Allocation, _) => {
            let lines = state
                .target
                .latest
                .as_ref()
                .and_then(|latest| latest.answer.as_ref().ok())
                .map_or(0, |advised| advised.advice.lines.len());
            state.target.row = moved(state.target.row, lines);
        }
        (View::Scores, _) => {
            let cards = state.scores.latest.as_ref().map_or(0, |latest| latest.cards(state.scores.by).len());
            state.scores.row = moved(state.scores.row, cards);
        }
        (View::News, _) => {
            let headlines = scene.frame.bulletins.as_ref().map_or(0, |view| view.headlines.len());
            state.news_row = moved(state.news_row, headlines);
        }
        (View::Model, _) => state.model_row = moved(state.model_row, scene.frame.model.abstentions.len()),
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
        (View::Panes | View::Detail(_) | View::Equity | View::Broker | View::Feed | View::Economy | View::Gates, pane) => {
            rows::step(state, pane, by, snapshot);
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

fn alert_under_cursor<'a>(state: &UiState, snapshot: &'a Snapshot) -> Option<&'a Alert> {
    let Some(RowKey::Alert(id)) = state.under_cursor.get(&Pane::Alerts) else { return None };
    snapshot.alerts.iter().find(|alert| alert.id == *id)
}

fn acknowledge(state: &mut UiState, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    let snapshot = &scene.frame.snapshot;
    let selected = alert_under_cursor(state, snapshot).filter(|alert| state.focus == Pane::Alerts && !alert.acknowledged);
    let oldest = || snapshot.alerts.iter().rev().find(|alert| !alert.acknowledged);
    if let Some(alert) = selected.or_else(oldest).map(|alert| alert.id) {
        ask(state, Command::AcknowledgeAlert { alert }, effects);
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
