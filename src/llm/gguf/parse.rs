//! Reads a header, trusting nothing.

use std::io::{ErrorKind, Read};

use crate::llm::gguf::tensors::{self, Told};
use crate::llm::gguf::{GgufError, Header, Metadata, Value};

const MAGIC: [u8; 4] = *b"GGUF";
/// The alignment where none is told.
const ALIGNMENT: u64 = 32;
/// Facts and tensors of the largest known models are some hundreds and some thousands.
const MOST_FACTS: u64 = 1 << 14;
const MOST_TENSORS: u64 = 1 << 14;
const MOST_DIMENSIONS: u32 = 4;
/// Vocabularies have up to 2^18 words.
const MOST_ELEMENTS: u64 = 1 << 21;
const MOST_KEY_BYTES: u64 = 1 << 16;
const MOST_TEXT_BYTES: u64 = 1 << 22;
/// Headers with a vocabulary of 2^18 words have some 20 MB.
const MOST_HEADER_BYTES: u64 = 1 << 26;

/// Reads and checks the whole header.
pub(super) fn header(bytes: impl Read, file_bytes: u64) -> Result<Header, GgufError> {
    let mut source = Source { bytes, taken: 0, file_bytes };
    if source.array::<4>()? != MAGIC {
        return Err(GgufError::NotGguf);
    }
    let version = source.u32()?;
    if !matches!(version, 2 | 3) {
        return Err(GgufError::Version(version));
    }
    let tensor_count = at_most("tensors", source.u64()?, MOST_TENSORS)?;
    let fact_count = at_most("facts", source.u64()?, MOST_FACTS)?;
    let mut metadata = Metadata::default();
    for _ in 0..fact_count {
        let key = source.text("bytes of a name", MOST_KEY_BYTES)?;
        let kind = source.u32()?;
        let value = source.value(&key, kind)?;
        metadata.insert(key, value)?;
    }
    if let Some(files) = Metadata::optional(metadata.count("split.count"))?.filter(|&files| files > 1) {
        return Err(GgufError::Split(files as u64));
    }
    let alignment = alignment(&metadata)?;
    let mut told = Vec::new();
    for _ in 0..tensor_count {
        told.push(source.tensor()?);
    }
    let data_start = source.taken.next_multiple_of(alignment);
    let data_bytes = file_bytes.saturating_sub(data_start);
    let tensors = tensors::checked(told, alignment, data_bytes)?;
    Ok(Header { version, metadata, tensors, data_start, file_bytes })
}

fn alignment(metadata: &Metadata) -> Result<u64, GgufError> {
    let told = Metadata::optional(metadata.integer("general.alignment"))?;
    let alignment = told.map_or(Some(ALIGNMENT), |told| u64::try_from(told).ok()).unwrap_or(0);
    if alignment.is_power_of_two() && (8..=1 << 16).contains(&alignment) {
        Ok(alignment)
    } else {
        Err(GgufError::Alignment(alignment))
    }
}

fn at_most(what: &'static str, found: u64, most: u64) -> Result<u64, GgufError> {
    if found > most { Err(GgufError::TooMany { what, found, most }) } else { Ok(found) }
}

/// Bytes with a count of how many were taken.
struct Source<R> {
    bytes: R,
    taken: u64,
    file_bytes: u64,
}

impl<R: Read> Source<R> {
    /// Counts bytes that will be taken, before memory is.
    fn take(&mut self, count: u64) -> Result<(), GgufError> {
        let taken = self.taken.saturating_add(count);
        if taken > self.file_bytes {
            return Err(GgufError::Truncated);
        }
        at_most("bytes of the header", taken, MOST_HEADER_BYTES)?;
        self.taken = taken;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        self.take(N as u64)?;
        let mut array = [0; N];
        self.bytes.read_exact(&mut array).map_err(ended)?;
        Ok(array)
    }

