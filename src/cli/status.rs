//! `pmax kill`, `pmax status` and `pmax info`.

use std::path::Path;

use serde_json::json;

use crate::cli::args::{Args, Format};
use crate::cli::journal::ledger;
use crate::cli::open::Base;
use crate::cli::{Done, OK, say};
use crate::domain::counted;
use crate::runtime::{Home, KillLatch, Trouble};
use crate::store::RunStatus;

/// Fires the kill switch through its file. Needs no configuration, so that a damaged one cannot be in the way.
pub fn kill(args: &Args, why: &str, format: Format) -> Done {
    let home = Home::find(args.home.as_deref())?;
    let is_running = home.is_in_use();
    let latch = KillLatch::new(home.kill_file());
    latch.fire(why).map_err(|error| {
        Trouble::new(
            format!("The kill file {} cannot be written: {error}", home.kill_file().display()),
            "Nothing was halted",
            "Press F12 twice in the workstation, or stop the process",
        )
    })?;
    if format == Format::Json {
        let file = home.kill_file().display().to_string();
        say(&json!({"fired": true, "running": is_running, "why": why, "file": file}).to_string());
    } else if is_running {
        say("kill switch fired: the running workstation halts and cancels its orders");
    } else {
        say("no workstation runs here; the next start will be HALTED until a person re-arms it");
    }
    Ok(OK)
}

/// What runs and what the ledger holds.
pub fn status(args: &Args, format: Format) -> Done {
    let base = Base::open(args)?;
    let is_running = base.home.is_in_use();
    let is_killed = base.home.kill_file().exists();
    if !base.home.has_ledger() {
        match format {
            Format::Json => say(&json!({"running": is_running, "killed": is_killed, "runs": []}).to_string()),
            Format::Text => say("no ledger yet: start the workstation once"),
        }
        return Ok(OK);
    }
    let file = ledger(&base)?;
    let (runs, at_work) = (file.runs()?, file.run_at_work()?);
    let mut rows = Vec::new();
    for run in &runs {
        let (positions, orders) = file.count_open(run.run)?;
        let status = match run.status {
            RunStatus::Suspended => "suspended",
            RunStatus::Running if is_running && at_work == Some(run.run) => "running",
            RunStatus::Running => "killed",
        };
        rows.push((run, positions, orders, status));
    }
    if format == Format::Json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(run, positions, orders, status)| {
                json!({"run": run.run.0, "tape": run.tape.name, "capital": run.capital.to_string(), "status": status,
                       "open_positions": positions, "open_orders": orders, "version": run.version})
            })
            .collect();
        say(&json!({"running": is_running, "killed": is_killed, "last_entry": file.last_seq().0, "runs": rows}).to_string());
        return Ok(OK);
    }
    say(if is_running { "a workstation is running" } else { "no workstation is running" });
    if is_killed {
        say("the kill switch has fired: trading is HALTED until a person re-arms it");
    }
    say(&format!("journal: {}", counted(file.last_seq().0, "entry")));
    for (run, positions, orders, status) in rows {
        say(&format!(
            "{:<8} {:<12} {status:<9} {}, {} open",
            run.run.to_string(),
            run.tape.name,
            counted(positions, "position"),
            counted(orders, "order")
        ));
    }
    Ok(OK)
}

/// Where things are.
pub fn info(args: &Args, format: Format) -> Done {
    let home = Home::find(args.home.as_deref())?;
    let config = args.config.clone().unwrap_or_else(|| home.config_file());
    let (version, sqlite) = (env!("CARGO_PKG_VERSION"), rusqlite::version());
    let places = [
        ("configuration", config),
        ("ledger", home.ledger_file()),
        ("trials", home.trials_file()),
        ("kill file", home.kill_file()),
        ("screen", home.screen_file()),
        ("logs", home.log_folder()),
    ];
    if format == Format::Json {
        let place = |path: &Path| json!({"path": path.display().to_string(), "exists": path.exists()});
        let files: serde_json::Map<_, _> = places.iter().map(|(name, path)| (name.replace(' ', "_"), place(path))).collect();
        say(&json!({"version": version, "sqlite": sqlite, "files": files}).to_string());
        return Ok(OK);
    }
    say(&format!("pmax          {version}"));
    say(&format!("SQLite        {sqlite}"));
    for (name, path) in places {
        let exists = if path.exists() { "" } else { " (not there)" };
        say(&format!("{name:<13} {}{exists}", path.display()));
    }
    Ok(OK)
}
