//! Bad input gets one plain sentence — what, what is safe, what to do — and never a panic.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::support::run;

/// Runs the program, expects this exit code and these words on standard error.
fn refused(args: &[&str], env: &[(&str, &str)], home: &Path, code: i32, words: &[&str]) {
    let output = run(args, env, home);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    assert!(!said.contains("panicked"), "{said}");
    for word in words {
        assert!(said.contains(word), "{args:?} should say «{word}» but said: {said}");
    }
}

/// A ledger with one short run in it.
fn with_ledger() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_pmax"))
        .args(["drill", "--orders-per-second", "100"])
        .env_clear()
        .env("PMAX_HOME", home.path())
        .env("HOME", home.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Several, so that there is an order for a test to alter.
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let acknowledged = lines.map_while(Result::ok).filter(|line| line.starts_with("ack ")).take(12).count();
    assert_eq!(acknowledged, 12);
    child.kill().unwrap();
    child.wait().unwrap();
    home
}

/// A file, what `status` says of it: the line, the words.
const WRONG_FILES: [(&str, &str, &[&str]); 26] = [
    ("[risk]\ndaily_loss = 7\n", "line 2", &["risk.daily_loss = 7 is not allowed", "a share above 0 and at most 1"]),
    ("[risk]\n# a remark\nmax_sector = 0\n", "line 3", &["risk.max_sector = 0 is not allowed", "above 0 and at most 1"]),
    ("[risk]\n\nmax_gross = -1.5\n", "line 3", &["risk.max_gross = -1.5", "a number above 0"]),
    ("[risk]\ndaily_loss = \"much\"\n", "line 2", &["risk.daily_loss = \"much\" is not allowed", "0.02 is two percent"]),
    ("[risk]\ndaily_loss = nan\n", "line 2", &["risk.daily_loss = nan is not allowed"]),
    ("risk.trades_per_day = -1\n", "line 1", &["risk.trades_per_day = -1", "a whole number from 0 to 1,000,000"]),
    ("risk = { trades_per_day = 2.5 }\n", "line 1", &["risk.trades_per_day = 2.5", "a whole number"]),
    (
        "[risk]\ndrawdown_act = 0.05\n",
        "line 2",
        &["risk.drawdown_act = 0.05 is not allowed", "must not be below risk.drawdown_warn, which is 0.1"],
    ),
    ("[risk]\nmax_position = 0.2\n", "line 2", &["risk.max_position = 0.2", "must not exceed risk.max_ticket_position"]),
    (
        "[gates]\ncorrelation_warn = 0.95\n",
        "line 2",
        &["gates.correlation_warn = 0.95", "must not exceed gates.correlation_fail"],
    ),
    ("[gates]\nproven_after = 3\n", "line 2", &["gates.proven_after = 3", "from 10 to"]),
    ("[gates]\nproposal_seconds = 1\n", "line 2", &["gates.proposal_seconds = 1", "from 5 to 86,400"]),
    ("[exchange]\nslippage = 2\n", "line 2", &["exchange.slippage = 2", "a share from 0 to 1"]),
    ("[strategies]\nmomentum_bars = 4\n", "line 2", &["strategies.momentum_bars = 4", "from 5 to 250"]),
    ("[trading]\nalert_deviations = 0\n", "line 2", &["trading.alert_deviations = 0", "a number above 0"]),
    ("[paper]\ncapital = 0\n", "line 2", &["paper.capital = 0", "from 1 to 1,000,000,000"]),
    ("[screen]\npalette = \"pink\"\n", "line 2", &["screen.palette = \"pink\"", "green-red, red-green, blue-orange, mono"]),
    ("[screen]\nbell = \"yes\"\n", "line 2", &["screen.bell = \"yes\"", "true or false"]),
    ("[broker]\nkind = \"etoro\"\n", "line 2", &["broker.kind = \"etoro\"", "paper, xapi"]),
    ("[xapi]\nhost = \"ws.xtb.com\"\n", "line 2", &["xapi.host = \"ws.xtb.com\"", "closed", "ws.xapi.pro"]),
    ("[groups]\nmetals = \"XAUUSD\"\n", "line 2", &["groups.metals = \"XAUUSD\"", "a list of symbols"]),
    (
        "[groups]\nmetals = [\"XAUUSD\", \"XAUSD\"]\n",
        "line 2",
        &["groups.metals: «XAUSD» is not an instrument", "did you mean XAUUSD?"],
    ),
    ("[risk]\ndayly_loss = 0.01\n", "line 2", &["risk.dayly_loss is not a setting", "did you mean risk.daily_loss?"]),
    ("\n[risc]\n", "line 2", &["risc is not a section", "risk"]),
    ("[risk]\ndaily_loss = 0.01\nmax_gross = 1\ndaily_loss = 0.02\n", "line 4", &["duplicate key"]),
    ("[risk\n", "line 1", &["not TOML"]),
];

