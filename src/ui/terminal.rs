//! The terminal's life cycle: one guard enters and leaves, exact mirrors, as often as needed.

use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, SetTitle, disable_raw_mode,
    enable_raw_mode,
};
use crossterm::{cursor, execute, queue};
use ratatui::Terminal as Screen;
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use rustix::event::{PollFd, PollFlags, poll};

/// Whether the terminal is ours now; the panic hook and the guard share it, so that leaving happens once.
static ENTERED: AtomicBool = AtomicBool::new(false);

/// Why there is no screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TerminalProblem {
    /// Standard input or output is not a terminal.
    NotATerminal,
    /// `TERM=dumb`: it cannot place the cursor.
    Dumb,
    /// The system refused.
    Io(String),
}

/// The screen while it is ours.
pub struct Terminal {
    /// Never dropped: leaving is ours, and its own way of leaving complains to a terminal that may be gone.
    screen: ManuallyDrop<Screen<CrosstermBackend<BufWriter<Stdout>>>>,
    title: String,
    frames: u64,
}

impl fmt::Debug for Terminal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Terminal").field("frames", &self.frames).finish_non_exhaustive()
    }
}

impl fmt::Display for TerminalProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotATerminal => formatter.write_str("standard input and output must be a terminal"),
            Self::Dumb => formatter.write_str("TERM=dumb names a terminal that cannot place the cursor"),
            Self::Io(what) => write!(formatter, "the terminal cannot be used: {what}"),
        }
    }
}

impl From<io::Error> for TerminalProblem {
    fn from(error: io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

/// Leaves the alternate screen, raw mode and all the rest. Tolerates a terminal that is gone; doing it twice does nothing.
pub fn restore_now() {
    if !ENTERED.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    let left = execute!(out, EndSynchronizedUpdate, DisableBracketedPaste, LeaveAlternateScreen, cursor::Show);
    let cooked = disable_raw_mode();
    if let (Err(error), _) | (_, Err(error)) = (left, cooked) {
        tracing::warn!(target: "pmax::terminal", "the terminal was not left in order: {error}");
    }
}

impl Terminal {
    /// Takes over the terminal.
    pub fn enter() -> Result<Self, TerminalProblem> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(TerminalProblem::NotATerminal);
        }
        if std::env::var("TERM").is_ok_and(|term| term == "dumb") {
            return Err(TerminalProblem::Dumb);
        }
        claim()?;
        let screen =
            Screen::new(CrosstermBackend::new(BufWriter::with_capacity(1 << 16, io::stdout()))).inspect_err(|_| restore_now())?;
        Ok(Self { screen: ManuallyDrop::new(screen), title: String::new(), frames: 0 })
    }

    /// Takes it over again after a suspension; everything is painted anew.
    pub fn reenter(&mut self) -> Result<(), TerminalProblem> {
        claim()?;
        let size = self.screen.backend().size()?;
        self.screen.resize(Rect::new(0, 0, size.width, size.height))?;
        self.title.clear();
        Ok(())
    }

    /// The size in columns and rows.
    pub fn size(&self) -> (u16, u16) {
        self.screen.size().map_or((0, 0), |size| (size.width, size.height))
    }

    /// Draws one frame; only changed cells are written, between synchronised-update brackets.
    pub fn draw(&mut self, title: &str, paint: impl FnOnce(Rect, &mut Buffer)) -> io::Result<()> {
        let writer = self.screen.backend_mut();
        queue!(writer, BeginSynchronizedUpdate)?;
        if self.title != title {
            queue!(writer, SetTitle(title))?;
            title.clone_into(&mut self.title);
        }
        self.screen.draw(|frame| paint(frame.area(), frame.buffer_mut()))?;
        self.frames += 1;
        let writer = self.screen.backend_mut();
        queue!(writer, EndSynchronizedUpdate)?;
        Write::flush(writer)
    }

    /// How many frames were drawn.
    pub const fn frames(&self) -> u64 {
        self.frames
    }

    /// Whether the terminal has vanished; asked often, since its library would read a vanished one for ever.
    pub fn is_gone() -> bool {
        let input = io::stdin();
        let mut fds = [PollFd::new(&input, PollFlags::HUP | PollFlags::ERR)];
        let polled = poll(&mut fds, Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 }));
        let hung = fds.first().is_some_and(|fd| fd.revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL));
        polled.is_ok() && hung
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore_now();
    }
}

fn claim() -> Result<(), TerminalProblem> {
    ENTERED.store(true, Ordering::SeqCst);
    let entered =
        enable_raw_mode().and_then(|()| execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, cursor::Hide));
    entered.map_err(|error| {
        restore_now();
        TerminalProblem::from(error)
    })
}
