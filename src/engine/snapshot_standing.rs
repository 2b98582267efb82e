//! How the running account stands against the gates: made with a picture, off the way of an event.

use serde::{Deserialize, Serialize};

use crate::domain::{MarketTime, Money, Ratio, SignalSource, Stage, WallTime};
use crate::engine::{Counts, Engine};
use crate::risk::{Action, Metric, Rule, Scope, Subject};
use crate::signals::{GateVerdict, PlanGates, Standing};

/// The account's stage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StageView {
    /// Which.
    pub stage: Stage,
    /// Since when.
    pub since: MarketTime,
    /// How much of the account counts.
    pub capital: Money,
    /// The next stage and what would count there.
    pub next: Option<(Stage, Money)>,
    /// Whether a person may take the step.
    pub is_offered: bool,
    /// When the step was asked for.
    pub asked: Option<WallTime>,
}

/// What a record is held against.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StandingRow {
    /// Whose; nothing for the whole account.
    pub source: Option<SignalSource>,
    /// The stage whose gate it is.
    pub stage: Stage,
    /// How it stands.
    pub standing: Standing,
    /// What that says.
    pub verdict: GateVerdict,
}

/// What stops a source, or the account, by the plan's lower line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopRow {
    /// Whose; nothing for the whole account.
    pub source: Option<SignalSource>,
    /// Share of the calls of the window that were right; nothing below thirty.
    pub right: Option<Ratio>,
    /// The line below which it stops.
    pub limit: Ratio,
    /// Days looked back on.
    pub days: u32,
    /// Whether it is stopped now.
    pub is_stopped: bool,
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StandingView {
    /// The stage, where stages are enforced.
    pub stage: Option<StageView>,
    /// The account against the gate of each stage, then each source against the gate in force.
    pub rows: Vec<StandingRow>,
    /// Sources, or the account, against the line that stops them.
    pub stops: Vec<StopRow>,
    /// What of the account's record is a count.
    pub counts: Counts,
    /// The plan's gates; nothing where the run knows none.
    pub plan: Option<PlanGates>,
    /// Until when history only warmed up.
    pub warm_until: MarketTime,
}

impl Engine {
    pub(super) fn standing_view(&self) -> StandingView {
        let stage = self.book.staged.map_or(Stage::First, |staged| staged.stage);
        let account = self.book.staged.map_or_else(|| self.book.standings.account(), |staged| staged.tally);
        let row = |source, stage, standing: Standing| StandingRow { source, stage, standing, verdict: standing.verdict() };
        let gates = self.settings.evidence;
        let of_account = Stage::ALL.into_iter().filter(|stage| stage.next().is_some()).filter_map(|stage| {
            let limit = gates?.of_stage(stage).to_f64();
            Some(row(None, stage, account.against(limit)))
        });
        let sources = self.book.standings.sources();
        let of_sources = sources.filter_map(|source| Some(row(Some(source), stage, self.standing_of(source)?)));
        StandingView {
            stage: self.stage_view(),
            rows: of_account.chain(of_sources).collect(),
            stops: self.settings.breakers.iter().flat_map(|rule| self.stops_of(rule)).collect(),
            counts: self.book.counts,
            plan: gates,
            warm_until: self.book.warm_until,
        }
    }

    fn stage_view(&self) -> Option<StageView> {
        let staged = self.book.staged?;
        Some(StageView {
            stage: staged.stage,
            since: staged.since,
            capital: self.capital_of(staged.stage)?,
            next: staged.stage.next().and_then(|next| Some((next, self.capital_of(next)?))),
            is_offered: staged.is_offered,
            asked: staged.asked,
        })
    }

    /// The rows of one breaker that watches the plan's lower line.
    fn stops_of(&self, rule: &Rule) -> Vec<StopRow> {
        let Some(days) = rule.window.filter(|_| rule.metric == Metric::CallsRight) else { return Vec::new() };
        let limit = rule.limit.of(&self.settings.limits);
        let stop = |source: Option<SignalSource>| {
            let subject = source.map_or(Subject::Account, Subject::Source);
            let holds = |trip: &crate::risk::Trip| trip.rule == rule.name && trip.subject == subject;
            let is_stopped = rule.action != Action::Warn && self.book.breakers.acting().any(holds);
            StopRow { source, right: self.right_lately(source, days), limit, days, is_stopped }
        };
        match rule.scope {
            Scope::Account | Scope::Instrument => vec![stop(None)],
            Scope::Source => {
                // One that is stopped is shown though its count begins anew.
                let stopped = self.book.breakers.latched().iter().filter(|trip| trip.rule == rule.name);
                let stopped = stopped.filter_map(|trip| match trip.subject {
                    Subject::Source(source) => Some(source),
                    Subject::Account | Subject::Instrument(_) => None,
                });
                let mut sources: Vec<SignalSource> = self.book.streaks.dated_sources().chain(stopped).collect();
                sources.sort();
                sources.dedup();
                sources.into_iter().map(|source| stop(Some(source))).collect()
            }
        }
    }
}
