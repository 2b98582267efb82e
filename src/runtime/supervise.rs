//! Threads by name, and what happens when one dies.
//!
//! A panic outside the screen's thread must not touch the terminal: the screen is still drawing on it, and its kill key must keep
//! working. It is logged and reported as a [`TaskDeath`]; whoever listens halts trading.

use std::any::Any;
use std::fmt;
use std::io::Write;
use std::panic;
use std::sync::{Mutex, OnceLock};
use std::thread;

/// A thread that ended by a panic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskDeath {
    /// Its name.
    pub task: String,
    /// What it said.
    pub message: String,
}

type Listener = Box<dyn Fn(TaskDeath) + Send>;

/// The panic hook is process-wide, so what it reports to must be too.
static LISTENER: OnceLock<Mutex<Option<Listener>>> = OnceLock::new();

/// Whom to tell when a thread dies.
pub fn on_death(listener: impl Fn(TaskDeath) + Send + 'static) {
    if let Ok(mut slot) = LISTENER.get_or_init(Mutex::default).lock() {
        *slot = Some(Box::new(listener));
    }
}

/// Installs the process-wide panic hook. `on_screen_panic` runs first when the panicking thread is the one that calls this.
pub fn install_panic_hook(on_screen_panic: impl Fn() + Send + Sync + 'static) {
    let screen = thread::current().id();
    panic::set_hook(Box::new(move |info| {
        tracing::error!(target: "pmax::panic", "{info}");
        let message = said(info.payload());
        if thread::current().id() == screen {
            on_screen_panic();
            complain(format_args!("the screen failed: {message}"));
            return;
        }
        let task = thread::current().name().unwrap_or("unnamed").to_owned();
        if let Some(slot) = LISTENER.get()
            && let Ok(listener) = slot.lock()
            && let Some(tell) = listener.as_ref()
        {
            tell(TaskDeath { task, message });
        }
    }));
}

/// What a panic said, without the place in the program: that is for the log.
fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a word; see the log".to_owned())
}

/// Tells the person on standard error. A terminal that is gone takes nothing: a print macro would panic there, in the midst of an
/// orderly stop.
pub fn complain(text: fmt::Arguments<'_>) {
    let written = writeln!(std::io::stderr().lock(), "pmax: {text}");
    if let Err(error) = written {
        tracing::warn!(target: "pmax::terminal", "not told, for there is no terminal ({error}): {text}");
    }
}

/// Starts a named thread.
pub fn spawn_named<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<thread::JoinHandle<T>> {
    thread::Builder::new().name(name.to_owned()).spawn(work)
}
