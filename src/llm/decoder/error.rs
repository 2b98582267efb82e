//! Why a model is not loaded.

use thiserror::Error;

use crate::llm::gguf::GgufError;

/// Why a model is not loaded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecoderError {
    /// The file is refused.
    #[error(transparent)]
    File(#[from] GgufError),
    /// The file could not be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
    /// It is of a family that is not spoken here.
    #[error("models of the family `{0}` are not spoken here; llama, qwen2 and qwen3 are")]
    Architecture(String),
    /// It has something that is not spoken here.
    #[error("this model has {0}, which is not spoken here")]
    Unsupported(String),
    /// A tensor is missing.
    #[error("the file lacks the tensor `{0}`")]
    MissingTensor(String),
    /// A tensor is there that this family does not have.
    #[error("the file has the tensor `{0}`, which this family does not have")]
    StrangeTensor(String),
    /// A tensor has another shape than it must have.
    #[error("tensor `{tensor}` has the shape {found:?}, not {wanted:?}")]
    Shape {
        /// Which.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// What it should be.
        wanted: Vec<usize>,
    },
    /// It needs more memory than it may.
    #[error("it needs {need}; it may have {most} MiB", most = most >> 20)]
    Memory {
        /// What it needs, for a person.
        need: String,
        /// What it may have, in bytes.
        most: u64,
    },
    /// The device failed, or there is none.
    #[error("the device failed: {0}")]
    Device(String),
}

impl From<candle_core::Error> for DecoderError {
    fn from(error: candle_core::Error) -> Self {
        Self::Device(error.to_string())
    }
}
