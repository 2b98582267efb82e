//! Tables that follow from the journal, written in the same transaction.

use rusqlite::{Transaction, params};

use crate::domain::{
    Alert, Direction, Fill, LedgerId, Order, OrderId, OrderKind, OrderSide, Origin, Position, PositionSide, Price, Probability,
    Ratio, RunId, Severity, Signal, SignalId, Validation,
};
use crate::engine::{AlertRecord, InputBody, OrderRecord, PortfolioRecord, Record, RunInput, SignalRecord, TradingRecord};
use crate::orders::OrderState;
use crate::risk::{RuleName, Subject, Trip};
use crate::store::ledger::signed;
use crate::store::{Body, Entry, StoreError};

type Projected = Result<(), StoreError>;

/// Writes what an entry means for the tables.
pub(super) fn project(transaction: &Transaction<'_>, ledger: LedgerId, run: RunId, entry: &Entry) -> Projected {
    let at = entry.market_at.0;
    match &entry.body {
        Body::Input(input) => match &input.body {
            InputBody::Run(input) => project_run(transaction, run, input),
            InputBody::Command { .. } | InputBody::Broker(_) | InputBody::Commentary(_) => Ok(()),
            InputBody::Feed { .. } | InputBody::Served { .. } | InputBody::Link { .. } | InputBody::Timer => Ok(()),
            InputBody::Published { .. } | InputBody::Noted(_) | InputBody::Opinion(_) => Ok(()),
        },
        Body::Record(record) => match record {
            Record::Order(record) => project_order(transaction, ledger, run, record, at),
            Record::Portfolio(record) => project_portfolio(transaction, run, record, at),
            Record::Signal(record) => project_signal(transaction, run, record),
            Record::Alert(record) => project_alert(transaction, run, record),
            Record::Trading(record) => project_trading(transaction, run, record, at),
            Record::Run(_) | Record::Proposal(_) | Record::Commentary(_) => Ok(()),
            Record::Opinion(_) | Record::Published { .. } => Ok(()),
        },
    }
}

fn project_run(transaction: &Transaction<'_>, run: RunId, input: &RunInput) -> Projected {
    let set_status =
        |status: &str| transaction.execute("UPDATE runs SET status = ?2 WHERE run = ?1", params![signed(run.0), status]);
    match input {
        RunInput::Opened { ledger, tape, capital, version, settings, .. } => {
            let seed = i64::from_ne_bytes(tape.seed.to_ne_bytes());
            transaction.execute(
                "INSERT INTO runs (run, ledger, tape, tape_sha256, seed, capital, currency, version, settings, status)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'running')",
                params![
                    signed(run.0),
                    ledger.0,
                    tape.name,
                    tape.sha256,
                    seed,
                    capital.nanos(),
                    capital.currency().to_string(),
                    version,
                    serde_json::to_string(settings).map_err(StoreError::Encode)?
                ],
            )?;
        }
        RunInput::Resumed { .. } => {
            set_status("running")?;
        }
        RunInput::Suspended => {
            set_status("suspended")?;
        }
        RunInput::Checkpoint { .. } | RunInput::Failed { .. } => {}
        RunInput::GatesChanged { .. } | RunInput::InstrumentsChanged { .. } => {}
    }
    Ok(())
}

fn project_trading(transaction: &Transaction<'_>, run: RunId, record: &TradingRecord, at: i64) -> Projected {
    match record {
        TradingRecord::BreakerTripped(trip) => insert_trip(transaction, run, trip)?,
        TradingRecord::BreakerReleased { rule, subject, who } => {
            let sql = "UPDATE breakers SET released_at = ?4, released_by = ?5
                       WHERE run = ?1 AND rule = ?2 AND subject = ?3 AND released_at IS NULL";
            let (subject, who) = (subject_text(*subject)?, who.to_string());
            transaction.prepare_cached(sql)?.execute(params![signed(run.0), rule.as_str(), subject, at, who])?;
        }
        TradingRecord::BreakerOverruled { rule, subject, .. } => overrule(transaction, run, rule, *subject)?,
        TradingRecord::ModeChanged { .. } | TradingRecord::StateChanged { .. } | TradingRecord::FeedChanged { .. } => {}
        TradingRecord::BarsMissing { .. } | TradingRecord::MinuteFlawed { .. } => {}
        TradingRecord::UnlockAsked { .. } | TradingRecord::UnlockLapsed => {}
        TradingRecord::RearmRequested { .. } | TradingRecord::RearmLapsed | TradingRecord::PositionsDiffer { .. } => {}
        TradingRecord::FlattenAsked | TradingRecord::KillFinished | TradingRecord::Stage(_) => {}
    }
    Ok(())
}

