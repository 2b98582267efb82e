//! Quantized matrices, kept as the fastest arithmetic at hand wants them.

use std::borrow::Cow;
use std::sync::Arc;

use candle_core::quantized::{QMatMul, QStorage, QTensor};
use candle_core::{Device, Module, Result, Tensor};

use crate::llm::decoder::kernels::{fine, with_losses};
use crate::llm::gguf::Kind;

/// Columns of the blocks that the library's vector kernels take.
pub(super) const WIDE_BLOCK: usize = 256;

/// A matrix to multiply tokens with.
#[derive(Debug)]
pub(super) struct Matrix {
    inner: QMatMul,
    /// Zeros that are put behind the numbers of a token, as the matrix has as many columns more.
    padding: usize,
    /// The same without them.
    narrow: Option<QMatMul>,
    /// Whether what eight bits lose of tokens is multiplied as well.
    is_fine: bool,
}

/// Several matrices for the same numbers, which come out of a normalisation; those of one type are one matrix, so that the numbers are prepared once for them.
#[derive(Debug)]
pub(super) struct Side {
    parts: Vec<(Matrix, Vec<usize>)>,
}

/// Blocks as they lie in a file.
#[derive(Debug)]
pub(super) struct Blocks<'a> {
    pub kind: Kind,
    pub bytes: Cow<'a, [u8]>,
    pub rows: usize,
    pub columns: usize,
}

impl Matrix {
    /// Rows of eight bits whose length is no multiple of the vector kernels' blocks are filled up with zeros where such kernels run:
    /// a third more to read, and still three to eight times as fast.
    pub fn new(blocks: &Blocks<'_>, device: &Device) -> Result<Self> {
        let padding = blocks.columns.next_multiple_of(WIDE_BLOCK) - blocks.columns;
        if padding == 0
            || blocks.kind != Kind::Q8_0
            || !device.is_cpu()
            || !has_vector_kernels()
            || !blocks.rows.is_multiple_of(16)
        {
            return Ok(Self { inner: QMatMul::from_qtensor(blocks.tensor(device)?)?, padding: 0, narrow: None, is_fine: false });
        }
        let row = blocks.bytes.len() / blocks.rows;
        let (block, block_bytes) = Kind::Q8_0.block();
        let zeros = vec![0; padding / block as usize * block_bytes as usize];
        let bytes: Vec<u8> = blocks.bytes.chunks(row).flat_map(|row| row.iter().chain(&zeros)).copied().collect();
        let wider = Blocks { bytes: Cow::Owned(bytes), columns: blocks.columns + padding, ..*blocks };
        Ok(Self { inner: QMatMul::from_qtensor(wider.tensor(device)?)?, padding, narrow: None, is_fine: false })
    }

    /// The same, for tokens as they come out of a normalisation: some of their numbers are a hundred times the others, which the vector
    /// kernels' eight bits for each 256 numbers would drown. Models of eight bits would show it, those of fewer have coarser weights.
    pub fn fine(blocks: &Blocks<'_>, device: &Device) -> Result<Self> {
        let matrix = Self::new(blocks, device)?;
        let columns = blocks.columns + matrix.padding;
        let on_vectors =
            device.is_cpu() && has_vector_kernels() && columns.is_multiple_of(WIDE_BLOCK) && blocks.rows.is_multiple_of(16);
        Ok(Self { is_fine: on_vectors && blocks.kind == Kind::Q8_0, ..matrix })
    }

    /// One whose blocks are held anyhow: a single token is multiplied with those, as there is less of them to read.
    pub fn beside(tensor: &Arc<QTensor>, blocks: &Blocks<'_>, device: &Device) -> Result<Self> {
        let shared = QMatMul::from_arc(Arc::clone(tensor))?;
        let wide = Self::new(blocks, device)?;
        if wide.padding == 0 { Ok(Self { inner: shared, ..wide }) } else { Ok(Self { narrow: Some(shared), ..wide }) }
    }

    /// The product with tokens [tokens, columns].
    pub fn forward(&self, numbers: &Tensor) -> Result<Tensor> {
        if self.is_fine {
            let fine = fine(numbers, self.padding)?;
            return with_losses(&self.inner.forward(&fine.rows)?, &fine.lossy);
        }
        if self.padding == 0 {
            return self.inner.forward(numbers);
        }
        if let Some(narrow) = self.narrow.as_ref().filter(|_| numbers.dims().first() == Some(&1)) {
            return narrow.forward(numbers);
        }
        self.inner.forward(&numbers.pad_with_zeros(1, 0, self.padding)?)
    }

    /// Bytes that are read when it is used once.
    pub fn bytes(&self) -> u64 {
        let bytes = match self.narrow.as_ref().unwrap_or(&self.inner) {
            QMatMul::QTensor(tensor) => tensor.storage_size_in_bytes(),
            QMatMul::Tensor(tensor) | QMatMul::TensorF16(tensor) => tensor.elem_count() * tensor.dtype().size_in_bytes(),
        };
        bytes as u64
    }
}

impl Side {
    /// Joins neighbours of one type.
    pub fn new(matrices: Vec<Blocks<'_>>, device: &Device) -> Result<Self> {
        let mut joined: Vec<(Blocks<'_>, Vec<usize>)> = Vec::new();
        for matrix in matrices {
            match joined.last_mut() {
                Some((before, rows)) if before.kind == matrix.kind && before.columns == matrix.columns => {
                    before.bytes.to_mut().extend_from_slice(&matrix.bytes);
                    before.rows += matrix.rows;
                    rows.push(matrix.rows);
                }
                _ => {
                    let rows = vec![matrix.rows];
                    joined.push((matrix, rows));
                }
            }
        }
        let parts = joined.into_iter().map(|(blocks, rows)| Ok((Matrix::fine(&blocks, device)?, rows)));
        Ok(Self { parts: parts.collect::<Result<_>>()? })
    }

    /// The products, one for each matrix.
    pub fn forward(&self, numbers: &Tensor) -> Result<Vec<Tensor>> {
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

    /// The products side by side in one.
    pub fn joined(&self, numbers: &Tensor) -> Result<Tensor> {
        if let [(matrix, _)] = self.parts.as_slice() {
            return matrix.forward(numbers);
        }
        Tensor::cat(&self.forward(numbers)?, 1)
    }

    /// Bytes that are read when it is used once.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|(matrix, _)| matrix.bytes()).sum()
    }
}

impl Blocks<'_> {
    /// As they are.
    pub fn tensor(&self, device: &Device) -> Result<QTensor> {
        let storage = QStorage::from_data(Cow::Borrowed(&self.bytes), device, self.kind.arithmetic())?;
        QTensor::new(storage, (self.rows, self.columns))
    }
}

/// Whether the library has vector kernels for eight bits on this processor.
pub(super) fn has_vector_kernels() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        let wide = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni");
        wide || is_x86_feature_detected!("avx2") && is_x86_feature_detected!("avxvnni")
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}
