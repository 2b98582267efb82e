//! Reads tensors of a file onto a device, each in the shape that is expected of it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use candle_core::quantized::QTensor;
use candle_core::{Device, Tensor};

use crate::llm::decoder::DecoderError;
use crate::llm::decoder::matrix::{Blocks, Matrix, Side};
use crate::llm::gguf::{Header, TensorInfo, again};

/// An open file whose tensors were checked against what the model must have.
pub(super) struct Weights<'a> {
    header: &'a Header,
    file: RefCell<File>,
    device: &'a Device,
}

/// The order of the rows of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// As they are used.
    Plain,
    /// Numbers that are turned together lie side by side in each head of that many rows; here they lie a half apart.
    Pairs {
        /// Rows of a head.
        head_width: usize,
    },
}

impl<'a> Weights<'a> {
    pub fn open(path: &Path, header: &'a Header, device: &'a Device) -> Result<Self, DecoderError> {
        let file = File::open(path).map_err(|error| DecoderError::Unreadable(error.to_string()))?;
        Ok(Self { header, file: RefCell::new(file), device })
    }

    /// A list of numbers, with 32 bits whatever it was kept in.
    pub fn vector(&self, name: &str) -> Result<Tensor, DecoderError> {
        let info = self.info(name)?;
        let blocks = Blocks { kind: info.kind, bytes: Cow::Owned(self.bytes(info)?), rows: 1, columns: info.elements() };
        Ok(blocks.tensor(self.device)?.dequantize(self.device)?.flatten_all()?)
    }

    /// The same where the file has it.
    pub fn vector_if_any(&self, name: &str) -> Result<Option<Tensor>, DecoderError> {
        self.header.tensor(name).map(|_| self.vector(name)).transpose()
    }

    /// The table of words.
    pub fn table(&self, name: &str) -> Result<Arc<QTensor>, DecoderError> {
        Ok(Arc::new(self.blocks(name, Order::Plain)?.tensor(self.device)?))
    }

    /// A matrix.
    pub fn matrix(&self, name: &str) -> Result<Matrix, DecoderError> {
        Ok(Matrix::new(&self.blocks(name, Order::Plain)?, self.device)?)
    }

    /// A matrix that is also a table.
    pub fn matrix_beside(&self, name: &str, table: &Arc<QTensor>) -> Result<Matrix, DecoderError> {
        Ok(Matrix::beside(table, &self.blocks(name, Order::Plain)?, self.device)?)
    }

    /// Several matrices of as many columns side by side.
    pub fn side(&self, wanted: &[(&str, Order)]) -> Result<Side, DecoderError> {
        let blocks = wanted.iter().map(|&(name, order)| self.blocks(name, order)).collect::<Result<_, _>>()?;
        Ok(Side::new(blocks, self.device)?)
    }

    fn info(&self, name: &str) -> Result<&'a TensorInfo, DecoderError> {
        self.header.tensor(name).ok_or_else(|| DecoderError::MissingTensor(name.to_owned()))
    }

    fn bytes(&self, info: &TensorInfo) -> Result<Vec<u8>, DecoderError> {
        let unreadable = |error: std::io::Error| DecoderError::Unreadable(error.to_string());
        let mut file = self.file.borrow_mut();
        file.seek(SeekFrom::Start(self.header.data_start + info.offset)).map_err(unreadable)?;
        let mut bytes = vec![0; usize::try_from(info.bytes).map_err(|error| DecoderError::Unreadable(error.to_string()))?];
        file.read_exact(&mut bytes).map_err(unreadable)?;
        Ok(bytes)
    }

    /// A matrix in the order and the type in which it is used.
    fn blocks(&self, name: &str, order: Order) -> Result<Blocks<'static>, DecoderError> {
        let info = self.info(name)?;
        let &[rows, columns] = info.shape.as_slice() else {
            return Err(DecoderError::Shape { tensor: name.to_owned(), found: info.shape.clone(), wanted: vec![0, 0] });
        };
        let mut bytes = self.bytes(info)?;
        if let Order::Pairs { head_width } = order {
            bytes = a_half_apart(&bytes, bytes.len() / rows, head_width);
        }
        let kind = if self.device.is_cpu() { info.kind.fast_on_a_cpu() } else { info.kind };
        if kind != info.kind {
            bytes = again(&bytes, info.kind, &info.shape, kind).map_err(|error| DecoderError::Device(error.to_string()))?;
        }
        Ok(Blocks { kind, bytes: Cow::Owned(bytes), rows, columns })
    }
}

/// Rows 0, 2, 4 … of each head first, then rows 1, 3, 5 …
fn a_half_apart(bytes: &[u8], row: usize, head_width: usize) -> Vec<u8> {
    let mut ordered = Vec::with_capacity(bytes.len());
    for head in bytes.chunks(row * head_width) {
        for first in [0, 1] {
            head.chunks(row).skip(first).step_by(2).for_each(|row| ordered.extend_from_slice(row));
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::a_half_apart;

    #[test]
    fn pairs_are_drawn_apart_within_each_head() {
        let bytes: Vec<u8> = (0..16).collect();
        assert_eq!(a_half_apart(&bytes, 2, 4), [0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15]);
    }
}
