//! Floor 7: the screen.
//!
//! One state, one `update`, no I/O in either; panes are pure functions from state and picture to cells. The screen reads immutable
//! [`Frame`](crate::runtime::Frame)s and sends [`Request`](crate::runtime::Request)s: a hung screen cannot trade, and a hung engine
//! shows as an ageing heartbeat. It holds nothing beyond what is being typed or looked at.
//! What must stay true: an order leaves only through a preview and its own key; paste and mouse never confirm; the kill switch is
//! reachable from every state, dialog and text field; state is never told by colour alone.

mod actions;
mod app;
mod candles;
mod column;
mod commandline;
mod curve;
mod draw;
mod export;
mod format;
mod intent;
mod keeper;
mod keys;
mod layout;
mod overlays;
mod panes;
mod roles;
mod rows;
mod screen_file;
mod state;
mod table;
mod terminal;
mod ticket;
mod update;
mod watching;

pub use actions::{ACTIONS, ActionId, ActionInfo};
pub use app::{Ended, Start, run};
pub use curve::{Curve, gauge_bar};
pub use draw::{Picture, draw};
pub use export::{style_layer, to_ansi, to_svg, to_text};
pub use intent::{Intent, Preview, PreviewPhase};
pub use keeper::Keeper;
pub use keys::{Keymap, KeymapError};
pub use layout::{Class, class_of};
pub use roles::{Role, Theme};
pub use screen_file::ScreenFile;
pub use state::{Context, Overlay, Pane, Sort, UiState, View, WatchForm};
pub use terminal::{Terminal, TerminalProblem, restore_now};
pub use update::{Effect, Event, Scene, update};
