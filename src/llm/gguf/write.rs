//! Writes a file of the format: facts and a table first, then each tensor's bytes from whoever knows them, so that none is held whole.

use std::io::{self, Write};

use crate::llm::gguf::{Kind, TensorInfo, Value};

/// Version that is written.
const VERSION: u32 = 3;
/// Where tensors may begin.
const ALIGNMENT: u64 = 32;

/// A file to be written.
#[derive(Debug, Clone, Default)]
pub struct GgufWriter {
    facts: Vec<(String, Value)>,
    tensors: Vec<TensorInfo>,
}

impl GgufWriter {
    /// One with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a fact. Nothing is checked: a test may want to write what must be refused.
    pub fn fact(&mut self, key: &str, value: Value) -> &mut Self {
        self.facts.push((key.to_owned(), value));
        self
    }

    /// Plans a tensor behind those planned before; rows first. Elements that fill no whole blocks are an error.
    pub fn tensor(&mut self, name: &str, kind: Kind, shape: &[usize]) -> io::Result<&mut Self> {
        let elements: usize = shape.iter().product();
        let bytes = kind.bytes_of(elements as u64).ok_or_else(|| wrong("a tensor that fills no whole blocks"))?;
        let offset = self.tensors.last().map_or(0, |last| (last.offset + last.bytes).next_multiple_of(ALIGNMENT));
        self.tensors.push(TensorInfo { name: name.to_owned(), kind, shape: shape.to_vec(), offset, bytes });
        Ok(self)
    }

    /// What was planned.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// Bytes of the tensors together.
    pub fn data_bytes(&self) -> u64 {
        self.tensors.last().map_or(0, |last| last.offset + last.bytes)
    }

    /// Writes everything; `fill` writes the bytes of each tensor, in their order. Gives the bytes written.
    pub fn write<W: Write>(
        &self,
        out: W,
        mut fill: impl FnMut(&TensorInfo, &mut Counted<W>) -> io::Result<()>,
    ) -> io::Result<u64> {
        let mut out = Counted { inner: out, written: 0 };
        self.header(&mut out)?;
        out.pad()?;
        let data_start = out.written;
        for tensor in &self.tensors {
            out.pad()?;
            fill(tensor, &mut out)?;
            if out.written != data_start + tensor.offset + tensor.bytes {
                return Err(wrong("a tensor of another length than was planned"));
            }
        }
        out.flush()?;
        Ok(out.written)
    }

    fn header(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(b"GGUF")?;
        out.write_all(&VERSION.to_le_bytes())?;
        out.write_all(&(self.tensors.len() as u64).to_le_bytes())?;
        out.write_all(&(self.facts.len() as u64).to_le_bytes())?;
        for (key, value) in &self.facts {
            text(out, key)?;
            fact(out, value)?;
        }
        for tensor in &self.tensors {
            text(out, &tensor.name)?;
            out.write_all(&u32::try_from(tensor.shape.len()).map_err(io::Error::other)?.to_le_bytes())?;
            for &dimension in tensor.shape.iter().rev() {
                out.write_all(&(dimension as u64).to_le_bytes())?;
            }
            out.write_all(&tensor.kind.number().to_le_bytes())?;
            out.write_all(&tensor.offset.to_le_bytes())?;
        }
        Ok(())
    }
}

/// A sink that knows how much went into it.
#[derive(Debug)]
pub struct Counted<W> {
    inner: W,
    written: u64,
}

impl<W: Write> Counted<W> {
    fn pad(&mut self) -> io::Result<()> {
        while !self.written.is_multiple_of(ALIGNMENT) {
            self.write_all(&[0])?;
        }
        Ok(())
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn wrong(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

fn text(out: &mut impl Write, text: &str) -> io::Result<()> {
    out.write_all(&(text.len() as u64).to_le_bytes())?;
    out.write_all(text.as_bytes())
}

/// Whole numbers are written with 32 bits where they fit, as other readers expect them.
fn fact(out: &mut impl Write, value: &Value) -> io::Result<()> {
    match value {
        Value::Integer(number) => match u32::try_from(*number) {
            Ok(small) => {
                out.write_all(&4_u32.to_le_bytes())?;
                out.write_all(&small.to_le_bytes())
            }
            Err(_) => {
                out.write_all(&11_u32.to_le_bytes())?;
                out.write_all(&number.to_le_bytes())
            }
        },
        #[expect(clippy::cast_possible_truncation, reason = "other readers expect 32 bits")]
        Value::Float(number) => {
            out.write_all(&6_u32.to_le_bytes())?;
            out.write_all(&(*number as f32).to_le_bytes())
        }
        Value::Flag(flag) => {
            out.write_all(&7_u32.to_le_bytes())?;
            out.write_all(&[u8::from(*flag)])
        }
        Value::Text(content) => {
            out.write_all(&8_u32.to_le_bytes())?;
            text(out, content)
        }
        Value::Integers(numbers) => {
            list(out, 5, numbers.len())?;
            numbers.iter().try_for_each(|&number| out.write_all(&i32::try_from(number).map_err(io::Error::other)?.to_le_bytes()))
        }
        Value::Floats(numbers) => {
            list(out, 6, numbers.len())?;
            numbers.iter().try_for_each(|number| out.write_all(&number.to_le_bytes()))
        }
        Value::Texts(texts) => {
            list(out, 8, texts.len())?;
            texts.iter().try_for_each(|one| text(out, one))
        }
    }
}

fn list(out: &mut impl Write, kind: u32, length: usize) -> io::Result<()> {
    out.write_all(&9_u32.to_le_bytes())?;
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&(length as u64).to_le_bytes())
}
