//! A demo account over xAPI 2.5.0.
//!
//! `wire.rs` is the codec, `client.rs` the state machine of the two connections, `link.rs` its sockets, `adapter.rs` what orders and
//! positions mean on this wire, `demo.rs` all of it as a broker. What must stay true: a trade request is written at most once; a lost reply is said to be lost; nothing
//! is retried that could double; a refused login is not repeated; the password cannot be printed.

mod adapter;
mod client;
mod demo;
mod errors;
mod link;
mod tls;
mod wire;

pub use crate::domain::{Decimal, Secret};
pub use adapter::Adapter;
pub use client::{Ask, AskId, Client, ClientEvent, Input, LinkState, LoginText, Output, Settings, Snapshot, Socket, Vitals};
pub use demo::Demo;
pub use link::{Address, Link, NOBODY_LISTENS};
pub use tls::{Tls, TlsError};
pub use wire::{Margin, Status, Symbol, Tick, Trade, TradeRequest};

/// The codec's face, for tests that hand it bytes.
pub mod codec {
    pub use super::wire::{
        Candle, Chart, Pushed, Reply, WireError, command, decode, decode_each, decode_pushed, decode_reply, trade_command,
    };
}
