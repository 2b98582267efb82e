//! Keys of the watchlist's window, and what follows from them: a search, a change of the list, instruments that join and leave the run.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use crate::runtime::{Changed, Known, WatchChange, WatchRequest, draft_of};
use crate::ui::screen_file::toggled;
use crate::ui::state::{Overlay, UiState, WatchForm};
use crate::ui::update::{Effect, Scene, toast};
use crate::ui::watching::{Row, rows, words};

/// Rows a page key goes.
const PAGE: usize = 10;

/// Opens the window with these words.
pub(in crate::ui) fn open(state: &mut UiState, words: &str, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    if state.watch.known.is_none() {
        return toast(state, "no watchlist is kept here", true, scene.now);
    }
    let form = WatchForm { input: words.into(), ..WatchForm::default() };
    state.overlays.push(Overlay::Watch(Box::new(form)));
    typed(state, scene, effects);
}

/// Other words may have been typed: they are looked for.
pub(super) fn typed(state: &UiState, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    if let Some(Overlay::Watch(form)) = state.overlays.last()
        && scene.frame.feed.is_some()
    {
        effects.push(Effect::Search(words(form)));
    }
}

/// A key of the window.
pub(super) fn key(state: &mut UiState, mut form: WatchForm, key: KeyEvent, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    let Some(known) = state.watch.known.clone() else { return };
    if let Some(group) = form.grouping.take() {
        return group_key(state, form, group, key, scene);
    }
    if form.draft.is_some() {
        return draft_key(state, form, key, scene, effects);
    }
    let held = key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::SHIFT);
    let controlled = key.modifiers.contains(KeyModifiers::CONTROL);
    let all = rows(&form, &known, scene.frame.feed.as_ref());
    let last = all.len().saturating_sub(1);
    form.selected = form.selected.min(last);
    let chosen = all.get(form.selected);
    match key.code {
        KeyCode::Esc => {
            if scene.frame.feed.is_some() {
                effects.push(Effect::Search(String::new()));
            }
            return;
        }
        KeyCode::Up | KeyCode::Down if held => {
            let by = if key.code == KeyCode::Up { -1 } else { 1 };
            match chosen {
                Some(Row::Watched(one)) if words(&form).is_empty() => {
                    let to = form.selected.saturating_add_signed(by).min(known.watched().len().saturating_sub(1));
                    if write(state, WatchChange::Move(one.symbol.clone(), if by < 0 { -1 } else { 1 }), scene, effects) {
                        form.selected = to;
                    }
                }
                _ => toast(state, "what is watched moves in the whole list: take the words away first", false, scene.now),
            }
        }
        KeyCode::Up => form.selected = form.selected.saturating_sub(1),
        KeyCode::Down => form.selected = (form.selected + 1).min(last),
        KeyCode::PageUp => form.selected = form.selected.saturating_sub(PAGE),
        KeyCode::PageDown => form.selected = (form.selected + PAGE).min(last),
        KeyCode::Enter => choose(state, &mut form, chosen, scene, effects),
        KeyCode::Delete => leave(state, chosen, scene, effects),
        KeyCode::Char('d') if controlled => leave(state, chosen, scene, effects),
        KeyCode::Char('g') if controlled => match chosen {
            Some(Row::Watched(_) | Row::Known(_) | Row::Found(_, Some(_))) => form.grouping = Some(state.group.clone().into()),
            Some(Row::Found(_, None)) | None => toast(state, "only what is known can be in a group", false, scene.now),
        },
        _ => {
            let before = words(&form);
            form.input.handle_event(&crossterm::event::Event::Key(key));
            if words(&form) != before {
                form.selected = 0;
                state.overlays.push(Overlay::Watch(Box::new(form)));
                typed(state, scene, effects);
                return;
            }
        }
    }
    state.overlays.push(Overlay::Watch(Box::new(form)));
}

/// What Enter means on a row.
fn choose(state: &mut UiState, form: &mut WatchForm, row: Option<&Row<'_>>, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    let Some(known) = state.watch.known.clone() else { return };
    let is_watched = |symbol: &str| known.table.aliases.contains_key(symbol);
    match row {
        Some(Row::Watched(one)) => toast(state, &format!("{} is watched already; Del lets it go", one.symbol), false, scene.now),
        Some(Row::Found(_, Some(one))) if is_watched(&one.symbol) => {
            toast(state, &format!("it is {}, which is watched already", one.symbol), false, scene.now);
        }
        Some(Row::Known(one) | Row::Found(_, Some(one))) => {
            write(state, WatchChange::Watch(one.symbol.clone()), scene, effects);
        }
        Some(Row::Found(hit, None)) => match draft_of(hit) {
            Ok(draft) => form.draft = Some(draft),
            Err(why) => toast(state, &format!("{} cannot be watched: {why}", hit.symbol), true, scene.now),
        },
        None => toast(state, "nothing is chosen", false, scene.now),
    }
}

/// A new instrument is written only after a yes to what it would be.
fn draft_key(state: &mut UiState, mut form: WatchForm, key: KeyEvent, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    match key.code {
        KeyCode::Char('y') if !key.modifiers.contains(KeyModifiers::CONTROL) => {
            if let Some(draft) = form.draft.take()
                && !write(state, WatchChange::Add(Box::new(draft.clone())), scene, effects)
            {
                form.draft = Some(draft);
            }
        }
        KeyCode::Char('n') | KeyCode::Esc => form.draft = None,
        _ => {}
    }
    state.overlays.push(Overlay::Watch(Box::new(form)));
}

