//! Floor 5: local language models. Facts in, typed answers out.
//!
//! A model runs in a process of its own ([`worker`]); what it may write is held by a grammar, how long it may take by a deadline, and what it
//! says is an opinion with a probability or an abstention with a reason. What must stay true: nothing here knows an order, an account or
//! a way to either; a number in a text that is in no table of facts is marked; a failure is never an opinion; nothing here opens a socket
//! but the backend that a person configured, and the fetch of a model that a person asked for.

pub mod analyst;
pub mod answer;
pub mod answering;
pub mod ask;
pub mod asking;
pub mod bandwidth;
pub mod cache;
pub mod catalogue;
pub mod chat;
pub mod decoder;
pub mod desk;
pub mod generate;
pub mod gguf;
pub mod grammar;
mod http;
pub mod install;
pub mod model;
pub mod opinions;
pub mod panel;
pub mod protocol;
pub mod remote;
pub mod samples;
pub mod tasks;
pub mod tokenizer;
pub mod weigh;
pub mod worker;
