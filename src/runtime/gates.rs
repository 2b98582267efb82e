//! Which gates a person has changed since the ledger's last run. A gate that moves after the evidence is in decides nothing, so a change is
//! journalled.

use serde::Serialize;
use serde_json::Value;

use crate::domain::{Actor, RunId};
use crate::engine::{EngineSettings, GateChange, InputBody, RunInput};
use crate::store::{Body, LedgerFile, StoreError};

/// What to journal where a gate differs from what the ledger's last run recorded; nothing where none does, or none was recorded.
pub fn changed_since_last_run(file: &LedgerFile, settings: &EngineSettings) -> Result<Option<RunInput>, StoreError> {
    let Some(last) = file.latest_run()? else { return Ok(None) };
    let changes = recorded(file, last.run)?.map_or_else(Vec::new, |was| changes(&was, settings));
    Ok((!changes.is_empty()).then_some(RunInput::GatesChanged { by: Actor::Person, since: last.run, changes }))
}

/// The settings a run was last started with.
fn recorded(file: &LedgerFile, run: RunId) -> Result<Option<EngineSettings>, StoreError> {
    let mut latest = None;
    file.read_run(run, |stored| {
        if let Body::Input(input) = &stored.entry.body
            && let InputBody::Run(RunInput::Opened { settings, .. } | RunInput::Resumed { settings, .. }) = &input.body
        {
            latest = Some(*settings);
        }
        Ok(())
    })?;
    Ok(latest)
}

/// Layers' thresholds and the plan's gates that differ, by the names under which a person sets them.
fn changes(was: &EngineSettings, is: &EngineSettings) -> Vec<GateChange> {
    let mut found = differing("gates", &was.gates, &is.gates);
    if let Some((was, is)) = was.evidence.zip(is.evidence) {
        found.extend(differing("evidence", &was, &is));
    }
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
