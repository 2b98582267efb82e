//! Questions about nothing in particular: what a worker warms up with, and what `pmax model bench` asks.

use crate::domain::{CleanText, InstrumentId, MarketTime};
use crate::llm::ask::{Ask, AskId, Task};
use crate::llm::tasks::{FactTable, Naming, TemplateError, Templates};
use crate::signals::Facts;

/// A bar's close on some day of 2020.
const SOME_CLOSE: MarketTime = MarketTime(1_584_388_800_000_000_000);
const HEADLINE: &str = "Chip maker raises its outlook as orders for servers grow";

/// One question of each task, the most urgent first; each `round` has other numbers in it.
pub fn questions(round: u32) -> Result<Vec<Ask>, TemplateError> {
    let templates = Templates::embedded()?;
    let drift = f64::from(round) / 1e3;
    let facts = Facts {
        instrument: InstrumentId(1),
        symbol: "AAPL".to_owned(),
        at: SOME_CLOSE,
        last_return: 0.012 + drift,
        last_deviations: Some(0.8),
        five_bar_return: Some(-0.021 - drift),
        distance_from_mean: Some(0.034),
        below_high: -0.061,
        high_bars: 250,
        volatility: Some(0.28),
    };
    let table = FactTable::of(&facts, Naming::Named);
    let headline = CleanText::from_outside(&format!("{HEADLINE} by {round}%"));
    let ask = |task: Task| match task {
        Task::Sentiment => templates.of(task).ask_about_headline(AskId(0), &headline),
        Task::Signal | Task::Risk | Task::Commentary => templates.of(task).ask_about(AskId(0), &table),
    };
    Ok(Task::ALL.map(ask).to_vec())
}
