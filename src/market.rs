//! Floor 5: where market events come from. Tapes of real history, what a broker's own market says, and what public providers say.
//!
//! A tape holds bars. For the eye, quotes are drawn inside each bar along a seeded path (see `path`), labelled *synthesised from bars*;
//! signals and fills come from the bars alone. The room decides nothing about trading and reads no clock: pacing belongs to `runtime/`.
//! What must stay true: the same tape and seed give the same events; nothing of a bar but its open is said before the bar closes, except
//! drawn quotes, at which nothing trades.

mod apart;
pub mod bulletins;
mod catalogue;
mod layered;
mod live;
mod making;
pub mod own;
mod path;
mod player;
pub mod providers;
mod quality;
mod silence;
mod tape;
mod told;
mod writer;

pub use catalogue::{BUNDLED, PRICES, bundled, load, load_among, may_be_named, own_tapes};
pub use layered::{TableError, WrittenIn};
pub use live::{LiveFeed, Silences};
pub use making::{MadeSeries, MadeTape, make_tape};
pub use player::Player;
pub use quality::{Met, Minutes, Pause};
pub use tape::{SeriesMeta, Tape, TapeError, TapeMeta};
pub use told::{ToldBars, ToldFeed};
pub use writer::{PriceFile, tape_bytes};
