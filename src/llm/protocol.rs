//! What the program and the model's process say to each other: framed messages over the process's standard streams.
//!
//! A frame is its length, four bytes, the lowest first, and a body in postcard's layout. The worker speaks first and says its version;
//! the program answers with the one job of its life. Neither side trusts the other: a length beyond the limit, a body that ends early or
//! late, and an end amid a frame are errors, and nothing is set aside for a length that was only announced.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::llm::answer::{Abstention, Answer, Piece};
use crate::llm::ask::{Ask, AskId};

/// The version of everything below. A worker of another version is not used.
pub const VERSION: u32 = 1;
/// The largest body of a frame.
pub const LARGEST_FRAME: u32 = 4 << 20;

/// What the program says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToWorker {
    /// The first message: what to load, and how.
    Load(Box<Job>),
    /// A question.
    Ask(Box<Ask>),
    /// A question is not wanted any more.
    Cancel(AskId),
    /// Measure raw speed; answered by [`FromWorker::Benched`].
    Bench(BenchPlan),
    /// End in order.
    Stop,
}

/// What a worker says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromWorker {
    /// The first message.
    Hello {
        /// Its version of this protocol.
        version: u32,
    },
    /// The model is loaded and warm.
    Ready(Box<Loaded>),
    /// The model cannot be used, in a sentence. The worker ends.
    Unfit(String),
    /// Something of an answer that is being written.
    Piece(AskId, Piece),
    /// The last word about a question.
    Done(AskId, Result<Answer, Abstention>),
    /// Bytes the process holds, told after each wave.
    Memory(u64),
    /// Raw speed, or why it could not be measured.
    Benched(Result<Benched, Abstention>),
}

/// The one job of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The model's file.
    pub model: PathBuf,
    /// Its SHA-256 as it was recorded when it was installed; `None` to have it computed, which takes seconds.
    pub sha256: Option<String>,
    /// Where it is to run.
    pub device: Device,
    /// Threads of the arithmetic, at least one.
    pub threads: u32,
    /// Positions it is given at most; the model may know fewer.
    pub context: u32,
    /// Bytes of address space the process may take; `None` for what the model's header needs, with room to spare.
    pub memory_limit: Option<u64>,
}

/// Where a model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The processor.
    Cpu,
    /// The first graphics card, with a worker that is built for it.
    Gpu,
}

/// What a worker loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Loaded {
    /// Its architecture, e.g. `qwen2`.
    pub architecture: String,
    /// How its weights are kept, e.g. `Q4_K_M`.
    pub quantisation: String,
    /// Where it runs, e.g. `CPU, 2 threads`.
    pub device: String,
    /// Bytes of its file.
    pub file_bytes: u64,
    /// Bytes of weights that are read for each token.
    pub token_bytes: u64,
    /// Bytes its process holds.
    pub memory_bytes: u64,
    /// Positions it is given.
    pub context: u32,
    /// Milliseconds until it was ready.
    pub loaded_ms: u64,
    /// Gigabytes a second that the memory gives, where that was measured.
    pub memory_gigabytes_per_second: Option<f64>,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
}

/// How raw speed is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BenchPlan {
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens written after it.
    pub written_tokens: u32,
    /// Sequences side by side, 1 to 8.
    pub rows: u32,
}

/// Raw speed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Benched {
    /// Tokens of the prompt a second, all rows together.
    pub prompt_per_second: f64,
    /// Tokens written a second, all rows together.
    pub written_per_second: f64,
    /// Gigabytes of weights read a second while writing.
    pub gigabytes_per_second: f64,
    /// Sequences side by side.
    pub rows: u32,
}

/// Why a stream of frames cannot be read on.
#[derive(Debug, Error)]
pub enum FrameError {
    /// The stream failed.
    #[error("the stream failed: {0}")]
    Io(#[from] io::Error),
    /// It ended amid a frame.
    #[error("the stream ended amid a message")]
    Cut,
    /// A frame of more than [`LARGEST_FRAME`] bytes, which is usually text of a program that speaks something else.
    #[error("a message of {0} bytes, more than {LARGEST_FRAME}")]
    TooLarge(u64),
    /// A body that is no message.
    #[error("a message that is none")]
    Rubbish,
}

/// Reads a message; `None` at the end of the stream.
pub fn read<T: DeserializeOwned>(from: &mut impl Read) -> Result<Option<T>, FrameError> {
    let mut length = [0; 4];
    let mut filled = 0;
    while let Some(rest) = length.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(FrameError::Cut),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let length = u32::from_le_bytes(length);
    if length > LARGEST_FRAME {
        return Err(FrameError::TooLarge(length.into()));
    }
    // The buffer grows with what arrives, not with what was announced.
    let mut body = Vec::new();
    from.by_ref().take(length.into()).read_to_end(&mut body)?;
    if body.len() as u64 != u64::from(length) {
        return Err(FrameError::Cut);
    }
    match postcard::take_from_bytes(&body) {
        Ok((message, [])) => Ok(Some(message)),
        Ok(_) | Err(_) => Err(FrameError::Rubbish),
    }
}

/// Writes a message and flushes.
pub fn write<T: Serialize>(to: &mut impl Write, message: &T) -> Result<(), FrameError> {
    let mut frame = postcard::to_extend(message, vec![0; 4]).map_err(|_| FrameError::Rubbish)?;
    let bytes = frame.len() as u64 - 4;
    let length = u32::try_from(bytes).ok().filter(|length| *length <= LARGEST_FRAME).ok_or(FrameError::TooLarge(bytes))?;
    if let Some(head) = frame.first_chunk_mut::<4>() {
        *head = length.to_le_bytes();
    }
    to.write_all(&frame)?;
    Ok(to.flush()?)
}

impl Device {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
        }
    }
}
