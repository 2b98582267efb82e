//! The real binary in a real pseudo-terminal, typed at and looked at the way a person does.
//!
//! A reader thread feeds everything the program writes to a terminal emulator and keeps the raw bytes; a writer thread
//! types. Both are needed: a program that does not read must not stop us from reading what it writes, or the two would
//! wait for each other. The emulator answers the questions a real terminal answers, so the program never waits for one.
//!
//! What it does not do: no key waits for its effect. A test says what it expects to see next, with `wait_text` or
//! `wait_for`, and every wait ends at the deadline with the last screen in the message.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::Write;
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use rustix::termios::{LocalModes, Termios};
use tempfile::TempDir;

use super::deadline;
use emulator::{Shared, State, read_output};

mod emulator;

/// How the binary is started: arguments, what is added to its environment, and the size of its terminal.
#[derive(Debug, Clone)]
pub struct Launch {
    pub args: Vec<String>,
    /// Added to `PATH`, `LANG=C.UTF-8`, `TERM=xterm-256color` and a temporary `HOME`; wins over them.
    pub env: Vec<(String, String)>,
    /// Columns, then rows.
    pub size: (u16, u16),
}

impl Launch {
    /// A launch with these arguments in a terminal of 120 columns and 40 rows.
    pub fn new(args: &[&str]) -> Self {
        Self { args: args.iter().map(|arg| (*arg).to_owned()).collect(), env: Vec::new(), size: (120, 40) }
    }

    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    pub fn size(mut self, cols: u16, rows: u16) -> Self {
        self.size = (cols, rows);
        self
    }
}

/// A key as xterm sends it. Letters and digits go through [`Terminal::send`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Enter,
    Esc,
    Tab,
    BackTab,
    Backspace,
    Delete,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    /// F1 to F12.
    F(u8),
    Ctrl(char),
}

/// The program and the terminal it runs in. Dropping it kills the program.
pub struct Terminal {
    shared: Arc<Shared>,
    keyboard: Sender<Vec<u8>>,
    master: Box<dyn MasterPty + Send>,
    /// Kept open so that the terminal outlives the program: its settings can be read after the exit.
    slave: Arc<OwnedFd>,
    before: Termios,
    pid: Pid,
    home: TempDir,
}

impl Terminal {
    #[track_caller]
    pub fn spawn(launch: Launch) -> Self {
        let (cols, rows) = launch.size;
        let home = tempfile::tempdir().expect("a temporary home can be made");
        let pair = native_pty_system().openpty(pty_size(cols, rows)).expect("a pseudo-terminal can be opened");
        let name = pair.master.tty_name().expect("the pseudo-terminal has a name");
        // Never the controlling terminal of the tests; never a place where a write of ours could hang.
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let slave = Arc::new(rustix::fs::open(&name, flags, Mode::empty()).expect("the program's end can be opened"));
        let before = rustix::termios::tcgetattr(&*slave).expect("the terminal's settings can be read");
        let reader = pair.master.try_clone_reader().expect("the terminal can be read");
        let writer = pair.master.take_writer().expect("the terminal can be written");

        let spawned: Box<dyn Child> = pair.slave.spawn_command(command(&launch, home.path())).expect("the binary starts");
        let child = spawned.downcast::<std::process::Child>().expect("a child on Unix is the standard library's");
        let pid = Pid::from_child(&child);

        let shared = Arc::new(Shared::new(cells(cols), cells(rows)));
        // Unbounded: nobody but the test fills it, and a full one would let reader and writer wait for each other.
        let (keyboard, typed) = mpsc::channel();
        let (answers, watched) = (keyboard.clone(), Arc::clone(&shared));
        thread::spawn(move || read_output(reader, &watched, &answers));
        let input = Arc::downgrade(&slave);
        thread::spawn(move || write_input(writer, &typed, &input));
        let watched = Arc::clone(&shared);
        thread::spawn(move || await_exit(*child, &watched));

        Self { shared, keyboard, master: pair.master, slave, before, pid, home }
    }

    /// The temporary folder that is `HOME` and the working directory unless the launch said otherwise.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// The visible rows from top to bottom, without the blanks at their ends.
    ///
    /// A frame inside a synchronised update (`?2026`) is not visible before it is complete.
    pub fn screen(&self) -> String {
        self.shared.lock().screen()
    }

