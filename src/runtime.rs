//! Floor 6: wiring. Threads, clocks, files, configuration, recovery.
//!
//! The engine thread owns engine, tape player and broker; a journal thread owns the database; the screen shares only [`Frame`] and
//! [`Request`] with them. What must stay true: records are durable before their effects leave (the kill switch alone latches first);
//! a failed commit stops trading and leaves the screen alive; nothing here draws.

mod allocation;
mod clock;
mod config;
mod desk;
mod files;
mod gates;
mod headless;
mod home;
mod instruments;
mod journal;
mod kill;
mod logging;
mod markets;
mod model;
mod models;
mod pace;
mod parity;
mod practice;
mod recorded;
mod recorder;
mod recovery;
mod replay;
mod scores;
mod scripts;
mod secrets;
mod session;
mod source;
mod supervise;
mod trouble;
mod watchlist;

pub use crate::broker::{AccountMoney, LinkView, SocketView};
pub use crate::llm::catalogue::ModelName;
pub use crate::market::bulletins::{BulletinView, Headline, SeriesView, SourceView, Topic};
pub use crate::market::providers::{
    Alias, Capability, FeedView, Hit, KeyName, Listing, MinutesView, ProviderId, ProviderView, SearchStands, SearchView,
    ServedView, Stands, StreamView,
};
pub use crate::market::{Met, Minutes, Pause};
pub use allocation::{Advised, Allocated, AllocationDesk, AllocationTerms, Allocator, Expected, allocation_desk};
pub use clock::wall_now;
pub use config::{
    Config, FeedKind, ModelDevice, ModelSettings, Named, Palette, ScreenSettings, XapiSettings, load as load_config, nearest,
    settings_of,
};
pub use files::{write_atomically, write_bytes_atomically};
pub use gates::moved_gates;
pub use headless::Headless;
pub use home::{Home, Lock};
pub use instruments::instruments;
pub use kill::{FiredBy, KillLatch};
pub use logging::start as start_logging;
pub use markets::{LIVE_MARKETS, connect_providers, load_bulletins, load_providers, older_name};
pub use model::{Voices, open_voices};
pub use models::{WORKER_VERB, load_models, model_threads, model_worker};
pub use pace::{Speed, play_paced};
pub use parity::live_again;
pub use practice::{Practice, contracts_of};
pub use recorded::{Recorded, finish_left, finish_recording, tape_of_run};
pub use recorder::{Ended, Plan, Recording, Stop};
pub use recovery::{Feed, HeardFrom, Opened, RunTerms, broker_of, open_ledger, open_run, restore, run_to_take_up};
pub use replay::{Market, ReplayReport, replay};
pub use scores::{Scored, ScoresDesk, scores_desk};
pub use scripts::load_scripts;
pub use secrets::{Credential, PASSWORD_VARIABLE, Place};
pub use session::{Answer, Frame, JournalHealth, Playback, Request, Session, TapeControl, WatchRequest, Wiring};
pub use source::{HISTORY, Providers, Source, feed_inputs, listed_series, live_series, provider_series};
pub use supervise::{TaskDeath, complain, install_panic_hook, on_death, spawn_named};
pub use trouble::Trouble;
pub use watchlist::{
    Changed, Draft, Known, MOST_OWN, OwnInstrument, Shelf, WatchChange, WatchDesk, Watchlist, draft_of, watch_desk,
};