/// An account that begins anew has no breaker latched.
fn release_all(transaction: &Transaction<'_>, run: RunId, at: i64) -> Projected {
    let sql = "UPDATE breakers SET released_at = ?2, released_by = 'reset' WHERE run = ?1 AND released_at IS NULL";
    transaction.prepare_cached(sql)?.execute(params![signed(run.0), at])?;
    Ok(())
}

fn subject_text(subject: Subject) -> Result<String, StoreError> {
    serde_json::to_string(&subject).map_err(StoreError::Encode)
}

fn insert_trip(transaction: &Transaction<'_>, run: RunId, trip: &Trip) -> Projected {
    transaction
        .prepare_cached(
            "INSERT INTO breakers (run, rule, subject, value, line, action, unlock, who, why, tripped_at, wall)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            signed(run.0),
            trip.rule.as_str(),
            subject_text(trip.subject)?,
            trip.value.nanos(),
            trip.limit.nanos(),
            String::from(trip.action),
            String::from(trip.unlock),
            trip.who.to_string(),
            trip.why,
            trip.at.0,
            trip.wall.0
        ])?;
    Ok(())
}

fn overrule(transaction: &Transaction<'_>, run: RunId, rule: &RuleName, subject: Subject) -> Projected {
    let sql = "UPDATE breakers SET overruled = 1 WHERE run = ?1 AND rule = ?2 AND subject = ?3 AND released_at IS NULL";
    transaction.prepare_cached(sql)?.execute(params![signed(run.0), rule.as_str(), subject_text(subject)?])?;
    Ok(())
}

fn side(side: OrderSide) -> &'static str {
    match side {
        OrderSide::Buy => "buy",
        OrderSide::Sell => "sell",
    }
}

fn kind(kind: OrderKind) -> (&'static str, Option<i64>) {
    match kind {
        OrderKind::Market => ("market", None),
        OrderKind::Limit(price) => ("limit", Some(price.nanos())),
        OrderKind::Stop(price) => ("stop", Some(price.nanos())),
    }
}

fn project_order(transaction: &Transaction<'_>, ledger: LedgerId, run: RunId, record: &OrderRecord, at: i64) -> Projected {
    match record {
        OrderRecord::Confirmed { order, .. } => insert_order(transaction, ledger, run, order, OrderState::Confirmed.word(), at)?,
        OrderRecord::LegPlaced { order } => insert_order(transaction, ledger, run, order, "working", at)?,
        OrderRecord::Stepped { order, to, .. } => {
            update(transaction, SET_STATE, run, *order, to.word(), at)?;
        }
        OrderRecord::Numbered { order, broker_ref } => {
            let number = signed(broker_ref.0);
            update(transaction, SET_NUMBER, run, *order, number, at)?;
        }
        OrderRecord::ChangeAsked { .. } => {}
        OrderRecord::TermsChanged { order, quantity, kind: terms } => {
            let (_, price) = kind(*terms);
            transaction
                .prepare_cached("UPDATE orders SET quantity = ?3, price = ?4, updated_at = ?5 WHERE run = ?1 AND order_id = ?2")?
                .execute(params![signed(run.0), signed(order.0), quantity.nanos(), price, at])?;
        }
        OrderRecord::Refused { .. } | OrderRecord::Contradicted { .. } | OrderRecord::NumbersTaken { .. } => {}
        OrderRecord::ReplyLost { .. } | OrderRecord::Missed { .. } => {}
    }
    Ok(())
}

