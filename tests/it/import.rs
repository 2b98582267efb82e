//! A person's own history: files as people have them become tapes that play, and what is wrong is said by row.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use pmax::domain::{MarketEvent, MarketTime, Price};
use pmax::market::{self, Player, Tape};
use tempfile::TempDir;

use crate::support::{run, shared};

struct Desk {
    home: TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn import(&self, file: &Path, options: &[&str]) -> Output {
        run(&[&["tapes", "import", file.to_str().unwrap()][..], options].concat(), &[], self.home.path())
    }

    /// What is said of a text that is imported, both outputs together.
    fn said(&self, text: &str, options: &[&str]) -> (Option<i32>, String) {
        let output = self.import(&self.file("own.csv", text), options);
        (output.status.code(), words(&output))
    }

    fn tape(&self, name: &str) -> Tape {
        market::load_among(name, Some(&self.home.path().join("tapes"))).unwrap()
    }
}

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Forty days of a share in January and February 2020, as Yahoo's file has them.
fn days(row: impl Fn(usize, &str) -> String) -> String {
    let tape = market::load("crash-2020").unwrap();
    let dates = tape.bars.iter().filter(|bar| bar.instrument.0 == 2 && bar.open_at >= MarketTime::parse("2020-01-02").unwrap());
    let dates: Vec<String> = dates.take(40).map(|bar| bar.open_at.to_string()[..10].to_owned()).collect();
    dates.iter().enumerate().map(|(index, date)| row(index, date)).collect()
}

fn usual(index: usize, date: &str) -> String {
    let price = 100 + index % 7;
    format!("{date},{price},{}.5,{}.25,{price},{},{}\n", price + 1, price - 1, price, 1_000 * (index + 1))
}

const HEADER: &str = "Date,Open,High,Low,Close,Adj Close,Volume\n";

