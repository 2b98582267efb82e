//! A copy of a file whose slow types are kept with eight bits, as the decoder keeps them on a CPU anyway.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use candle_core::Device;
use candle_core::quantized::{QStorage, QTensor};

use crate::llm::gguf::write::GgufWriter;
use crate::llm::gguf::{Header, Kind};

/// Writes the copy; everything else in it is as it was. Gives its bytes.
pub fn requantize(from: &Path, to: &Path) -> io::Result<u64> {
    let header = Header::open(from).map_err(io::Error::other)?;
    let mut source = File::open(from)?;
    let mut writer = GgufWriter::new();
    for (key, value) in header.metadata.iter() {
        writer.fact(key, value.clone());
    }
    for tensor in &header.tensors {
        writer.tensor(&tensor.name, tensor.kind.fast_on_a_cpu(), &tensor.shape)?;
    }
    let mut originals = header.tensors.iter();
    writer.write(BufWriter::new(File::create(to)?), |_, out| {
        let Some(original) = originals.next() else { return Ok(()) };
        let mut bytes = vec![0; usize::try_from(original.bytes).map_err(io::Error::other)?];
        source.seek(SeekFrom::Start(header.data_start + original.offset))?;
        source.read_exact(&mut bytes)?;
        let kind = original.kind.fast_on_a_cpu();
        if kind == original.kind {
            out.write_all(&bytes)
        } else {
            out.write_all(&again(&bytes, original.kind, &original.shape, kind)?)
        }
    })
}

/// The blocks of another type.
pub(in crate::llm) fn again(bytes: &[u8], kind: Kind, shape: &[usize], new: Kind) -> io::Result<Vec<u8>> {
    let blocks = || -> candle_core::Result<Vec<u8>> {
        let storage = QStorage::from_data(Cow::Borrowed(bytes), &Device::Cpu, kind.arithmetic())?;
        let plain = QTensor::new(storage, shape)?.dequantize(&Device::Cpu)?;
        Ok(QTensor::quantize(&plain, new.arithmetic())?.data()?.into_owned())
    };
    blocks().map_err(io::Error::other)
}
