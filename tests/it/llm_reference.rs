//! The forward pass of a model with 64 bits, token by token, as the papers write it down: nothing fused, nothing shared, nothing kept.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use candle_core::Device;
use candle_core::quantized::{QStorage, QTensor};
use pmax::llm::gguf::Header;

pub struct Reference {
    architecture: String,
    sizes: BTreeMap<&'static str, usize>,
    theta: f64,
    epsilon: f64,
    weights: BTreeMap<String, Vec<f64>>,
}

impl Reference {
    pub fn read(path: &Path) -> Self {
        let header = Header::open(path).unwrap();
        let bytes = std::fs::read(path).unwrap();
        let architecture = header.metadata.text("general.architecture").unwrap().to_owned();
        let size = |name| header.metadata.count(&format!("{architecture}.{name}")).unwrap();
        let sizes = BTreeMap::from([
            ("layers", size("block_count")),
            ("width", size("embedding_length")),
            ("heads", size("attention.head_count")),
            ("kv_heads", size("attention.head_count_kv")),
            ("head_width", size("attention.key_length")),
        ]);
        let weights = header.tensors.iter().map(|tensor| {
            let at = usize::try_from(header.data_start + tensor.offset).unwrap();
            let raw = &bytes[at..at + usize::try_from(tensor.bytes).unwrap()];
            let storage = QStorage::from_data(Cow::Owned(raw.to_vec()), &Device::Cpu, tensor.kind.arithmetic()).unwrap();
            let plain = QTensor::new(storage, tensor.shape.as_slice()).unwrap().dequantize(&Device::Cpu).unwrap();
            let plain = plain.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            (tensor.name.clone(), plain.into_iter().map(f64::from).collect())
        });
        Self {
            sizes,
            theta: header.metadata.float(&format!("{architecture}.rope.freq_base")).unwrap(),
            epsilon: header.metadata.float(&format!("{architecture}.attention.layer_norm_rms_epsilon")).unwrap(),
            weights: weights.collect(),
            architecture,
        }
    }

    /// Logits after the last of these tokens.
    pub fn logits(&self, text: &[u32]) -> Vec<f32> {
        let width = self.sizes["width"];
        let words = &self.weights["token_embd.weight"];
        let mut states: Vec<Vec<f64>> = text.iter().map(|&token| words[token as usize * width..][..width].to_vec()).collect();
        for layer in 0..self.sizes["layers"] {
            let is_last = layer + 1 == self.sizes["layers"];
            states = self.layer(layer, &states, if is_last { text.len() - 1 } else { 0 });
        }
        let last = self.norm(states.last().unwrap(), "output_norm.weight");
        let head = if self.weights.contains_key("output.weight") { "output.weight" } else { "token_embd.weight" };
        self.product(head, &last).into_iter().map(|logit| logit as f32).collect()
    }

    /// One layer; only what comes out from a place on is computed.
    fn layer(&self, layer: usize, states: &[Vec<f64>], from: usize) -> Vec<Vec<f64>> {
        let name = |part: &str| format!("blk.{layer}.{part}");
        let (heads, kv_heads, head_width) = (self.sizes["heads"], self.sizes["kv_heads"], self.sizes["head_width"]);
        let sides: Vec<[Vec<f64>; 3]> = states
            .iter()
            .enumerate()
            .map(|(place, state)| {
                let normed = self.norm(state, &name("attn_norm.weight"));
                ["attn_q", "attn_k", "attn_v"].map(|side| {
                    let mut numbers = self.product(&name(&format!("{side}.weight")), &normed);
                    if let Some(bias) = self.weights.get(&name(&format!("{side}.bias"))) {
                        numbers.iter_mut().zip(bias).for_each(|(number, bias)| *number += bias);
                    }
                    if side != "attn_v" {
                        for head in numbers.chunks_mut(head_width) {
                            let norm = name(&format!("{side}_norm.weight"));
                            if self.weights.contains_key(&norm) {
                                head.copy_from_slice(&self.norm(head, &norm));
                            }
                            self.turn(head, place);
                        }
                    }
                    numbers
                })
            })
            .collect();
        let out = (from..states.len()).map(|place| {
            let mut looked = Vec::new();
            for head in 0..heads {
                let group = head / (heads / kv_heads) * head_width;
                let query = &sides[place][0][head * head_width..][..head_width];
                let scores: Vec<f64> = sides[..=place]
                    .iter()
                    .map(|[_, keys, _]| dot(query, &keys[group..][..head_width]) / (head_width as f64).sqrt())
                    .collect();
                let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let weights: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
                let all: f64 = weights.iter().sum();
                let mut seen = vec![0.0; head_width];
                for (weight, [_, _, values]) in weights.iter().zip(&sides) {
                    seen.iter_mut().zip(&values[group..][..head_width]).for_each(|(seen, value)| *seen += weight / all * value);
                }
                looked.extend(seen);
            }
            let state = sum(&states[place], &self.product(&name("attn_output.weight"), &looked));
            let normed = self.norm(&state, &name("ffn_norm.weight"));
            let (gate, up) = (self.product(&name("ffn_gate.weight"), &normed), self.product(&name("ffn_up.weight"), &normed));
            let gated: Vec<f64> = gate.iter().zip(&up).map(|(gate, up)| gate / (1.0 + (-gate).exp()) * up).collect();
            sum(&state, &self.product(&name("ffn_down.weight"), &gated))
        });
        out.collect()
    }

    /// Pairs side by side in files of the first family, a half apart in the others.
    fn turn(&self, head: &mut [f64], place: usize) {
        let width = head.len();
        for pair in 0..width / 2 {
            let angle = place as f64 * self.theta.powf(-2.0 * pair as f64 / width as f64);
            let (one, other) = if self.architecture == "llama" { (2 * pair, 2 * pair + 1) } else { (pair, pair + width / 2) };
            (head[one], head[other]) =
                (head[one] * angle.cos() - head[other] * angle.sin(), head[one] * angle.sin() + head[other] * angle.cos());
        }
    }

    fn norm(&self, numbers: &[f64], name: &str) -> Vec<f64> {
        let square = numbers.iter().map(|number| number * number).sum::<f64>() / numbers.len() as f64;
        numbers.iter().zip(&self.weights[name]).map(|(number, weight)| number / (square + self.epsilon).sqrt() * weight).collect()
    }

    fn product(&self, name: &str, numbers: &[f64]) -> Vec<f64> {
        self.weights[name].chunks(numbers.len()).map(|row| dot(row, numbers)).collect()
    }
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

fn sum(one: &[f64], other: &[f64]) -> Vec<f64> {
    one.iter().zip(other).map(|(one, other)| one + other).collect()
}
