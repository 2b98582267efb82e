//! `[model]`: which language model speaks, where it runs, and what it may take.

use serde::Deserialize;

/// Settings of the language models. No decision depends on any of them, so they are no part of a run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSettings {
    /// Whether a model is started at all.
    pub enabled: bool,
    /// Its name among the installed ones; empty for the first that fits.
    pub name: String,
    /// Where it runs.
    pub device: ModelDevice,
    /// Threads of the CPU; 0 leaves one core to everything else.
    pub threads: u32,
    /// Tokens it is given, prompt and answer together.
    pub context: u32,
    /// Megabytes its process may hold; 0 for what the model needs.
    pub memory: u32,
    /// Another program that is its process, such as a CUDA build of this one; empty for this one.
    pub worker: String,
    /// The address of an OpenAI-compatible server; empty for none.
    pub server: String,
    /// The name of the model there; empty for the first it names.
    pub server_model: String,
    /// Seconds after which a comment is the rules' own.
    pub commentary_seconds: u32,
    /// Whether names and dates are taken out of what it is asked.
    pub anonymise: bool,
}

/// Where a model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelDevice {
    /// On a GPU where its process finds one it can use, else on the CPU.
    Auto,
    /// On the CPU.
    Cpu,
    /// On a GPU, or not at all.
    Gpu,
}

impl ModelSettings {
    /// A setting that cannot be as it is, and why.
    pub(super) fn contradiction(&self) -> Option<(&'static str, &'static str)> {
        let is_web = ["http://", "https://"].iter().any(|scheme| self.server.starts_with(scheme));
        let is_address = is_web && !self.server.contains(char::is_whitespace);
        let what = "it must be an address such as \"http://127.0.0.1:8000/v1\", or empty";
        (!self.server.is_empty() && !is_address).then_some(("model.server", what))
    }
}
