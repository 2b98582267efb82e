//! Pages with pictures: well-formed, complete, silent towards the network, and safe from words that look like tags.

use pmax::backtest::{self, Plan, Report};
use pmax::domain::{Currency, Money};
use pmax::engine::TapeRef;
use pmax::market::Player;
use pmax::report::{Sheet, tear_sheet};

use crate::support::run;
use crate::world;

/// Every tag that is opened is closed, in order; `<` and `>` stand nowhere else.
fn well_formed(page: &str) {
    let mut open: Vec<String> = Vec::new();
    let page = page.strip_prefix("<!DOCTYPE html>").unwrap();
    for piece in page.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap_or_else(|| panic!("a tag without an end: {piece}"));
        assert!(!text.contains('>'), "a stray sign in {text}");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "closed in order");
        } else if !tag.ends_with('/') {
            open.push(name.to_owned());
        }
        for entity in text.split('&').skip(1) {
            assert!(entity.contains(';') && !entity.starts_with(' '), "a bare ampersand in {text}");
        }
    }
    assert_eq!(open, Vec::<String>::new());
}

fn offline(page: &str) {
    for outside in ["http://", "https://", "<script", "src=", "url(", "@import", "href", "onload"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("default-src 'none'"));
}

const PICTURES: [&str; 6] = ["Equity", "Under water", "Rolling Sharpe ratio", "Months", "Daily returns", "Round trips"];

fn pictured(page: &str) {
    for title in PICTURES {
        assert!(page.contains(&format!("<h3>{title}</h3><svg ")), "{title} is drawn");
    }
    assert!(!page.contains("NaN") && !page.contains("inf"), "an undefined number is n/a");
}

fn played() -> Report {
    let (tape, setup) = world::setup("crash-2020");
    let tape_ref = TapeRef { name: tape.meta.name.clone(), sha256: tape.sha256.clone(), seed: 1 };
    let (capital, from) = (Money::whole(100_000, Currency::USD).unwrap(), tape.start().unwrap());
    let plan = Plan { setup, tape: tape_ref, version: "", capital, from, until: None, since: None, opens_until: None };
    backtest::run(&plan, Player::new(&tape, 1)).unwrap()
}

fn page(report: &Report, words: &str) -> String {
    let findings = [format!("finding {words}")];
    let (_, setup) = world::setup("crash-2020");
    let instruments = &setup.instruments;
    let gates = backtest::gauge(report, &world::config().evidence);
    tear_sheet(&Sheet {
        report,
        instruments,
        findings: &findings,
        tried: words,
        gates: &gates,
        moved: &[],
        tests: 3,
        description: words,
        settings: words,
    })
    .html()
}

#[test]
fn a_tear_sheet_is_one_file_with_everything_in_it() {
    let report = played();
    let page = page(&report, "plain");
    well_formed(&page);
    offline(&page);
    pictured(&page);
    for section in ["Evidence", "What speaks against it", "Signals and trades", "By instrument", "Scorecards", "How it was made"]
    {
        assert!(page.contains(&format!("<h2>{section}</h2>")), "{section}");
    }
    assert!(page.contains("Verdict: NOT PROVEN") && page.contains(&report.tape.sha256));
    assert_eq!(page, self::page(&played(), "plain"), "the same results give the same bytes");
}

#[test]
fn words_from_outside_never_become_tags() {
    let mut report = played();
    let evil = "<script>alert('x')</script><img onload=\"x\"> & \u{1b}[31m";
    report.tape.name = evil.to_owned();
    let page = page(&report, evil);
    well_formed(&page);
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains('\u{1b}'));
    assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)"));
}

#[test]
fn a_report_without_days_or_trades_is_drawn_as_well() {
    let mut report = played();
    (report.days, report.trades, report.held) = (Vec::new(), Vec::new(), Vec::new());
    let page = page(&report, "nothing");
    well_formed(&page);
    assert_eq!(page.matches("Too few days to draw anything.").count(), PICTURES.len());
}

#[test]
fn both_commands_write_a_page_and_say_where_they_cannot() {
    let home = tempfile::tempdir().unwrap();
    let walk =
        ["walkforward", "--tape", "crash-2008", "--from", "2007-09-04", "--train", "8m", "--test", "4m", "--html", "walk.html"];
    for (line, name) in [(&["backtest", "--last", "30d", "--html", "sheet.html"][..], "sheet.html"), (&walk[..], "walk.html")] {
        let output = run(line, &[], home.path());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let page = std::fs::read_to_string(home.path().join(name)).unwrap();
        well_formed(&page);
        offline(&page);
        pictured(&page);
    }
    let sheet = std::fs::read_to_string(home.path().join("sheet.html")).unwrap();
    assert!(sheet.contains("2020-07-01T21:00:00Z to 2020-08-01T00:00:00Z"), "thirty days");
    let output = run(&["backtest", "--html", "no/such/folder/sheet.html"], &[], home.path());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && error.contains("cannot be written") && error.contains("--html"), "{error}");
    let output = run(&["backtest", "--last", "30d", "--from", "2020-03-01"], &[], home.path());
    assert_eq!(output.status.code(), Some(2), "one of the two");
}
