//! How much of an account counts at each stage, as `config/pmax.toml` states it under `[stages]`.

use serde::{Deserialize, Serialize};

use crate::domain::Stage;

/// The capital of each stage, in whole units of the account's currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageSettings {
    /// At the first stage.
    pub first: u32,
    /// At the second.
    pub second: u32,
    /// At the third.
    pub third: u32,
    /// At the last.
    pub fourth: u32,
}

impl StageSettings {
    /// What counts at a stage.
    pub const fn capital(&self, stage: Stage) -> u32 {
        match stage {
            Stage::First => self.first,
            Stage::Second => self.second,
            Stage::Third => self.third,
            Stage::Fourth => self.fourth,
        }
    }
}
