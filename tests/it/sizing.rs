//! From a record to a size: chances that the engine learns, gates that let them size a trade, stages that cap what counts, and the stop.

use std::collections::BTreeMap;

use pmax::domain::{
    Actor, Direction, InstrumentId, MarketTime, Money, OrderSide, Probability, Quantity, Ratio, SignalSource, Stage, TradingState,
};
use pmax::engine::{
    Command, Engine, EngineSettings, Event, Input, InputBody, OrderRecord, Outcome, PreviewSubject, Proposal, ProposalRecord,
    Record, RunInput, Seen, SignalRecord, SnapshotRequest, StageRecord, StandingView, TradingRecord,
};
use pmax::market::Player;
use pmax::portfolio::{NotSized, SizeTerms, SizingRule};
use pmax::risk::{Check, CheckOutcome, Metric, Rules, Scope, StageSettings};
use pmax::signals::{Call, Ended, GateVerdict, Scores, Weather};

use crate::breakers::row;
use crate::properties::{Happened, World};
use crate::world;

const REVERSAL: SignalSource = SignalSource::BaselineReversal;

/// A market of two instruments that turns after every bar but one in seven, and a strategy that bets on the turn.
fn turning(change: impl FnOnce(&mut EngineSettings)) -> World {
    World::with(|settings| {
        let share = |nanos| Ratio::from_nanos(nanos);
        let strategies = &mut settings.strategies;
        (strategies.reversal_bars, strategies.reversal_horizon) = (1, 1);
        strategies.reversal_threshold = share(300_000_000);
        strategies.momentum_threshold = share(1_000_000_000_000);
        let gates = &mut settings.gates;
        (gates.minimum_strength, gates.max_volatility) = (share(300_000_000), share(9_000_000_000));
        // A bar lasts a day here, also on the wall.
        gates.proposal_seconds = 400 * 86_400;
        (gates.volatility_percentile_warn, gates.volatility_percentile_fail) = (Ratio::ONE, Ratio::ONE);
        settings.breakers = Rules::new(Vec::new());
        change(settings);
    })
}

fn play(world: &mut World, bars: std::ops::Range<i64>) {
    for bar in bars {
        let step = if (bar - bar / 7) % 2 == 0 { 40 } else { -40 };
        world.bar([step, step, 0], 1_000_000);
    }
}

/// The same market after it has changed: it turns after every second bar, and the bet on each turn is as often wrong as right.
fn play_changed(world: &mut World, bars: std::ops::Range<i64>) {
    for bar in bars {
        let step = if (bar / 2) % 2 == 0 { 40 } else { -40 };
        world.bar([step, step, 0], 1_000_000);
    }
}

fn opening(world: &World) -> Vec<Proposal> {
    world.engine.book().proposals().values().filter(|proposal| proposal.request.opens_exposure()).cloned().collect()
}

fn sized(world: &World) -> Vec<(Proposal, SizeTerms)> {
    let terms = |proposal: Proposal| match proposal.sizing {
        Some(SizingRule::Kelly(terms)) => Some((proposal, terms)),
        Some(SizingRule::Exploratory) | None => None,
    };
    opening(world).into_iter().filter_map(terms).collect()
}

fn value(proposal: &Proposal) -> Money {
    Money::notional(proposal.reference, proposal.request.quantity, pmax::domain::Currency::USD).unwrap()
}

fn standing(world: &World) -> StandingView {
    world.engine.snapshot(&SnapshotRequest::default()).standing
}

fn records(world: &World) -> impl Iterator<Item = &Record> {
    world.story.iter().filter_map(|happened| match happened {
        Happened::Record(record) => Some(record),
        Happened::Event(_) => None,
    })
}

fn confirm(world: &mut World, proposal: &Proposal) -> bool {
    let before = world.engine.book().next_order();
    let seen = Seen { price: Some(proposal.reference), quantity: proposal.request.quantity };
    world.command(Command::ConfirmProposal { proposal: proposal.id, revision: proposal.revision, seen });
    world.engine.book().next_order() != before
}

