//! A password appears nowhere: not on the screen, in a log, in the ledger, in a crash report or in what a command prints.

use std::fs;
use std::path::Path;

use pmax::runtime::wall_now;
use pmax::simulator::{Catalogue, Faults, Listen, Prices, ServerHandle, Settings, USUAL_SPACING, Variants};
use tempfile::TempDir;

use crate::support::pty::{Key, Launch, Terminal};
use crate::support::run;

const CANARY: &str = "canary-7f31c9-word";

fn server(password: &str) -> ServerHandle {
    let settings = Settings {
        user: "20001".to_owned(),
        password: password.to_owned(),
        currency: "USD".to_owned(),
        balance: 100_000_000_000_000,
        seed: 3,
        faults: Faults::default(),
        variants: Variants::default(),
        has_hours: false,
        spacing: USUAL_SPACING,
    };
    let listen = Listen { websocket: Some(0), ..Listen::default() };
    ServerHandle::start(settings, Catalogue::shipped().unwrap(), listen, Prices::Drawn(5), wall_now).unwrap()
}

fn home(port: u16) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let text =
        format!("[broker]\nkind = \"xapi\"\n[xapi]\nhost = \"127.0.0.1\"\nport = {port}\ntls = false\naccount = \"20001\"\n");
    fs::write(home.path().join("pmax.toml"), text).unwrap();
    home
}

fn holds(bytes: &[u8]) -> bool {
    bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes())
}

/// Files below a folder that hold the password.
fn files_with_canary(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with_canary(&path));
        } else if holds(&fs::read(&path).unwrap()) {
            found.push(path.display().to_string());
        }
    }
    found
}

fn launch(home: &Path) -> Launch {
    Launch::new(&[]).env("PMAX_HOME", home.display().to_string()).env("PMAX_LOG", "trace").env("PMAX_XAPI_PASSWORD", CANARY)
}

#[test]
fn a_login_that_is_taken_leaves_no_trace_of_the_password() {
    let server = server(CANARY);
    let home = home(server.websocket.unwrap());
    let mut terminal = Terminal::spawn(launch(home.path()));
    terminal.wait_text("Enter closes this notice.");
    terminal.key(Key::Esc);
    terminal.send("B");
    terminal.wait_text("● ready");
    terminal.send("Bp");
    terminal.wait_text("DEMO");
    terminal.send("q");
    terminal.wait_text("y quits");
    terminal.send("y");
    assert_eq!(terminal.wait_exit(), 0);
    assert!(!holds(&terminal.raw()), "on the screen");
    assert_eq!(files_with_canary(home.path()), Vec::<String>::new());
    let exported = run(&["journal", "export"], &[("PMAX_XAPI_PASSWORD", CANARY)], home.path());
    assert!(!holds(&exported.stdout) && !holds(&exported.stderr) && !exported.stdout.is_empty());
}

#[test]
fn a_login_that_is_refused_says_why_without_the_password() {
    let server = server("another");
    let home = home(server.websocket.unwrap());
    let mut terminal = Terminal::spawn(launch(home.path()));
    terminal.wait_text("login refused (BE005)");
    assert_ne!(terminal.wait_exit(), 0);
    assert!(!holds(&terminal.raw()), "on the screen");
    assert_eq!(files_with_canary(home.path()), Vec::<String>::new());
}

#[test]
fn a_file_that_others_can_read_is_refused_by_the_program() {
    use std::os::unix::fs::PermissionsExt;
    let server = server(CANARY);
    let home = home(server.websocket.unwrap());
    let path = home.path().join(".env");
    fs::write(&path, format!("PMAX_XAPI_PASSWORD={CANARY}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let mut terminal = Terminal::spawn(Launch::new(&[]).env("PMAX_HOME", home.path().display().to_string()));
    terminal.wait_text("others can read it");
    assert_ne!(terminal.wait_exit(), 0);
    assert!(!holds(&terminal.raw()));
}