    /// One visible row, counted from 0; empty below the last one.
    pub fn row(&self, n: usize) -> String {
        self.screen().lines().nth(n).unwrap_or_default().to_owned()
    }

    pub fn contains(&self, text: &str) -> bool {
        self.screen().contains(text)
    }

    /// The window title last set, or an empty string.
    pub fn title(&self) -> String {
        self.shared.lock().parser.callbacks().title.clone()
    }

    /// Every byte the program has written.
    pub fn raw(&self) -> Vec<u8> {
        self.shared.lock().output().to_vec()
    }

    /// Waits until the screen satisfies `predicate`; `what` says in the message of a failure what was waited for.
    #[track_caller]
    pub fn wait_for(&self, what: &str, predicate: impl Fn(&str) -> bool) {
        let limit = Instant::now() + deadline();
        loop {
            let (screen, seen, has_exited, is_complete) = {
                let state = self.shared.lock();
                (state.screen(), state.generation, state.exit.is_some(), state.end.is_some())
            };
            if predicate(&screen) {
                return;
            }
            if has_exited {
                if is_complete {
                    self.fail(&format!("waited for {what}, but the program has ended"));
                }
                self.settle();
                continue;
            }
            if !self.shared.wait_while(limit, |state| state.generation == seen) {
                self.fail(&format!("waited {:?} for {what}", deadline()));
            }
        }
    }

    #[track_caller]
    pub fn wait_text(&self, text: &str) {
        self.wait_for(&format!("{text:?} to be on the screen"), |screen| screen.contains(text));
    }

    #[track_caller]
    pub fn wait_gone(&self, text: &str) {
        self.wait_for(&format!("{text:?} to be off the screen"), |screen| !screen.contains(text));
    }

    /// Types these bytes as they are.
    pub fn send(&self, keys: &str) {
        // Fails only when the terminal is gone, and then the next wait says so.
        let _ = self.keyboard.send(keys.as_bytes().to_vec());
    }

    pub fn key(&self, key: Key) {
        self.send(&sequence(key));
    }

    /// Pastes as a terminal does: in paste brackets when the program has asked for them, otherwise as if typed.
    pub fn paste(&self, text: &str) {
        let is_bracketed = self.shared.lock().parser.screen().bracketed_paste();
        if is_bracketed {
            self.send(&format!("\x1b[200~{text}\x1b[201~"));
        } else {
            self.send(text);
        }
    }

    #[track_caller]
    pub fn resize(&self, cols: u16, rows: u16) {
        // The emulator first: what the program draws for the new size must not land on the old one.
        self.shared.lock().parser.set_size(cells(rows), cells(cols));
        self.master.resize(pty_size(cols, rows)).expect("the terminal can be resized");
    }

