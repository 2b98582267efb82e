//! One file per pane; each is a pure function from picture to cells.

pub mod activity;
pub mod alerts;
pub mod allocation;
pub mod broker;
pub mod commentary;
pub mod detail;
pub mod economy;
pub mod equity;
pub mod feed;
pub mod gates;
pub mod model;
pub mod news;
pub mod positions;
pub mod quotes;
pub mod risk;
pub mod scores;
pub mod signals;
pub mod status;
