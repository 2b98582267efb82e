//! The further family, held against the decoder: a Phi-3 is a Qwen2 without biases whose matrices lie together.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use pmax::llm::decoder::{Decoder, DecoderError, LoadOptions, Place};
use pmax::llm::gguf::random::{Head, Shape, write_random};
use pmax::llm::gguf::write::GgufWriter;
use pmax::llm::gguf::{Header, Kind, Value};
use pmax::llm::model::{ModelError, Stop, TextModel};
use pmax::llm::stock::Stock;

const OPTIONS: LoadOptions = LoadOptions { place: Place::Cpu, context: 512, most_bytes: 1 << 32 };

/// The same weights as a file of either family.
fn twins(folder: &Path) -> [PathBuf; 2] {
    let random = folder.join("random.gguf");
    write_random(&Shape { head: Head::Own, ..Shape::named("tiny-qwen2").unwrap() }, &random, 3).unwrap();
    let header = Header::open(&random).unwrap();
    let bytes = std::fs::read(&random).unwrap();
    let mut tensors: BTreeMap<String, (Vec<usize>, Vec<u8>)> = BTreeMap::new();
    for tensor in &header.tensors {
        let at = usize::try_from(header.data_start + tensor.offset).unwrap();
        let mut numbers = bytes[at..at + usize::try_from(tensor.bytes).unwrap()].to_vec();
        if tensor.name.ends_with("bias") {
            numbers.fill(0);
        }
        tensors.insert(tensor.name.clone(), (tensor.shape.clone(), numbers));
    }
    let qwen2 = folder.join("qwen2.gguf");
    write(&header, &tensors, "qwen2", &qwen2);
    let mut joined = tensors.clone();
    joined.retain(|name, _| !name.ends_with("bias"));
    for layer in 0..2 {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        for (parts, whole) in [(["attn_q", "attn_k", "attn_v"].as_slice(), "attn_qkv"), (&["ffn_gate", "ffn_up"], "ffn_up")] {
            let parts: Vec<_> = parts.iter().map(|part| joined.remove(&name(part)).unwrap()).collect();
            let rows = parts.iter().map(|(shape, _)| shape[0]).sum();
            let numbers = parts.iter().flat_map(|(_, numbers)| numbers.clone()).collect();
            joined.insert(name(whole), (vec![rows, parts[0].0[1]], numbers));
        }
    }
    let phi3 = folder.join("phi3.gguf");
    write(&header, &joined, "phi3", &phi3);
    [qwen2, phi3]
}

fn write(header: &Header, tensors: &BTreeMap<String, (Vec<usize>, Vec<u8>)>, family: &str, path: &Path) {
    let mut writer = GgufWriter::new();
    for (key, value) in header.metadata.iter() {
        let value = if key == "general.architecture" { Value::Text(family.to_owned()) } else { value.clone() };
        writer.fact(&key.replace("qwen2.", &format!("{family}.")), value);
    }
    for (name, (shape, _)) in tensors {
        writer.tensor(name, Kind::F32, shape).unwrap();
    }
    writer.write(std::fs::File::create(path).unwrap(), |tensor, out| out.write_all(&tensors[&tensor.name].1)).unwrap();
}

#[test]
fn the_library_and_the_decoder_agree() {
    let folder = tempfile::tempdir().unwrap();
    let [qwen2, phi3] = twins(folder.path());
    let (ours, theirs) = (Decoder::load(&qwen2, OPTIONS).unwrap(), Stock::load(&phi3, OPTIONS).unwrap());
    let never = Stop::never();
    let text: Vec<u32> = (0..200).map(|place| place * 37 % 500).collect();
    let suffixes = [&text[20..23], &text[23..190], &text[190..191]];
    let (mut our_rows, mut our_logits) = ours.open(&ours.prefix(&text[..20], &never).unwrap(), &suffixes, 8, &never).unwrap();
    let (mut their_rows, mut their_logits) =
        theirs.open(&theirs.prefix(&text[..20], &never).unwrap(), &suffixes, 8, &never).unwrap();
    for round in 0..3_u32 {
        for row in 0..3 {
            let (one, other) = (our_logits.row(row).unwrap(), their_logits.row(row).unwrap());
            let apart = one.iter().zip(other).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
            assert!(apart < 1e-3, "row {row} in round {round}: {apart}");
        }
        let chunks = [&[round + 5][..], &[7, round], if round == 1 { &[] } else { &[9] }];
        our_logits = ours.append(&mut our_rows, &chunks, &never).unwrap();
        their_logits = theirs.append(&mut their_rows, &chunks, &never).unwrap();
    }
}

