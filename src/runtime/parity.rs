//! A lived run's journal and market, handed to a test in the order in which they happened.

use crate::backtest::Again;
use crate::domain::{BrokerKind, RunId};
use crate::engine::{Event, InputBody, RunInput, Setup};
use crate::runtime::Trouble;
use crate::runtime::recovery::broker_of;
use crate::runtime::replay::{Market, lacks};
use crate::store::{Body, LedgerFile};

/// Lives a run again whose market events `market` gives, up to the journal's end: its decisions on paper, its orders at a broker.
pub fn live_again(file: &LedgerFile, run: RunId, mut market: Market, setup: &Setup) -> Result<Again, Trouble> {
    let mut again = match broker_of(&file.run(run)?) {
        BrokerKind::Paper => Again::of_decisions(setup),
        BrokerKind::Xapi => Again::of_orders(setup),
    };
    let (mut consumed, mut trouble) = (0, None);
    file.read_run(run, |stored| {
        while consumed < stored.entry.market_index
            && let Some(event) = market.next()
        {
            consumed += 1;
            again.take(Event::Market(event));
        }
        let input = match stored.entry.body {
            Body::Input(input) => input,
            Body::Record(record) => {
                again.take_record(&record);
                return Ok(());
            }
        };
        if let InputBody::Run(RunInput::Opened { settings, .. } | RunInput::Resumed { settings, .. }) = &input.body
            && let Some(script) = again.engine().and_then(|engine| engine.lacks(settings))
        {
            trouble.get_or_insert_with(|| lacks(run, script));
        }
        again.take(Event::Input(input));
        Ok(())
    })?;
    match trouble {
        Some(trouble) => Err(trouble),
        None => Ok(again),
    }
}
