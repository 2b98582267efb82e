//! `pmax stats`: other libraries' numbers for files of known content, and one sentence for each way a file can be wrong.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{run, shared};

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name).display().to_string()
}

fn stats(args: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    run(&[&["stats"], args].concat(), &[], home.path())
}

fn json(args: &[&str]) -> Value {
    let output = stats(&[args, &["--format", "json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Everything that the other value holds, at the same place, to nine digits.
fn agrees(ours: &Value, theirs: &Value, place: &str) {
    match theirs {
        Value::Object(fields) => fields.iter().for_each(|(name, theirs)| agrees(&ours[name], theirs, &format!("{place}.{name}"))),
        Value::Array(items) => {
            assert_eq!(ours.as_array().map(Vec::len), Some(items.len()), "{place}");
            items.iter().enumerate().for_each(|(at, theirs)| agrees(&ours[at], theirs, &format!("{place}.{at}")));
        }
        Value::Number(theirs) => {
            let (ours, theirs) = (ours.as_f64().unwrap_or(f64::NAN), theirs.as_f64().unwrap());
            assert!((ours - theirs).abs() <= 1e-9 * theirs.abs().max(1e-6), "{place}: {ours} against {theirs}");
        }
        Value::Null | Value::Bool(_) | Value::String(_) => assert_eq!(ours, theirs, "{place}"),
    }
}

fn range(value: &Value) -> (f64, f64) {
    (value["low"].as_f64().unwrap(), value["high"].as_f64().unwrap())
}

#[test]
fn two_small_files_say_what_scipy_statsmodels_empyrical_and_arch_say() {
    let oracle: Value = serde_json::from_str(include_str!("../oracles/report.json")).unwrap();
    for (name, options) in [("returns", vec![]), ("prices", vec!["--prices", "--column", "close"])] {
        let theirs = &oracle[name];
        let file = fixture(&format!("{name}.csv"));
        let ours = json(&[&[file.as_str()], options.as_slice()].concat());
        assert_eq!((&ours["taken_as"], &ours["periods_from"]), (&name.into(), &"business days".into()));
        agrees(&ours["report"], &theirs["report"], name);
        let checks = ours["report"]["checks"].as_array().unwrap();
        assert_eq!(checks.len(), theirs["checks"].as_object().unwrap().len());
        for check in checks {
            let test = check["supposes"].as_str().unwrap();
            let theirs = theirs["checks"][test].as_array().unwrap();
            agrees(&check["statistic"], &theirs[0], test);
            // Durbin and Watson's has none.
            agrees(&check["p"], theirs.get(1).unwrap_or(&Value::Null), test);
        }
        let (ours, theirs) = (&ours["bootstrap"], &theirs["bootstrap"]);
        agrees(&ours["block_length"], &theirs["block_length"], "block length");
        for what in ["mean_interval", "drawdown_range"] {
            // Another generator's draws: ends differ by their own chance, about a fiftieth of the width.
            let (ours, theirs) = (range(&ours[what]), range(&theirs[what]));
            let width = theirs.1 - theirs.0;
            assert!(
                (ours.0 - theirs.0).abs() < 0.05 * width && (ours.1 - theirs.1).abs() < 0.05 * width,
                "{what}: {ours:?}, {theirs:?}"
            );
        }
    }
}

#[test]
fn the_same_seed_says_the_same_and_another_one_nearly() {
    let file = fixture("returns.csv");
    let with = |seed: &str| json(&[&file, "--seed", seed])["bootstrap"]["sharpe_interval"].clone();
    assert_eq!(with("7"), with("7"));
    let (one, other) = (range(&with("7")), range(&with("8")));
    assert!(one != other && (one.0 - other.0).abs() < 0.3 && (one.1 - other.1).abs() < 0.3, "{one:?} {other:?}");
}

#[test]
fn a_report_for_people_fits_eighty_columns() {
    let output = stats(&[&fixture("returns.csv")]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    insta::assert_snapshot!("stats_of_returns", text);
}

/// Thirty days of returns that are plausible, with one row replaced.
fn days(row: usize, instead: &str) -> String {
    let mut text = "date,value\n".to_owned();
    for day in 2..=30 {
        if day == row {
            writeln!(text, "{instead}").unwrap();
        } else {
            writeln!(text, "2020-01-{day:02},{}", [0.01, -0.02, 0.005][day % 3]).unwrap();
        }
    }
    text
}

fn written(text: impl AsRef<[u8]>) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.csv");
    fs::write(&file, text).unwrap();
    let name = file.display().to_string();
    (folder, name)
}

/// A file is refused with exit code 1, these words on standard error and nothing on standard output.
fn refused(text: impl AsRef<[u8]>, options: &[&str], words: &[&str]) {
    let (_folder, file) = written(text);
    let output = stats(&[&[file.as_str()], options].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{words:?}: {said}");
    assert!(output.stdout.is_empty() && !said.contains("panicked"), "{said}");
    for word in [&["mine.csv", "Nothing was computed and the file was not changed"], words].concat() {
        assert!(said.contains(word), "should say «{word}» but said: {said}");
    }
}

#[test]
fn one_wrong_row_is_named_with_what_to_do() {
    for (row, instead, words) in [
        (10, "2020-01-08,0.01", ["row 10: «2020-01-08» is earlier than the date in row 9", "Sort the rows by date"]),
        (10, "2020-01-09,0.01", ["row 10: «2020-01-09» is the same date as in row 9", "Keep one row for each date"]),
        (10, "2020-01-10,NaN", ["row 10: «NaN» is NaN, which is no number", "take the row out"]),
        (10, "2020-01-10,-inf", ["row 10: «-inf» is infinite", "take the row out"]),
        (10, "2020-01-10,1e999", ["row 10: «1e999» is infinite", "take the row out"]),
        (10, "2020-01-10,much", ["row 10: «much» is not a number", "Correct it"]),
        (10, "2020-01-10,1.2%", ["row 10: «1.2%» is written in percent", "0.012 for 1.2 %"]),
        (10, "2020-01-10,", ["row 10: there is nothing where a value should be", "--skip-missing"]),
        (10, "2020-01-10,.", ["row 10: there is «.» where a value should be", "--skip-missing"]),
        (10, "2020-01-10,0.01,5", ["row 10: it has 3 fields where the first row has 2", "Correct the row"]),
        (
            10,
            "2020-01-10T00:00:00Z,0.01",
            [
                "row 10: «2020-01-10T00:00:00Z» is a time with a zone, where row 9 has a date alone",
                "all with a zone or all without",
            ],
        ),
        (10, "2020-13-40,0.01", ["row 10: «2020-13-40» is not a date", "2020-03-16T15:30:00Z"]),
        (10, "2020-01-10,-1.5", ["row 10: -1.5, as a return, would lose everything or more", "--prices or --returns"]),
    ] {
        refused(days(row, instead), &[], &words);
    }
    let in_zones = |text: String| text.replace(",", "T16:00:00-05:00,").replace("dateT16:00:00-05:00", "date");
    refused(
        in_zones(days(10, "2020-01-10,0.01")).replace("2020-01-10T16:00:00-05:00", "2020-01-10T16:00:00"),
        &[],
        &["row 10: «2020-01-10T16:00:00» is a time without a zone, where row 9 has a time with a zone"],
    );
    refused(
        in_zones(days(10, "2020-01-10,0.01")).replace("10T16:00:00-05:00", "10T16:00:00-19:00"),
        &[],
        &["row 10", "is not a date"],
    );
}

#[test]
fn a_file_that_is_wrong_as_a_whole_is_refused() {
    refused("", &[], &["it is empty"]);
    refused("\n\n", &[], &["it is empty"]);
    refused("date,return\n", &[], &["it has a header and no rows"]);
    refused("date,return\n2020-01-02,0.01\n2020-01-03,-0.01\n", &[], &["it gives 2 returns, too few", "at least 20 returns"]);
    refused(days(0, "").replace("-0.02", "0.01").replace("0.005", "0.01"), &["--returns"], &["every value is the same, 0.01"]);
    refused(days(10, "2020-01-10,-5"), &["--prices"], &["is not a price above zero"]);
    refused([days(10, "2020-01-10,0").into_bytes(), vec![0xff]].concat(), &[], &["row 31: this is not UTF-8 text"]);
    refused("date,name\n2020-01-02,good\n2020-01-03,bad\n", &[], &["row 2: «good» is not a number"]);
    refused("date,high,low\n2020-01-02,1,2\n2020-01-03,3,4\n", &[], &["2 columns of numbers: high, low", "--column NAME"]);
    refused("date,high,low\n2020-01-02,1,2\n", &["--column", "close"], &["no column «close»", "among high, low"]);
    refused("date,x,x\n2020-01-02,1,2\n", &["--column", "x"], &["two columns are called «x»"]);
    refused("date;x\n2020-01-02;0,01\n", &[], &["row 2: «0,01» is not a number, because of its comma"]);
    refused(vec![b' '; 64 * 1024 * 1024 + 1], &[], &["larger than 64 MiB"]);
    refused("0.1\n".repeat(1_000_002), &[], &["row 1000002: the file goes on past 1,000,000 rows"]);
    refused("v\n\u{1b}[31mred\n", &[], &["«[31mred» is not a number"]);
}

#[test]
fn a_file_that_is_not_there_or_is_a_folder_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    for (path, words) in
        [(folder.path().join("none.csv"), "there is no such file"), (folder.path().to_owned(), "this is a folder")]
    {
        let output = stats(&[&path.display().to_string()]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(words) && said.contains(&path.display().to_string()), "{said}");
    }
}

#[test]
fn nothing_is_guessed_about_values_series_and_years() {
    let scaled = |by: f64| {
        let rows = (1..=28).map(|day| format!("2020-02-{day:02},{}\n", by * (1.5 + f64::from(day % 3))));
        format!("date,value\n{}", rows.collect::<String>())
    };
    refused(scaled(100.0), &[], &["typically of size 250.00, look like prices or percent", "Say --prices or --returns"]);
    refused(scaled(0.01), &[], &["every value is above zero", "Say --prices or --returns"]);
    for options in [["--prices"], ["--returns"]] {
        let (_folder, file) = written(scaled(0.01));
        assert_eq!(json(&[&[file.as_str()], &options[..]].concat())["taken_as"], options[0].trim_start_matches('-'));
    }
    let two = days(0, "").lines().skip(1).map(|row| format!("AAA,{row}\nBBB,{row}9\n")).collect::<String>();
    refused(format!("symbol,date,value\n{two}"), &[], &["«symbol» holds 2 series: AAA, BBB", "--symbol NAME"]);
    // Without a header, what parts two series is seen from their dates.
    refused(&two, &[], &["«1» holds 2 series: AAA, BBB"]);
    refused(format!("symbol,date,value\n{two}"), &["--symbol", "CCC"], &["holds no «CCC»", "among AAA, BBB"]);
    refused(days(0, ""), &["--symbol", "CCC"], &["no column of symbols"]);
    let (_folder, file) = written(&two);
    assert_eq!(json(&[&file, "--symbol", "BBB"])["report"]["count"], 29);
    let bare = "0.01\n-0.02\n0.005\n".repeat(10);
    refused(&bare, &[], &["without dates nobody can say how many returns make a year", "--periods N"]);
    let (_folder, file) = written(&bare);
    assert_eq!(json(&[&file, "--periods", "12"])["report"]["periods_per_year"], 12.0);
    let wide: String = bare.lines().map(|value| format!("{}{value}\n", "7,".repeat(10))).collect();
    let (_other, wide) = written(wide);
    assert_eq!(json(&[&wide, "--column", "11", "--periods", "12"])["report"]["hit_rate"], 2.0 / 3.0);
    let quarters = (0..40).map(|bar| format!("{},{}\n", 1_577_836_800 + bar * 900, [0.01, -0.02, 0.005][bar % 3]));
    refused(quarters.collect::<String>(), &[], &["neither days, weeks, months", "--periods N"]);
    let output = stats(&[&file, "--periods", "0"]);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_ways_files_are_written_say_the_same() {
    let plain = days(0, "");
    let (_folder, file) = written(&plain);
    let expected = json(&[&file])["report"].clone();
    let epoch = |unit: i64| {
        let rows = plain.lines().skip(1).zip(0_i64..);
        rows.map(|(row, day)| format!("{}{}\n", (1_577_923_200 + day * 86_400) * unit, &row[10..])).collect::<String>()
    };
    let quoted: String = plain.lines().map(|row| format!("\"{}\"\n", row.replace(',', "\",\""))).collect();
    for text in [
        format!("\u{feff}{plain}"),
        plain.replace('\n', "\r\n"),
        plain.replace(',', ";"),
        plain.replace(',', "\t"),
        plain.replace("date,value\n", ""),
        quoted + "\n\n",
        plain.replace(",0", "T23:30:00-05:00,0").replace(",-0", "T23:30:00-05:00,-0"),
        epoch(1),
        epoch(1_000),
    ] {
        let (_folder, file) = written(&text);
        assert_eq!(json(&[&file])["report"], expected, "{text}");
    }
    let (_folder, file) = written(days(10, "2020-01-10,n/a").replace("n/a", "N/A"));
    let skipped = json(&[&file, "--skip-missing"]);
    assert_eq!((&skipped["skipped"], &skipped["report"]["count"]), (&1.into(), &28.into()));
}

#[test]
fn what_is_undefined_is_null_and_said_as_such() {
    // No loss: neither Sortino nor Omega is defined; a loss of everything leaves no wealth to follow.
    let rises = days(0, "").replace("-0.02", "0.02");
    let (_folder, file) = written(rises);
    let report = json(&[&file, "--returns"])["report"].clone();
    for metric in ["sortino", "omega", "calmar"] {
        assert_eq!(report[metric], Value::Null, "{metric}");
    }
    let (_folder, file) = written(days(10, "2020-01-10,-1.5"));
    let whole = json(&[&file, "--returns"]);
    assert_eq!((&whole["report"]["drawdown"], &whole["bootstrap"]), (&Value::Null, &Value::Null));
    let text = String::from_utf8(stats(&[&file, "--returns"]).stdout).unwrap();
    assert!(text.contains("bootstrap: n/a") && text.contains("no record is long enough"), "{text}");
    assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
}

#[test]
fn real_histories_are_read() {
    let Some(data) = shared().map(|folder| folder.join("data/daily")) else { return };
    let file = |name: &str| data.join(name).display().to_string();
    let spy = json(&[&file("spy_returns_1993_2018.csv")]);
    assert_eq!((&spy["report"]["count"], &spy["report"]["periods_per_year"]), (&6_357.into(), &252.0.into()));
    assert_eq!(spy["sharpe_sign"], "above");
    let spx = json(&[&file("spx_close_1990_2022.csv"), "--prices"]);
    assert!((spx["report"]["drawdown"]["depth"].as_f64().unwrap() - 0.5678).abs() < 5e-5, "{}", spx["report"]["drawdown"]);
    let btc = file("btcusd_ohlcv_2020_2021.csv");
    let said = stats(&[&btc, "--column", "close", "--prices"]);
    assert!(String::from_utf8_lossy(&said.stderr).contains("row 109: there is nothing where a value should be"));
    let btc = json(&[&btc, "--column", "close", "--prices", "--skip-missing"]);
    assert_eq!((&btc["skipped"], &btc["report"]["periods_per_year"]), (&4.into(), &365.0.into()));
    let split = json(&[&file("us5_ohlcv_2000_2013.csv"), "--symbol", "MSFT", "--column", "adj_close", "--prices"]);
    assert_eq!(split["periods_from"], "business days");
}