#[test]
fn the_engine_states_the_chances_that_the_scorecards_state() {
    let (tape, setup) = world::setup("crash-2020");
    let mut engine = Engine::new(&setup);
    let mut outcome = Outcome::default();
    let (mut calls, mut said) = (BTreeMap::new(), BTreeMap::new());
    let opened = RunInput::Opened {
        run: pmax::domain::RunId(1),
        ledger: pmax::domain::LedgerId(1),
        tape: pmax::engine::TapeRef { name: String::new(), sha256: String::new(), seed: 1 },
        capital: Money::whole(100_000, pmax::domain::Currency::USD).unwrap(),
        version: String::new(),
        settings: setup.settings.clone(),
        first_order: pmax::domain::OrderId(1),
        first_deal: pmax::domain::DealId(1),
        quiet_until: MarketTime(0),
    };
    engine.handle(&Event::Input(Input { wall: pmax::domain::WallTime(0), body: InputBody::Run(opened) }), &mut outcome);
    for event in Player::new(&tape, 1) {
        engine.handle(&Event::Market(event), &mut outcome);
        for record in outcome.records.drain(..) {
            match record {
                Record::Signal(SignalRecord::Judged { signal, validation }) => {
                    let (view, refused_by) = (signal.view, validation.first_failure().map(|layer| layer.layer));
                    let call = Call {
                        source: view.source,
                        instrument: view.instrument,
                        is_long: view.direction == Direction::Long,
                        strength: view.strength.to_f64(),
                        horizon: view.horizon_bars,
                        weather: Weather::Unknown,
                        refused_by,
                        made: view.as_of,
                        is_warm_up: false,
                        ended: None,
                    };
                    calls.insert(signal.id, call);
                    said.insert(signal.id, (view.probability, signal.learnt));
                }
                Record::Signal(SignalRecord::Resolved { signal, outcome, .. }) => {
                    let moved = outcome.exit.to_f64() / outcome.entry.to_f64() - 1.0;
                    let ended = Ended { at: outcome.at, moved, net: outcome.net_return.to_f64() };
                    calls.get_mut(&signal).unwrap().ended = Some(ended);
                }
                _ => {}
            }
        }
    }
    let scores = Scores::new(calls.values().copied().collect());
    let mut calibrated = 0;
    for ((_, stated), (probability, learnt)) in scores.stated().zip(said.values()) {
        match (stated, probability) {
            (Some(stated), Probability::Calibrated(chance)) => {
                calibrated += 1;
                assert_eq!(Some(*chance), Ratio::from_f64(stated.chance));
                let learnt = learnt.unwrap();
                assert_eq!((learnt.outcomes as usize, learnt.independent as usize), (stated.outcomes, stated.independent));
                assert_eq!(learnt.mean_right, stated.mean_right.and_then(Ratio::from_f64));
                assert_eq!(learnt.mean_wrong, stated.mean_wrong.and_then(Ratio::from_f64));
            }
            (None, Probability::Uncalibrated) => assert_eq!(*learnt, None),
            (stated, probability) => panic!("{stated:?} here, {probability:?} in the engine"),
        }
    }
    assert!(calibrated > 100 && calibrated < said.len(), "{calibrated} of {}", said.len());
}