    /// Sends a signal to the program; does nothing when it has ended already.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        // Under the lock that guards reaping, so the number cannot belong to another process by now.
        let state = self.shared.lock();
        if state.exit.is_none() {
            rustix::process::kill_process(self.pid, signal).expect("the program can be signalled");
        }
    }

    /// Takes the program down as a power cut would.
    #[track_caller]
    pub fn kill9(&self) {
        self.signal(Signal::KILL);
    }

    pub fn is_running(&self) -> bool {
        self.shared.lock().exit.is_none()
    }

    /// Waits for the program to end and returns its exit code, or 128 + the signal that ended it, as a shell does.
    #[track_caller]
    pub fn wait_exit(&mut self) -> u32 {
        if !self.shared.wait_while(Instant::now() + deadline(), |state| state.exit.is_none()) {
            self.fail(&format!("waited {:?} for the program to end", deadline()));
        }
        self.settle();
        self.shared.lock().exit.expect("waited for")
    }

    /// Asserts that the ended program left the terminal as it found it: every private mode at rest, the keyboard
    /// protocol popped as often as pushed, the line discipline canonical and echoing.
    #[track_caller]
    pub fn assert_restored(&self) {
        if self.is_running() {
            self.fail("the terminal is to be restored at the end, but the program still runs");
        }
        self.settle();
        let mut faults = left_behind(&self.raw());
        let now = rustix::termios::tcgetattr(&*self.slave).expect("the terminal's settings can be read");
        if !now.local_modes.contains(LocalModes::ICANON | LocalModes::ECHO) {
            faults.push(format!("the terminal is still raw: {:?}", now.local_modes));
        } else if modes(&now) != modes(&self.before) {
            faults.push(format!("line discipline: {:?} became {:?}", modes(&self.before), modes(&now)));
        }
        if !faults.is_empty() {
            self.fail(&format!("the terminal was not restored: {}", faults.join("; ")));
        }
    }

    /// Waits until everything the ended program wrote has been read.
    ///
    /// The terminal is ours as well, so no end of file tells. A mark written behind the program's last byte does: an
    /// application string, which no terminal shows.
    #[track_caller]
    fn settle(&self) {
        const MARK: &[u8] = b"\x1b_settled\x1b\\";
        let limit = Instant::now() + deadline();
        let from = {
            let state = self.shared.lock();
            if state.end.is_some() {
                return;
            }
            state.raw.len()
        };
        let mut rest = MARK;
        while !rest.is_empty() {
            match rustix::io::write(&*self.slave, rest) {
                Ok(written) => rest = &rest[written..],
                Err(_) if Instant::now() < limit => thread::sleep(Duration::from_millis(1)),
                Err(error) => self.fail(&format!("the terminal takes no more output: {error}")),
            }
        }
        let mark = |state: &State| state.raw[from..].windows(MARK.len()).position(|bytes| bytes == MARK);
        if !self.shared.wait_while(limit, |state| mark(state).is_none()) {
            self.fail("waited for the program's last output");
        }
        let mut state = self.shared.lock();
        state.end = mark(&state).map(|at| from + at);
    }

    #[track_caller]
    fn fail(&self, why: &str) -> ! {
        let state = self.shared.lock();
        let condition = match state.exit {
            Some(code) => format!("ended with {code}"),
            None => "running".to_owned(),
        };
        let output = state.output();
        let tail = String::from_utf8_lossy(&output[output.len().saturating_sub(600)..]).escape_debug().to_string();
        let screen: String = state.screen().lines().map(|row| format!("|{row}\n")).collect();
        let (rows, cols) = state.parser.screen().size();
        // A panic with the lock held would poison it for the drop that follows.
        drop(state);
        panic!("{why}\nthe program: {condition}\nthe screen, {cols}x{rows}:\n{screen}the last output: {tail}");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        {
            let state = self.shared.lock();
            if state.exit.is_none() {
                // It leads a session of its own, so this takes what it started along.
                let _ = rustix::process::kill_process_group(self.pid, Signal::KILL);
            }
        }
        self.shared.wait_while(Instant::now() + Duration::from_secs(5), |state| state.exit.is_none());
    }
}

fn write_input(mut writer: Box<dyn Write + Send>, typed: &Receiver<Vec<u8>>, slave: &Weak<OwnedFd>) {
    for bytes in typed {
        if writer.write_all(&bytes).and_then(|()| writer.flush()).is_err() {
            return;
        }
        if bytes.ends_with(b"\x1b") {
            let_escape_be_read(slave);
        }
    }
}

/// Gives the program time to read an escape on its own: with the next key close behind, it would be that key with Alt.
///
/// A hand is slow enough for that; a test is not.
fn let_escape_be_read(slave: &Weak<OwnedFd>) {
    let limit = Instant::now() + deadline();
    loop {
        thread::sleep(Duration::from_millis(20));
        let unread = slave.upgrade().and_then(|slave| rustix::io::ioctl_fionread(&*slave).ok());
        if unread.unwrap_or(0) == 0 || Instant::now() > limit {
            return;
        }
    }
}

fn await_exit(mut child: std::process::Child, shared: &Shared) {
    let pid = Pid::from_child(&child);
    // Only looks: the process is reaped under the lock, so nobody can signal its number after it is free again.
    while let Err(rustix::io::Errno::INTR) =
        rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
    {}
    shared.update(|state| state.exit = Some(exit_code(child.wait().expect("the program can be waited for"))));
}

fn exit_code(status: ExitStatus) -> u32 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.expect("an ended process has a code or a signal").unsigned_abs()
}

fn command(launch: &Launch, home: &Path) -> CommandBuilder {
    let mut command = CommandBuilder::new(super::binary());
    command.args(&launch.args);
    command.env_clear();
    command.env("PATH", super::path());
    command.env("HOME", home);
    command.env("LANG", "C.UTF-8");
    command.env("TERM", "xterm-256color");
    for (name, value) in &launch.env {
        command.env(name, value);
    }
    command.cwd(home);
    command
}