#[test]
fn a_file_of_ones_own_becomes_a_tape_that_is_listed_and_plays() {
    let desk = Desk::new();
    let text = format!("{HEADER}{}", days(usual));
    let (code, said) = desk.said(&text, &["--symbol", "AAPL", "--name", "apple"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("40 rows")
            && said.contains("play it with `pmax --tape apple`")
            && said.contains("--adjusted scales to them"),
        "{said}"
    );
    let tape = desk.tape("apple");
    let first = tape.bars[0];
    assert_eq!(
        (first.open_at, first.close_at),
        (MarketTime::parse("2020-01-02T14:30Z").unwrap(), MarketTime::parse("2020-01-02T21:00Z").unwrap())
    );
    assert_eq!([first.open, first.high, first.low, first.close].map(|price| price.to_string()), ["100", "101.5", "99.25", "100"]);
    assert_eq!(first.volume.unwrap().milli(), 1_000_000);
    let events: Vec<MarketEvent> = Player::new(&tape, 1).collect();
    assert_eq!(events.iter().filter(|event| matches!(event, MarketEvent::BarClosed { .. })).count(), 40);

    let listed = words(&run(&["tapes"], &[], desk.home.path()));
    assert!(
        listed.contains("apple — Imported from own.csv") && listed.contains("range, volume") && listed.contains("crash-2020"),
        "{listed}"
    );
    let rendered = run(&["--tape", "apple", "render", "--size", "120x40", "--at", "2020-02-14"], &[], desk.home.path());
    assert!(rendered.status.success() && words(&rendered).contains("AAPL"), "{}", words(&rendered));
    let missing = words(&run(&["--tape", "pear", "render"], &[], desk.home.path()));
    assert!(missing.contains("«pear»") && missing.contains("apple"), "{missing}");

    let (code, said) = desk.said(&text, &["--symbol", "AAPL", "--name", "apple"]);
    assert!(code == Some(1) && said.contains("--replace"), "{said}");
    let before = fs::read(desk.home.path().join("tapes/apple.parquet")).unwrap();
    let (code, said) = desk.said(&text, &["--symbol", "AAPL", "--name", "apple", "--replace"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(fs::read(desk.home.path().join("tapes/apple.parquet")).unwrap(), before, "the same file gives the same bytes");
}

#[test]
fn the_same_history_is_read_in_the_dialects_people_have() {
    let desk = Desk::new();
    let price = |index: usize| 100 + index % 7;
    let check = |name: &str, text: String, options: &[&str]| {
        let options = [&["--symbol", "AAPL", "--name", name, "--replace"][..], options].concat();
        let (code, said) = desk.said(&text, &options);
        assert_eq!(code, Some(0), "{name}: {said}");
        let bars: Vec<_> = desk.tape(name).bars.iter().map(|bar| (bar.open_at, bar.close)).collect();
        bars
    };
    let plain = check("plain", format!("{HEADER}{}", days(usual)), &[]);
    let dialects: [(&str, String, &[&str]); 8] = [
        (
            "german",
            format!(
                "Datum;Eröffnung;Hoch;Tief;Schluss\n{}",
                days(|index, date| {
                    let (year, rest) = date.split_at(4);
                    let price = price(index);
                    format!("{}.{}.{year};{price},0;{price},5;{price},0;{price},0\n", &rest[4..6], &rest[1..3])
                })
            ),
            &[],
        ),
        (
            "american",
            format!("Date,Close/Last,Volume,Open,High,Low\n{}", {
                let text = days(|index, date| {
                    let price = price(index);
                    format!(
                        "{}/{}/{},${price}.00,1000,${price}.00,${price}.50,${price}.00\n",
                        &date[5..7],
                        &date[8..10],
                        &date[..4]
                    )
                });
                // The newest first, as exchanges give it.
                text.lines().rev().map(|line| format!("{line}\n")).collect::<String>()
            }),
            &[],
        ),
        (
            "tabs",
            format!(
                "timestamp\to\th\tl\tc\n{}",
                days(|index, date| {
                    let price = price(index);
                    format!("{date}\t{price}\t{price}\t{price}\t{price}\n")
                })
            ),
            &[],
        ),
        (
            "bare",
            days(|index, date| {
                let price = price(index);
                format!("{date},{price},{price},{price},{price},100\n")
            }),
            &[],
        ),
        ("closes", format!("date,price\n{}", days(|index, date| format!("{date},{}\n", price(index)))), &[]),
        (
            "epoch",
            format!(
                "time,close\n{}",
                days(|index, date| { format!("{},{}\n", MarketTime::parse(date).unwrap().0 / 1_000_000, price(index)) })
            ),
            &[],
        ),
        ("midnights", format!("Unnamed: 0,close\n{}", days(|index, date| format!("{date} 00:00:00,{}\n", price(index)))), &[]),
        ("offsets", format!("Datetime,Close\n{}", days(|index, date| format!("{date} 00:00:00-05:00,{}\n", price(index)))), &[]),
    ];
    for (name, text, options) in dialects {
        assert_eq!(check(name, text, options), plain, "{name}");
    }
}

#[test]
fn times_without_a_zone_are_asked_about_and_read_in_the_zone_that_is_said() {
    let desk = Desk::new();
    let text: String = (0..60).map(|minute| format!("2020-03-09 09:{minute:02}:00,100,101,99,100\n")).collect();
    let text = format!("Datetime,Open,High,Low,Close\n{text}");
    let (code, said) = desk.said(&text, &["--symbol", "BTCUSD"]);
    assert!(code == Some(1) && said.contains("no zone") && said.contains("--timezone"), "{said}");
    let (code, said) = desk.said(&text, &["--symbol", "BTCUSD", "--timezone", "America/New_York"]);
    assert_eq!(code, Some(0), "{said}");
    let tape = desk.tape("own");
    assert_eq!(tape.bars[0].open_at.to_string(), "2020-03-09T13:00:00Z", "summer time began the day before");
    assert_eq!(tape.meta.series[0].bar, "1m");
    let (code, said) = desk.said(&text, &["--symbol", "AAPL", "--timezone", "America/New_York", "--replace"]);
    assert!(
        code == Some(1) && said.contains("outside trading hours") && said.contains("30 faults") && said.contains("and 22 more"),
        "{said}"
    );
    let (code, said) = desk.said(&text, &["--symbol", "AAPL", "--timezone", "America/New_York", "--replace", "--skip-closed"]);
    assert!(code == Some(0) && said.contains("left out: 30 rows outside trading hours"), "{said}");
    assert_eq!(desk.tape("own").bars.len(), 30);
    assert!(desk.said(&text, &["--symbol", "AAPL", "--timezone", "Mars"]).1.contains("Europe/Warsaw"));
}

#[test]
fn what_is_wrong_is_said_by_row_and_column_and_nothing_is_mended() {
    let desk = Desk::new();
    let row = |date: &str, numbers: &str| format!("{date},{numbers},1000\n");
    let good = "100,101,99,100,100";
    for (bad, words) in [
        (row("2020-03-02", "x,101,99,100,100"), &["row 42, Open: «x» is not a number"][..]),
        (row("2020-03-02", "100,98,99,100,100"), &["row 42, high, low", "do not contain"]),
        (row("2020-03-02", "0,101,99,100,100"), &["row 42, Open", "above zero"]),
        (row("2020-03-02", "100,101,-99,100,100"), &["row 42, Low", "below zero"]),
        (row("2020-03-02", "100,1e12,99,100,100"), &["row 42, High", "absurdly large"]),
        (row("2020-03-02", ",,,,"), &["row 42, Close", "no price at all", "--skip-missing"]),
        (row("2020-03-02", "10000,10100,9900,10000,10000"), &["row 42, close", "another unit"]),
        (row("2020-02-28", good), &["row 42, Date", "the same time as row 41"]),
        (row("2020-02-27", good), &["row 42, Date", "earlier than row 41"]),
        (row("2020-02-29", good), &["row 42, Date", "2020-02-29 is no trading day (weekend)"]),
        (row("2020-04-10", good), &["row 42, Date", "(Good Friday)"]),
        (row("02.30.2020", good), &["row 42, Date", "«02.30.2020» is no date"]),
        ("2020-03-02,100\n".to_owned(), &["row 42", "2 fields where the first row has 7"]),
        ("2020-03-02,100,101,99,100,100,-5\n".to_owned(), &["row 42, Volume", "below zero"]),
        ("2020-03-02,\x1b[31m,101,99,100,100,5\n".to_owned(), &["row 42, Open", "is not a number"]),
    ] {
        let text = format!("{HEADER}{}{bad}", days(usual));
        let (code, said) = desk.said(&text, &["--symbol", "AAPL"]);
        assert_eq!(code, Some(1), "{bad}: {said}");
        assert!(words.iter().all(|word| said.contains(word)) && said.contains("1 fault"), "{bad}: {said}");
        assert!(!said.contains('\x1b') && !desk.home.path().join("tapes/own.parquet").exists(), "{said}");
    }
    let text = format!("{HEADER}{}", days(usual));
    for (options, words) in [
        (&["--symbol", "APPL"][..], &["«APPL» is no instrument", "AAPL"][..]),
        (&[], &["--symbol SYMBOL"]),
        (&["--symbol", "AAPL", "--name", "crash-2020"], &["«crash-2020»", "--name"]),
        (&["--symbol", "AAPL", "--frame", "15m"], &["dates without a time"]),
        (&["--symbol", "AAPL", "--start", "2030-01-01"], &["not inside its bars"]),
    ] {
        let (code, said) = desk.said(&text, options);
        assert!(code == Some(1) && words.iter().all(|word| said.contains(word)), "{options:?}: {said}");
    }
    for (text, words) in [
        ("", "no rows"),
        ("a,b\nx,y\n", "no column that is known as a time"),
        ("date,open,close\n2020-01-02,1,1\n", "each of open, high and low"),
        ("1,2,3,4\n", "4 columns are no layout"),
        ("date,close\n01/02/2020,1\n02/03/2020,1\n", "--dates dmy or --dates mdy"),
    ] {
        let (code, said) = desk.said(text, &["--symbol", "AAPL"]);
        assert!(code == Some(1) && said.contains(words), "{text}: {said}");
    }
}

#[test]
fn what_is_odd_is_reported_and_taken_as_it_stands() {
    let desk = Desk::new();
    let text = days(|index, date| match index {
        20..25 => String::new(),
        0..30 => usual(index, date),
        _ => format!("{date},14.4,15,14,14.4,14.4,7000\n"),
    });
    let (code, said) = desk.said(&format!("{HEADER}{text}"), &["--symbol", "AAPL", "--check"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("looks like a split of 7 for 1")
            && said.contains("5 bars are missing between")
            && said.contains("it would be"),
        "{said}"
    );
    assert!(!desk.home.path().join("tapes").exists(), "a check writes nothing");
    let (_, said) = desk.said(&format!("{HEADER}{text}"), &["--symbol", "AAPL"]);
    assert!(said.contains("written"), "{said}");
    assert!(desk.tape("own").meta.description.contains("2 oddities"), "{}", desk.tape("own").meta.description);
}

#[test]
fn several_series_go_into_one_tape_and_strangers_are_named_once() {
    let desk = Desk::new();
    let text = days(|index, date| format!("AAPL,{date},{}\nGOOGL,{date},{}\n", 100 + index % 7, 1_000 + index % 9));
    let text = format!("symbol,date,close\n{text}");
    let (code, said) = desk.said(&text, &[]);
    assert!(
        code == Some(1)
            && said.contains("«GOOGL» is no instrument")
            && said.contains("--symbol GOOGL=SYMBOL")
            && said.contains("1 fault"),
        "{said}"
    );
    let (code, said) = desk.said(&text, &["--symbol", "GOOGL=GOOG", "--name", "two"]);
    assert_eq!(code, Some(0), "{said}");
    let tape = desk.tape("two");
    let symbols: Vec<&str> = tape.meta.series.iter().map(|series| series.symbol.as_str()).collect();
    assert_eq!((symbols, tape.bars.len()), (vec!["GOOG", "AAPL"], 80));
    assert!(tape.meta.series.iter().all(|series| !series.ohlc && !series.volume && series.bar == "1d"));
}

#[test]
fn ticks_become_bars() {
    let desk = Desk::new();
    let begin = MarketTime::parse("2021-11-10T00:00:00Z").unwrap().0 / 1_000_000_000;
    let text: String = (0..3_000).map(|tick| format!("{},{}.{},0.5\n", begin + tick, 64_000 + tick % 100, tick % 10)).collect();
    let (code, said) = desk.said(&text, &["--symbol", "BTCUSD", "--frame", "5m"]);
    assert!(code == Some(0) && said.contains("built from 3000 ticks"), "{said}");
    let tape = desk.tape("own");
    // The tenth five minutes are not over.
    assert_eq!((tape.bars.len(), tape.bars[0].volume.unwrap().milli()), (9, 150_000));
    assert_eq!([tape.bars[0].open, tape.bars[0].high], ["64000.0", "64099.9"].map(|text| text.parse::<Price>().unwrap()));
}

#[test]
fn a_tape_of_ones_own_goes_through_a_test_like_any_other() {
    let Some(shared) = shared() else { return };
    let desk = Desk::new();
    let file = shared.join("data/daily/nvda_ohlcv_1999_2025.csv");
    let output = desk.import(&file, &["--symbol", "NVDA", "--name", "nvda", "--adjusted", "--check"]);
    let said = words(&output);
    assert!(said.contains("NVDA") && said.contains("range, volume, adjusted"), "{said}");
    assert_eq!(output.status.code(), Some(0), "{said}");
}

/// The fixtures were written by pandas, Polars and DuckDB themselves (`tests/oracles/own_parquet.py`).
#[test]
fn what_data_frames_write_is_read() {
    let desk = Desk::new();
    let fixture = |of: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/own-{of}.parquet"));
    let mut read = Vec::new();
    for (of, options) in
        [("pandas", &["--symbol", "AAPL"][..]), ("polars", &[]), ("duckdb", &["--symbol", "AAPL", "--skip-missing"])]
    {
        let output = desk.import(&fixture(of), options);
        let said = words(&output);
        assert!(output.status.success() && said.contains("Parquet"), "{of}: {said}");
        let bars = |bar: &pmax::domain::Bar| (bar.open_at, bar.open, bar.high, bar.low, bar.close, bar.volume);
        read.push(desk.tape(&format!("own-{of}")).bars.iter().map(bars).collect::<Vec<_>>());
    }
    assert_eq!(read[0].len(), 40);
    assert_eq!((&read[1], &read[2]), (&read[0], &read[0]));
    let (_, open, high, low, close, volume) = read[0][1];
    assert_eq!([open, high, low, close].map(|price| price.to_string()), ["101", "102.5", "100.25", "101.25"]);
    assert_eq!(volume.unwrap().milli(), 2_000_000);
    let said = words(&desk.import(&fixture("duckdb"), &["--symbol", "AAPL", "--replace"]));
    assert!(said.contains("row 41, close: no price at all"), "{said}");
    // A tape is Parquet too, and imports into the same tape.
    let tape = desk.home.path().join("tapes/own-polars.parquet");
    let again = desk.import(&tape, &["--name", "again"]);
    assert!(again.status.success(), "{}", words(&again));
    assert_eq!(desk.tape("again").bars, desk.tape("own-polars").bars);
    let mut broken = fs::read(&tape).unwrap();
    for at in (4..broken.len()).step_by(broken.len() / 40) {
        broken[at] ^= 0x55;
        let path = desk.home.path().join("broken.parquet");
        fs::write(&path, &broken).unwrap();
        let output = desk.import(&path, &["--symbol", "AAPL", "--check"]);
        assert!(output.status.code() == Some(1) || output.status.success(), "no panic at {at}: {}", words(&output));
        assert!(!words(&output).contains("panicked"), "{at}: {}", words(&output));
    }
}
