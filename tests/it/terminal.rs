//! The workstation as a person meets it: the real binary in a real pseudo-terminal, keys in, screen and exit code out.
//!
//! Where something must NOT happen, the test types on until a later key has shown its effect: keys are handled in order, so whatever
//! the earlier one did has been done by then. What was or was not sent is read from the journal, by a second process.

use std::path::Path;
use std::time::Instant;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use tempfile::TempDir;

use crate::support::pty::{Key, Launch, Terminal};
use crate::support::{deadline, run};

pub const NOTICE: &str = "Enter closes this notice.";
const SENDS: &str = "y SENDS the order";
pub const KILL_ARMED: &str = "KILL SWITCH ARMED";
const ALTERNATE_ON: &[u8] = b"\x1b[?1049h";
const ALTERNATE_OFF: &[u8] = b"\x1b[?1049l";

pub fn home() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub fn launch(home: &Path) -> Launch {
    Launch::new(&[]).env("PMAX_HOME", home.display().to_string())
}

/// Starts in a fresh home and closes the notice.
#[track_caller]
pub fn open(home: &Path) -> Terminal {
    open_as(launch(home))
}

#[track_caller]
pub fn open_as(launch: Launch) -> Terminal {
    let terminal = Terminal::spawn(launch);
    terminal.wait_text(NOTICE);
    terminal.key(Key::Esc);
    terminal.wait_gone(NOTICE);
    terminal
}

/// The status line: mode, trading state, tape.
#[track_caller]
pub fn wait_status(terminal: &Terminal, words: &[&str]) {
    terminal.wait_for(&format!("{words:?} in the first row"), |screen| {
        let first = screen.lines().next().unwrap_or_default();
        words.iter().all(|word| first.split_whitespace().any(|part| part == *word))
    });
}

#[track_caller]
fn wait_rows(terminal: &Terminal, words: &[&str]) {
    terminal.wait_for(&format!("one row with all of {words:?}"), |screen| {
        screen.lines().any(|row| words.iter().all(|word| row.contains(word)))
    });
}

/// The pane whose frame carries the focus mark.
#[track_caller]
pub fn wait_focus(terminal: &Terminal, pane: &str) {
    terminal.wait_for(&format!("the mark on {pane}"), |screen| screen.contains(&format!("● {pane}")));
}

#[track_caller]
pub fn command(terminal: &Terminal, line: &str) {
    terminal.send(":");
    terminal.wait_text(" :▏");
    terminal.send(line);
    terminal.wait_text(&format!(" :{line}▏"));
    terminal.key(Key::Enter);
    terminal.wait_gone(&format!(" :{line}▏"));
}

/// PAPER, the tape paused, one proposal waiting: it can neither lapse nor be computed anew while the test looks at it.
#[track_caller]
pub fn arm_with_proposal(terminal: &Terminal) {
    terminal.wait_for("a waiting proposal", |screen| screen.contains(" waiting ╮") && !screen.contains(" 0 waiting ╮"));
    terminal.send(" ");
    wait_status(terminal, &["❚❚"]);
    terminal.send("p");
    wait_status(terminal, &["PAPER", "ACTIVE"]);
}

#[track_caller]
fn open_proposal(terminal: &Terminal) {
    terminal.send("n");
    terminal.wait_text("PAPER — proposal");
    terminal.wait_text(SENDS);
}

/// Types a key that does no more than show itself, so that all keys before it have been handled.
#[track_caller]
fn catch_up(terminal: &Terminal) {
    terminal.key(Key::F(12));
    terminal.wait_text(KILL_ARMED);
}

#[track_caller]
pub fn kill_with(terminal: &Terminal, key: Key) {
    terminal.key(key);
    terminal.wait_text(KILL_ARMED);
    terminal.key(key);
    terminal.wait_for("HALTED", |screen| screen.contains("HALTED") && !screen.contains(KILL_ARMED));
}

#[track_caller]
pub fn quit(terminal: &mut Terminal) {
    terminal.send("q");
    terminal.wait_text("y quits ·");
    terminal.send("y");
    assert_eq!(terminal.wait_exit(), 0);
    terminal.assert_restored();
}

