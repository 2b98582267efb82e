//! The file format of quantized models: a header of facts and a table of tensors, then the numbers themselves.
//!
//! A file comes from anywhere, so nothing in it is believed: every count, length and offset is held against the size of the file before
//! memory is taken for it, and a file with anything strange in it is refused as a whole, with a sentence, before its first tensor is read.
//! Not here: what the tensors mean (the decoder) and what the words mean (the tokenizer).

pub mod metadata;
mod parse;
pub mod random;
mod requantize;
pub mod tensors;
pub mod write;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use thiserror::Error;

pub use self::metadata::{Metadata, Value};
pub(in crate::llm) use self::requantize::again;
pub use self::requantize::requantize;
pub use self::tensors::{Kind, TensorInfo};

/// Everything in a file but the numbers themselves.
#[derive(Debug, Clone)]
pub struct Header {
    /// Version of the format: 2 or 3.
    pub version: u32,
    /// The facts.
    pub metadata: Metadata,
    /// The tensors in the order of the file.
    pub tensors: Vec<TensorInfo>,
    /// Where the tensors' bytes begin.
    pub data_start: u64,
    /// Bytes of the whole file.
    pub file_bytes: u64,
}

/// Why a file is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GgufError {
    /// It cannot be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
    /// It is something else.
    #[error("this is no GGUF file")]
    NotGguf,
    /// A version this reader does not know.
    #[error("GGUF version {0} is not read here, only 2 and 3")]
    Version(u32),
    /// It ends before its header does.
    #[error("the file ends within its header")]
    Truncated,
    /// More of something than any model has.
    #[error("{what}: {found} is more than {most}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        found: u64,
        /// How many there may be.
        most: u64,
    },
    /// A text that is no UTF-8.
    #[error("a text in the header is no UTF-8")]
    NotText,
    /// A type of value that the format does not have, or lists of lists.
    #[error("`{key}` has a value of the unknown type {kind}")]
    ValueType {
        /// Whose.
        key: String,
        /// Its number in the file.
        kind: u32,
    },
    /// A key or a tensor that is there twice.
    #[error("`{0}` is there twice")]
    Twice(String),
    /// The model is spread over several files.
    #[error("the model is split into {0} files; merge them into one first (llama-gguf-split --merge)")]
    Split(u64),
    /// An alignment that is none.
    #[error("tensors aligned to {0} bytes are not read here")]
    Alignment(u64),
    /// A tensor's type is not read here.
    #[error("tensor `{tensor}` is of type {kind}, which is not read here; take a file with Q4_K_M, Q8_0 or another of {readable}", readable = tensors::readable())]
    TensorType {
        /// Which.
        tensor: String,
        /// The type's name where it has one, else its number.
        kind: String,
    },
    /// A tensor's dimensions are none.
    #[error("tensor `{tensor}` has the impossible shape {shape:?}")]
    Shape {
        /// Which.
        tensor: String,
        /// Its shape, rows first.
        shape: Vec<u64>,
    },
    /// A tensor does not lie where a tensor may lie.
    #[error("tensor `{tensor}` lies {wrong}")]
    Place {
        /// Which.
        tensor: String,
        /// What is wrong with its place.
        wrong: &'static str,
    },
    /// A fact is missing.
    #[error("the header does not tell `{0}`")]
    Missing(String),
    /// A fact is of another type than it must be.
    #[error("`{key}` is no {wanted}")]
    Mistyped {
        /// Which.
        key: String,
        /// What it should be.
        wanted: &'static str,
    },
}

impl Header {
    /// Reads and checks the header of a file.
    pub fn open(path: &Path) -> Result<Self, GgufError> {
        let file = File::open(path).map_err(unreadable)?;
        let about = file.metadata().map_err(unreadable)?;
        if !about.is_file() {
            return Err(GgufError::Unreadable("it is no regular file".to_owned()));
        }
        Self::read(BufReader::with_capacity(1 << 16, file), about.len())
    }

    /// Reads and checks a header from anything that gives bytes; `file_bytes` is how many there are with the tensors.
    pub fn read(bytes: impl Read, file_bytes: u64) -> Result<Self, GgufError> {
        parse::header(bytes, file_bytes)
    }

    /// A tensor by its name.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }

    /// The type that most of the weights' bytes have, e.g. `Q4_K`.
    pub fn quantisation(&self) -> Option<Kind> {
        let bytes_of =
            |kind: Kind| self.tensors.iter().filter(|tensor| tensor.kind == kind).map(|tensor| tensor.bytes).sum::<u64>();
        Kind::ALL.into_iter().filter(|&kind| bytes_of(kind) > 0).max_by_key(|&kind| bytes_of(kind))
    }
}

fn unreadable(error: std::io::Error) -> GgufError {
    GgufError::Unreadable(error.to_string())
}
