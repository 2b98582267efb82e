//! The small model against llama.cpp on the same weights: what comes next, and thirty-two words on.
//!
//! `tests/oracles/llm/next_tokens.py` wrote the numbers. Without the model's file nothing is tested here, and the test says so.

use std::path::PathBuf;

use pmax::llm::decoder::{Decoder, LoadOptions, Place};
use pmax::llm::model::{Stop, TextModel};
use serde_json::Value;

const ORACLE: &str = include_str!("../oracles/llm/next_tokens.json");
/// Of the words that llama.cpp finds likeliest, so many tell how far the logits are apart.
const COMPARED: usize = 16;

/// The small model's file, where a person or the continuous build put it.
fn small_model() -> Option<PathBuf> {
    let told = std::env::var_os("PMAX_TEST_MODEL").map(PathBuf::from);
    let usual = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/models/smollm2-135m.gguf");
    let found = told.or_else(|| usual.exists().then_some(usual));
    if found.is_none() {
        eprintln!(
            "SKIPPED: the small model is not installed; PMAX_TEST_MODEL or target/models/smollm2-135m.gguf would be its file"
        );
    }
    found
}

fn numbers(of: &Value) -> Vec<f64> {
    of.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn tokens(of: &Value) -> Vec<u32> {
    of.as_array().unwrap().iter().map(|number| u32::try_from(number.as_u64().unwrap()).unwrap()).collect()
}

fn log_probabilities(logits: &[f32]) -> Vec<f64> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let all: f64 = logits.iter().map(|logit| f64::from(logit - most).exp()).sum();
    logits.iter().map(|logit| f64::from(logit - most) - all.ln()).collect()
}

fn likeliest(logits: &[f32]) -> u32 {
    let best = (0..logits.len()).max_by(|&one, &other| logits[one].total_cmp(&logits[other]).then(other.cmp(&one)));
    u32::try_from(best.unwrap()).unwrap()
}

#[test]
fn the_small_model_says_what_llama_cpp_says() {
    let Some(file) = small_model() else { return };
    let oracle: Value = serde_json::from_str(ORACLE).unwrap();
    let model = Decoder::load(&file, LoadOptions { place: Place::Cpu, context: 512, most_bytes: u64::MAX }).unwrap();
    let stop = Stop::never();
    let (mut divergences, mut error, mut continuations) = (Vec::new(), 0.0_f64, Vec::new());
    for prompt in oracle["prompts"].as_array().unwrap() {
        let text = tokens(&prompt["tokens"]);
        let prefix = model.prefix(&text[..1], &stop).unwrap();
        let (mut rows, mut logits) = model.open(&prefix, &[&text[1..]], 64, &stop).unwrap();
        let ours = log_probabilities(logits.row(0).unwrap());
        let (top, theirs) = (tokens(&prompt["top"]), numbers(&prompt["log_probabilities"]));
        let shared = top.iter().map(|&token| ours[token as usize]);
        let of_top: f64 = theirs.iter().zip(shared.clone()).map(|(theirs, ours)| theirs.exp() * (theirs - ours)).sum();
        // What is not among the likeliest counts as one word.
        let (rest, our_rest) = (prompt["rest"].as_f64().unwrap(), 1.0 - shared.clone().map(f64::exp).sum::<f64>());
        divergences.push(of_top + if rest > 0.0 { rest * (rest / our_rest.max(1e-9)).ln() } else { 0.0 });
        error = theirs.iter().zip(shared).take(COMPARED).map(|(theirs, ours)| (theirs - ours).abs()).fold(error, f64::max);
        let theirs = tokens(&prompt["greedy"]);
        let mut same = 0;
        while theirs.get(same) == Some(&likeliest(logits.row(0).unwrap())) {
            logits = model.append(&mut rows, &[&[theirs[same]]], &stop).unwrap();
            same += 1;
        }
        // The gap of the first other word; none where all are the same.
        continuations.push((same, numbers(&prompt["gaps"]).get(same).copied()));
    }
    let mean = divergences.iter().sum::<f64>() / divergences.len() as f64;
    println!("mean KL divergence {mean:.5}, each {divergences:.5?}; logits apart by {error:.3} at most");
    assert_eq!(divergences.len(), 10);
    assert!(mean <= 0.01, "{mean}");
    for (same, gap) in continuations {
        println!("the same for {same} of 32 words, then a gap of {gap:?}");
        // Each of two words may be off by as much.
        assert!(gap.is_none_or(|gap| gap <= 2.0 * error), "{same}: {gap:?}");
    }
}
