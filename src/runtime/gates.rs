//! Which gates and breakers a person has changed since the ledger's last run. A gate that moves after the evidence is in decides nothing, and
//! a breaker that moves after a loss guards nothing, so a change is journalled.

use serde::Serialize;
use serde_json::Value;

use crate::domain::{Actor, RunId};
use crate::engine::{EngineSettings, GateChange, InputBody, RunInput};
use crate::risk::{Limit, Rule};
use crate::runtime::Trouble;
use crate::runtime::config::shipped_gates;
use crate::signals::PlanGates;
use crate::store::{Body, LedgerFile, StoreError};

/// What to journal where a gate differs from what the ledger's last run recorded; nothing where none does, or none was recorded.
pub fn changed_since_last_run(file: &LedgerFile, settings: &EngineSettings) -> Result<Option<RunInput>, StoreError> {
    let Some(last) = file.latest_run()? else { return Ok(None) };
    let changes = recorded(file, last.run)?.map_or_else(Vec::new, |was| changes(&was, settings));
    Ok((!changes.is_empty()).then_some(RunInput::GatesChanged { by: Actor::Person, since: last.run, changes }))
}

/// The plan's gates that are not as shipped: what is held against a moved one is not held against the plan.
pub fn moved_gates(is: &PlanGates) -> Result<Vec<GateChange>, Trouble> {
    Ok(differing("evidence", &shipped_gates()?, is))
}

/// The settings a run was last started with.
fn recorded(file: &LedgerFile, run: RunId) -> Result<Option<EngineSettings>, StoreError> {
    let mut latest = None;
    file.read_run(run, |stored| {
        if let Body::Input(input) = &stored.entry.body
            && let InputBody::Run(RunInput::Opened { settings, .. } | RunInput::Resumed { settings, .. }) = &input.body
        {
            latest = Some(settings.clone());
        }
        Ok(())
    })?;
    Ok(latest)
}

/// Layers' thresholds, the plan's gates, sizes and stages that differ, by the names under which a person sets them.
fn changes(was: &EngineSettings, is: &EngineSettings) -> Vec<GateChange> {
    let mut found = differing("gates", &was.gates, &is.gates);
    if let Some((was, is)) = was.evidence.zip(is.evidence) {
        found.extend(differing("evidence", &was, &is));
    }
    if let Some((was, is)) = was.sizing.zip(is.sizing) {
        found.extend(differing("sizing", &was, &is));
    }
    if let Some((was, is)) = was.stages.zip(is.stages) {
        found.extend(differing("stages", &was, &is));
    }
    found.extend(changed_breakers(was, is));
    found
}

/// Rows of the table of breakers that differ, are new or are gone. A limit counts by its value, wherever it is written.
fn changed_breakers(was: &EngineSettings, is: &EngineSettings) -> Vec<GateChange> {
    let resolved =
        |rule: &Rule, settings: &EngineSettings| Rule { limit: Limit::Number(rule.limit.of(&settings.limits)), ..rule.clone() };
    let (there, none) = (|| "a row".to_owned(), || "none".to_owned());
    let key = |rule: &Rule| format!("breaker.{}", rule.name);
    let mut found = Vec::new();
    for rule in is.breakers.iter() {
        match was.breakers.get(&rule.name) {
            Some(old) => found.extend(differing(&key(rule), &resolved(old, was), &resolved(rule, is))),
            None => found.push(GateChange { key: key(rule), was: none(), is: there() }),
        }
    }
    let is_gone = |rule: &&Rule| is.breakers.get(&rule.name).is_none();
    found.extend(was.breakers.iter().filter(is_gone).map(|rule| GateChange { key: key(rule), was: there(), is: none() }));
    found
}

fn differing(section: &str, was: &impl Serialize, is: &impl Serialize) -> Vec<GateChange> {
    let (Ok(Value::Object(was)), Ok(Value::Object(is))) = (serde_json::to_value(was), serde_json::to_value(is)) else {
        return Vec::new();
    };
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let change = |(key, new): (&String, &Value)| {
        let old = was.get(key).filter(|old| *old != new)?;
        Some(GateChange { key: format!("{section}.{key}"), was: shown(old), is: shown(new) })
    };
    is.iter().filter_map(change).collect()
}
