//! Tokens of several sequences in packs, without padding.

use crate::llm::decoder::CHUNK;
use crate::llm::decoder::cache::Stretch;

/// What is computed at once.
#[derive(Debug)]
pub(super) struct Pack {
    pub tokens: Vec<u32>,
    pub stretches: Vec<Stretch>,
    /// The last tokens of sequences' chunks: their places in the pack, and whose they are.
    pub last: Vec<(u32, usize)>,
}

/// Cuts chunks for sequences that have so many tokens already into packs of at most [`CHUNK`] tokens, sequence after sequence.
pub(super) fn packs(lengths: &[usize], chunks: &[&[u32]]) -> Vec<Pack> {
    let fresh = || Pack { tokens: Vec::new(), stretches: Vec::new(), last: Vec::new() };
    let mut packs = Vec::new();
    let mut pack = fresh();
    for (row, (chunk, &length)) in chunks.iter().zip(lengths).enumerate() {
        let mut rest = *chunk;
        while !rest.is_empty() {
            let start = pack.tokens.len();
            let (now, later) = rest.split_at(rest.len().min(CHUNK - start));
            pack.stretches.push(Stretch { row, start, count: now.len(), before: length + chunk.len() - rest.len() });
            pack.tokens.extend_from_slice(now);
            if later.is_empty() {
                pack.last.extend(u32::try_from(pack.tokens.len() - 1).map(|place| (place, row)));
            }
            rest = later;
            if pack.tokens.len() == CHUNK {
                packs.push(std::mem::replace(&mut pack, fresh()));
            }
        }
    }
    if !pack.tokens.is_empty() {
        packs.push(pack);
    }
    packs
}

#[cfg(test)]
mod tests {
    use super::packs;

    #[test]
    fn every_token_is_in_one_pack_at_its_place() {
        let long: Vec<u32> = (0..200).collect();
        let made = packs(&[0, 7, 3], &[&long, &[], &[9, 8]]);
        assert_eq!(made.iter().map(|pack| pack.tokens.len()).collect::<Vec<_>>(), [128, 74]);
        assert_eq!(made[0].last, []);
        assert_eq!(made[1].last, [(71, 0), (73, 2)]);
        assert_eq!(made[1].tokens[72..], [9, 8]);
        let places: Vec<_> = made[1].stretches.iter().map(|one| (one.row, one.start, one.count, one.before)).collect();
        assert_eq!(places, [(0, 0, 72, 128), (2, 72, 2, 3)]);
    }
}