#[test]
fn a_wrong_value_is_named_with_key_file_line_and_what_is_allowed() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("pmax.toml");
    for (text, line, words) in WRONG_FILES {
        fs::write(&file, text).unwrap();
        let place = format!("{}, {line}:", file.display());
        let common = [place.as_str(), "Nothing was started and nothing was changed.", "Mend that line; README.md lists"];
        refused(&["status"], &[], home.path(), 1, &[&common, words].concat());
    }
    // What needs no settings is not in the way.
    refused(&["tapes", "--format", "json"], &[], home.path(), 0, &[]);
}

#[test]
fn wrong_keys_are_named_with_file_and_line() {
    let home = tempfile::tempdir().unwrap();
    for (line, words) in [
        ("palette = \"f12\"", "belong to the kill switch"),
        ("palette = \"q\"", "«q» already means «quit»"),
        ("palette = \"no such key\"", "is not a key"),
        ("palette = 5", "keys.palette = 5 is not allowed: it must be a key in quotes"),
        ("fly = \"f5\"", "there is no such action"),
    ] {
        fs::write(home.path().join("pmax.toml"), format!("[screen]\nbell = true\n\n[keys]\n{line}\n")).unwrap();
        refused(&["render"], &[], home.path(), 1, &["pmax.toml, line 5:", "keys.", words, "Mend that line"]);
    }
}

#[test]
fn a_wrong_value_outside_a_file_is_named_with_its_place() {
    let home = tempfile::tempdir().unwrap();
    let share = "risk.daily_loss = 7 is not allowed: it must be a share above 0 and at most 1";
    refused(
        &["status", "--set", "risk.daily_loss=7"],
        &[],
        home.path(),
        1,
        &["--set on the command line:", share, "another value"],
    );
    let variable = ("PMAX_RISK_DAILY_LOSS", "7");
    refused(&["status"], &[variable], home.path(), 1, &["Environment variable PMAX_RISK_DAILY_LOSS:", share, "unset it"]);
    refused(&["status"], &[("PMAX_RISK_DAYLY_LOSS", "1")], home.path(), 1, &["did you mean PMAX_RISK_DAILY_LOSS?"]);
    refused(&["status", "--set", "risk=1"], &[], home.path(), 1, &["section.key=value"]);
    refused(&["status", "--config", "missing.toml"], &[], home.path(), 1, &["missing.toml", "leave out --config"]);
    // The layer that was written last is to blame, not the one below it.
    fs::write(home.path().join("pmax.toml"), "[risk]\ndaily_loss = 0.01\n").unwrap();
    refused(&["status"], &[variable], home.path(), 1, &["Environment variable"]);
}

#[test]
fn wrong_words_on_the_command_line_are_explained() {
    let home = tempfile::tempdir().unwrap();
    refused(&["render", "--size", "wide"], &[], home.path(), 1, &["160x45"]);
    refused(&["render", "--at", "yesterday"], &[], home.path(), 1, &["2020-03-16"]);
    refused(&["render", "--tape", "crash-1929"], &[], home.path(), 1, &["crash-2020", "pmax tapes"]);
    refused(&["replay", "1"], &[], home.path(), 1, &["no ledger"]);
    refused(&["fly"], &[], home.path(), 2, &["fly"]);
    refused(&[], &[], home.path(), 1, &["terminal", "pmax render"]);
}

#[test]
fn a_damaged_tape_is_refused_and_the_ledger_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let tape = home.path().join("mine.parquet");
    fs::write(&tape, "not a tape").unwrap();
    refused(&["render", "--tape", tape.to_str().unwrap()], &[], home.path(), 1, &["not Parquet", "ledger was not touched"]);
}

