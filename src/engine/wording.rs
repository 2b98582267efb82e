//! The one place that puts records into words for the activity log.

use crate::domain::{Fill, InstrumentId, InstrumentTable, OrderId, Origin, Severity, Watched, counted};
use crate::engine::event::WasClean;
use crate::engine::record::{OrderRecord, PortfolioRecord, ProposalRecord, Record, RunRecord, StageRecord, TradingRecord};
use crate::engine::{Book, KillPhase};
use crate::orders::OrderStep;
use crate::risk::{Action, Subject, Trip};

/// One sentence on a record, or `None` where another record already says it. Reads the book as it was before the record.
pub(super) fn describe(record: &Record, book: &Book, instruments: &InstrumentTable) -> Option<(Severity, String)> {
    match record {
        Record::Run(record) => Some(run(record, instruments)),
        Record::Trading(record) => Some(trading(record, book, instruments)),
        Record::Proposal(record) => proposal(record, book, instruments),
        Record::Order(record) => order(record, book, instruments),
        Record::Portfolio(record) => portfolio(record, instruments),
        Record::Signal(_) | Record::Alert(_) | Record::Commentary(_) => None,
        Record::Opinion(_) | Record::Published { .. } => None,
    }
}

fn run(record: &RunRecord, instruments: &InstrumentTable) -> (Severity, String) {
    match record {
        RunRecord::Opened { run, tape, capital, .. } => {
            (Severity::Info, format!("{run} opened on tape {} with {capital:.2} {}", tape.name, capital.currency()))
        }
        RunRecord::Resumed { was_clean: WasClean::Yes, .. } => (Severity::Info, "run taken up again; read-only".to_owned()),
        RunRecord::Resumed { was_clean: WasClean::No, .. } => {
            (Severity::Warning, "the last process was killed; state restored from the journal; read-only".to_owned())
        }
        RunRecord::Jumped { until } => (Severity::Info, format!("runs ahead to {until}: no proposals on the way")),
        RunRecord::InstrumentsChanged { joined, left, .. } => (Severity::Info, watching(joined, left, instruments)),
    }
}

/// Instruments that one line names.
const NAMED: usize = 5;

fn watching(joined: &[Watched], left: &[InstrumentId], instruments: &InstrumentTable) -> String {
    let names = |symbols: Vec<String>| match symbols.len() {
        many @ 6.. => counted(many, "instrument"),
        _ => symbols.into_iter().take(NAMED).collect::<Vec<_>>().join(", "),
    };
    let came = names(joined.iter().map(|watched| watched.instrument.symbol.clone()).collect());
    let went = names(left.iter().map(|id| instruments.symbol(*id)).collect());
    match (joined.is_empty(), left.is_empty()) {
        (false, true) => format!("watched from now on: {came}"),
        (true, _) => format!("not watched any more: {went}"),
        (false, false) => format!("watched from now on: {came}; not any more: {went}"),
    }
}

fn trading(record: &TradingRecord, book: &Book, instruments: &InstrumentTable) -> (Severity, String) {
    match record {
        TradingRecord::ModeChanged { mode, who } => (Severity::Info, format!("mode {} by {who}", mode.badge())),
        TradingRecord::StateChanged { state, who, why, .. } => (Severity::Critical, format!("trading {state} by {who}: {why}")),
        TradingRecord::BreakerTripped(trip) => tripped(trip, instruments),
        TradingRecord::BreakerReleased { rule, subject, who } if rule.is_own_lock() => {
            (Severity::Info, format!("lock{} let go by {who}", of(*subject, instruments)))
        }
        TradingRecord::BreakerReleased { rule, subject, who } => {
            (Severity::Info, format!("breaker {}{} released by {who}", rule.words(), of(*subject, instruments)))
        }
        TradingRecord::BreakerOverruled { rule, subject, who } => {
            let text =
                format!("breaker {}{} overruled by {who}: still beyond its limit", rule.words(), of(*subject, instruments));
            (Severity::Warning, text)
        }
        TradingRecord::UnlockAsked { rule, subject, why, .. } => {
            let about = of(*subject, instruments);
            (Severity::Info, format!("letting go of {}{about} asked for ({why}); ask again within 60 s", rule.words()))
        }
        TradingRecord::UnlockLapsed => (Severity::Info, "letting go was not asked for again within 60 s".to_owned()),
        TradingRecord::RearmRequested { .. } => (Severity::Info, "re-arming asked for; confirm within 60 s".to_owned()),
        TradingRecord::RearmLapsed => (Severity::Info, "re-arming was not confirmed within 60 s".to_owned()),
        TradingRecord::FlattenAsked => (Severity::Critical, "kill switch: closing all positions".to_owned()),
        TradingRecord::BarsMissing { instrument, bars } => {
            let bars = counted(usize::try_from(*bars).unwrap_or(usize::MAX), "bar");
            (Severity::Warning, format!("{bars} of {} count as missing", instruments.symbol(*instrument)))
        }
        TradingRecord::MinuteFlawed { instrument, what, .. } => {
            (Severity::Info, format!("{}: {what}; not used", instruments.symbol(*instrument)))
        }
        TradingRecord::FeedChanged { silent, heard } => {
            let names = |ids: &[InstrumentId]| ids.iter().map(|id| instruments.symbol(*id)).collect::<Vec<_>>().join(", ");
            match (silent.as_slice(), heard.as_slice()) {
                (silent, []) => (Severity::Warning, format!("no news of {}: their prices are stale", names(silent))),
                ([], heard) => (Severity::Info, format!("prices again of {}", names(heard))),
                (silent, heard) => (Severity::Warning, format!("no news of {}; prices again of {}", names(silent), names(heard))),
            }
        }
        TradingRecord::PositionsDiffer { since: Some(_) } => {
            (Severity::Warning, "positions here and at the broker differ; opening trades are held".to_owned())
        }
        TradingRecord::PositionsDiffer { since: None } => {
            (Severity::Info, "positions here and at the broker agree again".to_owned())
        }
        TradingRecord::KillFinished => kill_finished(book),
        TradingRecord::Stage(record) => staged(record),
    }
}

