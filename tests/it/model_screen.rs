//! What a person sees of the language models: the pane where one speaks, and the panel that tells how it stands.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use pmax::domain::{CleanText, Duration, InstrumentId, Ratio, RiskLevel, WallTime};
use pmax::engine::InputBody;
use pmax::llm::ask::Task;
use pmax::llm::panel::{ModelFacts, Panel, Rung, Speaking, Speed, TaskFigures};
use pmax::runtime::{Headless, Palette};
use pmax::signals::{Knows, Opinion, Says};
use pmax::ui::{Event, Pane, View};

use crate::stage::{Stage, lived};
use crate::world;

fn ago(now: WallTime, seconds: i64) -> WallTime {
    WallTime(now.0 - seconds * 1_000_000_000)
}

pub fn facts() -> ModelFacts {
    ModelFacts {
        name: "smollm2-135m".into(),
        architecture: "llama".into(),
        quantisation: "Q8_0".into(),
        device: "CPU, 2 threads".into(),
        file_bytes: 98_362_432,
        memory_bytes: 241_000_000,
        context: 2_048,
        knowledge_cutoff: Some("2024-06-30".into()),
        loaded_ms: 1_240,
    }
}

/// A model at work for a while.
fn at_work(now: WallTime) -> Panel {
    let figures = |asked, abstained, last_ms| TaskFigures { asked, answered: asked - abstained, abstained, last_ms };
    Panel {
        rung: Rung::Cpu,
        since: Some(ago(now, 4_000)),
        why: "no GPU that this build can use".into(),
        ladder: vec![
            (Rung::Gpu, "no GPU that this build can use".into()),
            (Rung::Cpu, "smollm2-135m answers".into()),
            (Rung::Rules, "always there".into()),
        ],
        model: Some(facts()),
        speed: Speed {
            prompt_per_second: Some(612.3),
            written_per_second: Some(48.21),
            gigabytes_per_second: Some(5.12),
            measured_gigabytes_per_second: Some(9.84),
            first_ms: Some(183.0),
        },
        waiting: 2,
        superseded: 1_204,
        cache: (37, 123),
        restarts: 1,
        tasks: [figures(41, 2, Some(412.0)), figures(41, 0, Some(388.0)), TaskFigures::default(), figures(163, 3, Some(2_410.0))],
        abstentions: [
            (ago(now, 3_900), Task::Commentary, CleanText::from("the model's process ended: killed by signal 9")),
            (ago(now, 340), Task::Signal, CleanText::from("no answer within 1000 ms")),
            (ago(now, 12), Task::Commentary, CleanText::from("its answer is unusable: it ran to its limit")),
        ]
        .into(),
        speaking: None,
    }
}

/// Every rung failed.
fn fallen(now: WallTime) -> Panel {
    Panel {
        rung: Rung::Rules,
        since: Some(ago(now, 95)),
        why: "the model's process ended three times in a row".into(),
        ladder: vec![
            (Rung::Gpu, "out of memory: 5.2 GB are needed, 3.9 GB are free".into()),
            (Rung::Cpu, "the model's process ended three times in a row; it is tried again in 5 minutes".into()),
            (Rung::Rules, "write every comment meanwhile".into()),
        ],
        model: None,
        restarts: 3,
        tasks: [
            TaskFigures { asked: 5, answered: 0, abstained: 5, last_ms: None },
            TaskFigures::default(),
            TaskFigures::default(),
            TaskFigures::default(),
        ],
        abstentions: (0..40)
            .map(|number| (ago(now, 400 - number * 9), Task::Signal, "the model's process ended: out of memory".into()))
            .collect(),
        ..Panel::default()
    }
}

fn opened(panel: impl Fn(WallTime) -> Panel, size: (u16, u16), palette: Palette) -> Stage {
    let mut stage = Stage::new(lived(), size, palette);
    stage.world.wait(Duration::millis(500));
    stage.event(&Event::Key(KeyEvent::new(KeyCode::Char('M'), KeyModifiers::SHIFT)));
    assert_eq!(stage.state.view, View::Model);
    stage.model = Arc::new(panel(stage.now()));
    stage
}

