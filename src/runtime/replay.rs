//! Replay: handles a run's inputs again and holds every decision against the journal.

mod words;

use serde::Serialize;

use crate::domain::{MarketEvent, RunId};
use crate::engine::{Engine, Event, InputBody, Outcome, Record, RunInput, Setup, StateHash};
use crate::runtime::Trouble;
use crate::runtime::recovery::{opens_run, restore};
use crate::signals::ScriptRef;
use crate::store::{Body, LedgerFile, StoredEntry};

/// What a replay found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReplayReport {
    /// The run.
    pub run: RunId,
    /// Market events handled.
    pub market_events: u64,
    /// Inputs handled.
    pub inputs: u64,
    /// Decisions that came out as recorded.
    pub decisions: u64,
    /// Checkpoints whose state hash agreed.
    pub checkpoints: u64,
    /// The state at the end.
    pub state: StateHash,
    /// The state by applying the recorded decisions, as a restart does.
    pub recovered: StateHash,
}

/// A replay in progress.
struct Replayer {
    engine: Engine,
    market: Market,
    outcome: Outcome,
    /// Decisions that came out and were not yet found in the journal.
    decided: std::collections::VecDeque<Record>,
    report: ReplayReport,
}

/// A run's market events, from the first.
pub type Market = Box<dyn Iterator<Item = MarketEvent>>;

/// Replays a run whose market events `market` gives. The first difference is trouble that names its entry.
pub fn replay(
    file: &LedgerFile,
    run: RunId,
    market: &dyn Fn() -> Result<Market, Trouble>,
    setup: &Setup,
) -> Result<ReplayReport, Trouble> {
    file.run(run)?;
    let nothing = Engine::new(setup).state_hash();
    let report =
        ReplayReport { run, market_events: 0, inputs: 0, decisions: 0, checkpoints: 0, state: nothing, recovered: nothing };
    let mut replayer = Replayer {
        engine: Engine::new(setup),
        market: market()?,
        outcome: Outcome::default(),
        decided: Default::default(),
        report,
    };
    let mut difference = None;
    file.read_run(run, |stored| {
        if difference.is_none() {
            difference = replayer.take(&stored).err();
        }
        Ok(())
    })?;
    if let Some(trouble) = difference {
        return Err(trouble);
    }
    let mut recovered = Engine::new(setup);
    restore(&mut recovered, &mut market()?, file, run)?;
    let Replayer { engine, mut report, .. } = replayer;
    (report.state, report.recovered) = (engine.state_hash(), recovered.state_hash());
    report.market_events = engine.market().consumed();
    Ok(report)
}

impl Replayer {
    fn take(&mut self, stored: &StoredEntry) -> Result<(), Trouble> {
        while self.engine.market().consumed() < stored.entry.market_index {
            let Some(event) = self.market.next() else {
                return Err(differs(stored, "the market events end before the journal does"));
            };
            self.handle(&Event::Market(event));
        }
        match &stored.entry.body {
            Body::Input(input) => {
                if let Some(record) = self.decided.front() {
                    return Err(differs(
                        stored,
                        &format!("this program decides one more thing before it: «{}»", words::kind(record)),
                    ));
                }
                if let InputBody::Run(RunInput::Opened { settings, .. } | RunInput::Resumed { settings, .. }) = &input.body
                    && let Some(script) = self.engine.lacks(settings)
                {
                    return Err(lacks(stored.run, script));
                }
                if opens_run(&input.body) && self.report.inputs > 0 {
                    return Err(differs(stored, "a run begins twice"));
                }
                self.check_state(stored, &input.body)?;
                self.report.inputs += 1;
                self.handle(&Event::Input(input.clone()));
                Ok(())
            }
            Body::Record(recorded) => match self.decided.pop_front() {
                Some(decided) if decided == *recorded => {
                    self.report.decisions += 1;
                    Ok(())
                }
                Some(decided) => Err(differs(stored, &words::difference(recorded, &decided))),
                None => {
                    let how = format!("the journal has «{}», this program decides nothing here", words::kind(recorded));
                    Err(differs(stored, &how))
                }
            },
        }
    }

    fn handle(&mut self, event: &Event) {
        self.engine.handle(event, &mut self.outcome);
        self.decided.extend(self.outcome.records.drain(..));
    }

    fn check_state(&mut self, stored: &StoredEntry, body: &InputBody) -> Result<(), Trouble> {
        if let InputBody::Run(RunInput::Checkpoint { state }) = body {
            let found = self.engine.state_hash();
            if found != *state {
                let how = "every decision so far is the same, but the state (cash, positions, orders, prices) is not";
                return Err(differs(stored, &format!("{how}: its hash is {found} here and {state} in the journal")));
            }
            self.report.checkpoints += 1;
        }
        Ok(())
    }
}

pub(super) fn lacks(run: RunId, script: ScriptRef) -> Trouble {
    Trouble::new(
        format!("{run} had the strategy {script}, and no script at hand has that name and text"),
        "The journal was only read",
        "Put the file back as it was then, name it under strategies.scripts, and replay again",
    )
}

fn differs(stored: &StoredEntry, how: &str) -> Trouble {
    Trouble::new(
        format!("The replay of {} differs at journal entry {}: {how}", stored.run, stored.seq),
        "The journal was only read",
        "If the program is newer than the run, its decisions may rightly differ; otherwise keep the journal and report this",
    )
}
