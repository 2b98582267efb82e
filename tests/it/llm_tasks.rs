//! The four tasks: questions from facts, typed results from raw answers, and every number checked.

use pmax::domain::{CleanText, InstrumentId, MarketTime, RiskLevel};
use pmax::llm::answer::{Abstention, Answer, Timings};
use pmax::llm::ask::{AskId, Task};
use pmax::llm::model::Stop;
use pmax::llm::tasks::{
    Action, CheckedText, FactTable, Flag, Horizon, MoodClass, Naming, Template, Templates, anonymous, read_comment, read_mood,
    read_risk, read_signal,
};
use pmax::signals::Facts;
use proptest::prelude::*;

use crate::llm_fakes::{Fake, generator, installed, one, tokenizer};

/// A fall on 2026-11-25 as the naive prompts of `tests/fixtures/llm` tell it.
fn fall() -> Facts {
    Facts {
        instrument: InstrumentId(1),
        symbol: "NVDA".to_owned(),
        at: MarketTime::parse("2026-11-25T21:00:00Z").unwrap(),
        last_return: -0.023_101_882,
        last_deviations: Some(-2.604_112),
        five_bar_return: Some(-0.034_022_398),
        distance_from_mean: Some(-0.018_112_034),
        below_high: 0.052_188_345,
        high_bars: 250,
        volatility: Some(0.342_118_034),
    }
}

fn table() -> FactTable {
    FactTable::of(&fall(), Naming::Named)
}

fn answer(text: &str, labels: &[f64], prior: &[f64]) -> Answer {
    Answer { text: text.to_owned(), labels: labels.to_vec(), prior: prior.to_vec(), timings: Timings::default() }
}