#[test]
fn the_model_is_one_key_away_and_tells_how_it_stands() {
    for size in [(80, 24), (120, 40)] {
        let mut stage = opened(at_work, size, Palette::GreenRed);
        insta::assert_snapshot!(format!("model_{}x{}", size.0, size.1), stage.shot());
        // What must be there at every size, figures and reasons among them.
        for words in [
            "smollm2-135m on CPU",
            "Q8_0",
            "612.3/s of a prompt",
            "48.2/s written",
            "5.1 of the 9.8 GB/s",
            "measured: 52%",
            "183 ms",
        ] {
            assert!(stage.text().contains(words), "{size:?}: {words}\n{}", stage.text());
        }
        for words in [
            "2 waiting",
            "▶ CPU",
            "1,204 replaced",
            "23% of 160",
            "1 restart",
            "no answer within 1000 ms",
            "ran to its limit",
            "163",
            "2.4 s",
        ] {
            assert!(stage.text().contains(words), "{size:?}: {words}\n{}", stage.text());
        }
        stage.press(KeyCode::Esc);
        assert_eq!(stage.state.view, View::Panes);
    }
}

#[test]
fn without_a_model_the_panel_says_how_to_get_one_and_a_fallen_ladder_says_why() {
    let stage = opened(|_| Panel::default(), (80, 24), Palette::GreenRed);
    insta::assert_snapshot!("model_none_80x24", stage.shot());
    assert!(stage.text().contains("pmax model add smollm2-135m"));
    let off = opened(|_| Panel { why: "switched off (`model.enabled`)".into(), ..Panel::default() }, (80, 24), Palette::GreenRed);
    assert!(off.text().contains("switched off") && !off.text().contains("model add"), "{}", off.text());
    let stage = opened(fallen, (80, 24), Palette::Mono);
    insta::assert_snapshot!("model_fallen_80x24_mono", stage.shot());
    for words in ["answers now       the rules", "ended three times", "out of memory: 5.2 GB", "▶ rules"] {
        assert!(stage.text().contains(words), "{words}\n{}", stage.text());
    }
}