const SET_STATE: &str = "UPDATE orders SET state = ?3, updated_at = ?4 WHERE run = ?1 AND order_id = ?2";
const SET_NUMBER: &str = "UPDATE orders SET broker_ref = ?3, updated_at = ?4 WHERE run = ?1 AND order_id = ?2";

fn update(
    transaction: &Transaction<'_>,
    sql: &str,
    run: RunId,
    order: OrderId,
    value: impl rusqlite::ToSql,
    at: i64,
) -> Projected {
    transaction.prepare_cached(sql)?.execute(params![signed(run.0), signed(order.0), value, at])?;
    Ok(())
}

fn insert_order(transaction: &Transaction<'_>, ledger: LedgerId, run: RunId, order: &Order, state: &str, at: i64) -> Projected {
    let request = &order.request;
    let (kind, price) = kind(request.kind);
    let signal = match request.origin {
        Origin::Proposal { signal, .. } => Some(signed(signal.0)),
        Origin::Ticket | Origin::Protective(_) | Origin::External => None,
    };
    transaction
        .prepare_cached(
            "INSERT INTO orders (order_id, run, mark, account, instrument, side, quantity, kind, price, origin, closes, signal_id,
                                 state, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )?
        .execute(params![
            signed(order.id.0),
            signed(run.0),
            order.id.mark(ledger),
            order.account.0,
            request.instrument.0,
            side(request.side),
            request.quantity.nanos(),
            kind,
            price,
            request.origin.word(),
            request.closes.map(|position| signed(position.0)),
            signal,
            state,
            order.created_at.0,
            at
        ])?;
    Ok(())
}

fn project_portfolio(transaction: &Transaction<'_>, run: RunId, record: &PortfolioRecord, at: i64) -> Projected {
    match record {
        PortfolioRecord::Filled { fill, position, .. } => {
            insert_fill(transaction, run, fill, position)?;
            upsert_position(transaction, run, position, fill.at.0)
        }
        PortfolioRecord::Protected { position, protection } => {
            transaction.execute(
                "UPDATE positions SET stop_loss = ?3, take_profit = ?4 WHERE run = ?1 AND position = ?2",
                params![
                    signed(run.0),
                    signed(position.0),
                    protection.stop_loss.map(Price::nanos),
                    protection.take_profit.map(Price::nanos)
                ],
            )?;
            Ok(())
        }
        PortfolioRecord::FillContradicted { .. } => Ok(()),
        PortfolioRecord::Reset { .. } => release_all(transaction, run, at),
    }
}

fn insert_fill(transaction: &Transaction<'_>, run: RunId, fill: &Fill, position: &Position) -> Projected {
    let liquidity = match fill.liquidity {
        crate::domain::Liquidity::VolumeCapped => "volume capped",
        crate::domain::Liquidity::Unlimited => "unlimited",
    };
    transaction
        .prepare_cached(
            "INSERT INTO fills (account, deal_id, run, order_id, position, closes, instrument, side, quantity, price, cost, liquidity, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            position.account.0,
            signed(fill.deal.0),
            signed(run.0),
            signed(fill.order.0),
            signed(fill.position.0),
            fill.closes,
            fill.instrument.0,
            side(fill.side),
            fill.quantity.nanos(),
            fill.price.nanos(),
            fill.cost.nanos(),
            liquidity,
            fill.at.0
        ])?;
    transaction.prepare_cached("UPDATE orders SET filled = filled + ?3 WHERE run = ?1 AND order_id = ?2")?.execute(params![
        signed(run.0),
        signed(fill.order.0),
        fill.quantity.nanos()
    ])?;
    Ok(())
}

fn upsert_position(transaction: &Transaction<'_>, run: RunId, position: &Position, at: i64) -> Projected {
    let long_or_short = match position.side {
        PositionSide::Long => "long",
        PositionSide::Short => "short",
    };
    transaction
        .prepare_cached(
            "INSERT INTO positions (position, run, account, instrument, side, quantity, basis, realised, costs, stop_loss, take_profit,
                                    opened_at, closed_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
             ON CONFLICT (run, position) DO UPDATE SET quantity = excluded.quantity, basis = excluded.basis, realised = excluded.realised,
                 costs = excluded.costs, closed_at = excluded.closed_at",
        )?
        .execute(params![
            signed(position.id.0),
            signed(run.0),
            position.account.0,
            position.instrument.0,
            long_or_short,
            position.quantity.nanos(),
            position.basis.nanos(),
            position.realised.nanos(),
            position.costs.nanos(),
            position.protection.stop_loss.map(Price::nanos),
            position.protection.take_profit.map(Price::nanos),
            position.opened_at.0,
            position.quantity.is_zero().then_some(at)
        ])?;
    Ok(())
}