#[test]
fn a_source_is_exploratory_until_its_gate_is_passed_and_then_within_every_limit() {
    let mut world = turning(|_| {});
    play(&mut world, 0..70);
    let early = opening(&world);
    assert!(!early.is_empty());
    for proposal in &early {
        assert_eq!((proposal.sizing, proposal.not_sized), (Some(SizingRule::Exploratory), Some(NotSized::Uncalibrated)));
        assert!(value(proposal).nanos() <= 250_000_000_000, "a quarter of a percent of 100,000");
    }
    world.command(Command::ArmPaper);
    let mut seen = 0;
    for bar in 70..140 {
        play(&mut world, bar..bar + 1);
        let verdict = standing(&world).rows.iter().find(|row| row.source == Some(REVERSAL)).map(|row| row.verdict);
        for (proposal, terms) in sized(&world) {
            seen += 1;
            assert_eq!(verdict, Some(GateVerdict::Pass), "nothing is sized before the gate is passed");
            assert!(terms.granted <= terms.wanted && terms.wanted <= terms.kelly && terms.confidence < Ratio::ONE, "{terms:?}");
            assert!(value(&proposal).nanos() <= 2_000_000_000_000 && value(&proposal).nanos() > 250_000_000_000, "{terms:?}");
            let request = SnapshotRequest {
                preview: Some(PreviewSubject::Proposal(proposal.id)),
                holds: true,
                ..SnapshotRequest::default()
            };
            let preview = world.engine.snapshot(&request).preview.unwrap();
            let failed: Vec<_> = preview.checks.iter().filter(|check| check.outcome != CheckOutcome::Pass).collect();
            assert!(failed.is_empty(), "{failed:?}");
        }
    }
    assert!(seen > 20, "{seen}");
    let (proposal, _) = sized(&world).swap_remove(0);
    assert!(confirm(&mut world, &proposal), "it leaves");
    play(&mut world, 140..142);
    let held = world.engine.book().ledger().positions().values().any(|held| held.instrument == proposal.request.instrument);
    assert!(held, "and is filled whole at the next bar");
    world.check_money();
    world.check_both_ways_back();
}

#[test]
fn a_gate_that_is_not_passed_sizes_nothing() {
    // The last layer would refuse it, for its costs: here only the gate stands in the way.
    let mut world = turning(|settings| settings.gates.proven_after = 1_000_000);
    play_changed(&mut world, 0..160);
    let reasons: Vec<Option<NotSized>> = opening(&world).iter().map(|proposal| proposal.not_sized).collect();
    assert!(!reasons.is_empty() && reasons.iter().all(|why| *why == Some(NotSized::Gate)), "{reasons:?}");
    assert!(sized(&world).is_empty());
}

