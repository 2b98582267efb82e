//! Timed locks that a person sets, makes longer and lets go of.

use crossterm::event::KeyCode;
use pmax::domain::{CleanText, Duration, InstrumentId, MarketTime, OrderSide};
use pmax::engine::{Command, SnapshotRequest};
use pmax::risk::{RuleName, Rules, Subject};
use pmax::runtime::Palette;
use proptest::prelude::*;

use crate::breakers::{provoke, row, tries_to_open};
use crate::properties::World;
use crate::stage::{Stage, lived};

const STOCK: Subject = Subject::Instrument(InstrumentId(3));
const DAY: Duration = Duration::seconds(86_400);

fn armed() -> World {
    let mut world = World::with(|settings| settings.breakers = Rules::new(Vec::new()));
    world.bar([0, 0, 0], 1_000_000);
    world.command(Command::ArmPaper);
    world
}

fn lock(world: &mut World, subject: Subject, time: Duration) {
    world.command(Command::Lock { subject, time, why: CleanText::from_outside("earnings tonight") });
}

fn unlock(world: &mut World, rule: &RuleName, subject: Subject) {
    world.command(Command::Unlock { rule: rule.clone(), subject, why: CleanText::from_outside("the news is out") });
}

fn ends(world: &World) -> Vec<MarketTime> {
    world.engine.book().breakers().latched().iter().filter_map(|trip| trip.ends_at()).collect()
}

#[test]
fn a_lock_refuses_only_what_it_is_about_and_runs_out() {
    let mut world = armed();
    lock(&mut world, STOCK, DAY);
    assert!(!tries_to_open(&mut world, 3) && tries_to_open(&mut world, 2));
    let said = &world.engine.book().alerts().back().unwrap().text;
    assert!(said.contains("BREAKER"), "{said}");
    world.bar([0, 0, 0], 1_000_000);
    world.bar([0, 0, 0], 1_000_000);
    assert!(tries_to_open(&mut world, 3), "a day is over");
    lock(&mut world, Subject::Account, DAY);
    assert!(!tries_to_open(&mut world, 2) && !tries_to_open(&mut world, 3));
    world.check_both_ways_back();
}

#[test]
fn a_lock_lets_what_is_held_be_closed() {
    let mut world = armed();
    world.order(3, OrderSide::Buy, 1_000, 0, Some(80), None);
    world.bar([0, 0, 0], 1_000_000);
    lock(&mut world, Subject::Account, DAY);
    let position = *world.engine.book().ledger().positions().keys().next().unwrap();
    world.command(Command::ClosePosition { position, quantity: None });
    world.bar([0, 0, 0], 1_000_000);
    assert!(world.engine.book().ledger().positions().is_empty());
}

#[test]
fn a_lock_is_made_longer_in_one_step_and_never_shorter() {
    let mut world = armed();
    lock(&mut world, STOCK, DAY);
    let first = ends(&world);
    lock(&mut world, STOCK, Duration::seconds(3_600));
    assert_eq!(ends(&world), first, "an hour would be less");
    let said = &world.engine.book().alerts().back().unwrap().text;
    assert!(said.contains("already"), "{said}");
    lock(&mut world, STOCK, Duration::seconds(2 * 86_400));
    let longer = ends(&world);
    assert!(longer.len() == 1 && longer[0] > first[0], "{longer:?}");
    world.check_both_ways_back();
}

#[test]
fn letting_go_early_takes_two_steps_within_a_minute() {
    let mut world = armed();
    let own = RuleName::own_lock();
    lock(&mut world, STOCK, DAY);
    unlock(&mut world, &own, STOCK);
    assert!(!tries_to_open(&mut world, 3), "once is asked");
    let row = &world.engine.snapshot(&SnapshotRequest::default()).breakers[0];
    assert!(row.unlock_asked.is_some() && row.trip.numbers() == "earnings tonight");
    world.at += 61_000_000_000;
    unlock(&mut world, &own, STOCK);
    assert!(!tries_to_open(&mut world, 3), "a minute later it is asked anew");
    unlock(&mut world, &own, Subject::Account);
    assert!(!tries_to_open(&mut world, 3), "something else was asked for");
    unlock(&mut world, &own, STOCK);
    assert!(tries_to_open(&mut world, 3), "twice lets go");
    assert!(world.engine.book().breakers().latched().is_empty());
    unlock(&mut world, &own, STOCK);
    let said = &world.engine.book().alerts().back().unwrap().text;
    assert!(said.contains("nothing was let go"), "{said}");
    world.check_both_ways_back();
}