fn project_signal(transaction: &Transaction<'_>, run: RunId, record: &SignalRecord) -> Projected {
    match record {
        SignalRecord::Judged { signal, validation } => {
            insert_signal(transaction, run, signal, validation)?;
            insert_validation(transaction, run, signal.id, validation)?;
            transaction
                .prepare_cached(
                    "INSERT INTO llm_risk_assessments (run, signal_id, risk_level, assessor) VALUES (?1, ?2, ?3, 'rules')",
                )?
                .execute(params![signed(run.0), signed(signal.id.0), signal.risk.word()])?;
        }
        SignalRecord::Resolved { signal, outcome, .. } => {
            transaction
                .prepare_cached(
                    "UPDATE llm_signals SET entry = ?3, exit = ?4, net_return = ?5, resolved_at = ?6 WHERE run = ?1 AND signal_id = ?2",
                )?
                .execute(params![
                    signed(run.0),
                    signed(signal.0),
                    outcome.entry.nanos(),
                    outcome.exit.nanos(),
                    outcome.net_return.nanos(),
                    outcome.at.0
                ])?;
        }
    }
    Ok(())
}

fn insert_signal(transaction: &Transaction<'_>, run: RunId, signal: &Signal, validation: &Validation) -> Projected {
    let view = &signal.view;
    let direction = match view.direction {
        Direction::Long => "long",
        Direction::Short => "short",
    };
    let probability = match view.probability {
        Probability::Calibrated(chance) => Some(chance.nanos()),
        Probability::Uncalibrated => None,
    };
    transaction
        .prepare_cached(
            "INSERT INTO llm_signals (run, signal_id, source, instrument, direction, strength, horizon_bars, probability, as_of,
                                      reference, rationale, passed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            signed(run.0),
            signed(signal.id.0),
            view.source.word(),
            view.instrument.0,
            direction,
            view.strength.nanos(),
            view.horizon_bars,
            probability,
            view.as_of.0,
            view.reference.nanos(),
            view.rationale,
            validation.passed()
        ])?;
    Ok(())
}

fn insert_validation(transaction: &Transaction<'_>, run: RunId, signal: SignalId, validation: &Validation) -> Projected {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO llm_signal_validations (run, signal_id, layer, verdict, value, threshold, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for layer in &validation.layers {
        insert.execute(params![
            signed(run.0),
            signed(signal.0),
            layer.layer.word(),
            layer.verdict.word(),
            layer.value.map(Ratio::nanos),
            layer.threshold.map(Ratio::nanos),
            layer.reason
        ])?;
    }
    Ok(())
}

fn project_alert(transaction: &Transaction<'_>, run: RunId, record: &AlertRecord) -> Projected {
    match record {
        AlertRecord::Raised(alert) => insert_alert(transaction, run, alert),
        AlertRecord::Acknowledged { from, to } => {
            transaction.execute(
                "UPDATE alerts SET acknowledged = 1 WHERE run = ?1 AND alert_id BETWEEN ?2 AND ?3",
                params![signed(run.0), signed(from.0), signed(to.0)],
            )?;
            Ok(())
        }
    }
}

fn insert_alert(transaction: &Transaction<'_>, run: RunId, alert: &Alert) -> Projected {
    let severity = match alert.severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    };
    transaction
        .prepare_cached(
            "INSERT INTO alerts (run, alert_id, severity, topic, instrument, at, text, acknowledged) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0)",
        )?
        .execute(params![
            signed(run.0),
            signed(alert.id.0),
            severity,
            format!("{:?}", alert.topic).to_lowercase(),
            alert.instrument.map(|instrument| instrument.0),
            alert.at.0,
            alert.text
        ])?;
    Ok(())
}