/// How many orders the journal knows, sent or not.
#[track_caller]
fn orders_recorded(home: &Path) -> usize {
    let output = run(&["journal", "export"], &[], home);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.is_empty());
    text.lines().filter(|line| line.contains("record.order")).count()
}

pub fn count(haystack: &[u8], needle: &[u8]) -> usize {
    haystack.windows(needle.len()).filter(|bytes| *bytes == needle).count()
}

#[test]
fn starts_read_only_and_quits_in_order() {
    let home = home();
    let mut terminal = Terminal::spawn(launch(home.path()));
    terminal.wait_text(NOTICE);
    wait_status(&terminal, &["READ-ONLY", "ACTIVE"]);
    assert!(terminal.title().contains("READ-ONLY"), "{:?}", terminal.title());
    // A key that would arm trading only closes the notice.
    terminal.send("p");
    terminal.wait_gone(NOTICE);
    wait_status(&terminal, &["READ-ONLY", "ACTIVE"]);
    terminal.send("q");
    terminal.wait_text("Quit pmax");
    terminal.wait_text("y quits ·");
    terminal.send("y");
    assert_eq!(terminal.wait_exit(), 0);
    terminal.assert_restored();
    let said = String::from_utf8_lossy(&terminal.raw()).into_owned();
    let after = said.rsplit("\x1b[?1049l").next().unwrap();
    assert!(after.contains("open: 0 positions"), "what stays open is said after the screen is gone: {after:?}");

    let mut again = Terminal::spawn(launch(home.path()));
    wait_status(&again, &["READ-ONLY", "ACTIVE"]);
    again.wait_text("1 Quotes");
    assert!(!again.contains(NOTICE), "the notice is for the first start");
    quit(&mut again);
}

#[test]
fn every_view_is_reached_by_its_key_and_left_again() {
    let home = home();
    let mut terminal = open(home.path());
    wait_focus(&terminal, "1 Quotes");
    for (keys, pane) in [("3", "3 Signals"), ("4", "4 Positions"), ("5", "5 Risk"), ("2", "2 Commentary"), ("1", "1 Quotes")] {
        terminal.send(keys);
        wait_focus(&terminal, pane);
        assert_eq!(terminal.screen().matches('●').count(), 1, "one pane has the focus");
    }
    terminal.send("6");
    terminal.wait_for("the alerts", |screen| screen.lines().any(|row| row.contains('●') && row.contains("6 Alerts")));
    terminal.key(Key::Tab);
    wait_focus(&terminal, "1 Quotes");
    terminal.key(Key::Tab);
    wait_focus(&terminal, "2 Commentary");
    terminal.key(Key::BackTab);
    wait_focus(&terminal, "1 Quotes");

    terminal.key(Key::Enter);
    terminal.wait_text("bars of the tape");
    terminal.key(Key::Esc);
    wait_focus(&terminal, "1 Quotes");

    terminal.send("?");
    terminal.wait_text("Help — type to filter");
    terminal.send("kill");
    terminal.wait_text("filter: kill▏");
    terminal.wait_gone("equity curve");
    assert!(terminal.contains("kill switch: press twice within 3 s"));
    terminal.key(Key::Esc);
    terminal.wait_gone("Help — type to filter");

    terminal.key(Key::Ctrl('k'));
    terminal.wait_text("Find an action");
    terminal.send("equity");
    terminal.wait_text("▸ equity");
    terminal.key(Key::Enter);
    terminal.wait_text("Results by day");
    terminal.key(Key::Esc);
    terminal.wait_gone("Results by day");

    command(&terminal, "aapl chart");
    terminal.wait_for("the chart of AAPL", |screen| screen.contains("● AAPL") && screen.contains("bars of the tape"));
    terminal.key(Key::Esc);
    terminal.wait_gone("bars of the tape");
    terminal.send("e");
    terminal.wait_text("Results by day");
    terminal.send("l");
    terminal.wait_text("● Activity");
    terminal.wait_text("run-1 opened on tape");
    terminal.send("l");
    terminal.wait_gone("● Activity");
    command(&terminal, "frobnicate");
    terminal.wait_text("is neither an action nor a symbol");
    quit(&mut terminal);
}