#[test]
fn a_run_of_before_states_no_chances_and_records_nothing_new() {
    let mut world = turning(|settings| settings.sizing = None);
    play(&mut world, 0..140);
    assert!(sized(&world).is_empty() && !opening(&world).is_empty());
    for record in records(&world) {
        let text = serde_json::to_string(record).unwrap();
        for word in ["learns", "learnt", "\"call\"", "not_sized", "\"stage\"", "calibrated\":"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }
    world.check_both_ways_back();
}

const STAGES: StageSettings = StageSettings { first: 1_000, second: 5_000, third: 10_000, fourth: 50_000 };

fn staged() -> World {
    let mut world = turning(|settings| settings.stages = Some(STAGES));
    play(&mut world, 0..64);
    world.command(Command::ArmPaper);
    world
}

/// The most whole lots of a thousandth that this amount buys.
fn most(world: &World, instrument: u32, dollars: i64) -> i64 {
    Quantity::affordable(
        Money::whole(dollars, pmax::domain::Currency::USD).unwrap(),
        pmax::domain::Price::from_nanos(world.price[&instrument]),
    )
    .unwrap()
    .nanos()
        / 1_000_000
}

#[test]
fn a_stage_caps_what_counts_for_sizes_and_for_a_ticket() {
    let mut world = staged();
    assert_eq!(standing(&world).stage.unwrap().stage, Stage::First);
    play(&mut world, 64..140);
    let proposals = sized(&world);
    assert!(!proposals.is_empty());
    for (proposal, _) in proposals {
        assert!(value(&proposal).nanos() <= 20_000_000_000, "two percent of 1,000: {}", value(&proposal));
    }
    let lots = most(&world, 2, 100);
    let before = world.engine.book().next_order();
    world.order(2, OrderSide::Buy, lots + 1, 0, None, None);
    assert_eq!(
        world.engine.book().next_order(),
        before,
        "a lot above ten percent of 1,000 is refused, though the account holds 100,000"
    );
    let refused = records(&world).filter_map(|record| match record {
        Record::Order(OrderRecord::Refused { refusal, .. }) => refusal.first().map(|first| first.check),
        _ => None,
    });
    assert_eq!(refused.last(), Some(Check::Position));
    world.order(2, OrderSide::Buy, lots, 0, None, None);
    assert_ne!(world.engine.book().next_order(), before, "ten percent of 1,000 is not");
    let lots = most(&world, 3, 100);
    world.order(3, OrderSide::Buy, lots, 0, None, None);
    play(&mut world, 140..142);
    let counted = standing(&world).rows[0].standing.of;
    play(&mut world, 142..152);
    assert_eq!(
        standing(&world).rows[0].standing.of,
        counted,
        "calls that a layer refuses, here for what is held, are not counted"
    );
    world.check_both_ways_back();
}

fn stage_records(world: &World) -> Vec<StageRecord> {
    let stage = |record: &Record| match record {
        Record::Trading(TradingRecord::Stage(record)) => Some(record.clone()),
        _ => None,
    };
    records(world).filter_map(stage).collect()
}

#[test]
fn the_next_stage_opens_with_its_gate_and_only_a_person_takes_the_step() {
    let mut world = staged();
    world.command(Command::RequestStageUp);
    world.command(Command::ConfirmStageUp);
    assert_eq!(standing(&world).stage.unwrap().stage, Stage::First, "too few calls open nothing");
    play(&mut world, 64..140);
    let offered = stage_records(&world).into_iter().find_map(|record| match record {
        StageRecord::Offered { next, shown } => Some((next, shown)),
        _ => None,
    });
    let (next, shown) = offered.unwrap();
    assert!(next == Stage::Second && shown.of >= 30 && shown.low > shown.base && shown.independent < shown.of, "{shown:?}");
    assert_eq!(standing(&world).stage.unwrap().stage, Stage::First, "it is offered, not taken");
    world.command(Command::ConfirmStageUp);
    assert_eq!(standing(&world).stage.unwrap().stage, Stage::First, "not without the first step");
    world.command(Command::RequestStageUp);
    world.at += 60_000_000_000;
    world.command(Command::ConfirmStageUp);
    assert_eq!(standing(&world).stage.unwrap().stage, Stage::First, "not after a minute");
    assert_eq!(stage_records(&world).last(), Some(&StageRecord::Lapsed));
    world.command(Command::RequestStageUp);
    world.input(InputBody::Command { actor: Actor::Outside, command: Command::ConfirmStageUp });
    assert_eq!(standing(&world).stage.unwrap().stage, Stage::First, "not by anybody else");
    world.command(Command::ConfirmStageUp);
    let stage = standing(&world).stage.unwrap();
    assert_eq!((stage.stage, stage.is_offered, stage.capital.to_string()), (Stage::Second, false, STAGES.second.to_string()));
    assert!(opening(&world).is_empty(), "what was sized for another capital is withdrawn");
    let account = standing(&world).rows[0];
    assert_eq!((account.source, account.standing.of), (None, 0), "the next gate counts calls from now on");
    play(&mut world, 140..141);
    assert_eq!(standing(&world).rows[0].standing.of, 0, "what was made before and ends now is not of this stage");
    play(&mut world, 141..150);
    assert_eq!(standing(&world).rows[0].standing.of, 18);
    let largest = sized(&world).iter().map(|(proposal, _)| value(proposal).nanos()).max().unwrap();
    assert!(largest > 20_000_000_000 && largest <= 100_000_000_000, "two percent of 5,000: {largest}");
    world.check_both_ways_back();
}

fn stopping(scope: Scope) -> World {
    let mut rule = row(Metric::CallsRight, "block", pmax::risk::Limit::Number(Ratio::from_nanos(450_000_000)), scope, "person");
    rule.window = Some(30);
    let mut world = turning(|settings| settings.breakers = Rules::new(vec![rule]));
    play(&mut world, 0..130);
    world.command(Command::ArmPaper);
    world
}

/// Plays the changed market bar by bar until the stop trips.
fn until_it_stops(world: &mut World) -> (Vec<Proposal>, i64) {
    for bar in 0..60 {
        let waiting = opening(world);
        // Up without end: a bet on the turn is always wrong.
        world.bar([30, 30, 0], 1_000_000);
        if !world.engine.book().breakers().latched().is_empty() {
            return (waiting, bar);
        }
    }
    panic!("it never stopped: {:?}", standing(world).stops);
}

#[test]
fn the_stop_refuses_orders_of_its_source_until_a_person_rearms_in_two_steps() {
    let mut world = stopping(Scope::Source);
    assert!(!sized(&world).is_empty(), "a good source");
    until_it_stops(&mut world);
    let trip = world.engine.book().breakers().latched()[0].clone();
    assert!(trip.value < trip.limit && trip.value >= Ratio::of(40, 100).unwrap(), "the first value below the line: {trip:?}");
    assert_eq!(world.engine.book().state(), TradingState::Active, "others may go on");
    assert!(opening(&world).is_empty(), "its proposals are withdrawn");
    let held = records(&world).any(|record| {
        matches!(record, Record::Proposal(ProposalRecord::Withdrawn { why, .. }) if why.contains("breaker tested holds it"))
    });
    assert!(held);
    let stop = standing(&world).stops[0];
    assert!(stop.is_stopped && stop.source == Some(REVERSAL) && stop.days == 30, "{stop:?}");
    play(&mut world, 0..40);
    assert!(opening(&world).is_empty(), "and none comes, however good it is again");
    world.command(Command::ConfirmRearm);
    assert!(standing(&world).stops[0].is_stopped, "one step is not enough");
    world.command(Command::RequestRearm);
    world.command(Command::ConfirmRearm);
    assert!(world.engine.book().breakers().latched().is_empty());
    play(&mut world, 40..44);
    assert!(!opening(&world).is_empty(), "it trades again");
    assert!(standing(&world).stops.iter().all(|stop| stop.right.is_none()), "and is counted anew");
    world.check_both_ways_back();
}

#[test]
fn an_account_below_the_line_refuses_a_ticket() {
    let mut world = stopping(Scope::Account);
    let tries = |world: &mut World| {
        let before = world.engine.book().next_order();
        world.order(10, OrderSide::Buy, 500, 0, None, None);
        world.engine.book().next_order() != before
    };
    assert!(tries(&mut world));
    let (waiting, _) = until_it_stops(&mut world);
    assert!(!tries(&mut world), "a ticket is refused");
    let refused = records(&world).filter_map(|record| match record {
        Record::Order(OrderRecord::Refused { refusal, .. }) => refusal.first().map(|first| first.check),
        _ => None,
    });
    assert_eq!(refused.last(), Some(Check::Breaker));
    assert!(!waiting.is_empty() && !confirm(&mut world, &waiting[0]), "and what waited before is gone");
    world.command(Command::RequestRearm);
    world.command(Command::ConfirmRearm);
    world.order(2, OrderSide::Buy, 500, 0, None, None);
    assert!(world.engine.book().orders().open().values().any(|order| order.order.request.instrument == InstrumentId(2)));
}

#[test]
fn the_shipped_stop_is_the_plan_s_own_line() {
    let config = world::config();
    let rule = config.breakers.iter().find(|rule| rule.metric == Metric::CallsRight).unwrap();
    assert_eq!(rule.limit, pmax::risk::Limit::Number(config.evidence.stop_below));
    assert_eq!(rule.window, Some(config.evidence.calls_days));
}