fn staged(record: &StageRecord) -> (Severity, String) {
    match record {
        StageRecord::Entered { stage: Some(stage), who, .. } => (Severity::Warning, format!("{stage} of the account by {who}")),
        StageRecord::Entered { stage: None, who, .. } => {
            (Severity::Warning, format!("stages switched off by {who}: the whole account counts"))
        }
        StageRecord::Offered { next, shown } => (Severity::Info, format!("{next} is open: {}", shown.words())),
        StageRecord::Closed { next } => (Severity::Info, format!("{next} is not open any more: its gate is not passed")),
        StageRecord::Asked { .. } => (Severity::Info, "the next stage was asked for; confirm within 60 s".to_owned()),
        StageRecord::Lapsed => (Severity::Info, "the next stage was not confirmed within 60 s".to_owned()),
    }
}

/// What a breaker is about, to follow its name.
fn of(subject: Subject, instruments: &InstrumentTable) -> String {
    match subject {
        Subject::Account => String::new(),
        Subject::Instrument(id) => format!(" of {}", instruments.symbol(id)),
        Subject::Source(source) => format!(" of {}", source.word()),
    }
}

fn tripped(trip: &Trip, instruments: &InstrumentTable) -> (Severity, String) {
    let (name, about) = (trip.rule.words(), of(trip.subject, instruments));
    if let Some(end) = trip.ends_at().filter(|_| trip.rule.is_own_lock()) {
        return (Severity::Info, format!("{name}{about} until {end} by {}: {}", trip.who, trip.why));
    }
    let severity = if trip.action == Action::Warn { Severity::Warning } else { Severity::Critical };
    (severity, format!("breaker {name}{about}: {}; {}", trip.numbers(), trip.action.words()))
}

/// What the kill switch came to: it may end with positions that nobody asked to close, or that the broker refused to.
fn kill_finished(book: &Book) -> (Severity, String) {
    let held = counted(book.ledger().positions().len(), "position");
    match (book.kill(), book.ledger().positions().is_empty()) {
        (_, true) => (Severity::Warning, "kill switch: done; nothing is open and nothing waits to open".to_owned()),
        (KillPhase::Flattening, false) => (Severity::Critical, format!("kill switch: NOT flat; {held} could not be closed")),
        (KillPhase::Idle | KillPhase::Cancelling | KillPhase::Finished, false) => {
            (Severity::Warning, format!("kill switch: done; nothing waits to open, still open: {held} (Shift+F closes)"))
        }
    }
}

fn proposal(record: &ProposalRecord, book: &Book, instruments: &InstrumentTable) -> Option<(Severity, String)> {
    let about =
        |id| book.proposals().get(&id).map_or_else(String::new, |proposal| instruments.symbol(proposal.request.instrument));
    match record {
        ProposalRecord::Made(made) if made.revision > 1 => None,
        ProposalRecord::Made(made) => {
            let request = &made.request;
            let symbol = instruments.symbol(request.instrument);
            Some((Severity::Info, format!("proposal {}: {} {} {symbol}", made.id, request.side, request.quantity)))
        }
        ProposalRecord::Confirmed { proposal, order } => {
            Some((Severity::Info, format!("proposal {proposal} {} confirmed as order {order}", about(*proposal))))
        }
        ProposalRecord::Declined { proposal } => {
            Some((Severity::Info, format!("proposal {proposal} {} declined", about(*proposal))))
        }
        ProposalRecord::Withdrawn { proposal, why } => {
            Some((Severity::Info, format!("proposal {proposal} {} withdrawn: {why}", about(*proposal))))
        }
    }
}

