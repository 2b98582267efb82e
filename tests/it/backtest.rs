//! The engine over history: the same as on paper, the same every time, and blind to what comes later.

use pmax::backtest::{self, Finding, Plan, Report, Verdict};
use pmax::domain::{Currency, MarketEvent, MarketTime, Money, Price};
use pmax::engine::{Command, Seen, TapeRef};
use pmax::market::{Player, Tape};
use pmax::risk::{Rules, Unlock};
use pmax::runtime::Headless;

use crate::support::run;
use crate::world;

fn plan(name: &str, until: Option<MarketTime>) -> (Tape, Plan) {
    let (tape, setup) = world::setup(name);
    let tape_ref = TapeRef { name: tape.meta.name.clone(), sha256: tape.sha256.clone(), seed: 1 };
    let capital = Money::whole(100_000, Currency::USD).unwrap();
    let from = tape.start().unwrap();
    (tape, Plan { setup, tape: tape_ref, version: "", capital, from, until, since: None, opens_until: None })
}

fn at(text: &str) -> MarketTime {
    MarketTime::parse(text).unwrap()
}

fn played(name: &str) -> Report {
    let (tape, plan) = plan(name, None);
    backtest::run(&plan, Player::new(&tape, 1)).unwrap()
}

#[test]
fn it_is_paper_trading_with_a_rule_in_the_persons_place() {
    let (tape, mut plan) = plan("crash-2020", None);
    // What only a person lets go would be let go by the rule, and by nobody on paper.
    let rules = plan.setup.settings.breakers.iter().filter(|rule| rule.unlock != Unlock::Person).cloned();
    plan.setup.settings.breakers = Rules::new(rules.collect());
    let report = backtest::run(&plan, Player::new(&tape, 1)).unwrap();
    let mut paper = Headless::new(&tape, &plan.setup, 1, plan.capital, plan.from);
    paper.command(Command::ArmPaper);
    loop {
        while let Some(proposal) = paper.engine().book().proposals().values().next().cloned() {
            let seen = Seen { price: Some(proposal.reference), quantity: proposal.request.quantity };
            paper.command(Command::ConfirmProposal { proposal: proposal.id, revision: proposal.revision, seen });
            if paper.engine().book().proposals().contains_key(&proposal.id) {
                paper.command(Command::DeclineProposal { proposal: proposal.id });
            }
        }
        if !paper.play_one() {
            break;
        }
    }
    let book = paper.engine().book();
    assert_eq!(report.halts, 0, "else the rule has armed trading again, which nobody did on paper");
    assert_eq!(report.equity, book.performance().equity());
    assert_eq!(report.costs, book.ledger().costs());
    assert_eq!(report.max_drawdown, book.performance().max_drawdown());
    let closed: i64 = report.trades.iter().map(|trade| trade.gross.nanos()).sum();
    let open: i64 = book.ledger().positions().values().map(|held| held.realised.nanos()).sum();
    assert!(report.trades.len() > 20, "it traded: {}", report.trades.len());
    assert_eq!(closed + open, book.ledger().realised().nanos(), "round trips are the ledger's results, to the last digit");
}

/// Whoever was asked had a view, had none, or failed; and each view is a signal.
#[test]
fn abstentions_are_counted() {
    let report = played("crash-2020");
    assert_eq!(report.looks.len(), 2);
    for (source, looks) in &report.looks {
        let views = report.log.calls().iter().filter(|call| call.source == *source && !call.is_warm_up).count();
        assert_eq!(looks.asked - looks.abstained - looks.failed, views as u64, "{source:?} {looks:?}");
        assert!(looks.abstained > 100 && looks.failed == 0, "{source:?} {looks:?}");
    }
}

#[test]
fn the_same_events_give_the_same_report_to_the_last_digit() {
    assert_eq!(played("crash-2008"), played("crash-2008"));
}

/// What was known by then: days that had ended, and trades.
fn before(report: &Report, until: MarketTime) -> String {
    let day = pmax::domain::RiskDay::of(until).date;
    let days: Vec<_> = report.days.iter().filter(|(date, _)| *date < day).collect();
    let trades: Vec<_> = report.trades.iter().filter(|trade| trade.closed_at < until).collect();
    assert!(days.len() > 10 && !trades.is_empty());
    format!("{days:?} {trades:?}")
}

