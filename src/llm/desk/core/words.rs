//! How the desk stands, in words and counts, for the panel.

use std::cmp::Ordering;

use super::{Core, Phase, Standing};
use crate::domain::CleanText;
use crate::llm::panel::Rung;
use crate::llm::protocol::Loaded;

impl Core {
    /// The rung in use.
    pub(in crate::llm::desk) fn rung(&self) -> Rung {
        self.rungs.get(self.at).map_or(Rung::Rules, |rung| rung.rung)
    }

    /// Its place in the ladder; beyond the last where the rules answer.
    pub(in crate::llm::desk) fn place(&self) -> usize {
        self.at
    }

    /// What is loaded, once it is.
    pub(in crate::llm::desk) fn loaded(&self) -> Option<&Loaded> {
        match &self.phase {
            Phase::Up { loaded, .. } => Some(loaded),
            Phase::Resting { .. } | Phase::Starting { .. } | Phase::Rules { .. } | Phase::Ended => None,
        }
    }

    /// Bytes the worker holds, as it said last.
    pub(in crate::llm::desk) fn memory_bytes(&self) -> Option<u64> {
        self.memory_bytes
    }

    /// Every rung and how it stands, the rules last.
    pub(in crate::llm::desk) fn ladder(&self) -> Vec<(Rung, CleanText)> {
        let words = |(place, one): (usize, &Standing)| match place.cmp(&self.at) {
            Ordering::Less => CleanText::from_outside(&format!("left: {}", one.why)),
            Ordering::Equal => match self.phase {
                Phase::Resting { .. } if one.why.as_str().is_empty() => CleanText::from("to be started"),
                Phase::Resting { .. } => CleanText::from_outside(&format!("to be started again: {}", one.why)),
                Phase::Starting { .. } => CleanText::from("being loaded"),
                Phase::Up { .. } => CleanText::from("answers"),
                Phase::Rules { .. } | Phase::Ended => CleanText::from("ended"),
            },
            Ordering::Greater => CleanText::from("stands by"),
        };
        let rules = if self.at >= self.rungs.len() { "answer" } else { "stand by" };
        self.rungs
            .iter()
            .enumerate()
            .map(|(place, one)| (one.rung, words((place, one))))
            .chain([(Rung::Rules, CleanText::from(rules))])
            .collect()
    }

    /// Why not the rung above; empty on the highest.
    pub(in crate::llm::desk) fn why(&self) -> CleanText {
        self.at.checked_sub(1).and_then(|above| self.rungs.get(above)).map(|above| above.why.clone()).unwrap_or_else(|| {
            if self.rungs.is_empty() { CleanText::from("no model is configured") } else { CleanText::default() }
        })
    }

    /// Questions without an answer, restarts, and questions overtaken by newer ones.
    pub(in crate::llm::desk) fn counts(&self) -> (usize, u64, u64) {
        (self.pending.len(), self.restarts, self.superseded)
    }
}