#[test]
fn a_changed_or_cut_journal_is_found() {
    let home = with_ledger();
    let database = home.path().join("ledger.db");
    assert_eq!(run(&["journal", "verify"], &[], home.path()).status.code(), Some(0));

    let connection = Connection::open(&database).unwrap();
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let copy = fs::read(&database).unwrap();
    connection.execute_batch("DROP TRIGGER journal_never_changes").unwrap();
    connection.execute("UPDATE journal SET payload = replace(payload, 'buy', 'sell') WHERE seq = (SELECT min(seq) FROM journal WHERE payload LIKE '%buy%')", []).unwrap();
    drop(connection);
    refused(&["journal", "verify"], &[], home.path(), 3, &["changed or cut at entry", "Nothing was changed"]);

    fs::write(&database, &copy).unwrap();
    let head = fs::read_to_string(home.path().join("ledger.head")).unwrap_or_else(|_| "0 ".to_owned());
    let number: u64 = head.split(' ').next().unwrap().parse().unwrap();
    fs::write(home.path().join("ledger.head"), format!("{} {}\n", number.max(1) + 100_000, "ab".repeat(32))).unwrap();
    refused(&["journal", "verify"], &[], home.path(), 3, &["missing in it"]);
    refused(&["drill"], &[], home.path(), 1, &["changed or cut"]);
}

#[test]
fn a_damaged_or_newer_database_is_refused_and_kept() {
    let home = with_ledger();
    let database = home.path().join("ledger.db");
    let connection = Connection::open(&database).unwrap();
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA user_version = 99;").unwrap();
    drop(connection);
    refused(&["drill"], &[], home.path(), 1, &["schema 99", "newer"]);
    refused(&["status"], &[], home.path(), 1, &["schema 99"]);

    let mut bytes = fs::read(&database).unwrap();
    for byte in bytes.iter_mut().skip(4_096).take(40_000) {
        *byte = 0x5A;
    }
    fs::write(&database, &bytes).unwrap();
    let output = run(&["drill"], &[], home.path());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("Nothing was changed") && !said.contains("panicked"), "{said}");
    assert_eq!(fs::read(&database).unwrap(), bytes, "a damaged file is kept as it is");
}

#[test]
fn kill_needs_nothing_but_the_folder() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("pmax.toml"), "rubbish").unwrap();
    let output = run(&["kill", "fire drill"], &[], home.path());
    assert_eq!(output.status.code(), Some(0));
    assert!(fs::read_to_string(home.path().join("KILL")).unwrap().contains("fire drill"));
}

/// What is done to the files of a ledger, and what `status` and `drill` then say.
type Damage = (fn(&Path), &'static [&'static str]);