#[test]
fn facts_are_rounded_short_and_dated_last() {
    let asked = Templates::embedded().unwrap().of(Task::Signal).ask_about(AskId(7), &table());
    assert_eq!(
        asked.question,
        "Q: NVDA\nmove -2.31%\nsigma -2.6\nweek -3.40%\ntrend -1.8%\ndrop 5.2%\nvol 34%\nas of 2026-11-25 21:00"
    );
    assert_eq!((asked.id, asked.task), (AskId(7), Task::Signal));
    let mut hardly_another = fall();
    hardly_another.last_return += 1e-7;
    let again =
        Templates::embedded().unwrap().of(Task::Signal).ask_about(AskId(7), &FactTable::of(&hardly_another, Naming::Named));
    assert_eq!(again, asked, "the same rounded facts are the same question");
    let nameless = FactTable::of(&fall(), Naming::Anonymous);
    let nameless = Templates::embedded().unwrap().of(Task::Risk).ask_about(AskId(7), &nameless);
    assert!(
        nameless.question.starts_with("Q: X\n") && nameless.question.ends_with("as of the last close"),
        "{}",
        nameless.question
    );
    let young =
        Facts { last_deviations: None, five_bar_return: None, distance_from_mean: None, volatility: Some(f64::NAN), ..fall() };
    let young = Templates::embedded().unwrap().of(Task::Risk).ask_about(AskId(7), &FactTable::of(&young, Naming::Named));
    assert!(young.question.contains("move -2.31%\ndrop 5.2%\nas of"), "{}", young.question);
    assert!(young.schema.contains(r#""enum":["move","drop"]"#), "only facts that are there can be cited: {}", young.schema);
}

#[test]
fn what_a_value_says_is_not_read_again() {
    let templates = Templates::embedded().unwrap();
    let asked = templates.of(Task::Sentiment).ask_about_headline(AskId(1), &CleanText::from_outside("{headline} and {at}"));
    assert_eq!(asked.question, "Q: «{headline} and {at}»");
    let facts = Facts { symbol: "{facts}".to_owned(), ..fall() };
    let asked = templates.of(Task::Risk).ask_about(AskId(1), &FactTable::of(&facts, Naming::Named));
    assert!(asked.question.starts_with("Q: {facts}\nmove"), "{}", asked.question);
}

fn marked(text: &str, table: &FactTable) -> Vec<String> {
    let checked = CheckedText::check(text, table);
    checked.unsupported.iter().map(|place| checked.text.as_str()[place.clone()].to_owned()).collect()
}

#[test]
fn every_number_is_held_against_the_facts() {
    for (text, wrong) in [
        ("NVDA fell 2.31%, or -2.3%, about 2 percent, 2.6 usual moves and 3.40% in the week.", vec![]),
        ("It stands 1.8% under its 50-bar mean and 5.2% under its 250-bar high; volatility over 20 bars is 34% a year.", vec![]),
        ("On 2026-11-25 at 21:00 it closed −2.31% lower; a fall of 231 basis points over five bars.", vec![]),
        ("It is down 3.4 % and 3 pct, 3 usual moves.", vec![]),
        ("NVDA fell 2.4%.", vec!["2.4%"]),
        ("NVDA rose +2.31%.", vec!["+2.31%"]),
        ("NVDA fell 2.311% to $134.20.", vec!["2.311%", "134.20"]),
        ("It fell 2.31 and has 34 of volatility.", vec!["2.31", "34"]),
        ("A move of 2.6% in 30 bars, 2.60% or 7x.", vec!["2.6%", "30", "2.60%", "7"]),
        ("Analysts see twelve percent more, two of nine say so.", vec!["twelve percent", "two", "nine"]),
        ("Over fifty bars and sixty bars; twenty-five bars, Twenty bars, thirty one.", vec!["twenty-five", "thirty one"]),
        ("１２％ and ² and Q3 and 1,234.5 and 12,34", vec!["１２％", "²", "3", "1,234.5", "12,34"]),
        ("", vec![]),
        ("Volatility is 34.2% and 34%: 0.34 in short, 3e4 in long.", vec!["34.2%", "0.34", "3", "4"]),
    ] {
        assert_eq!(marked(text, &table()), wrong, "{text}");
    }
    let named = FactTable::of(&Facts { symbol: "S&P 500".to_owned(), ..fall() }, Naming::Named);
    assert_eq!(marked("S&P 500 fell; 500 did not.", &named), ["500"]);
    let nameless = FactTable::of(&fall(), Naming::Anonymous);
    assert_eq!(marked("In 2026", &nameless), ["2026"], "a day that was not told is remembered, or made up");
}

proptest! {
    #[test]
    fn marks_lie_on_letters_and_shown_facts_are_never_marked(text in "(\\PC|[0-9]{1,4}|[%.,+-]| percent| bars){0,60}", index in 0_usize..6) {
        let checked = CheckedText::check(&text, &table());
        for place in &checked.unsupported {
            prop_assert!(checked.text.as_str().get(place.clone()).is_some_and(|number| !number.is_empty()));
        }
        let fact = table().facts()[index].clone();
        let cited = CheckedText::check(&format!("So it is {} now", fact.shown()), &table());
        prop_assert!(cited.unsupported.is_empty(), "{:?}", cited);
    }

    #[test]
    fn a_number_that_no_fact_gives_is_marked(hundredths in 600_u32..3_000) {
        let text = format!("It moved {}.{:02}%.", hundredths / 100, hundredths % 100);
        prop_assert_eq!(CheckedText::check(&text, &table()).unsupported.len(), 1);
    }
}

const SIGNAL: &str = r#"{"action":"sell","horizon":"week","drivers":["move","sigma","move"],"flags":["unusual","volatile","unusual"],"note":"It fell 2.31% and 9%."}"#;

#[test]
fn an_opinion_is_what_was_written_with_the_chances_that_were_computed() {
    let view = read_signal(&answer(SIGNAL, &[0.6, 0.3, 0.1], &[0.8, 0.1, 0.1]), &table()).unwrap();
    assert_eq!((view.action, view.horizon, view.horizon.bars()), (Action::Sell, Horizon::Week, 5));
    assert_eq!(view.drivers, ["move", "sigma"], "each once");
    assert_eq!(view.flags, [Flag::Unusual], "34% a year is not volatile");
    assert_eq!(view.note.unsupported.iter().map(|place| &view.note.text.as_str()[place.clone()]).collect::<Vec<_>>(), ["9%"]);
    let confidence = view.confidence.unwrap();
    assert!((confidence.share - 3.0 / 4.75).abs() < 1e-12 && (confidence.margin - 2.0 / 4.75).abs() < 1e-12, "{confidence:?}");
    assert_eq!(read_signal(&answer(SIGNAL, &[], &[]), &table()).unwrap().confidence, None, "a server that tells no chances");
    let risk = read_risk(&answer(r#"{"level":"high","drivers":["vol"]}"#, &[0.1, 0.1, 0.7, 0.1], &[]), &table()).unwrap();
    assert_eq!((risk.level, risk.drivers), (RiskLevel::High, vec!["vol"]));
    assert!((risk.confidence.unwrap().share - 0.7).abs() < 1e-12);
    let mood = read_mood(&answer(r#"{"mood":"negative"}"#, &[0.2, 0.2, 0.6], &[0.4, 0.2, 0.4])).unwrap();
    assert_eq!(mood.class, MoodClass::Negative);
    // By hand: 0.5, 1 and 1.5 of 3.
    assert!((mood.value.unwrap() + 1.0 / 3.0).abs() < 1e-12, "{mood:?}");
}

#[test]
fn what_makes_no_sense_is_an_abstention_and_never_hold() {
    for text in [
        "",
        "{}",
        "hold",
        r#"{"action":"HOLD","horizon":"week","drivers":["move"],"flags":[],"note":"It fell."}"#,
        r#"{"action":"hold","horizon":"week","drivers":["pe_ratio"],"flags":[],"note":"It fell."}"#,
        r#"{"action":"hold","horizon":"week","drivers":["move","pe_ratio"],"flags":[],"note":"It fell."}"#,
        r#"{"action":"hold","horizon":"week","drivers":[],"flags":[],"note":"It fell."}"#,
        r#"{"action":"hold","horizon":"week","drivers":["move","sigma","week","vol"],"flags":[],"note":"It fell."}"#,
        r#"{"action":"hold","horizon":"week","drivers":["move"],"flags":[],"note":"  1 2 "}"#,
        r#"{"action":"hold","horizon":"week","drivers":["move"],"flags":[],"note":"It fell.","size":100}"#,
    ] {
        assert!(matches!(read_signal(&answer(text, &[0.0, 0.0, 1.0], &[]), &table()), Err(Abstention::Unusable(_))), "{text}");
    }
    assert!(read_mood(&answer(r#"{"mood":"bullish"}"#, &[], &[])).is_err());
    assert!(read_risk(&answer(r#"{"level":"severe","drivers":["vol"]}"#, &[], &[]), &table()).is_err());
    assert!(read_comment(&answer(r#"{"text":"\u0007 \u202e"}"#, &[], &[]), &table()).is_err());
}

#[test]
fn a_text_is_cleaned_and_ends_with_a_sentence() {
    for (written, read) in [
        ("It fell 2.31%. It stands under its 50-bar me", "It fell 2.31%."),
        ("It fell 2.3", "It fell 2.3…"),
        ("It fell.", "It fell."),
        ("It \\u001b[31mfell\\u202e 2.31%.", "It [31mfell 2.31%."),
    ] {
        let comment = read_comment(&answer(&format!("{{\"text\":\"{written}\"}}"), &[], &[]), &table()).unwrap();
        assert_eq!(comment.text.text.as_str(), read);
    }
}

#[test]
fn names_can_be_taken_out_of_a_headline() {
    for (headline, without) in [
        ("Apple rises as apple's CEO of AAPL speaks", "X rises as X's CEO of X speaks"),
        ("Pineapple farmers see AAPLX fall", "Pineapple farmers see AAPLX fall"),
        ("İstanbul: Apple up", "İstanbul: X up"),
    ] {
        assert_eq!(anonymous(&CleanText::from_outside(headline), &["Apple", "AAPL", ""]).as_str(), without);
    }
}

#[test]
fn prompts_have_a_version_and_a_hash_and_are_read_strictly() {
    let templates = Templates::embedded().unwrap();
    for task in Task::ALL {
        let template = templates.of(task);
        assert_eq!((template.task, template.hash.len()), (task, 64));
        assert!(template.version >= 1 && template.most_tokens > 8 && template.deadline_ms >= 1000);
        assert_eq!(template.content_free.is_some(), task != Task::Commentary, "what decides has a question without content");
    }
    let text = include_str!("../../config/prompts/risk.toml");
    let changed = Template::read(Task::Risk, &text.replace("rate how", "judge how")).unwrap();
    assert_ne!(changed.hash, templates.of(Task::Risk).hash);
    let told = Template::read(Task::Risk, &format!("temperature = 1\n{text}")).unwrap_err().to_string();
    assert!(told.starts_with("config/prompts/risk.toml: ") && told.contains("temperature"), "{told}");
}

/// The examples in a prompt are answers by the task's own schema, citing the facts of their own question.
#[test]
fn the_examples_of_the_prompts_are_good_answers() {
    for task in Task::ALL {
        let system = Templates::embedded().unwrap().of(task).system.clone();
        let examples: Vec<&str> = system.lines().filter_map(|line| line.strip_prefix("A: ")).collect();
        assert!(!examples.is_empty(), "{task:?}");
        for example in examples {
            let raw = answer(example, &[], &[]);
            match task {
                Task::Signal => drop(read_signal(&raw, &table()).unwrap()),
                Task::Risk => drop(read_risk(&raw, &table()).unwrap()),
                Task::Sentiment => drop(read_mood(&raw).unwrap()),
                Task::Commentary => {
                    let calmer = FactTable::of(&Facts { volatility: Some(0.19), ..fall() }, Naming::Named);
                    assert!(read_comment(&raw, &calmer).unwrap().text.unsupported.is_empty());
                }
            }
        }
    }
}

fn asked(task: Task, template: &Template) -> pmax::llm::ask::Ask {
    match task {
        Task::Sentiment => {
            let headline = "Nvidia shares slip after regulator opens inquiry into chip sales";
            template.ask_about_headline(AskId(1), &CleanText::from_outside(headline))
        }
        Task::Signal | Task::Risk | Task::Commentary => template.ask_about(AskId(1), &table()),
    }
}

#[test]
fn our_prompts_take_half_the_tokens_of_naive_ones() {
    let tokenizer = installed().unwrap_or_else(tokenizer);
    let templates = Templates::embedded().unwrap();
    let count = |text: &str| tokenizer.encode(text).unwrap().len();
    for (task, naive) in [
        (Task::Signal, include_str!("../fixtures/llm/naive-signal.txt")),
        (Task::Risk, include_str!("../fixtures/llm/naive-risk.txt")),
        (Task::Sentiment, include_str!("../fixtures/llm/naive-sentiment.txt")),
        (Task::Commentary, include_str!("../fixtures/llm/naive-commentary.txt")),
    ] {
        let asked = asked(task, templates.of(task));
        let (before, fixed, asked) = (count(naive), count(&asked.system), count(&asked.question));
        println!(
            "{}: naive {before}, ours {} of which {fixed} are computed once and {asked} each time",
            task.word(),
            fixed + asked
        );
        assert!(2 * (fixed + asked) <= before, "{}: {before} before, {fixed} + {asked} now", task.word());
    }
}

/// The small model in all four tasks: whatever it is worth, what it writes can be read.
#[test]
fn the_small_model_answers_all_four_tasks() {
    use pmax::llm::decoder::{Decoder, LoadOptions, Place};
    use pmax::llm::generate::Generator;
    let (Some(file), Some(tokenizer)) = (crate::llm_fakes::installed_file(), installed()) else { return };
    let options = LoadOptions { place: Place::Cpu, context: 2048, most_bytes: 2 << 30 };
    let decoder = Decoder::load(&file, options).unwrap();
    let mut generator = Generator::new(decoder, tokenizer, 256 << 20).unwrap();
    let templates = Templates::embedded().unwrap();
    for task in Task::ALL {
        let asked = asked(task, templates.of(task));
        let raw = generator.answer(std::slice::from_ref(&asked), &[Stop::never()], &mut |_, _| {}).pop().unwrap().unwrap();
        println!(
            "{}: {}\n  {:?} {:?}\n  {}, first after {:.0} ms",
            task.word(),
            raw.text,
            raw.labels,
            raw.prior,
            raw.timings,
            raw.timings.first_ms
        );
        match task {
            Task::Signal => drop(read_signal(&raw, &table()).unwrap()),
            Task::Risk => drop(read_risk(&raw, &table()).unwrap()),
            Task::Sentiment => drop(read_mood(&raw).unwrap()),
            Task::Commentary => println!("  {:?}", read_comment(&raw, &table()).unwrap().text.unsupported),
        }
    }
}

#[test]
fn random_models_give_good_results_in_all_tasks() {
    let templates = Templates::embedded().unwrap();
    for seed in 0..12 {
        let mut generator = generator(Fake::new(seed));
        for task in Task::ALL {
            // The small vocabulary takes more tokens for the same letters.
            let asked = pmax::llm::ask::Ask { most_tokens: 600, ..asked(task, templates.of(task)) };
            let raw = one(&mut generator, &asked).unwrap();
            match task {
                Task::Signal => assert!(read_signal(&raw, &table()).unwrap().confidence.is_some()),
                Task::Risk => assert!(read_risk(&raw, &table()).unwrap().confidence.is_some()),
                Task::Sentiment => assert!((-1.0..=1.0).contains(&read_mood(&raw).unwrap().value.unwrap())),
                Task::Commentary => drop(read_comment(&raw, &table()).unwrap()),
            }
        }
        let never = Stop::never();
        let waved: Vec<_> = (0..3).map(|_| asked(Task::Sentiment, templates.of(Task::Sentiment))).collect();
        assert!(generator.answer(&waved, &[never.clone(), never.clone(), never], &mut |_, _| {}).iter().all(Result::is_ok));
    }
}