#[test]
fn what_the_preview_shows_is_what_is_sent_and_filled() {
    let home = home();
    let mut terminal = open(home.path());
    arm_with_proposal(&terminal);
    assert_eq!(orders_recorded(home.path()), 0);
    open_proposal(&terminal);
    let screen = terminal.screen();
    let line = screen
        .lines()
        .find(|row| row.contains("▲ BUY") && row.contains("good till cancelled"))
        .unwrap_or_else(|| panic!("{screen}"));
    let words: Vec<&str> = line.split("▲ BUY").nth(1).unwrap().split_whitespace().take(3).collect();
    let [quantity, symbol, kind] = words.as_slice() else { panic!("{line}") };
    assert_eq!(*kind, "market");
    assert_eq!(orders_recorded(home.path()), 0, "nothing before y");

    terminal.send("y");
    terminal.wait_gone("PAPER — proposal");
    wait_rows(&terminal, &[symbol, "▲ BUY", quantity, "market", "working"]);
    assert!(orders_recorded(home.path()) > 0);
    terminal.send("l");
    wait_rows(&terminal, &["order o1 BUY", quantity, symbol, "market (proposal) confirmed by you"]);
    terminal.send("l");
    terminal.send(" ");
    command(&terminal, "speed 43200");
    wait_rows(&terminal, &[symbol, "▲ BUY", quantity, "market", "filled"]);
    wait_rows(&terminal, &[symbol, "▲ long", quantity]);
    terminal.send("l");
    wait_rows(&terminal, &["order o1 filled: BUY", quantity, symbol]);
    quit(&mut terminal);
    let said = String::from_utf8_lossy(&terminal.raw()).into_owned();
    assert!(said.rsplit("\x1b[?1049l").next().unwrap().contains("open: 1 position (0 without a stop)"), "{said:?}");
}

#[test]
fn declining_sends_nothing() {
    let home = home();
    let mut terminal = open(home.path());
    arm_with_proposal(&terminal);
    open_proposal(&terminal);
    assert!(terminal.contains("d declines it"));
    terminal.send("d");
    terminal.wait_gone("PAPER — proposal");
    terminal.wait_text(" 0 waiting ╮");
    terminal.wait_text("No order yet");
    terminal.send("l");
    wait_rows(&terminal, &["proposal t1", "declined"]);
    quit(&mut terminal);
    assert_eq!(orders_recorded(home.path()), 0);
}

#[test]
fn only_a_typed_y_after_looking_confirms() {
    let home = home();
    let mut terminal = open(home.path());
    arm_with_proposal(&terminal);
    // Type-ahead: the dialog is not there yet when the y is typed.
    terminal.send("ny");
    terminal.wait_text(SENDS);
    for keys in ["\r", " ", "Y", "\t", "\x1bOM"] {
        terminal.send(keys);
    }
    terminal.paste("y");
    terminal.paste("y\r\ny\n");
    catch_up(&terminal);
    assert!(terminal.contains(SENDS), "still open, still unsent");
    // The key that opened it leaves it.
    terminal.send("n");
    terminal.wait_gone(SENDS);
    terminal.wait_text("No order yet");
    terminal.paste("ny");
    terminal.send("y");
    terminal.wait_gone(KILL_ARMED);
    catch_up(&terminal);
    assert!(terminal.contains("No order yet"));
    terminal.wait_gone(KILL_ARMED);
    quit(&mut terminal);
    assert_eq!(orders_recorded(home.path()), 0);
}

#[test]
fn y_with_a_modifier_is_not_y() {
    // Ctrl+Y; then Alt+Y, which is also what Escape with a y close behind it looks like on a slow line.
    for keys in ["\x19", "\x1by"] {
        let home = home();
        let mut terminal = open(home.path());
        arm_with_proposal(&terminal);
        open_proposal(&terminal);
        terminal.send(keys);
        catch_up(&terminal);
        // However it is read, as nothing or as Escape and a y behind it: nothing is sent.
        assert!(!terminal.contains("sending…") && !terminal.contains("working"), "{keys:?}: {}", terminal.screen());
        terminal.signal(Signal::TERM);
        assert_eq!(terminal.wait_exit(), 143);
        assert_eq!(orders_recorded(home.path()), 0, "{keys:?}");
    }
}