fn order(record: &OrderRecord, book: &Book, instruments: &InstrumentTable) -> Option<(Severity, String)> {
    match record {
        OrderRecord::Confirmed { order, who, .. } => {
            let request = &order.request;
            let symbol = instruments.symbol(request.instrument);
            let (id, side, quantity, kind, origin) =
                (order.id, request.side, request.quantity, request.kind, request.origin.word());
            Some((Severity::Info, format!("order {id} {side} {quantity} {symbol} {kind} ({origin}) confirmed by {who}")))
        }
        OrderRecord::Refused { request, refusal } => {
            let symbol = instruments.symbol(request.instrument);
            Some((Severity::Warning, format!("{} {} {symbol} refused — {}", request.side, request.quantity, refusal.sentence())))
        }
        OrderRecord::Stepped { order, step, note, .. } => stepped(*order, *step, note, book, instruments),
        OrderRecord::Contradicted { order, state, step } => {
            let state = state.map_or("not known here", |state| state.word());
            let said = step.words();
            Some((Severity::Critical, format!("a report does not fit: \"{said}\" for order {order}, which is {state}")))
        }
        OrderRecord::Numbered { .. }
        | OrderRecord::ReplyLost { .. }
        | OrderRecord::Missed { .. }
        | OrderRecord::LegPlaced { .. }
        | OrderRecord::ChangeAsked { .. }
        | OrderRecord::TermsChanged { .. }
        | OrderRecord::NumbersTaken { .. } => None,
    }
}

fn stepped(id: OrderId, step: OrderStep, note: &str, book: &Book, instruments: &InstrumentTable) -> Option<(Severity, String)> {
    let origin = book.orders().get(id).map(|tracked| tracked.order.request.origin);
    let is_of_engine = matches!(origin, Some(Origin::Protective(_)));
    let (severity, what) = match step {
        OrderStep::Send | OrderStep::Accept | OrderStep::FillPart | OrderStep::FillAll | OrderStep::Trigger => return None,
        OrderStep::AskModify => (Severity::Info, "change asked for"),
        OrderStep::Modify => (Severity::Info, "changed"),
        OrderStep::RefuseModify => (Severity::Warning, "change came to nothing"),
        OrderStep::AskCancel => (Severity::Info, "cancel asked for"),
        OrderStep::Cancel => (Severity::Info, "cancelled"),
        OrderStep::RefuseCancel => (Severity::Warning, "cancel came to nothing"),
        OrderStep::Expire => (Severity::Info, "expired"),
        OrderStep::Reject => (Severity::Warning, "rejected by the broker"),
        OrderStep::LoseReply => (Severity::Critical, "UNKNOWN: sent, and no reply"),
        OrderStep::FindUnsent if is_of_engine => (Severity::Warning, "was never sent; it is asked for again by itself"),
        OrderStep::FindUnsent => (Severity::Warning, "was never sent; ask again if you still want it"),
        OrderStep::Reappear => (Severity::Warning, "is at the broker after all"),
        OrderStep::ProveAbsent => (Severity::Warning, "was not found at the broker; it is not sent again"),
    };
    let symbol = book.orders().get(id).map_or_else(String::new, |tracked| instruments.symbol(tracked.order.request.instrument));
    let note = if note.is_empty() { String::new() } else { format!(" ({note})") };
    Some((severity, format!("order {id} {symbol} {what}{note}")))
}

fn portfolio(record: &PortfolioRecord, instruments: &InstrumentTable) -> Option<(Severity, String)> {
    match record {
        PortfolioRecord::Filled { fill, .. } => Some((Severity::Info, filled(fill, instruments))),
        PortfolioRecord::FillContradicted { fill, why } => {
            Some((Severity::Critical, format!("trade {} of order {} does not fit: {why}", fill.deal, fill.order)))
        }
        PortfolioRecord::Protected { position, protection } => {
            let level = |price: Option<crate::domain::Price>| price.map_or_else(|| "none".to_owned(), |price| price.to_string());
            let (stop, target) = (level(protection.stop_loss), level(protection.take_profit));
            Some((Severity::Info, format!("position {position}: stop {stop}, target {target} asked for")))
        }
        PortfolioRecord::Reset { capital } => {
            Some((Severity::Warning, format!("paper account begun anew with {capital:.2} {}", capital.currency())))
        }
    }
}

fn filled(fill: &Fill, instruments: &InstrumentTable) -> String {
    let symbol = instruments.symbol(fill.instrument);
    let decimals = instruments.get(fill.instrument).map_or(2, |instrument| usize::from(instrument.decimals));
    let (order, side, quantity, price, cost) = (fill.order, fill.side, fill.quantity, fill.price, fill.cost);
    format!("order {order} filled: {side} {quantity} {symbol} at {price:.decimals$}, cost {cost:.2}")
}