fn sequence(key: Key) -> String {
    let fixed = match key {
        Key::Enter => "\r",
        Key::Esc => "\x1b",
        Key::Tab => "\t",
        Key::BackTab => "\x1b[Z",
        Key::Backspace => "\x7f",
        Key::Delete => "\x1b[3~",
        Key::Up => "\x1b[A",
        Key::Down => "\x1b[B",
        Key::Right => "\x1b[C",
        Key::Left => "\x1b[D",
        Key::Home => "\x1b[H",
        Key::End => "\x1b[F",
        Key::PageUp => "\x1b[5~",
        Key::PageDown => "\x1b[6~",
        Key::F(1) => "\x1bOP",
        Key::F(2) => "\x1bOQ",
        Key::F(3) => "\x1bOR",
        Key::F(4) => "\x1bOS",
        Key::F(5) => "\x1b[15~",
        Key::F(6) => "\x1b[17~",
        Key::F(7) => "\x1b[18~",
        Key::F(8) => "\x1b[19~",
        Key::F(9) => "\x1b[20~",
        Key::F(10) => "\x1b[21~",
        Key::F(11) => "\x1b[23~",
        Key::F(12) => "\x1b[24~",
        Key::F(n) => panic!("no F{n} on this keyboard"),
        Key::Ctrl(letter) => {
            assert!(letter.is_ascii(), "no Ctrl+{letter} on this keyboard");
            return char::from(u8::try_from(letter).unwrap() & 0x1f).to_string();
        }
    };
    fixed.to_owned()
}

fn modes(termios: &Termios) -> impl std::fmt::Debug + PartialEq + use<> {
    // The kernel's own note that input is to be shown again, not a setting.
    (termios.input_modes, termios.output_modes, termios.local_modes - LocalModes::PENDIN)
}

fn pty_size(cols: u16, rows: u16) -> PtySize {
    PtySize { rows, cols, ..PtySize::default() }
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("a terminal has at least one row and one column")
}

/// The private modes a person notices, named for the message.
const NAMES: [(u16, &str); 10] = [
    (25, "cursor"),
    (1000, "mouse clicks"),
    (1002, "mouse drags"),
    (1003, "mouse moves"),
    (1004, "focus reports"),
    (1006, "mouse encoding"),
    (1015, "mouse encoding"),
    (1049, "alternate screen"),
    (2004, "bracketed paste"),
    (2026, "synchronised update"),
];

/// Says what a stream of terminal output leaves different from how it found it; empty when nothing.
///
/// Covers every private mode (`CSI ? … h` and `l`) and the stack of the kitty keyboard protocol (`CSI > … u` and
/// `CSI < … u`), of which the main and the alternate screen have one each. Cursor blinking (`?12`) has no common resting
/// value and saving the cursor (`?1048`) is no mode, so neither counts.
pub fn left_behind(output: &[u8]) -> Vec<String> {
    let mut modes = BTreeMap::<u16, bool>::new();
    let mut is_alternate = false;
    let (mut main, mut alternate) = (0_i64, 0_i64);
    for (body, last) in control_sequences(output) {
        let keyboard = if is_alternate { &mut alternate } else { &mut main };
        match (body.split_first(), last) {
            (Some((b'?', params)), b'h' | b'l') => {
                for mode in params.split(|byte| *byte == b';').filter_map(number) {
                    modes.insert(mode, last == b'h');
                    if matches!(mode, 47 | 1047 | 1049) {
                        is_alternate = last == b'h';
                    }
                }
            }
            (Some((b'>', _)), b'u') => *keyboard += 1,
            (Some((b'<', count)), b'u') => *keyboard -= i64::from(number(count).unwrap_or(1).max(1)),
            _ => {}
        }
    }

    let mut faults = Vec::new();
    for (mode, is_set) in modes {
        let at_rest = match mode {
            12 | 1048 => continue,
            // The cursor is visible, and text wraps at the end of a row.
            7 | 25 => true,
            _ => false,
        };
        if is_set != at_rest {
            let name = NAMES.iter().find(|(known, _)| *known == mode).map_or("private mode", |(_, name)| name);
            faults.push(format!("?{mode} ({name}) was left {}", if is_set { "on" } else { "off" }));
        }
    }
    for (screen, depth) in [("main", main), ("alternate", alternate)] {
        match depth.cmp(&0) {
            Ordering::Equal => {}
            Ordering::Greater => faults.push(format!("keyboard protocol on the {screen} screen: {depth} pushed, not popped")),
            Ordering::Less => faults.push(format!("keyboard protocol on the {screen} screen: {} popped, not pushed", -depth)),
        }
    }
    faults
}

