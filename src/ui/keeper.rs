//! Writes the screen's layout soon after it changed, so that a sudden end does not lose it.
//!
//! On a thread of its own: a disk that hangs must not hold up the screen, and with it the kill switch's key.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::runtime::spawn_named;
use crate::ui::screen_file::ScreenFile;
use crate::ui::state::{Overlay, UiState};

/// A layout is written when it has stood for so long: a person who walks through the panes does not write at every step.
const SETTLES_AFTER: Duration = Duration::from_millis(500);

/// The end waits so long for a layout that is being written.
const ENDS_WITHIN: Duration = Duration::from_secs(1);

/// What was written last, and what waits to be written.
#[derive(Debug)]
pub struct Keeper {
    written: ScreenFile,
    waiting: Option<(ScreenFile, Instant)>,
    /// One layout may wait for the disk; what comes meanwhile is tried again at the next tick.
    sender: Option<SyncSender<ScreenFile>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// A keeper of the file at `path`, which now holds `written`. Without a thread nothing is kept before the end.
    pub fn start(path: PathBuf, written: ScreenFile) -> Self {
        let (sender, layouts) = sync_channel(1);
        let thread = spawn_named("screen file", move || write_all(&path, &layouts));
        if let Err(error) = &thread {
            tracing::warn!(target: "pmax::screen", "the layout is written at the end only: {error}");
        }
        Self { written, waiting: None, sender: thread.is_ok().then_some(sender), thread: thread.ok() }
    }

    /// Looks at the state after a key.
    pub(super) fn note(&mut self, state: &UiState, now: Instant) {
        // The notice counts as seen only once it is closed.
        if state.overlays.iter().any(|overlay| matches!(overlay, Overlay::Notice)) {
            return;
        }
        let layout = ScreenFile::of(state);
        if self.waiting.as_ref().is_none_or(|(waiting, _)| *waiting != layout) {
            self.waiting = (layout != self.written).then_some((layout, now));
        }
    }

    /// Hands over what has settled by now.
    pub(super) fn pass_time(&mut self, now: Instant) {
        let has_settled = |(_, since): &mut (ScreenFile, Instant)| now.duration_since(*since) >= SETTLES_AFTER;
        let (Some((layout, since)), Some(sender)) = (self.waiting.take_if(has_settled), &self.sender) else { return };
        match sender.try_send(layout.clone()) {
            Ok(()) => self.written = layout,
            Err(TrySendError::Full(_)) => self.waiting = Some((layout, since)),
            Err(TrySendError::Disconnected(_)) => self.sender = None,
        }
    }

    /// Ends the thread, so that nobody else writes the file any more. A disk that hangs is not waited for: the engine still has to stop.
    pub(super) fn finish(&mut self) {
        self.sender = None;
        let Some(thread) = self.thread.take() else { return };
        let until = Instant::now() + ENDS_WITHIN;
        while !thread.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
        if !thread.is_finished() {
            tracing::warn!(target: "pmax::screen", "the layout is still being written; it is not waited for");
        } else if thread.join().is_err() {
            tracing::error!(target: "pmax::screen", "the thread that writes the layout panicked");
        }
    }
}

fn write_all(path: &std::path::Path, layouts: &Receiver<ScreenFile>) {
    for layout in layouts {
        if let Err(error) = layout.save(path) {
            tracing::warn!(target: "pmax::screen", "the screen's layout was not saved: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::state::Pane;

    #[test]
    fn a_layout_is_written_once_it_has_settled() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("screen.json");
        let (mut state, began) = (UiState::default(), Instant::now());
        let mut keeper = Keeper::start(path.clone(), ScreenFile::of(&state));
        keeper.note(&state, began);
        keeper.pass_time(began + SETTLES_AFTER * 9);
        assert!(keeper.waiting.is_none(), "nothing changed");
        state.focus = Pane::Risk;
        keeper.note(&state, began);
        keeper.pass_time(began + SETTLES_AFTER / 2);
        assert!(keeper.waiting.is_some(), "it may change again");
        keeper.pass_time(began + SETTLES_AFTER);
        assert!(keeper.waiting.is_none());
        keeper.finish();
        assert_eq!(ScreenFile::load(&path), ScreenFile::of(&state));
    }
}
