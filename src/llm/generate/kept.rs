//! What is computed once: states of static parts, and what the model would say of nothing.

use crate::llm::ask::Ask;

/// States by the tokens they are the state of; the least recently used one goes first where they take too many bytes.
pub(super) struct Prefixes<P> {
    most_bytes: usize,
    /// The latest used last.
    kept: Vec<(Vec<u32>, P, usize)>,
}

impl<P: Clone> Prefixes<P> {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self { most_bytes, kept: Vec::new() }
    }

    pub(super) fn get(&mut self, tokens: &[u32]) -> Option<P> {
        let place = self.kept.iter().position(|(key, _, _)| key == tokens)?;
        let entry = self.kept.remove(place);
        let prefix = entry.1.clone();
        self.kept.push(entry);
        Some(prefix)
    }

    pub(super) fn keep(&mut self, tokens: Vec<u32>, prefix: P, bytes: usize) {
        self.kept.retain(|(key, _, _)| *key != tokens);
        self.kept.push((tokens, prefix, bytes));
        while self.bytes() > self.most_bytes && self.kept.len() > 1 {
            self.kept.remove(0);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.kept.iter().map(|(_, _, bytes)| bytes).sum()
    }
}

/// Priors that are kept; the oldest goes first.
const MOST_PRIORS: usize = 64;

/// Priors by what they are the prior of.
#[derive(Default)]
pub(super) struct Priors {
    kept: Vec<(PriorKey, Vec<f64>)>,
}

/// What a prior depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PriorKey {
    system: String,
    content_free: String,
    schema: String,
    labels: Vec<String>,
}

impl PriorKey {
    /// The key of a question that has a prior.
    pub(super) fn of(ask: &Ask) -> Option<Self> {
        let (content_free, decision) = (ask.content_free.clone()?, ask.decision.as_ref()?);
        Some(Self { system: ask.system.clone(), content_free, schema: ask.schema.clone(), labels: decision.labels.clone() })
    }
}

impl Priors {
    pub(super) fn get(&self, key: &PriorKey) -> Option<&[f64]> {
        self.kept.iter().find(|(known, _)| known == key).map(|(_, prior)| prior.as_slice())
    }

    pub(super) fn keep(&mut self, key: PriorKey, prior: Vec<f64>) {
        if self.kept.len() >= MOST_PRIORS {
            self.kept.remove(0);
        }
        self.kept.push((key, prior));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_state_goes_first() {
        let mut prefixes = Prefixes::new(20);
        prefixes.keep(vec![1], 'a', 10);
        prefixes.keep(vec![2], 'b', 10);
        assert_eq!(prefixes.get(&[1]), Some('a'));
        prefixes.keep(vec![3], 'c', 10);
        assert_eq!(
            (prefixes.get(&[1]), prefixes.get(&[2]), prefixes.get(&[3]), prefixes.bytes()),
            (Some('a'), None, Some('c'), 20)
        );
        prefixes.keep(vec![4], 'd', 100);
        assert_eq!((prefixes.get(&[4]), prefixes.bytes()), (Some('d'), 100));
    }
}