#[test]
fn a_terminal_too_small_for_the_preview_closes_it() {
    let home = home();
    let mut terminal = open(home.path());
    arm_with_proposal(&terminal);
    open_proposal(&terminal);
    terminal.resize(60, 15);
    terminal.wait_text("They need 80x24.");
    terminal.wait_gone(SENDS);
    terminal.send("yn");
    terminal.wait_text("too small to show an order whole");
    terminal.send("y");
    terminal.resize(120, 40);
    terminal.wait_text("No order yet");
    assert!(!terminal.contains(SENDS) && terminal.contains(" 1 waiting ╮"));
    assert_eq!(orders_recorded(home.path()), 0);
    open_proposal(&terminal);
    terminal.send("y");
    terminal.wait_text("working");
    quit(&mut terminal);
}

#[test]
fn the_kill_switch_works_with_the_palette_open_and_the_tape_at_full_speed() {
    let home = home();
    let mut terminal = open(home.path());
    terminal.send("p");
    wait_status(&terminal, &["PAPER"]);
    command(&terminal, "speed max");
    terminal.key(Key::Ctrl('k'));
    terminal.wait_text("Find an action");
    kill_with(&terminal, Key::F(12));
    wait_status(&terminal, &["PAPER", "HALTED"]);
    terminal.wait_text("HALTED: kill switch");
    assert!(home.path().join("KILL").exists(), "the latch outlives the process");
    assert!(terminal.title().contains("HALTED"), "{:?}", terminal.title());
    terminal.key(Key::Esc);
    terminal.wait_gone("Find an action");
    quit(&mut terminal);
}

#[test]
fn one_press_of_the_kill_switch_lapses_and_two_fire_from_a_text_field() {
    let home = home();
    let mut terminal = open(home.path());
    terminal.send("p");
    wait_status(&terminal, &["PAPER"]);
    command(&terminal, "aapl buy");
    terminal.wait_text("BUY ticket — AAPL");
    terminal.send("12");
    wait_rows(&terminal, &["▸ quantity", "12▏"]);
    terminal.key(Key::Ctrl('x'));
    terminal.wait_text(KILL_ARMED);
    let armed = Instant::now();
    terminal.wait_gone(KILL_ARMED);
    assert!(armed.elapsed().as_millis() > 2_000, "it lapsed after {:?}", armed.elapsed());
    wait_status(&terminal, &["PAPER", "ACTIVE"]);
    wait_rows(&terminal, &["▸ quantity", "12▏"]);
    assert!(!home.path().join("KILL").exists());
    kill_with(&terminal, Key::Ctrl('x'));
    wait_status(&terminal, &["HALTED"]);
    terminal.wait_gone("BUY ticket — AAPL");
    quit(&mut terminal);
    assert_eq!(orders_recorded(home.path()), 0);
}

#[test]
fn arming_does_not_undo_the_kill_switch_and_the_two_steps_do() {
    let home = home();
    let mut terminal = open(home.path());
    terminal.send("p");
    wait_status(&terminal, &["PAPER", "ACTIVE"]);
    kill_with(&terminal, Key::F(12));
    terminal.send("p");
    wait_status(&terminal, &["READ-ONLY", "HALTED"]);
    // The word on the first press; the second one's may not come under it.
    terminal.wait_text("mode READ-ONLY by you");
    terminal.send("p");
    terminal.wait_text("trading is HALTED; re-arm it first");
    wait_status(&terminal, &["READ-ONLY", "HALTED"]);

    terminal.send("R");
    terminal.wait_text("Re-arm trading");
    terminal.send("yes\r");
    terminal.wait_text("not re-armed: the word was not typed");
    wait_status(&terminal, &["HALTED"]);
    terminal.send("R");
    terminal.wait_text("Re-arm trading");
    terminal.paste("ARM");
    terminal.key(Key::Enter);
    terminal.wait_gone("Re-arm trading");
    terminal.send("l");
    terminal.wait_text("● Activity");
    wait_status(&terminal, &["READ-ONLY", "HALTED"]);
    terminal.send("R");
    terminal.wait_text("Re-arm trading");
    terminal.send("ARM");
    terminal.wait_text("› ARM▏");
    terminal.key(Key::Enter);
    wait_status(&terminal, &["READ-ONLY", "ACTIVE"]);
    terminal.send("p");
    wait_status(&terminal, &["PAPER", "ACTIVE"]);
    quit(&mut terminal);
    assert!(!home.path().join("KILL").exists());
}

