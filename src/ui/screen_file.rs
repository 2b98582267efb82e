//! What the screen remembers between starts: layout, groups, order, palette. Never a pending confirm, never a mode.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::runtime::{Palette, write_atomically};
use crate::ui::state::{Pane, Sort, UiState};

/// The file's content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScreenFile {
    focus: usize,
    is_zoomed: bool,
    sort: u8,
    group: String,
    groups: BTreeMap<String, Vec<String>>,
    palette: Option<Palette>,
    history: Vec<String>,
    notice_seen: bool,
}

impl ScreenFile {
    /// Reads the file; a missing or damaged one gives the defaults, since nothing of value is lost.
    pub fn load(path: &Path) -> Self {
        fs::read_to_string(path).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// What is worth remembering of a state.
    pub fn of(state: &UiState) -> Self {
        Self {
            focus: Pane::ALL.iter().position(|pane| *pane == state.focus).unwrap_or(0),
            is_zoomed: state.is_zoomed,
            sort: match state.sort {
                Sort::Listed | Sort::Change => 0,
                Sort::Symbol => 1,
            },
            group: state.group.clone(),
            groups: state.own_groups.clone(),
            palette: Some(state.palette),
            history: state.history.clone(),
            notice_seen: true,
        }
    }

    /// Whether the first notice was closed once.
    pub const fn notice_seen(&self) -> bool {
        self.notice_seen
    }

    /// Puts what is remembered into a fresh state. The configured palette is used where none was chosen on the screen.
    pub fn restore(&self, state: &mut UiState, configured: Palette) {
        state.focus = Pane::ALL.get(self.focus).copied().unwrap_or_default();
        state.is_zoomed = self.is_zoomed;
        state.sort = if self.sort == 1 { Sort::Symbol } else { Sort::Listed };
        state.group.clone_from(&self.group);
        state.own_groups.clone_from(&self.groups);
        state.palette = self.palette.unwrap_or(configured);
        state.history.clone_from(&self.history);
    }

    /// Puts an instrument into a group, or takes it out where it is in. Gives the members, or why the name is none.
    pub fn toggle(&mut self, group: &str, symbol: &str, configured: Vec<String>) -> Result<Vec<String>, String> {
        toggled(&mut self.groups, group, symbol, configured)
    }

    /// Writes the file.
    pub fn save(&self, path: &Path) -> std::io::Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(std::io::Error::other)?;
        write_atomically(path, &text)
    }
}

/// Puts an instrument into a group, or takes it out where it is in. A group of the configuration is taken over as it stands there.
pub(super) fn toggled(
    groups: &mut BTreeMap<String, Vec<String>>,
    group: &str,
    symbol: &str,
    configured: Vec<String>,
) -> Result<Vec<String>, String> {
    let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '-';
    if group.is_empty() || group == "all" || group.chars().count() > 16 || !group.chars().all(is_letter) {
        return Err("a group's name has 1 to 16 letters, digits, hyphens and underscores, and is not `all`".to_owned());
    }
    let members = groups.entry(group.to_owned()).or_insert(configured);
    let before = members.len();
    members.retain(|member| member != symbol);
    if members.len() == before {
        members.push(symbol.to_owned());
    }
    Ok(members.clone())
}
