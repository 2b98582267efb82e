//! pmax, a trading workstation that lives in a terminal.
//!
//! Rooms stand on floors; a room uses only rooms below it (`tests/it/house.rs` holds the table). See ARCHITECTURE.md.

pub mod backtest;
pub mod broker;
pub mod cli;
pub mod domain;
pub mod engine;
pub mod exchange;
pub mod llm;
pub mod market;
pub mod orders;
pub mod portfolio;
pub mod report;
pub mod risk;
pub mod runtime;
pub mod signals;
pub mod simulator;
pub mod stats;
pub mod store;
pub mod ui;
