//! The decoder against itself, and against the same arithmetic done slowly with 64 bits.

use std::path::{Path, PathBuf};

use pmax::llm::decoder::{CHUNK, Decoder, DecoderError, LoadOptions, Place, Prefix};
use pmax::llm::gguf::random::{Head, Shape, Weights, write_random};
use pmax::llm::gguf::{Header, Kind};
use pmax::llm::model::{Logits, ModelError, Stop, TextModel};

use crate::llm_reference::Reference;

const OPTIONS: LoadOptions = LoadOptions { place: Place::Cpu, context: 4096, most_bytes: 1 << 32 };
const ARCHITECTURES: [&str; 3] = ["tiny-llama", "tiny-qwen2", "tiny-qwen3"];

struct Made {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

fn made(shape: &Shape) -> Made {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    write_random(shape, &path, 7).unwrap();
    Made { path, _folder: folder }
}

fn load(path: &Path) -> Decoder {
    Decoder::load(path, OPTIONS).unwrap()
}

fn tiny(name: &str) -> Decoder {
    load(&made(&Shape::named(name).unwrap()).path)
}

/// Tokens that look like nothing in particular.
fn tokens(seed: u32, count: usize) -> Vec<u32> {
    (0..count as u32).map(|place| (seed.wrapping_mul(7919).wrapping_add(place.wrapping_mul(place + 31)) >> 2) % 500).collect()
}

fn close(what: &str, one: &[f32], other: &[f32], most: f32) {
    assert_eq!(one.len(), other.len(), "{what}");
    let difference = one.iter().zip(other).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
    let size = one.iter().map(|value| value.abs()).fold(0.0, f32::max);
    assert!(size > 0.1, "{what}: logits of nothing");
    assert!(difference <= most * size, "{what}: {difference} apart, of {size}");
}

/// Logits after a whole text, computed at once behind a prefix of its first token.
fn whole(model: &Decoder, text: &[u32]) -> Vec<f32> {
    let prefix = model.prefix(&text[..1], &Stop::never()).unwrap();
    let (_, logits) = model.open(&prefix, &[&text[1..]], 0, &Stop::never()).unwrap();
    logits.row(0).unwrap().to_vec()
}

fn opened(model: &Decoder, prefix: &Prefix, suffix: &[u32]) -> (<Decoder as TextModel>::Rows, Logits) {
    model.open(prefix, &[suffix], 64, &Stop::never()).unwrap()
}

/// Every architecture with 32 bits, and the block types where rows are wide enough for them.
fn every_kind() -> Vec<(String, Shape)> {
    let mut shapes = Vec::new();
    for name in ARCHITECTURES {
        let shape = Shape::named(name).unwrap();
        shapes.push((name.to_owned(), shape.clone()));
        shapes.push((format!("{name}, Q8_0"), Shape { weights: Weights::All(Kind::Q8_0), ..shape }));
    }
    let wide = Shape { width: 256, heads: 8, head_width: 32, feed_forward: 256, ..Shape::named("tiny-qwen2").unwrap() };
    shapes.push(("Q4_K and Q6_K".to_owned(), Shape { weights: Weights::Q4KM, head: Head::Own, ..wide }));
    shapes
}

#[test]
fn ragged_waves_are_as_one_by_one() {
    for (name, shape) in every_kind() {
        let model = load(&made(&shape).path);
        let prefix_text = tokens(1, 37);
        let prefix = model.prefix(&prefix_text, &Stop::never()).unwrap();
        let mut texts: Vec<Vec<u32>> =
            [3, 1, 20, 150, 7, 2, 90, 5].iter().zip(2..).map(|(&count, seed)| tokens(seed, count)).collect();
        let suffixes: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let (mut rows, mut logits) = model.open(&prefix, &suffixes, 32, &Stop::never()).unwrap();
        // One token each; some of them; a longer piece for one and nothing for others; one token each again.
        let rounds: [[usize; 8]; 4] = [[1; 8], [1, 0, 1, 0, 0, 1, 0, 0], [0, 5, 0, 1, 0, 2, 0, 9], [1; 8]];
        for (round, counts) in rounds.into_iter().enumerate() {
            let chunks: Vec<Vec<u32>> = (0..8).map(|row| tokens(100 + row as u32 + 10 * round as u32, counts[row])).collect();
            let slices: Vec<&[u32]> = chunks.iter().map(Vec::as_slice).collect();
            logits = model.append(&mut rows, &slices, &Stop::never()).unwrap();
            for ((text, chunk), row) in texts.iter_mut().zip(&chunks).zip(0..) {
                text.extend(chunk);
                if chunk.is_empty() {
                    assert!(
                        logits.row(row).unwrap().iter().all(|&value| value == 0.0),
                        "{name}: an idle row has logits of zeros"
                    );
                }
            }
        }
        assert_eq!(logits.rows(), 8);
        for (row, text) in texts.iter().enumerate() {
            let alone = whole(&model, &[prefix_text.as_slice(), text].concat());
            // Blocks of 8 bits round what goes in; how it is summed up decides about the last of them.
            close(&format!("{name}, row {row}"), logits.row(row).unwrap(), &alone, if name.contains('Q') { 0.03 } else { 1e-4 });
        }
    }
}

#[test]
fn a_prefix_is_as_good_as_reading_all_again() {
    for name in ARCHITECTURES {
        let model = tiny(name);
        let text = tokens(3, 90);
        let right = whole(&model, &text);
        for cut in [1, 40, 89] {
            let prefix = model.prefix(&text[..cut], &Stop::never()).unwrap();
            close(name, opened(&model, &prefix, &text[cut..]).1.row(0).unwrap(), &right, 1e-4);
        }
    }
}

#[test]
fn in_chunks_is_as_at_once() {
    for name in ARCHITECTURES {
        let model = tiny(name);
        let text = tokens(4, 2 * CHUNK + 50);
        let right = whole(&model, &text);
        let prefix = model.prefix(&text[..CHUNK + 3], &Stop::never()).unwrap();
        let (mut rows, _) = model.open(&prefix, &[&text[CHUNK + 3..CHUNK + 4]], 400, &Stop::never()).unwrap();
        let mut last = None;
        for token in text[CHUNK + 4..].chunks(1) {
            last = Some(model.append(&mut rows, &[token], &Stop::never()).unwrap());
        }
        close(name, last.unwrap().row(0).unwrap(), &right, 1e-4);
    }
}

#[test]
fn far_positions_are_as_the_slow_arithmetic_has_them() {
    for name in ARCHITECTURES {
        let file = made(&Shape { heads: 2, kv_heads: 1, ..Shape::named(name).unwrap() });
        let model = load(&file.path);
        let text = tokens(5, 3001);
        let right = Reference::read(&file.path).logits(&text);
        let prefix = model.prefix(&text[..2900], &Stop::never()).unwrap();
        let found = opened(&model, &prefix, &text[2900..]).1;
        close(name, found.row(0).unwrap(), &right, 2e-5);
        // One position off is another text: the comparison above would see it.
        let apart = right.iter().zip(&whole(&model, &text[1..])).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
        assert!(apart > 1e-3, "{name}: {apart}");
    }
}

#[test]
fn slow_types_are_kept_with_eight_bits_and_compute_nearly_the_same() {
    for kind in [Kind::Q4_0, Kind::Q4_1, Kind::Q5_0, Kind::Q5_1, Kind::Q8_0, Kind::F16, Kind::Bf16] {
        let file = made(&Shape { weights: Weights::All(kind), ..Shape::named("tiny-llama").unwrap() });
        let text = tokens(6, 40);
        close(kind.word(), &whole(&load(&file.path), &text), &Reference::read(&file.path).logits(&text), 0.05);
    }
}

#[test]
fn sequences_behind_one_prefix_do_not_see_each_other() {
    let model = tiny("tiny-qwen3");
    let prefix = model.prefix(&tokens(7, 30), &Stop::never()).unwrap();
    let (one, other) = (tokens(8, 4), tokens(9, 6));
    let next = |rows: &mut _, token: u32| model.append(rows, &[&[token]], &Stop::never()).unwrap();
    let (mut alone, first) = opened(&model, &prefix, &one);
    let right = [first, next(&mut alone, 11), next(&mut alone, 12)];
    let copy = prefix.clone();
    let (mut rows, again) = opened(&model, &copy, &one);
    let (mut others, _) = opened(&model, &prefix, &other);
    next(&mut others, 400);
    let second = next(&mut rows, 11);
    next(&mut others, 401);
    drop(others);
    assert_eq!([again, second, next(&mut rows, 12)], right);
}

#[test]
fn a_prompt_can_be_stopped_and_everything_goes_on_as_before() {
    let model = tiny("tiny-llama");
    let long = tokens(10, 3900);
    let prefix = model.prefix(&long[..10], &Stop::never()).unwrap();
    let (mut rows, _) = model.open(&prefix, &[&long[10..12]], 3900, &Stop::never()).unwrap();
    let stop = Stop::never();
    let result = std::thread::scope(|scope| {
        scope.spawn(|| stop.raise());
        model.append(&mut rows, &[&long[12..]], &stop)
    });
    assert_eq!(result, Err(ModelError::Stopped));
    assert_eq!(model.prefix(&long, &stop).map(|_| ()), Err(ModelError::Stopped));
    assert_eq!(model.open(&prefix, &[&long[10..12]], 1, &stop).map(|_| ()), Err(ModelError::Stopped));
    let past = Stop::at(std::time::Instant::now());
    assert_eq!(model.prefix(&long[..1], &past).map(|_| ()), Err(ModelError::Stopped));
    let (_, fresh) = opened(&model, &prefix, &long[10..20]);
    close("afterwards", fresh.row(0).unwrap(), &whole(&model, &long[..20]), 1e-4);
}

#[test]
fn what_is_no_number_is_said_to_be_none() {
    let file = made(&Shape::named("tiny-qwen2").unwrap());
    let header = Header::open(&file.path).unwrap();
    let mut bytes = std::fs::read(&file.path).unwrap();
    let tensor = header.tensor("blk.1.ffn_norm.weight").unwrap();
    let at = usize::try_from(header.data_start + tensor.offset).unwrap();
    for poison in [f32::NAN, f32::INFINITY] {
        bytes[at..at + 4].copy_from_slice(&poison.to_le_bytes());
        std::fs::write(&file.path, &bytes).unwrap();
        let model = load(&file.path);
        let prefix = model.prefix(&[1, 2, 3], &Stop::never()).unwrap();
        assert_eq!(model.open(&prefix, &[&[4]], 0, &Stop::never()).map(|_| ()), Err(ModelError::NotANumber), "{poison}");
    }
}

#[test]
fn what_cannot_be_computed_is_refused() {
    let model = tiny("tiny-qwen2");
    let never = Stop::never();
    let prefix = model.prefix(&[1, 2, 3], &never).unwrap();
    assert_eq!(model.prefix(&[512], &never).map(|_| ()), Err(ModelError::StrangeToken(512)));
    assert_eq!(model.prefix(&vec![1; 4097], &never).map(|_| ()), Err(ModelError::TooLong { needed: 4097, context: 4096 }));
    assert_eq!(model.open(&prefix, &[&[1]], 4093, &never).map(|_| ()), Err(ModelError::TooLong { needed: 4097, context: 4096 }));
    assert_eq!(
        model.open(&prefix, &[&[1]], usize::MAX, &never).map(|_| ()),
        Err(ModelError::TooLong { needed: usize::MAX, context: 4096 })
    );
    assert!(matches!(model.prefix(&[], &never), Err(ModelError::Device(_))));
    assert!(matches!(model.open(&prefix, &[[1].as_slice(), &[]], 0, &never), Err(ModelError::Device(_))));
    assert!(matches!(model.open(&prefix, &[[1].as_slice(); 9], 0, &never), Err(ModelError::Device(_))));
    let (mut rows, _) = model.open(&prefix, &[&[1]], 1, &never).unwrap();
    assert_eq!(model.append(&mut rows, &[&[1, 2]], &never), Err(ModelError::TooLong { needed: 3, context: 2 }));
    assert_eq!(model.append(&mut rows, &[&[9999]], &never), Err(ModelError::StrangeToken(9999)));
    assert!(model.append(&mut rows, &[&[1], &[2]], &never).is_err());
    assert!(model.append(&mut rows, &[&[1]], &never).is_ok());
}

#[test]
fn memory_is_reckoned_before_anything_is_read() {
    let file = made(&Shape::named("tiny-qwen2").unwrap());
    let header = Header::open(&file.path).unwrap();
    let need = Decoder::need(&header, Place::Cpu, 1000).unwrap();
    // Two layers, two heads of 16 for keys and for values, four bytes each.
    assert_eq!(need.cache, 1000 * 2 * 2 * 2 * 16 * 4);
    assert_eq!(need.weights, header.tensors.iter().map(|tensor| tensor.bytes).sum::<u64>());
    let most_bytes = need.total() - 1;
    let refused = Decoder::load(&file.path, LoadOptions { place: Place::Cpu, context: 1000, most_bytes }).unwrap_err();
    assert_eq!(refused, DecoderError::Memory { need: need.to_string(), most: most_bytes });
}