#[test]
fn what_the_library_would_compute_wrongly_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let [qwen2, phi3] = twins(folder.path());
    assert!(matches!(Stock::load(&qwen2, OPTIONS), Err(DecoderError::Architecture(_))));
    assert!(matches!(Decoder::load(&phi3, OPTIONS), Err(DecoderError::Architecture(_))));
    let header = Header::open(&phi3).unwrap();
    let changed = |key: &str, value: Value| {
        let mut writer = GgufWriter::new();
        for (old, kept) in header.metadata.iter().filter(|&(old, _)| old != key) {
            writer.fact(old, kept.clone());
        }
        writer.fact(key, value);
        for tensor in &header.tensors {
            writer.tensor(&tensor.name, tensor.kind, &tensor.shape).unwrap();
        }
        let path = folder.path().join("changed.gguf");
        writer
            .write(std::fs::File::create(&path).unwrap(), |tensor, out| out.write_all(&vec![0; tensor.bytes as usize]))
            .unwrap();
        Stock::load(&path, OPTIONS)
    };
    assert!(matches!(changed("phi3.rope.freq_base", Value::Float(250_000.0)), Err(DecoderError::Unsupported(_))));
    assert!(matches!(changed("phi3.rope.dimension_count", Value::Integer(8)), Err(DecoderError::Unsupported(_))));
    assert!(matches!(changed("phi3.block_count", Value::Integer(1)), Err(DecoderError::StrangeTensor(_))));
    assert!(matches!(changed("phi3.feed_forward_length", Value::Integer(95)), Err(DecoderError::Shape { .. })));
    let windowed = changed("phi3.attention.sliding_window", Value::Integer(100)).unwrap();
    assert_eq!(windowed.prefix(&[1; 101], &Stop::never()).map(|_| ()), Err(ModelError::TooLong { needed: 101, context: 100 }));
    let most_bytes = Stock::need(&header, 512).unwrap() - 1;
    assert!(matches!(Stock::load(&phi3, LoadOptions { most_bytes, ..OPTIONS }), Err(DecoderError::Memory { .. })));
}

#[test]
fn it_stops_and_says_what_it_cannot() {
    let folder = tempfile::tempdir().unwrap();
    let [_, phi3] = twins(folder.path());
    let model = Stock::load(&phi3, OPTIONS).unwrap();
    let never = Stop::never();
    let raised = Stop::never();
    raised.raise();
    let prefix = model.prefix(&[1, 2], &never).unwrap();
    assert_eq!(model.open(&prefix, &[&[1]], 0, &raised).map(|_| ()), Err(ModelError::Stopped));
    assert_eq!(model.open(&prefix, &[&[1]], 510, &never).map(|_| ()), Err(ModelError::TooLong { needed: 513, context: 512 }));
    assert_eq!(model.open(&prefix, &[&[512]], 1, &never).map(|_| ()), Err(ModelError::StrangeToken(512)));
    let (mut rows, _) = model.open(&prefix, &[&[1]], 1, &never).unwrap();
    assert_eq!(model.append(&mut rows, &[&[1, 2]], &never), Err(ModelError::TooLong { needed: 5, context: 4 }));
    assert!(model.append(&mut rows, &[&[1]], &never).is_ok());
}
