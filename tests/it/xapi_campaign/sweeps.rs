//! What is drawn too seldom by chance: a death at every single entry of a life's journal, and a login that the broker refuses.

use pmax::broker::xapi::{Ask, Input as ClientInput};
use pmax::domain::{Duration, OrderId, TradingState};
use pmax::simulator::{Faults, Variants};

use super::{Death, Plan, World, judge};

/// A life whose process dies once, at this point, and which then goes on to a calm end. Returns its inputs until then.
fn dies(plan: &Plan, death: Option<Death>) -> Result<u64, String> {
    let mut world = World::new(plan);
    world.wait_ready();
    world.command(super::Command::ArmPaper);
    world.simulator.settings_mut().faults = plan.faults;
    world.death = death;
    for _ in 0..plan.steps {
        world.step();
        if world.dice.below(4) == 0 && !world.is_torn {
            world.act();
        }
        if world.is_torn {
            world.crash();
        }
    }
    let inputs = world.inputs;
    world.simulator.settings_mut().faults = Faults::default();
    world.steps(1_900);
    world.is_still = true;
    world.steps(500);
    let world = judge::judge(world)?;
    if death.is_some_and(|death| matches!(death, Death::Before(at) | Death::After(at) if at % 50 == 0)) {
        judge::write_down(&world);
    }
    Ok(inputs)
}

#[test]
fn a_death_at_any_entry_of_the_journal_loses_and_doubles_nothing() {
    let faults = Faults { lost_reply: 80, closed_after_trade: 40, lost_stream: 150, kept_pending: 40, ..Faults::default() };
    let variants = Variants { renumbers_remainder: true, ..Variants::default() };
    let lives = [
        Plan { steps: 160, ..Plan::calm(21) },
        Plan { steps: 160, faults, ..Plan::calm(22) },
        Plan { steps: 160, faults, variants, ..Plan::calm(23) },
    ];
    let mut died = 0;
    for plan in &lives {
        let inputs = dies(plan, None).unwrap_or_else(|wrong| panic!("without a death: {wrong}"));
        for at in 1..=inputs {
            for death in [Death::Before(at), Death::After(at)] {
                died += 1;
                if let Err(wrong) = dies(plan, Some(death)) {
                    panic!("seed {}, {death:?}: {wrong}", plan.seed);
                }
            }
        }
    }
    assert!(died >= 300, "so many deaths: {died}");
}

#[test]
fn a_login_that_is_refused_waits_for_a_person_and_loses_nothing() {
    let mut world = super::calm_and_armed();
    let order = world.buy_and_wait();
    let cut = |world: &mut World| {
        for id in [world.main, world.stream].into_iter().flatten() {
            world.simulator.disconnect(id, &mut world.sent);
        }
        world.tell_client(ClientInput::MainClosed("cut"));
        world.deliver();
    };
    let logins = |world: &World| world.logins;
    // The broker does not know the password any more: one login, and none after it, whatever time passes.
    world.simulator.settings_mut().password = "another".to_owned();
    let before = logins(&world);
    cut(&mut world);
    world.steps(20 * 60 * 3);
    assert_eq!((world.ready, logins(&world) - before), (false, 1), "a wrong login is never repeated by itself");
    // The right one again, too soon: this pair is blocked, and that is not repeated either.
    world.simulator.settings_mut().password = "secret".to_owned();
    world.tell_client(ClientInput::Ask(Ask::Connect));
    world.steps(20 * 60);
    assert_eq!((world.ready, logins(&world) - before), (false, 2), "blocked for ten minutes");
    let opened = world.buy();
    let state = world.engine.book().orders().get(opened).map(|tracked| tracked.state);
    assert!(state.is_none_or(|state| state.is_closed()), "nothing waits for a link that a person has to bring back: {state:?}");
    world.now = world.now.plus(Duration::seconds(600));
    world.tell_client(ClientInput::Ask(Ask::Connect));
    world.wait_ready();
    world.steps(600);
    assert_eq!(world.ours(), world.theirs());
    assert_eq!(world.theirs().keys().copied().map(OrderId).collect::<Vec<_>>(), [order]);
    assert_ne!(world.engine.book().state(), TradingState::Halted);
    judge::write_down(&world);
}
