//! A hundred `kill -9` on the workstation itself while a person trades: what is held is always what was traded.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::support::pty::{Key, Launch, Terminal};
use crate::support::run;
use crate::terminal::{NOTICE, home, launch, wait_status};

/// Homes that live and die side by side, and how often each dies: most of a life is waiting for a dialog's guard.
const HOMES: u64 = 5;
const LIVES: u64 = 20;

/// Positions that are not the sum of their fills.
const WRONG: &str = "SELECT count(*) FROM positions WHERE quantity !=
    (SELECT coalesce(sum(CASE closes WHEN 0 THEN fills.quantity ELSE -fills.quantity END), 0) FROM fills WHERE fills.position = positions.position)";
/// Fills that belong to no position, or are more than was asked for.
const STRAY: &str = "SELECT (SELECT count(*) FROM fills WHERE position NOT IN (SELECT position FROM positions)) +
    (SELECT count(*) FROM orders WHERE quantity < (SELECT coalesce(sum(quantity), 0) FROM fills WHERE fills.order_id = orders.order_id))";
/// Fills that the journal does not hold, or holds and the table does not.
const UNWRITTEN: &str = "SELECT abs((SELECT count(*) FROM fills) -
    (SELECT count(*) FROM journal WHERE json_extract(payload, '$.portfolio.filled.fill.deal') IS NOT NULL))";

fn count(home: &Path, sql: &str) -> i64 {
    let connection = Connection::open_with_flags(home.join("ledger.db"), OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// One life: arm, write an order, die at a moment nobody chose.
fn live(home: &Path, dice: &mut Dice) {
    let settings =
        ["--tape", "btc-2021", "--speed", "43200", "--set", "risk.trades_per_day=100000", "--set", "risk.max_position=0.1"];
    let mut terminal = Terminal::spawn(Launch { args: settings.map(str::to_owned).to_vec(), ..launch(home) });
    terminal.wait_for("the panes", |screen| screen.contains("1 Quotes") || screen.contains(NOTICE));
    if terminal.contains(NOTICE) {
        terminal.key(Key::Esc);
    }
    terminal.send("p");
    wait_status(&terminal, &["PAPER"]);
    let line = if dice.below(3) == 0 { "close\r".to_owned() } else { format!("buy\r0.00{}\r", 1 + dice.below(4)) };
    terminal.send(&format!(":btcusd {line}"));
    let answers = ["SENDS the order", "CLOSES the position", "cannot be sent", "no position in"];
    terminal.wait_for("the preview, or why there is none", |screen| answers.iter().any(|words| screen.contains(words)));
    // Dialogs take no key in their first 300 ms.
    std::thread::sleep(Duration::from_millis(310));
    terminal.send("y");
    std::thread::sleep(Duration::from_micros(dice.below(150_000)));
    terminal.kill9();
    assert_eq!(terminal.wait_exit(), 137);
}

fn many_lives(seed: u64) -> i64 {
    let home = home();
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    for life in 0..LIVES {
        live(home.path(), &mut dice);
        for (sql, words) in
            [(WRONG, "a position is not its fills"), (STRAY, "a stray fill"), (UNWRITTEN, "a fill not journalled")]
        {
            assert_eq!(count(home.path(), sql), 0, "home {seed}, life {life}: {words}");
        }
    }
    let mut last = Terminal::spawn(Launch { args: ["--tape", "btc-2021"].map(str::to_owned).to_vec(), ..launch(home.path()) });
    wait_status(&last, &["READ-ONLY", "ACTIVE"]);
    last.signal(rustix::process::Signal::TERM);
    assert_eq!(last.wait_exit(), 143);
    // Counted at the end: an order that the last death left waiting may have traded since.
    let held = count(home.path(), "SELECT count(*) FROM positions WHERE closed_at IS NULL");
    let said = String::from_utf8_lossy(&last.raw()).into_owned();
    let words = format!("open: {held} position{} (", if held == 1 { "" } else { "s" });
    assert!(said.contains(&words), "home {seed}: {words} {}", said.rsplit("\x1b[?1049l").next().unwrap());
    assert_eq!(run(&["journal", "verify"], &[], home.path()).status.code(), Some(0));
    let replayed = run(&["replay", "1"], &[], home.path());
    assert_eq!(replayed.status.code(), Some(0), "{}", String::from_utf8_lossy(&replayed.stderr));
    count(home.path(), "SELECT count(*) FROM fills")
}

#[test]
fn a_hundred_kills_of_the_workstation_leave_positions_that_are_their_fills() {
    let homes: Vec<_> = (1..=HOMES).map(|seed| std::thread::spawn(move || many_lives(seed))).collect();
    let fills: i64 = homes.into_iter().map(|home| home.join().unwrap()).sum();
    assert!(fills > 20, "only {fills} fills: nobody traded");
}