    fn u32(&mut self) -> Result<u32, GgufError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, GgufError> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self, what: &'static str, most: u64) -> Result<String, GgufError> {
        let length = at_most(what, self.u64()?, most)?;
        self.take(length)?;
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| GgufError::Truncated)?];
        self.bytes.read_exact(&mut bytes).map_err(ended)?;
        String::from_utf8(bytes).map_err(|_| GgufError::NotText)
    }

    /// A single value of a type that is no list.
    fn value(&mut self, key: &str, kind: u32) -> Result<Value, GgufError> {
        Ok(match kind {
            6 => Value::Float(f64::from(f32::from_le_bytes(self.array()?))),
            12 => Value::Float(f64::from_le_bytes(self.array()?)),
            7 => Value::Flag(self.flag(key)?),
            8 => Value::Text(self.text("bytes of a text", MOST_TEXT_BYTES)?),
            9 => self.list(key)?,
            _ => Value::Integer(self.integer(key, kind)?),
        })
    }

    fn flag(&mut self, key: &str) -> Result<bool, GgufError> {
        match self.array::<1>()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(GgufError::Mistyped { key: key.to_owned(), wanted: "yes or no" }),
        }
    }

    fn integer(&mut self, key: &str, kind: u32) -> Result<i64, GgufError> {
        Ok(match kind {
            0 => i64::from(u8::from_le_bytes(self.array()?)),
            1 => i64::from(i8::from_le_bytes(self.array()?)),
            2 => i64::from(u16::from_le_bytes(self.array()?)),
            3 => i64::from(i16::from_le_bytes(self.array()?)),
            4 => i64::from(u32::from_le_bytes(self.array()?)),
            5 => i64::from(i32::from_le_bytes(self.array()?)),
            10 => i64::try_from(self.u64()?)
                .map_err(|_| GgufError::Mistyped { key: key.to_owned(), wanted: "whole number below 2^63" })?,
            11 => i64::from_le_bytes(self.array()?),
            kind => return Err(GgufError::ValueType { key: key.to_owned(), kind }),
        })
    }

    /// Lists grow while they are read, so that a wrong length takes no memory.
    fn list(&mut self, key: &str) -> Result<Value, GgufError> {
        let kind = self.u32()?;
        let length = at_most("elements of a list", self.u64()?, MOST_ELEMENTS)?;
        Ok(match kind {
            6 => Value::Floats((0..length).map(|_| self.array().map(f32::from_le_bytes)).collect::<Result<_, _>>()?),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "scores and the like, of which sixteen digits say no more than seven"
            )]
            12 => {
                Value::Floats((0..length).map(|_| self.array().map(|b| f64::from_le_bytes(b) as f32)).collect::<Result<_, _>>()?)
            }
            7 => Value::Integers((0..length).map(|_| self.flag(key).map(i64::from)).collect::<Result<_, _>>()?),
            8 => Value::Texts((0..length).map(|_| self.text("bytes of a text", MOST_TEXT_BYTES)).collect::<Result<_, _>>()?),
            9 => return Err(GgufError::ValueType { key: key.to_owned(), kind }),
            _ => Value::Integers((0..length).map(|_| self.integer(key, kind)).collect::<Result<_, _>>()?),
        })
    }

    fn tensor(&mut self) -> Result<Told, GgufError> {
        let name = self.text("bytes of a name", MOST_KEY_BYTES)?;
        let count = self.u32()?;
        at_most("dimensions of a tensor", u64::from(count), u64::from(MOST_DIMENSIONS))?;
        let dimensions = (0..count).map(|_| self.u64()).collect::<Result<Vec<_>, _>>()?;
        Ok(Told { name, kind: self.u32()?, dimensions, offset: self.u64()? })
    }
}

fn ended(error: std::io::Error) -> GgufError {
    match error.kind() {
        ErrorKind::UnexpectedEof => GgufError::Truncated,
        _ => GgufError::Unreadable(error.to_string()),
    }
}
