//! The decision: where its value begins, what each label would cost, and which one is taken.
//!
//! Each label has one way of being written: the tokens that the tokenizer would have chosen. Where the ways part, the shares of the parting
//! tokens are the labels' chances: with everything after forced, the chance of a token is the chance of its label, by however many tokens it goes on.
//! Labels that part later share a token first; their chance is the product along the way (the chain rule), and where that way was not taken, the token's
//! chance is dealt out in equal parts, for the model was not asked how it would have gone on.

use crate::llm::answer::Abstention;
use crate::llm::ask::Decision;
use crate::llm::tokenizer::Tokenizer;
use crate::llm::weigh::softmax;

/// A decision that is to come.
#[derive(Debug)]
pub(super) struct Choice {
    /// The labels as they are written, with the quote that ends them.
    written: Vec<Vec<u8>>,
    /// What stands before the value.
    marker: Vec<u8>,
    /// The answer up to the value, once it is that far.
    head: Option<Vec<u8>>,
    alive: Vec<usize>,
    chances: Vec<f64>,
    prior: Vec<f64>,
}

/// Tokens with which labels go on, and the labels behind each.
pub(super) type Ways = Vec<(u32, Vec<usize>)>;

impl Choice {
    /// For a decision and the prior of its labels, empty where there is none.
    pub(super) fn new(decision: &Decision, prior: Vec<f64>) -> Self {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let written: Vec<Vec<u8>> = decision.labels.iter().map(|label| quoted(label).into_bytes().split_off(1)).collect();
        let marker = format!("{}:\"", quoted(&decision.property)).into_bytes();
        let alive: Vec<usize> = (0..written.len()).collect();
        let chances = vec![1.0; written.len()];
        let prior = if prior.len() == written.len() { prior } else { chances.clone() };
        Self { written, marker, head: None, alive, chances, prior }
    }

    /// Whether the answer so far, with what must come next, has reached the value.
    pub(super) fn is_reached(&mut self, so_far: &[u8], next: &[u8]) -> bool {
        if self.head.is_none() {
            let text = [so_far, next].concat();
            let place = text.windows(self.marker.len()).position(|window| window == self.marker);
            self.head = place.and_then(|place| text.get(..place + self.marker.len()).map(<[u8]>::to_vec));
        }
        self.head.is_some()
    }

    /// Whether one label is left, and the answer has reached it.
    pub(super) fn is_made(&self) -> bool {
        self.head.is_some() && self.alive.len() <= 1
    }

    /// Whether the label that is left is written so far that the grammar cannot make another one of it.
    pub(super) fn is_written(&self, so_far: &[u8]) -> bool {
        let (Some(head), [label]) = (&self.head, self.alive.as_slice()) else { return false };
        let Some(whole) = self.written.get(*label) else { return false };
        let bare = whole.strip_suffix(b"\"").unwrap_or(whole);
        let goes_on = self.written.iter().any(|other| other != whole && other.starts_with(bare));
        so_far.len() >= head.len() + if goes_on { whole.len() } else { bare.len() }
    }

    /// The chances of all labels.
    pub(super) fn chances(&self) -> Vec<f64> {
        self.chances.clone()
    }

    /// How the labels that are left go on after what is written.
    pub(super) fn ways(&mut self, tokenizer: &Tokenizer, so_far: &[u8], last: Option<u32>) -> Result<Ways, Abstention> {
        let head = self.head.clone().unwrap_or_default();
        let mut ways: Ways = Vec::new();
        for label in self.alive.clone() {
            let whole = [head.as_slice(), self.written.get(label).map_or(&[], Vec::as_slice)].concat();
            let Some(rest) = whole.strip_prefix(so_far).filter(|rest| !rest.is_empty()) else { continue };
            let token = first_token(tokenizer, last, rest)?;
            match ways.iter_mut().find(|(known, _)| *known == token) {
                Some((_, labels)) => labels.push(label),
                None => ways.push((token, vec![label])),
            }
        }
        if ways.is_empty() { Err(Abstention::Unusable("none of its labels can be written".to_owned())) } else { Ok(ways) }
    }

    /// Takes the most probable way, the prior taken off, and gives its token.
    pub(super) fn decide(&mut self, ways: &Ways, logits: &[f32]) -> Result<u32, Abstention> {
        let logit =
            |token: u32| usize::try_from(token).ok().and_then(|index| logits.get(index)).copied().unwrap_or(f32::NEG_INFINITY);
        let chances =
            softmax(&ways.iter().map(|(token, _)| logit(*token)).collect::<Vec<f32>>()).ok_or(Abstention::NotANumber)?;
        let priors: Vec<f64> = ways.iter().map(|(_, labels)| self.prior_of(labels)).collect();
        let weighed = crate::llm::weigh::without_prior(&chances, &priors);
        let taken = crate::llm::weigh::winner(&weighed).map_or(0, |(best, _)| best);
        for (way, ((_, labels), chance)) in ways.iter().zip(&chances).enumerate() {
            let share = if way == taken { *chance } else { chance / f64::from(u32::try_from(labels.len()).unwrap_or(u32::MAX)) };
            for label in labels {
                if let Some(known) = self.chances.get_mut(*label) {
                    *known *= share;
                }
            }
        }
        let (token, labels) = ways.get(taken).ok_or(Abstention::NotANumber)?;
        self.alive.clone_from(labels);
        Ok(*token)
    }

    fn prior_of(&self, labels: &[usize]) -> f64 {
        labels.iter().filter_map(|label| self.prior.get(*label)).sum()
    }
}

/// The first token of what follows another, in the tokenizer's own way of cutting where that agrees with what stands there.
fn first_token(tokenizer: &Tokenizer, last: Option<u32>, rest: &[u8]) -> Result<u32, Abstention> {
    let strange = || Abstention::Unusable("a label cannot be encoded".to_owned());
    let encode = |bytes: &[u8]| std::str::from_utf8(bytes).ok().and_then(|text| tokenizer.encode(text).ok());
    let behind = last.and_then(|last| {
        let tokens = encode(&[tokenizer.bytes(last), rest].concat())?;
        tokens.split_first().filter(|(first, _)| **first == last).and_then(|(_, others)| others.first()).copied()
    });
    behind.or_else(|| encode(rest)?.first().copied()).ok_or_else(strange)
}
