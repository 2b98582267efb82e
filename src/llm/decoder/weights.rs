//! Reads tensors of a file onto a device, each in the shape that is expected of it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use candle_core::quantized::{QMatMul, QStorage, QTensor};
use candle_core::{Device, Module, Tensor};

use crate::llm::decoder::DecoderError;
use crate::llm::gguf::{Header, Kind, TensorInfo, again};

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

/// Several matrices for the same numbers; those of one type are one matrix, so that the numbers are prepared once for them.
#[derive(Debug)]
pub(super) struct Side {
    parts: Vec<(QMatMul, Vec<usize>)>,
}

impl Side {
    /// Bytes that are read when it is used once.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|(matrix, _)| bytes_of(matrix)).sum()
    }

    /// The products side by side in one.
    pub fn joined(&self, numbers: &Tensor) -> candle_core::Result<Tensor> {
        if let [(matrix, _)] = self.parts.as_slice() {
            return matrix.forward(numbers);
        }
        Tensor::cat(&self.forward(numbers)?, 1)
    }

    /// The products, one for each matrix.
    pub fn forward(&self, numbers: &Tensor) -> candle_core::Result<Vec<Tensor>> {
        let mut products = Vec::new();
        for (matrix, rows) in &self.parts {
            let together = matrix.forward(numbers)?;
            if let [_] = rows.as_slice() {
                products.push(together);
                continue;
            }
            let mut start = 0;
            for &count in rows {
                products.push(together.narrow(1, start, count)?.contiguous()?);
                start += count;
            }
        }
        Ok(products)
    }
}

impl<'a> Weights<'a> {
    pub fn open(path: &Path, header: &'a Header, device: &'a Device) -> Result<Self, DecoderError> {
        let file = File::open(path).map_err(|error| DecoderError::Unreadable(error.to_string()))?;
        Ok(Self { header, file: RefCell::new(file), device })
    }

    /// A list of numbers, with 32 bits whatever it was kept in.
    pub fn vector(&self, name: &str) -> Result<Tensor, DecoderError> {
        let info = self.info(name)?;
        Ok(self.quantized(info.kind, &self.bytes(info)?, &info.shape)?.dequantize(self.device)?)
    }

    /// The same where the file has it.
    pub fn vector_if_any(&self, name: &str) -> Result<Option<Tensor>, DecoderError> {
        self.header.tensor(name).map(|_| self.vector(name)).transpose()
    }

    /// A single matrix, e.g. the table of words.
    pub fn table(&self, name: &str) -> Result<Arc<QTensor>, DecoderError> {
        let info = self.info(name)?;
        let (kind, bytes) = self.rows(info, Order::Plain)?;
        Ok(Arc::new(self.quantized(kind, &bytes, &info.shape)?))
    }

    /// A matrix of a layer.
    pub fn matrix(&self, name: &str) -> Result<QMatMul, DecoderError> {
        Ok(QMatMul::from_arc(self.table(name)?)?)
    }

    /// Several matrices of as many columns side by side.
    pub fn side(&self, wanted: &[(&str, Order)]) -> Result<Side, DecoderError> {
        let mut parts: Vec<(Kind, usize, Vec<u8>, Vec<usize>)> = Vec::new();
        for &(name, order) in wanted {
            let info = self.info(name)?;
            let &[count, columns] = info.shape.as_slice() else { return Err(DecoderError::MissingTensor(name.to_owned())) };
            let (kind, bytes) = self.rows(info, order)?;
            match parts.last_mut() {
                Some((same, _, before, rows)) if *same == kind => {
                    before.extend(bytes);
                    rows.push(count);
                }
                _ => parts.push((kind, columns, bytes, vec![count])),
            }
        }
        let parts = parts.into_iter().map(|(kind, columns, bytes, rows)| {
            let tensor = self.quantized(kind, &bytes, &[rows.iter().sum(), columns])?;
            Ok((QMatMul::from_qtensor(tensor)?, rows))
        });
        Ok(Side { parts: parts.collect::<Result<_, DecoderError>>()? })
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

    /// The bytes of a matrix in the order and the type in which it is used.
    fn rows(&self, info: &TensorInfo, order: Order) -> Result<(Kind, Vec<u8>), DecoderError> {
        let mut bytes = self.bytes(info)?;
        if let Order::Pairs { head_width } = order {
            let rows = info.shape.first().copied().unwrap_or(1);
            bytes = a_half_apart(&bytes, bytes.len() / rows, head_width);
        }
        let kind = if self.device.is_cpu() { info.kind.fast_on_a_cpu() } else { info.kind };
        if kind != info.kind {
            bytes = again(&bytes, info.kind, &info.shape, kind).map_err(|error| DecoderError::Device(error.to_string()))?;
        }
        Ok((kind, bytes))
    }

    fn quantized(&self, kind: Kind, bytes: &[u8], shape: &[usize]) -> Result<QTensor, DecoderError> {
        Ok(QTensor::new(QStorage::from_data(Cow::Borrowed(bytes), self.device, kind.arithmetic())?, shape)?)
    }
}

/// Bytes that are read when it is used once.
pub(super) fn bytes_of(matrix: &QMatMul) -> u64 {
    let bytes = match matrix {
        QMatMul::QTensor(tensor) => tensor.storage_size_in_bytes(),
        QMatMul::Tensor(tensor) | QMatMul::TensorF16(tensor) => tensor.elem_count() * tensor.dtype().size_in_bytes(),
    };
    bytes as u64
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
