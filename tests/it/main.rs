//! Tests at the faces of the rooms, and of the program as a person meets it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the impossible should stop there"
)]

mod allocate;
mod allocation;
mod amounts;
mod backtest;
mod bad_input;
mod breakers;
mod bulletin_screens;
mod bulletins_session;
mod bulletins_sockets;
mod calendar;
mod command_line;
mod corpora;
mod coverage;
mod crash;
mod dialogs;
mod documents;
mod economics;
mod endings;
mod evidence;
mod exchange;
mod faults;
mod feed_screen;
mod feed_weeks;
mod feed_world;
mod frames;
mod gates;
mod gates_screen;
mod house;
mod import;
mod journal;
mod keys;
mod limits;
mod llm_cache;
mod llm_catalogue;
mod llm_command;
mod llm_decoder;
mod llm_fakes;
mod llm_gguf;
mod llm_grammar;
mod llm_language;
mod llm_product;
mod llm_reference;
mod llm_remote;
mod llm_stand_in;
mod llm_tasks;
mod llm_tokens;
mod llm_worker;
mod locks;
mod lookahead;
mod model_screen;
mod model_session;
mod oracles;
mod parity;
mod planted;
mod properties;
mod providers_alpha_vantage;
mod providers_binance;
mod providers_campaign;
mod providers_session;
mod providers_sockets;
mod providers_wire;
mod providers_yahoo;
mod quality;
mod reconcile;
mod recorder;
mod records;
mod rehearsals;
mod report;
mod resampling;
mod screens;
mod scripts;
mod secrets;
mod sentiment;
mod sizing;
mod stage;
mod stats_file;
mod sudden_deaths;
mod support;
mod tapes;
mod terminal;
mod undefined;
mod violent_day;
mod volatility;
mod walkforward;
mod watching;
mod watching_run;
mod what_if;
mod world;
mod xapi_adapter;
mod xapi_campaign;
mod xapi_client;
mod xapi_conformance;
mod xapi_faults;
mod xapi_line;
mod xapi_server;
mod xapi_session;
mod xapi_sockets;
mod xapi_times;