/// The name of a group: Enter puts the chosen one in, or takes it out where it is in.
fn group_key(state: &mut UiState, mut form: WatchForm, mut group: Input, key: KeyEvent, scene: Scene<'_>) {
    let Some(known) = state.watch.known.clone() else { return };
    match key.code {
        KeyCode::Esc => {}
        KeyCode::Enter => {
            let all = rows(&form, &known, scene.frame.feed.as_ref());
            let chosen = match all.get(form.selected) {
                Some(Row::Watched(one) | Row::Known(one) | Row::Found(_, Some(one))) => Some(one.symbol.clone()),
                Some(Row::Found(_, None)) | None => None,
            };
            if let Some(symbol) = chosen {
                let said = toggle_group(state, &symbol, group.value().trim(), scene);
                match said {
                    Ok(words) => toast(state, &words, false, scene.now),
                    Err(problem) => {
                        toast(state, &problem, true, scene.now);
                        form.grouping = Some(group);
                    }
                }
            }
        }
        _ => {
            group.handle_event(&crossterm::event::Event::Key(key));
            form.grouping = Some(group);
        }
    }
    state.overlays.push(Overlay::Watch(Box::new(form)));
}

/// Puts an instrument into a group, or takes it out where it is in. Says what was done.
pub(in crate::ui) fn toggle_group(state: &mut UiState, symbol: &str, group: &str, scene: Scene<'_>) -> Result<String, String> {
    let configured = scene.context.groups.get(group).cloned().unwrap_or_default();
    let members = toggled(&mut state.own_groups, group, symbol, configured)?;
    let verb = if members.iter().any(|member| member == symbol) { "joined" } else { "left" };
    Ok(format!("{symbol} {verb} group {group}"))
}

/// Lets an instrument go: the engine is asked first, as what is held stays.
fn leave(state: &mut UiState, row: Option<&Row<'_>>, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    match row {
        Some(Row::Watched(one)) => {
            let symbol = one.symbol.clone();
            remove(state, &symbol, scene, effects);
        }
        Some(Row::Known(_) | Row::Found(..)) | None => toast(state, "only what is watched can be let go", false, scene.now),
    }
}

/// The same by symbol.
pub(in crate::ui) fn remove(state: &mut UiState, symbol: &str, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    let Some(known) = state.watch.known.clone() else { return };
    let found = known.live(symbol).filter(|one| known.table.aliases.contains_key(&one.symbol));
    let Some(one) = found else { return toast(state, &format!("«{symbol}» is not watched"), true, scene.now) };
    if known.table.aliases.len() <= 1 {
        return toast(state, "the last one stays: a live market without an instrument tells nothing", true, scene.now);
    }
    if is_busy(state) {
        return toast(state, "the last change is still being written", true, scene.now);
    }
    if scene.frame.feed.is_none() {
        write(state, WatchChange::Remove(one.symbol.clone()), scene, effects);
        return;
    }
    state.asked += 1;
    state.watch.leaving = Some((state.asked, one.symbol.clone()));
    let request = WatchRequest { joins: Vec::new(), leaves: vec![one.id] };
    effects.push(Effect::Follow(state.asked, Box::new(request)));
}

const fn is_busy(state: &UiState) -> bool {
    state.watch.is_writing || state.watch.leaving.is_some()
}

/// Asks for a change to be written; `false` where another one still is.
pub(in crate::ui) fn write(state: &mut UiState, change: WatchChange, scene: Scene<'_>, effects: &mut Vec<Effect>) -> bool {
    if is_busy(state) {
        toast(state, "the last change is still being written", true, scene.now);
        return false;
    }
    state.watch.is_writing = true;
    effects.push(Effect::Watch(Box::new(change)));
    true
}

/// Once the engine has let an instrument go, it leaves the list. A refusal was shown already.
pub(super) fn follow(state: &mut UiState, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    let Some((asked, symbol)) = state.watch.leaving.clone() else { return };
    let Some(answer) = scene.frame.answers.iter().find(|answer| answer.number == asked) else { return };
    state.watch.leaving = None;
    if answer.refusal.is_none() {
        write(state, WatchChange::Remove(symbol), scene, effects);
    }
}

/// A change was written, or was not: the list is the new one, and what is new joins a live run.
pub(super) fn written(state: &mut UiState, changed: &Changed, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    state.watch.is_writing = false;
    let known = match &changed.outcome {
        Ok(known) => known,
        Err(why) => return toast(state, &format!("nothing was changed: {why}"), true, scene.now),
    };
    state.watch.known = Some(std::sync::Arc::clone(known));
    let later = if scene.frame.feed.is_some() { "" } else { "; `pmax --feed live` follows the list" };
    match &changed.change {
        WatchChange::Add(draft) => join(state, &draft.instrument.symbol, known, later, scene, effects),
        WatchChange::Watch(symbol) => join(state, symbol, known, later, scene, effects),
        WatchChange::Remove(symbol) => toast(state, &format!("{symbol} is not watched any more{later}"), false, scene.now),
        WatchChange::Move(..) => {}
    }
}

fn join(state: &mut UiState, symbol: &str, known: &Known, later: &str, scene: Scene<'_>, effects: &mut Vec<Effect>) {
    toast(state, &format!("{symbol} is watched{later}"), false, scene.now);
    if let Some((watched, line)) = known.line(symbol).filter(|_| scene.frame.feed.is_some()) {
        state.asked += 1;
        let request = WatchRequest { joins: vec![(watched, line)], leaves: Vec::new() };
        effects.push(Effect::Follow(state.asked, Box::new(request)));
    }
}
