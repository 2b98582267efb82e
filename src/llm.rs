//! Floor 5: local language models. Facts in, typed answers out.
//!
//! A model runs in a process of its own ([`worker`]); what it may write is held by a grammar, how long it may take by a deadline, and what it
//! says is an opinion with a probability or an abstention with a reason. What must stay true: nothing here knows an order, an account or
//! a way to either; a number in a text that is in no table of facts is marked; a failure is never an opinion; nothing here opens a socket
//! but the backend that a person configured.

pub mod answer;
pub mod ask;
pub mod bandwidth;
pub mod decoder;
pub mod gguf;
pub mod model;
pub mod panel;
pub mod stock;
