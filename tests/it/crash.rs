//! A hundred `kill -9` at random moments while trading: nothing acknowledged is lost, nothing is doubled, the chain holds.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::support::run;

/// How often the process is killed.
const KILLS: usize = 100;
const MOST_KILLS: usize = 500;

/// A running drill and the orders it has acknowledged so far.
struct Drill {
    child: Child,
    lines: Receiver<String>,
}

impl Drill {
    fn start(home: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pmax"))
            .args(["drill", "--orders-per-second", "300"])
            .env_clear()
            .env("PMAX_HOME", home)
            .env("HOME", home)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || output.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok()));
        Self { child, lines }
    }

    /// Kills it after so many further acknowledgements and a moment more; returns all acknowledged numbers.
    fn kill_after(mut self, acknowledgements: usize, moment: Duration) -> BTreeSet<i64> {
        let number = |line: &str| line.strip_prefix("ack ").and_then(|text| text.parse::<i64>().ok());
        let mut seen = BTreeSet::new();
        let deadline = Instant::now() + Duration::from_secs(60);
        while seen.len() < acknowledgements && Instant::now() < deadline {
            match self.lines.recv_timeout(Duration::from_secs(30)) {
                Ok(line) => seen.extend(number(&line)),
                Err(_) => break,
            }
        }
        let until = Instant::now() + moment;
        while let Ok(line) = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            seen.extend(number(&line));
        }
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        seen.extend(self.lines.iter().filter_map(|line| number(&line)));
        seen
    }
}

fn database(home: &Path) -> Connection {
    Connection::open_with_flags(home.join("ledger.db"), OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap()
}

fn count(connection: &Connection, sql: &str) -> i64 {
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_hundred_kills_lose_nothing_and_double_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    let mut dice: u64 = 0x9E37_79B9;
    let mut below = |bound: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % bound
    };
    let mut filled = 0;
    for kill in 0..MOST_KILLS {
        // On a slow machine a hundred short lives may be too short for trades: it goes on until there are some.
        if kill >= KILLS && filled > 20 {
            break;
        }
        let drill = Drill::start(home.path());
        acknowledged.extend(drill.kill_after(usize::try_from(below(12)).unwrap(), Duration::from_micros(below(60_000))));
        let connection = database(home.path());
        if count(&connection, "SELECT count(*) FROM sqlite_schema WHERE name = 'fills'") == 0 {
            assert!(acknowledged.is_empty(), "kill {kill}: acknowledged before there was a ledger");
            continue;
        }
        let mut statement = connection.prepare("SELECT order_id FROM orders").unwrap();
        let stored: BTreeSet<i64> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let lost: Vec<&i64> = acknowledged.difference(&stored).collect();
        assert!(lost.is_empty(), "kill {kill}: acknowledged and lost: {lost:?}");
        assert_eq!(count(&connection, "SELECT count(*) FROM orders WHERE filled > quantity"), 0, "kill {kill}: traded twice");
        let doubled = "SELECT count(*) FROM (SELECT order_id FROM fills GROUP BY order_id HAVING sum(quantity) > (SELECT quantity FROM orders WHERE orders.order_id = fills.order_id))";
        assert_eq!(count(&connection, doubled), 0, "kill {kill}: an order traded more than it asked for");
        // What was wished for at the opening works: a fill is never committed without the exits it brought.
        let bare = "SELECT count(*) FROM positions WHERE closed_at IS NULL AND stop_loss IS NOT NULL AND NOT EXISTS
                    (SELECT 1 FROM orders WHERE orders.closes = positions.position AND orders.origin = 'stop-loss')";
        assert_eq!(count(&connection, bare), 0, "kill {kill}: a position never got its stop");
        filled = count(&connection, "SELECT count(*) FROM fills");
        if kill % 25 == 24 {
            assert_eq!(run(&["journal", "verify"], &[], home.path()).status.code(), Some(0), "kill {kill}");
        }
    }
    let connection = database(home.path());
    assert!(acknowledged.len() > KILLS, "only {} orders were acknowledged: the drill did not trade", acknowledged.len());
    assert!(count(&connection, "SELECT count(*) FROM fills") > 20, "the drill did not fill");
    let sends = "SELECT count(*) FROM (SELECT json_extract(payload, '$.order.stepped.order') AS number FROM journal
                 WHERE kind = 'record.order' AND json_extract(payload, '$.order.stepped.step') = 'send' GROUP BY number HAVING count(*) > 1)";
    assert_eq!(count(&connection, sends), 0, "an order was sent twice");
    let replayed = run(&["replay", "1", "--format", "json"], &[], home.path());
    let said = String::from_utf8_lossy(&replayed.stdout).into_owned();
    assert_eq!(replayed.status.code(), Some(0), "{said} {}", String::from_utf8_lossy(&replayed.stderr));
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["state"], report["recovered"]);
}
