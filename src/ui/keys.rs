//! Keys to actions, with a person's overrides.

use std::collections::BTreeMap;

use crokey::KeyCombination;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use thiserror::Error;

use crate::ui::actions::{ACTIONS, ActionId};

/// Why an override is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeymapError {
    /// No such action.
    #[error("keys.{0}: there is no such action; `?` in the workstation lists them")]
    UnknownAction(String),
    /// Not a key.
    #[error("keys.{action}: «{key}» is not a key; write e.g. \"f5\", \"ctrl-k\", \"shift-a\"")]
    UnknownKey {
        /// Which action.
        action: String,
        /// What was written.
        key: String,
    },
    /// Two actions on one key.
    #[error("keys.{action}: «{key}» already means «{other}»")]
    Taken {
        /// Which action.
        action: String,
        /// The key.
        key: String,
        /// Who has it.
        other: &'static str,
    },
    /// The kill switch keeps its keys.
    #[error("keys.{0}: F12 and Ctrl+X belong to the kill switch and cannot be given away")]
    Kill(String),
}

/// Terminals differ in whether a capital letter or a sign comes with Shift: letters carry it in their case, signs do not need it.
fn plain(mut key: KeyEvent) -> KeyEvent {
    if let KeyCode::Char(letter) = key.code {
        key.modifiers.set(KeyModifiers::SHIFT, letter.is_uppercase());
    }
    key
}

/// Which key does what.
#[derive(Debug, Clone)]
pub struct Keymap {
    by_key: BTreeMap<String, ActionId>,
}

/// One spelling per chord: upper-case letters and shifted letters are the same key.
fn canonical(combination: KeyCombination) -> String {
    combination.normalized().to_string().to_ascii_lowercase()
}

impl Keymap {
    /// The default keys with a person's overrides; an override replaces the action's keys, except those of the kill switch.
    pub fn new(overrides: &BTreeMap<String, String>) -> Result<Self, KeymapError> {
        let mut by_key = BTreeMap::new();
        for info in ACTIONS.iter().filter(|info| !overrides.contains_key(info.name) || info.id == ActionId::Kill) {
            for key in info.keys {
                by_key.insert(spelt(info.name, key)?, info.id);
            }
        }
        for (action, key) in overrides {
            let info = ACTIONS.iter().find(|info| info.name == action);
            let info = info.ok_or_else(|| KeymapError::UnknownAction(action.clone()))?;
            let chord = spelt(action, key)?;
            match by_key.get(&chord) {
                Some(ActionId::Kill) if info.id != ActionId::Kill => return Err(KeymapError::Kill(action.clone())),
                Some(other) if *other != info.id => {
                    return Err(KeymapError::Taken { action: action.clone(), key: key.clone(), other: other.info().name });
                }
                Some(_) | None => by_key.insert(chord, info.id),
            };
        }
        Ok(Self { by_key })
    }

    /// The action of a key press.
    pub fn action(&self, key: KeyEvent) -> Option<ActionId> {
        self.by_key.get(&canonical(KeyCombination::from(plain(key)))).copied()
    }

    /// The keys of an action, for hints and help.
    pub fn keys_of(&self, action: ActionId) -> Vec<&str> {
        let mut keys: Vec<&str> = self.by_key.iter().filter(|(_, id)| **id == action).map(|(key, _)| key.as_str()).collect();
        keys.sort_by_key(|key| action.info().keys.iter().position(|default| default == key).unwrap_or(usize::MAX));
        keys
    }
}

fn spelt(action: &str, key: &str) -> Result<String, KeymapError> {
    let parsed: Result<KeyCombination, _> = key.parse();
    parsed.map(canonical).map_err(|_| KeymapError::UnknownKey { action: action.to_owned(), key: key.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_action_has_a_row_and_no_two_share_a_key_or_name() {
        let names: BTreeSet<&str> = ACTIONS.iter().map(|info| info.name).collect();
        assert_eq!(names.len(), ACTIONS.len());
        let keys: Vec<&str> = ACTIONS.iter().flat_map(|info| info.keys.iter().copied()).collect();
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
        let keymap = Keymap::new(&BTreeMap::new()).unwrap();
        assert!(ACTIONS.iter().all(|info| info.id.info().name == info.name));
        assert!(ACTIONS.iter().all(|info| keymap.keys_of(info.id).len() == info.keys.len()));
    }

    #[test]
    fn keys_reach_their_actions() {
        let keymap = Keymap::new(&BTreeMap::new()).unwrap();
        let press = |code, modifiers| keymap.action(KeyEvent::new(code, modifiers));
        assert_eq!(press(KeyCode::F(12), KeyModifiers::NONE), Some(ActionId::Kill));
        assert_eq!(press(KeyCode::Char('x'), KeyModifiers::CONTROL), Some(ActionId::Kill));
        assert_eq!(press(KeyCode::Char('F'), KeyModifiers::SHIFT), Some(ActionId::Flatten));
        assert_eq!(press(KeyCode::Char('F'), KeyModifiers::NONE), Some(ActionId::Flatten));
        assert_eq!(press(KeyCode::Char('?'), KeyModifiers::SHIFT), Some(ActionId::Help));
        assert_eq!(press(KeyCode::Char('?'), KeyModifiers::NONE), Some(ActionId::Help));
        assert_eq!(press(KeyCode::Char('+'), KeyModifiers::NONE), Some(ActionId::Faster));
        assert_eq!(press(KeyCode::Char(' '), KeyModifiers::NONE), Some(ActionId::Pause));
        assert_eq!(press(KeyCode::BackTab, KeyModifiers::SHIFT), Some(ActionId::PreviousPane));
        assert_eq!(press(KeyCode::Char(':'), KeyModifiers::NONE), Some(ActionId::CommandLine));
        assert_eq!(press(KeyCode::Char('-'), KeyModifiers::NONE), Some(ActionId::Slower));
    }

    #[test]
    fn overrides_are_checked() {
        let with = |action: &str, key: &str| Keymap::new(&BTreeMap::from([(action.to_owned(), key.to_owned())])).map(drop);
        assert!(with("palette", "f5").is_ok());
        assert!(matches!(with("fly", "f5"), Err(KeymapError::UnknownAction(_))));
        assert!(matches!(with("palette", "no such key"), Err(KeymapError::UnknownKey { .. })));
        assert!(matches!(with("palette", "q"), Err(KeymapError::Taken { .. })));
        assert!(matches!(with("palette", "f12"), Err(KeymapError::Kill(_))));
        let moved = Keymap::new(&BTreeMap::from([("kill".to_owned(), "f9".to_owned())])).unwrap();
        assert_eq!(moved.action(KeyEvent::new(KeyCode::F(12), KeyModifiers::NONE)), Some(ActionId::Kill));
    }
}