/// The complete control sequences (ECMA-48, 5.4) in the order of the stream: what follows `CSI`, and the final byte.
fn control_sequences(mut bytes: &[u8]) -> impl Iterator<Item = (&[u8], u8)> {
    std::iter::from_fn(move || {
        while let Some(at) = bytes.windows(2).position(|pair| pair == b"\x1b[") {
            let rest = &bytes[at + 2..];
            let length = rest.iter().take_while(|byte| matches!(byte, 0x20..=0x3f)).count();
            let (body, next) = rest.split_at(length);
            bytes = next;
            if let Some(last @ 0x40..=0x7e) = next.first() {
                return Some((body, *last));
            }
        }
        None
    })
}

fn number(digits: &[u8]) -> Option<u16> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::left_behind;

    #[track_caller]
    fn check(output: &str, faults: &[&str]) {
        assert_eq!(left_behind(output.as_bytes()), faults, "{output:?}");
    }

    #[test]
    fn a_terminal_left_as_found_has_no_faults() {
        check("", &[]);
        check("plain text, \x1b[1;31mred\x1b[0m, \x1b]2;a title\x07", &[]);
        check("\x1b[?1049h\x1b[?25l\x1b[2Jhello\x1b[?25h\x1b[?1049l", &[]);
        check("\x1b[?25l\x1b[?25h\x1b[?25l\x1b[?25h", &[]);
        check("\x1b[?1000;1002;1003;1015;1006h\x1b[?1006;1015;1003;1002;1000l", &[]);
        check("\x1b[?2026h frame \x1b[?2026l\x1b[?2004h\x1b[?1004h\x1b[?1004l\x1b[?2004l", &[]);
    }

    #[test]
    fn a_mode_is_judged_by_its_last_change() {
        check("\x1b[?1049h", &["?1049 (alternate screen) was left on"]);
        check("\x1b[?1049h\x1b[?1049l\x1b[?1049h", &["?1049 (alternate screen) was left on"]);
        check("\x1b[?25h\x1b[?25l", &["?25 (cursor) was left off"]);
        check("\x1b[?2026h", &["?2026 (synchronised update) was left on"]);
        check("\x1b[?2004h\x1b[?1004h", &["?1004 (focus reports) was left on", "?2004 (bracketed paste) was left on"]);
        check("\x1b[?7l\x1b[?2031h", &["?7 (private mode) was left off", "?2031 (private mode) was left on"]);
    }

    #[test]
    fn one_sequence_may_change_several_modes() {
        check("\x1b[?1000;1006h\x1b[?1000l", &["?1006 (mouse encoding) was left on"]);
        check("\x1b[?1000;1003h\x1b[?1006;1000l", &["?1003 (mouse moves) was left on"]);
        check("\x1b[?25;1002l\x1b[?25h", &[]);
    }

    #[test]
    fn what_only_resembles_a_mode_does_not_count() {
        check("[?1049h", &[]);
        check("\x1b[4h\x1b[25l", &[]);
        check("\x1b[?2026$p", &[]);
        check("\x1b[?12h\x1b[?1048h", &[]);
        check("\x1b[?1049", &[]);
        check("\x1b[?10\x1b[?25l", &["?25 (cursor) was left off"]);
        check("\x1b[\x1b[?25l", &["?25 (cursor) was left off"]);
    }

    #[test]
    fn keyboard_pushes_are_popped_on_the_screen_they_were_pushed_on() {
        check("\x1b[?u\x1b[c\x1b[>1u\x1b[<u", &[]);
        check("\x1b[>1u\x1b[>3u\x1b[<2u", &[]);
        check("\x1b[>u\x1b[<0u", &[]);
        check("\x1b[>1u", &["keyboard protocol on the main screen: 1 pushed, not popped"]);
        check("\x1b[>1u\x1b[<1u\x1b[<1u", &["keyboard protocol on the main screen: 1 popped, not pushed"]);
        check("\x1b[?1049h\x1b[>1u\x1b[<1u\x1b[?1049l", &[]);
        check(
            "\x1b[>1u\x1b[?1049h\x1b[<1u\x1b[?1049l",
            &[
                "keyboard protocol on the main screen: 1 pushed, not popped",
                "keyboard protocol on the alternate screen: 1 popped, not pushed",
            ],
        );
    }
}