#[test]
fn a_second_process_fires_the_kill_switch() {
    let home = home();
    let mut terminal = open(home.path());
    terminal.send("p");
    wait_status(&terminal, &["PAPER", "ACTIVE"]);
    let output = run(&["kill", "the house is on fire"], &[], home.path());
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("the running workstation halts"));
    wait_status(&terminal, &["HALTED"]);
    terminal.wait_text("the house is on fire");
    quit(&mut terminal);

    let mut next = Terminal::spawn(launch(home.path()));
    wait_status(&next, &["READ-ONLY", "HALTED"]);
    quit(&mut next);
}

#[test]
fn signals_end_it_in_order() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        let home = home();
        let mut terminal = open(home.path());
        terminal.signal(signal);
        assert_eq!(terminal.wait_exit(), code);
        terminal.assert_restored();
        let mut next = Terminal::spawn(launch(home.path()));
        wait_status(&next, &["READ-ONLY", "ACTIVE"]);
        next.send("l");
        next.wait_text("run taken up again; read-only");
        quit(&mut next);
    }
}

/// Waits until the program stands still; a SIGCONT before that would be lost.
#[track_caller]
fn wait_stopped(terminal: &Terminal) {
    let limit = Instant::now() + deadline();
    let pid = Pid::from_raw(i32::try_from(terminal.pid()).unwrap()).unwrap();
    let look = WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    while waitid(WaitId::Pid(pid), look).unwrap().is_none() {
        assert!(Instant::now() < limit, "it did not stop");
        std::thread::yield_now();
    }
}

#[test]
fn it_can_be_suspended_by_signal_and_by_key_and_comes_back() {
    let home = home();
    let mut terminal = open(home.path());
    for round in 1..=2 {
        assert_eq!(count(&terminal.raw(), ALTERNATE_ON), round);
        if round == 1 {
            terminal.signal(Signal::TSTP);
        } else {
            terminal.key(Key::Ctrl('z'));
        }
        wait_stopped(&terminal);
        terminal.wait_gone("1 Quotes");
        assert_eq!(count(&terminal.raw(), ALTERNATE_OFF), round);
        terminal.signal(Signal::CONT);
        terminal.wait_text("suspended for");
        wait_status(&terminal, &["READ-ONLY", "ACTIVE"]);
        wait_focus(&terminal, "1 Quotes");
        assert_eq!(count(&terminal.raw(), ALTERNATE_ON), round + 1);
    }
    quit(&mut terminal);
}

#[test]
fn a_key_typed_while_it_is_away_is_heard_when_it_is_back() {
    let home = home();
    let mut terminal = open(home.path());
    terminal.key(Key::Ctrl('z'));
    wait_stopped(&terminal);
    terminal.send("3");
    terminal.signal(Signal::CONT);
    wait_focus(&terminal, "3 Signals");
    quit(&mut terminal);
}

