//! Floor 4: the engine, a deterministic state machine.
//!
//! [`Engine::handle`] takes one [`Event`] and gives an [`Outcome`]: records (what was decided, to be made durable) and effects (what is
//! to be done after that). It has no clock, no I/O, no thread, no randomness, and iterates over nothing unordered.
//!
//! The state has two halves. The *market* half ([`MarketState`]) is a fold over market events; the *book* half ([`Book`]) is a fold over
//! records. So there are two ways back to the same state: handling all inputs again (replay) or applying the recorded decisions
//! (recovery). Both end in the same [`StateHash`], and a test holds them to it.

mod book;
mod breaking;
mod broker_reports;
mod closing;
mod commands;
mod companions;
mod core;
mod correlations;
mod daily;
mod doubts;
mod economy;
mod effect;
mod event;
mod history;
mod judging;
mod kill;
mod locks;
mod market_events;
mod on_order;
mod proposal;
mod quality;
mod reconcile;
mod record;
mod run_inputs;
mod sectors;
mod situation;
mod sizing;
mod snapshot;
mod snapshot_build;
mod snapshot_standing;
mod sources;
mod spikes;
mod stages;
mod standings;
mod streaks;
mod tail_watch;
mod usual;
mod watching;
mod what_if;

mod wording;

pub use book::{Activity, Book, KillPhase, SignalEntry, StateReason};
pub use core::{Engine, EngineSettings, Holidays, Outcome, Setup, StateHash};
pub use economy::{EconomyRow, EconomyView};
pub use effect::Effect;
pub use event::{
    Command, Event, GateChange, Input, InputBody, LinkStands, RunInput, Seen, ServedWhat, TapeRef, Ticket, WasClean,
};
pub use history::{BarHistory, MarketState, Series};
pub use judging::Looks;
pub use proposal::Proposal;
pub use record::{
    AlertRecord, Learns, OrderRecord, PortfolioRecord, ProposalRecord, Record, RunRecord, SignalRecord, StageRecord,
    TradingRecord,
};
pub use snapshot::{
    AccountView, BreakerRow, OrderPreview, PositionRow, PreviewSubject, ProposalRow, QuoteRow, ScoreRow, Snapshot,
    SnapshotRequest,
};
pub use snapshot_standing::{StageView, StandingRow, StandingView, StopRow};
pub use stages::Shown;
pub use standings::Counts;
pub use what_if::WhatIf;