/// Lines of the commentary pane, alone on a small screen.
fn pane(stage: &Stage) -> Vec<String> {
    stage.text().lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn the_pane_names_who_speaks_and_offers_a_model_where_there_is_none() {
    let mut stage = Stage::new(lived(), (80, 24), Palette::GreenRed);
    stage.keys("2");
    assert!(stage.text().contains("No model · `pmax model add smollm2-135m` · Shift+M"), "{}", stage.text());
    assert!(stage.text().contains(" · rules · "), "who wrote it, and how long ago\n{}", stage.text());
    stage.model = Arc::new(fallen(stage.now()));
    assert!(stage.text().contains("Rules stand in · the model's process ended three times in a row"), "{}", stage.text());
    stage.model = Arc::new(at_work(stage.now()));
    assert!(stage.text().contains("smollm2-135m, CPU ") && !stage.text().contains("No model"), "{}", stage.text());
    insta::assert_snapshot!("commentary_80x24", stage.shot());
    // Before anybody has said anything.
    let (tape, setup) = world::setup("crash-2020");
    let fresh = Headless::with_usual_capital(&tape, &setup, pmax::domain::MarketTime::parse("2020-03-01").unwrap());
    let mut stage = Stage::new(fresh, (120, 40), Palette::GreenRed);
    stage.event(&Event::Tick);
    assert!(
        stage.text().contains("The analyst speaks when a bar") && stage.text().contains("pmax model add smollm2-135m"),
        "{}",
        stage.text()
    );
}

#[test]
fn a_text_grows_at_the_foot_and_nothing_above_it_moves() {
    let words = "It fell 3.2% today, 2.4 usual moves, and stands 5.1% under its 250-bar high; volatility is high. ".repeat(3);
    for (size, keys) in [((80, 24), "2jj"), ((120, 40), "1"), ((160, 45), "2j")] {
        let mut stage = Stage::new(lived(), size, Palette::GreenRed);
        stage.keys(keys);
        let focus = stage.state.in_focus(&stage.world.engine().snapshot(&stage.show()), &stage.context).unwrap();
        let speak = |stage: &mut Stage, instrument: InstrumentId, letters: usize| {
            let text = CleanText::from_outside(&words.chars().take(letters).collect::<String>());
            let speaking = Speaking { instrument, author: "smollm2-135m".into(), text };
            stage.model = Arc::new(Panel { speaking: Some(speaking), ..at_work(stage.now()) });
            stage.event(&Event::Tick);
        };
        speak(&mut stage, focus, 0);
        let (first, cursor) = (pane(&stage), stage.state.under_cursor.get(&Pane::Commentary).copied());
        let from =
            first.iter().position(|line| line.contains("smollm2-135m writes…")).unwrap_or_else(|| panic!("{size:?}: {first:#?}"));
        for letters in (1..=words.len()).step_by(7) {
            speak(&mut stage, focus, letters);
            let now = pane(&stage);
            assert_eq!(now[..=from], first[..=from], "{size:?}, {letters} letters: something above moved");
            assert_eq!(stage.state.under_cursor.get(&Pane::Commentary).copied(), cursor);
        }
        assert!(stage.text().contains("volatility is"), "{size:?}: the end is in sight\n{}", stage.text());
        // Of another instrument it says only that it writes.
        let other = InstrumentId(if focus == InstrumentId(1) { 2 } else { 1 });
        speak(&mut stage, other, 60);
        let symbol = stage.context.instruments.symbol(other);
        assert!(stage.text().contains(&format!("smollm2-135m writes about {symbol}")), "{}", stage.text());
        assert!(!stage.text().contains("usual moves, and"), "{}", stage.text());
    }
}

#[test]
fn an_opinion_stands_beside_a_proposal_and_decides_nothing() {
    let mut stage = Stage::new(lived(), (120, 50), Palette::GreenRed);
    let proposal = stage.world.engine().book().proposals().values().next().cloned().unwrap();
    let (instrument, at) = (proposal.request.instrument, stage.world.engine().market().now());
    let opinion = |says, share| Opinion {
        instrument,
        at,
        author: "smollm2-135m".into(),
        says,
        share: Some(Ratio::of(share, 100).unwrap()),
        knows: Knows::InTraining,
        drivers: vec!["trend".into(), "vol".into()],
        note: "It fell.".into(),
        template: "5f3a".into(),
    };
    // Everything the engine holds, but the opinions themselves, is what it is without them; a day of the market later still.
    let held = |world: &Headless| {
        let book = serde_json::to_string(world.engine().book()).unwrap();
        let Some((before, rest)) = book.split_once("\"opinions\":") else { return (book, 0) };
        let (opinions, after) = rest.split_once("\"activity\":").unwrap();
        (format!("{before}\"activity\":{after}"), opinions.matches("\"author\"").count())
    };
    let mut without = lived();
    stage.world.input(InputBody::Opinion(opinion(Says::Sell, 61)));
    stage.world.input(InputBody::Opinion(opinion(Says::Risk(RiskLevel::High), 44)));
    assert_eq!(held(&stage.world), (held(&without).0, 2));
    without.play_until(at.plus(Duration::seconds(5 * 86_400)));
    let mut with = lived();
    with.input(InputBody::Opinion(opinion(Says::Sell, 61)));
    with.play_until(at.plus(Duration::seconds(5 * 86_400)));
    assert!(with.records() > stage.world.records() + 20, "something was decided meanwhile");
    assert_eq!(held(&with), (held(&without).0, 1));
    stage.keys("n");
    stage.world.wait(Duration::seconds(1));
    for words in
        ["smollm2-135m thinks: sell 61 %, high risk 44 %, uncalibrated · 0s ago · because trend, vol", "counts for nothing"]
    {
        assert!(stage.text().contains(words), "{words}\n{}", stage.text());
    }
    insta::assert_snapshot!("opinion_of_a_proposal_120x50", stage.shot());
}