#[test]
fn without_a_capable_terminal_it_refuses_in_one_sentence() {
    let at = home();
    let mut terminal = Terminal::spawn(launch(at.path()).env("TERM", "dumb"));
    assert_eq!(terminal.wait_exit(), 1);
    terminal.assert_restored();
    let said = String::from_utf8_lossy(&terminal.raw()).into_owned();
    assert!(said.contains("TERM=dumb") && said.contains("pmax render"), "{said}");
    assert!(!said.contains('\x1b'), "{said:?}");
    assert!(said.trim().lines().count() <= 1, "{said}");

    let piped = home();
    let output = run(&[], &[("TERM", "xterm-256color")], piped.path());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("must be a terminal") && said.contains("pmax render"), "{said}");
    assert!(said.trim().lines().count() <= 1 && output.stdout.is_empty(), "{said}");
    for folder in [at, piped] {
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// The parameters of every SGR sequence that set a foreground or background colour.
fn colours(output: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(output);
    let bodies = text.split("\x1b[").skip(1).filter_map(|rest| {
        let (body, last) = rest.split_at(rest.find(|sign: char| ('@'..='~').contains(&sign))?);
        last.starts_with('m').then_some(body)
    });
    let numbers = bodies.flat_map(|body| body.split([';', ':'])).filter_map(|number| number.parse().ok());
    numbers.filter(|number| matches!(number, 30..=38 | 40..=48 | 58 | 90..=97 | 100..=107)).collect()
}

#[test]
fn no_color_means_no_colour_anywhere() {
    for (value, is_coloured) in [("1", false), ("", true)] {
        let home = home();
        let mut terminal = open_as(launch(home.path()).env("NO_COLOR", value));
        wait_status(&terminal, &["READ-ONLY", "ACTIVE"]);
        arm_with_proposal(&terminal);
        open_proposal(&terminal);
        terminal.key(Key::Esc);
        terminal.wait_gone(SENDS);
        for (keys, text) in
            [("\r", "bars of the tape"), ("e", "Results by day"), ("?", "Help — type"), ("\x1b", "Results by day")]
        {
            terminal.send(keys);
            terminal.wait_text(text);
        }
        terminal.send("C");
        kill_with(&terminal, Key::F(12));
        wait_status(&terminal, &["PAPER", "HALTED"]);
        quit(&mut terminal);
        assert_eq!(!colours(&terminal.raw()).is_empty(), is_coloured, "NO_COLOR={value:?}: {:?}", colours(&terminal.raw()));
    }
}

#[test]
fn a_terminal_too_small_still_halts() {
    for (cols, rows, words) in [(39, 9, ["READ-ONLY ACTIVE", "F12 twice halts"]), (70, 20, ["equity", "F12 twice halts"])] {
        let home = home();
        let mut terminal = Terminal::spawn(launch(home.path()).size(cols, rows));
        wait_status(&terminal, &["READ-ONLY", "ACTIVE"]);
        // The notice.
        terminal.key(Key::Esc);
        for text in words {
            terminal.wait_text(text);
        }
        kill_with(&terminal, Key::F(12));
        wait_status(&terminal, &["HALTED"]);
        terminal.wait_for("the banner", |screen| screen.lines().skip(1).any(|row| row.contains("HALTED")));
        assert!(home.path().join("KILL").exists());
        terminal.signal(Signal::TERM);
        assert_eq!(terminal.wait_exit(), 143);
        terminal.assert_restored();
    }
}

#[test]
fn the_start_after_a_kill_9_says_so_and_has_lost_nothing() {
    let home = home();
    let mut terminal = open(home.path());
    arm_with_proposal(&terminal);
    open_proposal(&terminal);
    terminal.send("y");
    terminal.wait_text("working");
    terminal.kill9();
    assert_eq!(terminal.wait_exit(), 137);
    let recorded = orders_recorded(home.path());
    assert!(recorded > 0);

    let mut next = Terminal::spawn(launch(home.path()));
    wait_status(&next, &["READ-ONLY", "ACTIVE"]);
    next.wait_for("the panes or the notice over them", |screen| screen.contains("1 Quotes"));
    if next.contains(NOTICE) {
        next.key(Key::Esc);
        next.wait_gone(NOTICE);
    }
    next.wait_for("the order", |screen| {
        screen.lines().any(|row| row.contains("▲ BUY") && (row.contains("working") || row.contains("filled")))
    });
    next.send("l");
    next.wait_text("the last process was killed");
    quit(&mut next);
    assert_eq!(run(&["journal", "verify"], &[], home.path()).status.code(), Some(0));
    let replayed = run(&["replay", "1"], &[], home.path());
    assert_eq!(replayed.status.code(), Some(0), "{}", String::from_utf8_lossy(&replayed.stdout));
}

#[test]
fn a_second_workstation_in_the_same_home_is_refused() {
    let home = home();
    let mut terminal = open(home.path());
    let mut second = Terminal::spawn(launch(home.path()));
    assert_eq!(second.wait_exit(), 1);
    second.assert_restored();
    let said = String::from_utf8_lossy(&second.raw()).into_owned();
    assert!(said.contains(&format!("process {}", terminal.pid())), "{said}");
    assert_eq!(count(&second.raw(), ALTERNATE_ON), 0);
    wait_status(&terminal, &["READ-ONLY", "ACTIVE"]);
    quit(&mut terminal);
}
