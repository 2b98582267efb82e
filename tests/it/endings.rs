//! How the workstation ends when it is not asked to, and what the next start remembers.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, test_kill_process_group};

use crate::support::pty::{Key, Launch, Terminal};
use crate::support::{deadline, run};
use crate::terminal::{NOTICE, home, kill_with, launch, open, open_as, quit, wait_focus, wait_status};

fn status(home: &Path) -> String {
    let output = run(&["status"], &[], home);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Waits until `pmax status` knows the run: the screen is there before the journal's first entry is on the disk.
fn wait_until_on_disk(home: &Path) {
    let limit = Instant::now() + deadline();
    while !status(home).contains("running  ") {
        assert!(Instant::now() < limit, "the run never reached the journal: {}", status(home));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_terminal_that_is_closed_ends_it_as_a_hangup_and_leaves_nothing_running() {
    let home = home();
    let pair = native_pty_system().openpty(PtySize { rows: 40, cols: 120, ..PtySize::default() }).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_pmax"));
    command.env_clear();
    for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8")] {
        command.env(name, value);
    }
    command.env("HOME", home.path());
    command.env("PMAX_HOME", home.path());
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    let (mut seen, mut chunk) = (Vec::new(), [0; 4_096]);
    while !String::from_utf8_lossy(&seen).contains("READ-ONLY") {
        let count = reader.read(&mut chunk).unwrap();
        assert!(count > 0, "it ended before it was closed");
        seen.extend_from_slice(&chunk[..count]);
    }
    assert!(status(home.path()).contains("a workstation is running"));
    wait_until_on_disk(home.path());

    // Every handle on the terminal's own end: this is what a closed window does.
    drop(reader);
    drop(pair.master);
    let (pid, limit) = (child.process_id().unwrap(), Instant::now() + deadline());
    let ended = loop {
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        assert!(Instant::now() < limit, "it goes on without a terminal");
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(ended.exit_code(), 129);
    assert!(test_kill_process_group(Pid::from_raw(pid.cast_signed()).unwrap()).is_err(), "something of it still runs");
    let after = status(home.path());
    assert!(after.contains("no workstation is running") && after.contains("suspended"), "{after}");
    assert_eq!(run(&["journal", "verify"], &[], home.path()).status.code(), Some(0));
}

#[test]
fn what_is_said_at_the_end_is_true_even_right_after_the_start() {
    let home = home();
    let mut terminal = Terminal::spawn(launch(home.path()));
    terminal.wait_text("READ-ONLY");
    terminal.signal(Signal::TERM);
    assert_eq!(terminal.wait_exit(), 143);
    let written = String::from_utf8_lossy(&terminal.raw()).into_owned();
    let said = written.rsplit("\x1b[?1049l").next().unwrap();
    assert!(said.contains("run-1 · equity 100000.00 · open: 0 positions"), "{said:?}");
}

#[test]
fn a_killed_run_is_called_killed() {
    let home = home();
    let mut terminal = open(home.path());
    wait_until_on_disk(home.path());
    terminal.kill9();
    assert_eq!(terminal.wait_exit(), 137);
    let said = status(home.path());
    assert!(said.contains("no workstation is running") && said.contains("killed   "), "{said}");
    assert!(said.contains("0 positions, 0 orders open"), "{said}");
}

#[test]
fn the_layout_survives_a_kill_9() {
    let home = home();
    let mut terminal = open(home.path());
    terminal.send("5");
    wait_focus(&terminal, "5 Risk");
    let limit = Instant::now() + deadline();
    let file = home.path().join("screen.json");
    while !std::fs::read_to_string(&file).is_ok_and(|text| text.contains("\"focus\": 4")) {
        assert!(Instant::now() < limit, "the layout was never written");
        std::thread::sleep(Duration::from_millis(20));
    }
    terminal.kill9();
    assert_eq!(terminal.wait_exit(), 137);
    let mut next = Terminal::spawn(launch(home.path()));
    wait_focus(&next, "5 Risk");
    assert!(!next.contains(NOTICE), "the notice was seen");
    quit(&mut next);
}

#[test]
fn a_paused_run_is_taken_up_paused() {
    let home = home();
    let mut terminal = open(home.path());
    wait_status(&terminal, &["READ-ONLY", "▶"]);
    terminal.send(" ");
    wait_status(&terminal, &["READ-ONLY", "❚❚"]);
    terminal.kill9();
    assert_eq!(terminal.wait_exit(), 137);
    for _ in 0..2 {
        let mut next = Terminal::spawn(launch(home.path()));
        next.wait_text("1 Quotes");
        if next.contains(NOTICE) {
            next.key(Key::Esc);
            next.wait_gone(NOTICE);
        }
        wait_status(&next, &["READ-ONLY", "❚❚"]);
        quit(&mut next);
    }
    let mut next = Terminal::spawn(launch(home.path()));
    wait_status(&next, &["READ-ONLY", "❚❚"]);
    next.send(" ");
    wait_status(&next, &["READ-ONLY", "▶"]);
    quit(&mut next);
    let mut again = Terminal::spawn(launch(home.path()));
    wait_status(&again, &["READ-ONLY", "▶"]);
    quit(&mut again);
    // Another run does not stand still for the first one's sake.
    let mut fresh = Terminal::spawn(Launch { args: vec!["--new".to_owned()], ..launch(home.path()) });
    wait_status(&fresh, &["READ-ONLY", "▶"]);
    quit(&mut fresh);
}

#[test]
fn a_panic_in_the_background_halts_and_leaves_the_screen_alive() {
    let home = home();
    let arguments = ["--rehearse", "analyst-panics", "--speed", "43200"];
    let args = arguments.map(str::to_owned).to_vec();
    let mut terminal = open_as(Launch { args, ..launch(home.path()) });
    terminal.wait_for("the halt and why", |screen| {
        screen.lines().any(|row| row.contains("HALTED") && row.contains("the task «analyst» failed (a rehearsal"))
    });
    wait_status(&terminal, &["READ-ONLY", "HALTED"]);
    terminal.send("3");
    wait_focus(&terminal, "3 Signals");
    terminal.send("l");
    terminal.wait_text("trading HALTED by watchdog");
    terminal.send("l");
    quit(&mut terminal);
    let written = String::from_utf8_lossy(&terminal.raw()).into_owned();
    assert!(!written.contains("panicked at"), "the panic wrote on the screen");
    let mut next = Terminal::spawn(launch(home.path()));
    wait_status(&next, &["READ-ONLY", "HALTED"]);
    quit(&mut next);
}

#[test]
fn the_kill_switch_works_in_a_flood() {
    let home = home();
    let args = ["--speed", "max"].map(str::to_owned).to_vec();
    let mut terminal = open_as(Launch { args, ..launch(home.path()) });
    kill_with(&terminal, Key::F(12));
    wait_status(&terminal, &["HALTED"]);
    assert!(home.path().join("KILL").exists());
    quit(&mut terminal);
}