#[test]
fn a_ledger_that_is_not_whole_is_told_in_one_plain_sentence() {
    let home = with_ledger();
    let connection = Connection::open(home.path().join("ledger.db")).unwrap();
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let (seq, hash): (i64, Vec<u8>) = connection
        .query_row("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    drop(connection);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let whole = fs::read(home.path().join("ledger.db")).unwrap();
    let damages: [Damage; 5] = [
        (
            |home| fs::write(home.join("ledger.head"), "not an anchor\n").unwrap(),
            &[
                "ledger.head, which holds the end of the journal's chain, cannot be read",
                "`pmax journal verify`",
                "move that file away",
            ],
        ),
        (
            |home| fs::write(home.join("ledger.head"), [0xFF, 0xFE, 0x00]).unwrap(),
            &["ledger.head, which holds the end of the journal's chain, cannot be read"],
        ),
        (
            |home| {
                let cut = fs::read(home.join("ledger.db")).unwrap();
                fs::write(home.join("ledger.db"), &cut[..cut.len() / 2]).unwrap();
            },
            &["The database file is damaged", "Keep the file", "--home NEW_FOLDER"],
        ),
        (
            |home| fs::remove_file(home.join("ledger.db")).unwrap(),
            &["ledger.db is missing, though ledger.head beside it says that it ended with entry", "Put the ledger back"],
        ),
        (
            |home| fs::write(home.join("ledger.db"), "").unwrap(),
            &["ledger.db is empty, though ledger.head", "Put the ledger back"],
        ),
    ];
    for (damage, words) in damages {
        fs::write(home.path().join("ledger.db"), &whole).unwrap();
        fs::write(home.path().join("ledger.head"), format!("{seq} {hex}\n")).unwrap();
        refused(&["status"], &[], home.path(), 0, &[]);
        for side in ["ledger.db-wal", "ledger.db-shm"] {
            fs::remove_file(home.path().join(side)).ok();
        }
        damage(home.path());
        let before = fs::read(home.path().join("ledger.db")).ok();
        let all = [&["Nothing was changed and nothing was sent."], words].concat();
        refused(&["drill"], &[], home.path(), 1, &all);
        assert_eq!(fs::read(home.path().join("ledger.db")).ok(), before, "{words:?}: nothing was changed");
        refused(&["status"], &[], home.path(), 1, &all);
    }
}

#[test]
fn the_chain_can_be_verified_without_its_anchor() {
    let home = with_ledger();
    fs::write(home.path().join("ledger.head"), "rubbish\n").unwrap();
    refused(&["journal", "verify"], &[], home.path(), 3, &["ledger.head", "the chain itself holds", "Move that file away"]);
    fs::remove_file(home.path().join("ledger.head")).unwrap();
    refused(&["journal", "verify"], &[], home.path(), 0, &[]);
    let empty = tempfile::tempdir().unwrap();
    refused(&["journal", "verify"], &[], empty.path(), 1, &["There is no ledger at", "Start the workstation once"]);
}

#[test]
fn a_ledger_whose_middle_was_altered_is_not_traded_on() {
    let home = with_ledger();
    let connection = Connection::open(home.path().join("ledger.db")).unwrap();
    connection.execute_batch("DROP TRIGGER journal_never_changes").unwrap();
    let seq: i64 = connection.query_row("SELECT min(seq) FROM journal WHERE payload LIKE '%buy%'", [], |row| row.get(0)).unwrap();
    connection.execute("UPDATE journal SET payload = replace(payload, 'buy', 'sell') WHERE seq = ?1", [seq]).unwrap();
    drop(connection);
    let said = format!("The journal was changed or cut at entry {seq}");
    refused(&["drill"], &[], home.path(), 1, &[&said, "nothing was sent", "pmax journal verify"]);
}

#[test]
fn a_replay_that_differs_says_which_part() {
    let home = with_ledger();
    let connection = Connection::open(home.path().join("ledger.db")).unwrap();
    connection.execute_batch("DROP TRIGGER journal_never_changes").unwrap();
    let changed = connection
        .execute(
            "UPDATE journal SET payload = json_set(payload, '$.order.confirmed.order.id', 99) WHERE seq =
             (SELECT min(seq) FROM journal WHERE json_extract(payload, '$.order.confirmed.order.id') IS NOT NULL)",
            [],
        )
        .unwrap();
    assert_eq!(changed, 1);
    drop(connection);
    let words = ["differs at journal entry", "both have «order: confirmed», but order.id is 99 in the journal and 1 here"];
    refused(&["replay", "1"], &[], home.path(), 3, &words);
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    let home = with_ledger();
    for command in ["journal export", "journal export --format csv", "status", "tapes", "render", "info", "--help"] {
        let line = format!("set -o pipefail; {} {command} | head -c 1 >/dev/null", env!("CARGO_BIN_EXE_pmax"));
        let output = std::process::Command::new("bash")
            .args(["-c", &line])
            .env("PMAX_HOME", home.path())
            .env("HOME", home.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.as_str()), (Some(0), ""), "{command}");
    }
}

#[test]
fn an_output_that_cannot_be_written_is_said() {
    let Ok(full) = fs::File::options().write(true).open("/dev/full") else { return };
    let home = with_ledger();
    for command in [&["journal", "export"][..], &["status"], &["info"]] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_pmax"))
            .args(command)
            .env("PMAX_HOME", home.path())
            .stdout(full.try_clone().unwrap())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{command:?}: {said}");
        assert!(said.contains("The output cannot be written") && said.contains("full disk"), "{said}");
    }
}

#[test]
fn render_honours_capital_and_seed_of_the_configuration() {
    let home = tempfile::tempdir().unwrap();
    let render = |sets: &[&str]| {
        let output = run(&[&["render", "--at", "2020-03-12T15:30", "--format", "text"], sets].concat(), &[], home.path());
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    };
    let usual = render(&[]);
    assert!(usual.contains("equity 100,000.00"), "{usual}");
    let small = render(&["--set", "paper.capital=2500"]);
    assert!(small.contains("equity 2,500.00") && !small.contains("100,000.00"), "{small}");
    let other = render(&["--set", "tape.seed=7"]);
    assert_ne!(usual, other, "quotes inside bars are drawn by the seed");
}
