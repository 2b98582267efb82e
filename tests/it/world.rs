//! What several tests start from: the shipped settings, a bundled tape, a headless world.

use std::path::Path;

use pmax::domain::MarketTime;
use pmax::engine::Setup;
use pmax::market::{self, Tape};
use pmax::runtime::{self, Config, Headless, Named};

/// The shipped configuration.
pub fn config() -> Config {
    runtime::load_config(Path::new("no such file"), Named::ByDefault, &[], &[]).unwrap()
}

/// A bundled tape and what an engine on it is made of.
pub fn setup(tape: &str) -> (Tape, Setup) {
    let tape = market::load(tape).unwrap();
    let instruments = runtime::instruments().unwrap();
    let setup =
        Setup { instruments, series: tape.series(), library: Default::default(), settings: runtime::settings_of(&config()) };
    (tape, setup)
}

/// The default tape, lived through for three weeks and stopped at `at`.
pub fn lived_until(at: &str) -> Headless {
    let (tape, setup) = setup("crash-2020");
    let at = MarketTime::parse(at).unwrap();
    let mut world = Headless::with_usual_capital(&tape, &setup, MarketTime(at.0 - 21 * 86_400_000_000_000));
    world.play_until(at);
    world
}