#[test]
fn what_comes_later_changes_nothing_before() {
    let middle = at("2020-04-15T20:30:00Z");
    let (tape, plan) = plan("crash-2020", None);
    let whole = backtest::run(&plan, Player::new(&tape, 1)).unwrap();
    let cut = backtest::run(&Plan { until: Some(middle), ..plan.clone() }, Player::new(&tape, 1)).unwrap();
    assert_eq!(before(&whole, middle), before(&cut, middle), "truncation");
    let turned = |price: Price| Price::from_nanos(price.nanos() / 3 * 2);
    let other = Player::new(&tape, 1).map(|event| match event {
        event if event.known_at() < middle => event,
        MarketEvent::Quoted { mut quote, stamp } => {
            quote.last = turned(quote.last);
            MarketEvent::Quoted { quote, stamp }
        }
        MarketEvent::BarOpened { instrument, open, stamp } => MarketEvent::BarOpened { instrument, open: turned(open), stamp },
        MarketEvent::BarClosed { mut bar, stamp } => {
            (bar.open, bar.high, bar.low, bar.close) = (turned(bar.open), turned(bar.high), turned(bar.low), turned(bar.close));
            MarketEvent::BarClosed { bar, stamp }
        }
    });
    let mutated = backtest::run(&plan, other).unwrap();
    assert_eq!(before(&whole, middle), before(&mutated, middle), "mutation");
    assert_ne!(whole.equity, mutated.equity, "the future was another one");
}

#[test]
fn every_number_has_its_count_and_nothing_is_called_proven_that_is_not() {
    for name in ["crash-2020", "crash-2008", "eurusd-2017", "btc-2021"] {
        let report = played(name);
        let evidence = &report.evidence;
        let (low, high) = evidence.account.sharpe_interval.unwrap();
        let sharpe = evidence.account.sharpe.unwrap();
        assert!(low < sharpe && sharpe < high);
        assert!(evidence.account.days >= 30, "else nothing is said");
        let expected = if low > 0.0 {
            Verdict::Pass
        } else if high < 0.0 {
            Verdict::Fail
        } else {
            Verdict::NotProven
        };
        assert_eq!(evidence.verdict, expected, "{name}");
        assert_eq!(evidence.trades.count, report.trades.len() as u64);
        let dead: u64 = report.signals.refused.values().sum();
        assert_eq!(report.signals.judged, report.signals.passed + dead);
        assert!(evidence.kept.right.of + evidence.refused.right.of <= report.signals.judged);
        assert!(report.signals.proposed <= report.signals.passed);
        let first = report.days.first().unwrap().0;
        assert!(first >= pmax::domain::RiskDay::of(report.from).date, "the warm-up is no part of the results");
    }
}

/// Findings about the default tape's report, changed as told.
fn findings(change: impl FnOnce(&mut Report)) -> Vec<Finding> {
    let (_, setup) = world::setup("crash-2020");
    let mut report = played("crash-2020");
    change(&mut report);
    backtest::criticise(&report, &setup.instruments).into_iter().map(|(finding, _)| finding).collect()
}

#[test]
fn the_critic_says_what_is_wrong_with_the_baselines() {
    let found = findings(|_| {});
    assert!(found.contains(&Finding::Insignificant) && found.contains(&Finding::WorseThanHolding), "{found:?}");
    assert_eq!(findings(|report| report.evidence.trades.count = 0), [Finding::Flat]);
}

/// A report that the critic has nothing against.
fn make_faultless(report: &mut Report) {
    let first = report.trades[0].instrument;
    for (index, trade) in report.trades.iter_mut().enumerate() {
        trade.result = Money::whole(10, Currency::USD).unwrap();
        trade.instrument = pmax::domain::InstrumentId(first.0 + u32::try_from(index % 3).unwrap());
    }
    report.halts = 0;
    let evidence = &mut report.evidence;
    evidence.verdict = Verdict::Pass;
    evidence.account.days = 1_000;
    (evidence.account.total_return, evidence.held.total_return) = (Some(0.5), Some(0.1));
    (evidence.trades.count, evidence.trades.best_share) = (200, Some(0.05));
    (evidence.trades.gross, evidence.trades.result) = (500.0, 400.0);
    (evidence.kept.right, evidence.kept.rose) = (backtest::Share::of(700, 1_000), backtest::Share::of(520, 1_000));
    (evidence.kept.mean_net, evidence.refused.mean_net) = (Some(0.01), Some(-0.01));
}

