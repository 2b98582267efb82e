//! The screen side of the pseudo-terminal: what the program wrote, what a person would see of it, and how it ended.

use std::io::{ErrorKind, Read};
use std::num::NonZeroU16;
use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What the threads of a terminal share: its state, and word of every change.
pub struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    pub fn new(cols: NonZeroU16, rows: NonZeroU16) -> Self {
        let parser = vt100::Parser::new_with_callbacks(rows, cols, 0, Emulator::default());
        let state = State { parser, raw: Vec::new(), end: None, exit: None, generation: 0 };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn update(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        state.generation += 1;
        drop(state);
        self.changed.notify_all();
    }

    /// Waits while `condition` holds, at most until `limit`; says whether it holds no longer.
    pub fn wait_while(&self, limit: Instant, condition: impl Fn(&State) -> bool) -> bool {
        let left = limit.saturating_duration_since(Instant::now());
        let (_state, outcome) =
            self.changed.wait_timeout_while(self.lock(), left, |state| condition(state)).unwrap_or_else(PoisonError::into_inner);
        !outcome.timed_out()
    }
}

/// All that is known of the program from outside: its output, the screen that made, and its end.
pub struct State {
    pub parser: vt100::Parser<Emulator>,
    pub raw: Vec<u8>,
    /// Where the output of the ended program stops, once all of it has been read.
    pub end: Option<usize>,
    pub exit: Option<u32>,
    /// Rises with every change, so that a waiter can tell whether to look again.
    pub generation: u64,
}

impl State {
    pub fn output(&self) -> &[u8] {
        &self.raw[..self.end.unwrap_or(self.raw.len())]
    }

    pub fn screen(&self) -> String {
        match &self.parser.callbacks().held {
            // A terminal gives up on a frame that nobody is left to finish.
            Some(held) if self.exit.is_none() => held.clone(),
            _ => visible(self.parser.screen()),
        }
    }
}

/// What a terminal does besides drawing: it answers, takes a title, and holds a frame back until it is complete.
#[derive(Default)]
pub struct Emulator {
    answers: Vec<u8>,
    pub title: String,
    /// The screen as it was when a synchronised update began that has not ended.
    held: Option<String>,
}

impl vt100::Callbacks for Emulator {
    fn set_window_title(&mut self, _: &mut vt100::Screen, title: &[u8]) {
        self.title = String::from_utf8_lossy(title).into_owned();
    }

    fn unhandled_osc(&mut self, _: &mut vt100::Screen, params: &[&[u8]]) {
        // The emulator splits at semicolons and does not know a title that has some.
        if let [b"0" | b"2", title @ ..] = params {
            self.title = String::from_utf8_lossy(&title.join(&b';')).into_owned();
        }
    }

    fn unhandled_csi(&mut self, screen: &mut vt100::Screen, prefix: Option<u8>, _: Option<u8>, params: &[&[u16]], last: char) {
        match (prefix, last, params) {
            (None, 'c', [] | [[0]]) => self.answers.extend(b"\x1b[?62;22c"),
            (None, 'n', [[5]]) => self.answers.extend(b"\x1b[0n"),
            (None, 'n', [[6]]) => {
                let (row, col) = screen.cursor_position();
                let (_, cols) = screen.size();
                // Behind a full row the emulator counts one column more than there is.
                let (row, col) = (row + 1, (col + 1).min(cols.get()));
                self.answers.extend(format!("\x1b[{row};{col}R").bytes());
            }
            (Some(b'?'), 'h', _) if params.contains(&&[2026][..]) => {
                self.held.get_or_insert_with(|| visible(screen));
            }
            (Some(b'?'), 'l', _) if params.contains(&&[2026][..]) => self.held = None,
            // The query for the kitty keyboard protocol is among the rest: a terminal without it keeps silent.
            _ => {}
        }
    }
}

/// Feeds what the program writes to the emulator, and sends its answers back, until nobody can write any more.
pub fn read_output(mut reader: Box<dyn Read + Send>, shared: &Shared, answers: &Sender<Vec<u8>>) {
    let mut chunk = [0; 16 * 1024];
    loop {
        let bytes = match reader.read(&mut chunk) {
            Ok(0) => return,
            Ok(length) => &chunk[..length],
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        let mut answer = Vec::new();
        shared.update(|state| {
            state.raw.extend_from_slice(bytes);
            state.parser.process(bytes);
            answer = std::mem::take(&mut state.parser.callbacks_mut().answers);
        });
        if !answer.is_empty() {
            let _ = answers.send(answer);
        }
    }
}

fn visible(screen: &vt100::Screen) -> String {
    let (_, cols) = screen.size();
    screen.rows(0, cols.get()).map(|row| row.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}