/// A new paper account is no way around what holds the old one, and its first day begins with it.
#[test]
fn a_reset_lets_go_of_no_lock() {
    use pmax::domain::{Currency, Money};
    let mut world = armed();
    lock(&mut world, Subject::Account, DAY);
    let capital = Money::whole(50_000, Currency::USD).unwrap();
    world.command(Command::ResetPaper { capital });
    assert_eq!(ends(&world).len(), 1);
    let said = &world.engine.book().alerts().back().unwrap().text;
    assert!(said.contains("not reset") && said.contains("unlock"), "{said}");
    unlock(&mut world, &RuleName::own_lock(), Subject::Account);
    unlock(&mut world, &RuleName::own_lock(), Subject::Account);
    world.command(Command::ResetPaper { capital });
    assert_eq!(world.engine.book().performance().equity(), capital);
    assert!(tries_to_open(&mut world, 3), "the day of the new account has begun");
    world.check_both_ways_back();
}

#[test]
fn a_breaker_with_a_timed_lock_is_let_go_the_same_way_and_other_breakers_are_not() {
    use pmax::domain::Ratio;
    use pmax::risk::{Limit, Metric, Scope};
    let one = Limit::Number(Ratio::from_nanos(1_000_000_000));
    let timed = row(Metric::RejectStreak, "block", one, Scope::Account, "2d");
    let name = timed.name.clone();
    let mut world = World::with(|settings| settings.breakers = Rules::new(vec![timed]));
    world.bar([0, 0, 0], 1_000_000);
    world.command(Command::ArmPaper);
    provoke(&mut world, Metric::RejectStreak);
    assert!(!tries_to_open(&mut world, 3));
    unlock(&mut world, &name, Subject::Account);
    unlock(&mut world, &name, Subject::Account);
    assert!(tries_to_open(&mut world, 3));
    world.check_both_ways_back();

    let by_person = row(Metric::RejectStreak, "block", one, Scope::Account, "person");
    let name = by_person.name.clone();
    let mut world = World::with(|settings| settings.breakers = Rules::new(vec![by_person]));
    world.bar([0, 0, 0], 1_000_000);
    world.command(Command::ArmPaper);
    provoke(&mut world, Metric::RejectStreak);
    unlock(&mut world, &name, Subject::Account);
    unlock(&mut world, &name, Subject::Account);
    assert!(!tries_to_open(&mut world, 3), "what a person re-arms is re-armed");
}

proptest! {
    /// Whatever is asked, and when: a lock ends when the longest that was set ends, unless letting go was asked for twice within a minute.
    #[test]
    fn no_lock_ends_before_its_time_in_one_step(steps in prop::collection::vec((0_u8..4, 1_i64..5), 1..30)) {
        let mut world = armed();
        let own = RuleName::own_lock();
        let (mut until, mut asked): (Option<i64>, Option<i64>) = (None, None);
        for (what, size) in steps {
            // What an input makes of a request a minute old is decided at that input's time.
            let now = world.at + 1_000_000;
            let is_asked = asked.is_some_and(|at| now < at + 60_000_000_000);
            match what {
                0 => {
                    lock(&mut world, STOCK, Duration::seconds(size * 40_000));
                    let end = world.engine.market().now().0 + size * 40_000_000_000_000;
                    if until.is_none_or(|until| until < end) {
                        (until, asked) = (Some(end), None);
                    }
                }
                1 => {
                    unlock(&mut world, &own, STOCK);
                    match (until, is_asked) {
                        (Some(_), true) => (until, asked) = (None, None),
                        (Some(_), false) => asked = Some(now),
                        (None, _) => {}
                    }
                }
                2 => world.at += size * 20_000_000_000,
                _ => world.bar([0, 0, 0], 1_000_000),
            }
            if until.is_some_and(|until| world.engine.market().now().0 >= until) {
                (until, asked) = (None, None);
            }
            let held: Vec<i64> = ends(&world).iter().map(|end| end.0).collect();
            prop_assert_eq!(held, Vec::from_iter(until));
        }
        world.check_both_ways_back();
    }
}

fn typed(stage: &mut Stage, line: &str) {
    for letter in line.chars() {
        stage.press(KeyCode::Char(letter));
    }
    stage.press(KeyCode::Enter);
}

#[test]
fn locks_are_written_and_listed_on_the_screen() {
    let mut stage = Stage::new(lived(), (120, 46), Palette::GreenRed);
    typed(&mut stage, ":lock aapl 4h earnings tonight");
    stage.keys("5z");
    let text = stage.text();
    let line = text.lines().find(|line| line.contains("lock of AAPL")).unwrap_or_else(|| panic!("no lock\n{text}"));
    assert!(line.contains("earnings tonight; no new orders; until") && line.contains("left"), "{line}");
    typed(&mut stage, ":unlock aapl the news is out");
    assert!(stage.text().contains("within 60 s") && stage.text().contains("unlock asked"), "{}", stage.text());
    typed(&mut stage, ":unlock aapl the news is out");
    assert!(!stage.text().contains("lock of AAPL:"), "{}", stage.text());
    for (line, said) in [
        (":unlock aapl again", "is locked for a time"),
        (":lock aapl soon why", "is not a time"),
        (":lock aapl 4h", "say why"),
        (":lock nobody 4h why", "neither an action nor a symbol"),
        (":lock", "write e.g."),
    ] {
        typed(&mut stage, line);
        assert!(stage.text().contains(said), "{line}: {}", stage.text());
    }
}
