//! Speed of the language model on the CPU: prompts, writing, and eight sequences against one. `benches/README.md` holds the figures.
//!
//!     CANDLE_NUM_THREADS=2 cargo bench --bench llm [-- FILE…]
//!
//! Without files: the small model where it is installed (`PMAX_TEST_MODEL`), and random weights in the shape of a 1.5B.
//! `-- requantize FROM TO` writes the copy with eight bits that other programs are compared on.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench stops at the impossible")]

use std::path::{Path, PathBuf};
use std::time::Instant;

use pmax::llm::bandwidth::measured_bandwidth;
use pmax::llm::decoder::{Decoder, LoadOptions, Place};
use pmax::llm::gguf::random::{Shape, write_random};
use pmax::llm::gguf::requantize;
use pmax::llm::model::{Stop, TextModel};

const PROMPT: usize = 256;
const WRITTEN: usize = 64;
const TRIES: usize = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if let [command, from, to] = arguments.as_slice()
        && command == "requantize"
    {
        println!("{} bytes", requantize(Path::new(from), Path::new(to)).unwrap());
        return;
    }
    let folder =
        PathBuf::from(std::env::var("CARGO_TARGET_TMPDIR").unwrap_or_else(|_| std::env::temp_dir().display().to_string()));
    let mut files: Vec<PathBuf> = arguments.iter().map(PathBuf::from).collect();
    if files.is_empty() {
        files.extend(std::env::var_os("PMAX_TEST_MODEL").map(PathBuf::from));
        let random = folder.join("qwen2.5-1.5b-q4_k_m-random.gguf");
        if !random.exists() {
            write_random(&Shape::named("qwen2.5-1.5b-q4_k_m").unwrap(), &random, 1).unwrap();
        }
        files.push(random);
    }
    let threads = std::env::var("CANDLE_NUM_THREADS").ok().and_then(|told| told.parse().ok()).unwrap_or(2);
    let bandwidth = measured_bandwidth(threads);
    println!("memory gives {bandwidth:.1} GB/s to {threads} threads");
    println!(
        "{:36} {:>7} {:>9} {:>9} {:>7} {:>6} {:>9} {:>6}",
        "file", "load s", "prompt/s", "written/s", "GB/s", "share", "8 rows/s", "cost"
    );
    for file in files {
        measure(&file, bandwidth);
    }
}

fn measure(file: &Path, bandwidth: f64) {
    let start = Instant::now();
    let model = Decoder::load(file, LoadOptions { place: Place::Cpu, context: 2048, most_bytes: u64::MAX }).unwrap();
    let loaded = start.elapsed().as_secs_f64();
    let vocabulary = u32::try_from(model.vocabulary()).unwrap();
    let text: Vec<u32> = (0..PROMPT as u32).map(|place| place * 7919 % vocabulary.min(40_000)).collect();
    let stop = Stop::never();
    let first = model.prefix(&text[..1], &stop).unwrap();
    let mut prompt = f64::INFINITY;
    let mut written = [f64::INFINITY; 2];
    for _ in 0..TRIES {
        for (rows, written) in [1, 8].into_iter().zip(&mut written) {
            let suffixes = vec![if rows == 1 { &text[..] } else { &text[..32] }; rows];
            let start = Instant::now();
            let (mut state, _) = model.open(&first, &suffixes, WRITTEN, &stop).unwrap();
            if rows == 1 {
                prompt = prompt.min(start.elapsed().as_secs_f64());
            }
            let start = Instant::now();
            for step in 0..WRITTEN as u32 {
                let token = [step * 31 % 1000];
                model.append(&mut state, &vec![token.as_slice(); rows], &stop).unwrap();
            }
            *written = written.min(start.elapsed().as_secs_f64() / WRITTEN as f64);
        }
    }
    let gigabytes = model.bytes_per_token() as f64 / written[0] / 1e9;
    println!(
        "{:36} {loaded:7.2} {:9.1} {:9.1} {gigabytes:7.2} {:5.0}% {:9.1} {:5.2}x",
        file.file_name().unwrap().to_string_lossy(),
        PROMPT as f64 / prompt,
        1.0 / written[0],
        100.0 * gigabytes / bandwidth,
        8.0 / written[1],
        written[1] / written[0]
    );
}
