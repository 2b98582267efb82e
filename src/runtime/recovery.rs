//! From the files on disk to an engine that knows where it was.

use crate::domain::{BrokerKind, Currency, LedgerId, Money, RunId};
use crate::engine::{Engine, EngineSettings, InputBody, RunInput, Setup, TapeRef, WasClean};
use crate::market::{Player, Tape};
use crate::runtime::{Home, Trouble};
use crate::store::{Body, LedgerFile, RunRow, RunStatus, StoreError};

/// An engine at the point the journal ends, with the tape at the same point, and the input that begins or resumes the run.
#[derive(Debug)]
pub struct Opened {
    /// The engine.
    pub engine: Engine,
    /// The tape.
    pub player: Player,
    /// The ledger, still with this thread.
    pub file: LedgerFile,
    /// The run.
    pub run: RunId,
    /// The first input to handle.
    pub first: RunInput,
}

/// Opens the ledger for writing, creating it where there is none.
pub fn open_ledger(home: &Home) -> Result<LedgerFile, Trouble> {
    let path = home.ledger_file();
    LedgerFile::open(&path, fresh_ledger_id()).map_err(|error| {
        let trouble = Trouble::from(error);
        Trouble { what: format!("{} ({})", trouble.what, path.display()), ..trouble }
    })
}

/// A number for a new ledger, from the wall clock and the process: unique enough to tell two ledgers of one person apart.
fn fresh_ledger_id() -> LedgerId {
    let nanos = crate::runtime::wall_now().0.unsigned_abs();
    let mixed = (nanos ^ (u64::from(std::process::id()) << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    LedgerId(u32::try_from(mixed >> 32).unwrap_or(1).max(1))
}

/// Takes up the latest run if it plays this tape, else begins a new one.
pub fn open_run(file: LedgerFile, tape: &Tape, setup: &Setup, terms: &RunTerms) -> Result<Opened, Trouble> {
    let player = Player::new(tape, terms.seed);
    let is_same =
        |run: &RunRow| run.tape.sha256 == tape.sha256 && run.tape.seed == terms.seed && broker_of(run) == setup.settings.broker;
    let latest = file.latest_run()?.filter(|run| !terms.fresh && is_same(run));
    match latest {
        Some(row) => resume(file, &row, player, setup),
        None => begin(file, tape, player, setup, terms),
    }
}

/// Which broker a run was opened with; a run from before there was a choice is a paper run.
pub fn broker_of(run: &RunRow) -> BrokerKind {
    serde_json::from_str::<EngineSettings>(&run.settings).map_or(BrokerKind::Paper, |settings| settings.broker)
}

/// What a new run begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunTerms {
    /// Seed of the drawn quotes.
    pub seed: u64,
    /// Starting capital in whole dollars.
    pub capital: u32,
    /// Begin anew even where a run could be taken up.
    pub fresh: bool,
    /// Where playing begins; the tape's own start where `None`.
    pub start: Option<crate::domain::MarketTime>,
}

fn begin(file: LedgerFile, tape: &Tape, player: Player, setup: &Setup, terms: &RunTerms) -> Result<Opened, Trouble> {
    let run = RunId(file.latest_run()?.map_or(1, |row| row.run.0 + 1));
    let (first_order, first_deal) = file.free_numbers()?;
    let capital = Money::whole(i64::from(terms.capital), Currency::USD)
        .map_err(|error| Trouble::new(format!("paper.capital: {error}"), "Nothing was started", "Choose a smaller capital"))?;
    let first = RunInput::Opened {
        run,
        ledger: file.ledger(),
        tape: TapeRef { name: tape.meta.name.clone(), sha256: tape.sha256.clone(), seed: terms.seed },
        capital,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        settings: setup.settings,
        first_order,
        first_deal,
        quiet_until: terms.start.or_else(|| tape.start()).unwrap_or_default(),
    };
    Ok(Opened { engine: Engine::new(setup), player, file, run, first })
}

fn resume(file: LedgerFile, row: &RunRow, mut player: Player, setup: &Setup) -> Result<Opened, Trouble> {
    let mut engine = Engine::new(setup);
    restore(&mut engine, &mut player, &file, row.run)?;
    let was_clean = match row.status {
        RunStatus::Running => WasClean::No,
        RunStatus::Suspended => WasClean::Yes,
    };
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let settings: EngineSettings = setup.settings;
    let first = RunInput::Resumed { version, was_clean, settings };
    Ok(Opened { engine, player, file, run: row.run, first })
}

/// Applies a run's recorded decisions to a fresh engine, with the tape in step.
pub fn restore(engine: &mut Engine, player: &mut Player, file: &LedgerFile, run: RunId) -> Result<(), StoreError> {
    file.read_run(run, |stored| {
        while engine.market().consumed() < stored.entry.market_index
            && let Some(event) = player.next()
        {
            engine.observe(&event);
        }
        match &stored.entry.body {
            Body::Input(input) => engine.take_input(input),
            Body::Record(record) => engine.apply(record),
        }
        Ok(())
    })
}

/// Whether an input begins a run; used by the replay to know a run's own settings.
pub(super) const fn opens_run(body: &InputBody) -> bool {
    matches!(body, InputBody::Run(RunInput::Opened { .. }))
}