#[test]
fn each_fault_is_found_and_no_other() {
    assert_eq!(findings(make_faultless), []);
    type Case = (Finding, fn(&mut Report));
    let cases: [Case; 11] = [
        (Finding::Losing, |report| report.evidence.verdict = Verdict::Fail),
        (Finding::Insignificant, |report| report.evidence.verdict = Verdict::NotProven),
        (Finding::TooShort, |report| (report.evidence.verdict, report.evidence.account.days) = (Verdict::NotProven, 29)),
        (Finding::FewTrades, |report| report.evidence.trades.count = 29),
        (Finding::OneTrade, |report| report.evidence.trades.best_share = Some(0.51)),
        (Finding::Concentrated, |report| {
            let first = report.trades[0].instrument;
            let nothing = Money::zero(Currency::USD);
            report.trades.iter_mut().filter(|trade| trade.instrument != first).for_each(|trade| trade.result = nothing);
        }),
        (Finding::CostKills, |report| report.evidence.trades.result = 0.0),
        (Finding::WorseThanHolding, |report| report.evidence.held.total_return = Some(0.51)),
        (Finding::NoBetterThanUp, |report| report.evidence.kept.rose = backtest::Share::of(700, 1_000)),
        (Finding::LayersAddNothing, |report| report.evidence.refused.mean_net = Some(0.01)),
        (Finding::Halted, |report| report.halts = 1),
    ];
    for (finding, spoil) in cases {
        let found = findings(|report| {
            make_faultless(report);
            spoil(report);
        });
        assert_eq!(found, [finding]);
    }
}

#[test]
fn a_breaker_holds_trading_until_the_next_day_and_that_is_counted() {
    let (tape, mut plan) = plan("crash-2020", None);
    plan.setup.settings.limits.daily_loss = pmax::domain::Ratio::from_nanos(100_000);
    let report = backtest::run(&plan, Player::new(&tape, 1)).unwrap();
    assert!(report.halts > 0, "a hundredth of a percent a day is soon lost");
}

#[test]
fn a_script_gets_everything_and_dates_that_cannot_be_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let said = |line: &[&str]| {
        let output = run(line, &[], home.path());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, out, _) = said(&["--tape", "btc-2021", "backtest", "--format", "json"]);
    let whole: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &whole["report"]["tape"]["name"]), (Some(0), &serde_json::json!("btc-2021")));
    assert!(whole["report"]["days"].as_array().unwrap().len() > 30);
    assert_eq!(whole["report"]["evidence"]["verdict"], "not_proven");
    for (from, until, words) in [
        ("2020-06-01", "2020-05-01", "before it begins"),
        ("2031-06-01", "2031-07-01", "where the tape has ended"),
        ("yesterday", "2020-05-01", "yesterday"),
    ] {
        let (code, _, error) = said(&["backtest", "--from", from, "--until", until]);
        assert!(code == Some(1) && error.contains(words), "{code:?} {error}");
    }
    let (_, text, _) = said(&["backtest"]);
    assert!(text.contains("1 test on this tape so far, 1 of them different"), "{text}");
    said(&["backtest"]);
    let (_, text, _) = said(&["--set", "gates.minimum_strength=1.5", "backtest"]);
    assert!(text.contains("3 tests on this tape so far, 2 of them different"), "{text}");
    std::fs::write(home.path().join("trials.db"), "rubbish").unwrap();
    let (code, _, error) = said(&["backtest"]);
    assert!(code == Some(1) && error.contains("trial ledger"), "{error}");
    assert!(text.contains("verdict        NOT PROVEN") && text.contains("What speaks against it"), "{text}");
}

/// The page's pictures in a terminal: every one of them, in plain text of at most a hundred columns.
#[test]
fn pictures_go_through_a_pipe() {
    let home = tempfile::tempdir().unwrap();
    let output = run(&["backtest", "--charts"], &[], home.path());
    let text = String::from_utf8(output.stdout).unwrap();
    let drawn = text.split_once("Equity, from 1").unwrap().1;
    for title in [
        "Everything held equally",
        "Under water",
        "Sharpe ratio of the last",
        "Months",
        "Daily returns",
        "Round trips",
        "Calibration",
    ] {
        assert!(drawn.contains(title), "{title}");
    }
    assert!(drawn.lines().all(|line| line.chars().count() <= 100), "{drawn}");
    assert!(!text.contains('\u{1b}'), "no colour goes through a pipe");
}

/// Scorecards of a test are those of its signals: as many kept as the funnel says, each on one card of every key.
#[test]
fn scorecards_of_a_test_hold_every_signal_once() {
    let report = played("crash-2020");
    let scores = pmax::signals::Scores::new(report.log.calls().to_vec());
    for by in pmax::signals::By::ALL {
        let cards = scores.cards(by);
        let all = cards[0].1.signals;
        assert_eq!(cards[1..].iter().map(|(_, card)| card.signals).sum::<usize>(), all, "{by:?}");
        assert_eq!(all as u64, report.signals.judged);
    }
    let kept = scores.card(|call| call.passed());
    assert_eq!(kept.signals as u64, report.signals.passed);
    assert_eq!(kept.right.of, report.calls.len());
    let right = report.calls.iter().filter(|call| call.is_right).count();
    assert_eq!(kept.right.count, right);
}
