//! Who speaks in a session: the analyst, whoever has opinions, and how the models behind them stand.

use crate::llm::answering::ModelView;
use crate::signals::{Analyst, Opine};

/// The voices of a session. By default the rules speak and nobody has opinions.
#[derive(Debug, Default)]
pub struct Voices {
    /// Who writes comments; the rules where there is nobody.
    pub analyst: Option<Box<dyn Analyst>>,
    /// Who has opinions.
    pub opine: Option<Box<dyn Opine>>,
    /// How the models stand, for the pictures.
    pub view: ModelView,
}
