//! A password appears nowhere: not on the screen, in a log, in the ledger, in a crash report or in what a command prints.

use std::fs;
use std::path::Path;

use pmax::broker::xapi::{Client, Input, Output, Secret, Settings as ClientSettings};
use pmax::runtime::wall_now;
use pmax::simulator::{Catalogue, Faults, Listen, Port, Prices, ServerHandle, Settings, Simulator, USUAL_SPACING, Variants};
use tempfile::TempDir;

use crate::support::pty::{Key, Launch, Terminal};
use crate::support::run;

const CANARY: &str = "canary-7f31c9-word";

fn settings(password: &str) -> Settings {
    Settings {
        user: "20001".to_owned(),
        password: password.to_owned(),
        currency: "USD".to_owned(),
        balance: 100_000_000_000_000,
        seed: 3,
        faults: Faults::default(),
        variants: Variants::default(),
        has_hours: false,
        spacing: USUAL_SPACING,
    }
}

fn server(password: &str) -> ServerHandle {
    let listen = Listen { websocket: Some(0), ..Listen::default() };
    ServerHandle::start(settings(password), Catalogue::shipped().unwrap(), listen, Prices::Drawn(5), wall_now).unwrap()
}

fn home(port: u16) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let text =
        format!("[broker]\nkind = \"xapi\"\n[xapi]\nhost = \"127.0.0.1\"\nport = {port}\ntls = false\naccount = \"20001\"\n");
    fs::write(home.path().join("pmax.toml"), text).unwrap();
    home
}

#[test]
fn what_holds_a_password_cannot_be_printed_with_it() {
    let account = ClientSettings::usual("20001".to_owned(), Secret::new(CANARY), 1);
    let (mut client, mut out) = (Client::new(account), Vec::new());
    for input in [Input::Start, Input::MainOpened] {
        client.handle(wall_now(), input, &mut out);
    }
    let login = out.iter().find_map(|output| if let Output::Login(login) = output { Some(login.clone()) } else { None });
    assert!(login.expect("the first message is the login").into_text().contains(CANARY));
    let mut simulator = Simulator::new(settings("right"), Catalogue::shipped().unwrap(), wall_now());
    let (id, mut sent) = (simulator.connect(wall_now(), Port::Main, "127.0.0.1"), Vec::new());
    let wrong = format!(r#"{{"command":"login","arguments":{{"userId":"20001","password":"{CANARY}"}}}}"#);
    simulator.receive(wall_now(), id, &wrong, &mut sent);
    assert!(format!("{sent:?}").contains("BE005"), "{sent:?}");
    for printed in [format!("{client:?} {out:?}"), format!("{simulator:?}"), format!("{:?}", settings(CANARY))] {
        assert!(!printed.contains(CANARY), "{printed}");
    }
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
