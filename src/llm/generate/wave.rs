//! A wave: the static part once, then the questions behind it side by side until each has ended.

use std::time::Instant;

use crate::llm::answer::{Abstention, Answer};
use crate::llm::ask::Ask;
use crate::llm::generate::kept::PriorKey;
use crate::llm::generate::row::{Desk, Purpose, Row, given_up, unusable};
use crate::llm::generate::{Generator, Told};
use crate::llm::model::{ModelError, Stop, TextModel};

/// A question's place in a wave.
pub(super) struct Seat<'a> {
    pub(super) index: usize,
    pub(super) ask: &'a Ask,
    pub(super) stop: &'a Stop,
}

/// A static part that was computed, or found.
struct Static<P> {
    prefix: P,
    tokens: usize,
    was_there: bool,
}

/// Writes the answers of questions that share their static part.
pub(super) fn write<M: TextModel>(
    generator: &mut Generator<M>,
    seats: &[Seat<'_>],
    began: Instant,
    told: &mut Told<'_>,
) -> Vec<(usize, Result<Answer, Abstention>)> {
    let Some(first) = seats.first() else { return Vec::new() };
    let stop = joint(seats.iter().map(|seat| seat.stop));
    let common = match static_part(generator, &first.ask.system, &stop) {
        Ok(common) => common,
        Err(error) => return seats.iter().map(|seat| (seat.index, Err(abstention(&error, seat.ask, seat.stop)))).collect(),
    };
    let asks: Vec<&Ask> = seats.iter().map(|seat| seat.ask).collect();
    find_priors(generator, &common, &asks, &stop);
    let mut answers = Vec::new();
    let mut rows = Vec::new();
    for seat in seats {
        match row(generator, seat.ask, seat.stop, Purpose::Answer(seat.index)) {
            Ok(row) => {
                let prior = PriorKey::of(seat.ask).and_then(|key| generator.priors.get(&key).map(<[f64]>::to_vec));
                rows.push((seat.index, row.with_prior(prior.unwrap_or_default())));
            }
            Err(abstention) => answers.push((seat.index, Err(abstention))),
        }
    }
    let (indices, mut rows): (Vec<usize>, Vec<Row<'_>>) = rows.into_iter().unzip();
    run(generator, &common, &mut rows, &Run { stop: &stop, began }, told);
    answers.extend(indices.into_iter().zip(rows).map(|(index, row)| (index, row.answer())));
    answers
}

/// Computes a question's static part and its prior, if they are not there. Gives how many tokens were computed.
pub(super) fn warm<M: TextModel>(generator: &mut Generator<M>, ask: &Ask, stop: &Stop) -> usize {
    let Ok(common) = static_part(generator, &ask.system, stop) else { return 0 };
    find_priors(generator, &common, &[ask], stop);
    if common.was_there { 0 } else { common.tokens }
}

fn static_part<M: TextModel>(generator: &mut Generator<M>, system: &str, stop: &Stop) -> Result<Static<M::Prefix>, ModelError> {
    let encoded = generator.chat.system(&generator.tokenizer, system);
    let tokens = encoded.map_err(|error| ModelError::Device(error.to_string()))?;
    let count = tokens.len();
    if let Some(prefix) = generator.prefixes.get(&tokens) {
        return Ok(Static { prefix, tokens: count, was_there: true });
    }
    if count >= generator.model.context() {
        return Err(ModelError::TooLong { needed: count, context: generator.model.context() });
    }
    let prefix = generator.model.prefix(&tokens, stop)?;
    let bytes = generator.model.prefix_bytes(&prefix);
    generator.prefixes.keep(tokens, prefix.clone(), bytes);
    Ok(Static { prefix, tokens: count, was_there: false })
}

/// Finds what the model would say of nothing, for the questions whose prior is not known yet. Where that fails there is none.
fn find_priors<M: TextModel>(generator: &mut Generator<M>, common: &Static<M::Prefix>, asks: &[&Ask], stop: &Stop) {
    let mut missing: Vec<(PriorKey, Ask)> = Vec::new();
    for ask in asks {
        let Some((key, content_free)) = PriorKey::of(ask).zip(ask.content_free.clone()) else { continue };
        if generator.priors.get(&key).is_none() && missing.iter().all(|(known, _)| *known != key) {
            missing.push((key, Ask { question: content_free, ..(*ask).clone() }));
        }
    }
    let (mut keys, mut rows) = (Vec::new(), Vec::new());
    for (key, ask) in &missing {
        if let Ok(row) = row(generator, ask, stop, Purpose::Prior) {
            keys.push(key.clone());
            rows.push(row);
        }
    }
    run(generator, common, &mut rows, &Run { stop, began: Instant::now() }, &mut |_, _| {});
    for (key, row) in keys.into_iter().zip(rows) {
        if let Some(prior) = row.labels() {
            generator.priors.keep(key, prior);
        }
    }
}

fn row<'a, M: TextModel>(
    generator: &mut Generator<M>,
    ask: &'a Ask,
    stop: &'a Stop,
    purpose: Purpose,
) -> Result<Row<'a>, Abstention> {
    Ok(Row::new(ask, stop, generator.grammars.open(&ask.schema).map_err(unusable)?, purpose))
}

/// Until when, and since when.
struct Run<'a> {
    stop: &'a Stop,
    began: Instant,
}

/// Opens the rows and lets them write until each has ended; a row that has ended stays where it is and costs nothing but its place.
fn run<M: TextModel>(
    generator: &mut Generator<M>,
    common: &Static<M::Prefix>,
    rows: &mut [Row<'_>],
    run: &Run<'_>,
    told: &mut Told<'_>,
) {
    let suffixes: Vec<Vec<u32>> = rows.iter_mut().map(|row| suffix(generator, common, row)).collect();
    let mut open: Vec<&mut Row<'_>> = rows.iter_mut().filter(|row| row.is_open()).collect();
    let chunks: Vec<&[u32]> = suffixes.iter().map(Vec::as_slice).filter(|suffix| !suffix.is_empty()).collect();
    if open.is_empty() {
        return;
    }
    let room = open.iter().map(|row| row.ask.most_tokens).max().unwrap_or(0);
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    let opened = generator.model.open(&common.prefix, &chunks, room, run.stop);
    let read_ms = run.began.elapsed().as_secs_f64() * 1000.0;
    let together = u32::try_from(open.len()).unwrap_or(u32::MAX);
    for (row, chunk) in open.iter_mut().zip(&chunks) {
        let (cached, computed) = if common.was_there { (common.tokens, 0) } else { (0, common.tokens) };
        row.timings.cached_tokens = u32::try_from(cached).unwrap_or(u32::MAX);
        row.timings.prompt_tokens = u32::try_from(computed + chunk.len()).unwrap_or(u32::MAX);
        row.timings.prompt_ms = read_ms;
        row.timings.rows = together;
    }
    let (mut state, mut logits) = match opened {
        Ok(opened) => opened,
        Err(error) => return end_all(&mut open, &error),
    };
    let desk = Desk { tokenizer: &generator.tokenizer, closers: &generator.closers, began: run.began };
    loop {
        let mut chunks: Vec<Vec<u32>> = Vec::with_capacity(open.len());
        for (place, row) in open.iter_mut().enumerate() {
            let chunk = match logits.row(place) {
                _ if !row.is_open() => Vec::new(),
                Some(logits) => row.advance(logits, &desk, told),
                None => {
                    row.end(Err(Abstention::Gone("the model gave too few rows".to_owned())));
                    Vec::new()
                }
            };
            chunks.push(chunk);
        }
        if open.iter().all(|row| !row.is_open()) {
            return;
        }
        let chunks: Vec<&[u32]> = chunks.iter().map(Vec::as_slice).collect();
        logits = match generator.model.append(&mut state, &chunks, run.stop) {
            Ok(logits) => logits,
            Err(error) => return end_all(&mut open, &error),
        };
    }
}

/// The tokens of a row's question; none where it cannot be asked, which ends the row.
fn suffix<M: TextModel>(generator: &Generator<M>, common: &Static<M::Prefix>, row: &mut Row<'_>) -> Vec<u32> {
    if row.stop.is_over() {
        row.end(Err(given_up(row.ask, row.stop)));
        return Vec::new();
    }
    match generator.chat.question(&generator.tokenizer, &row.ask.question) {
        Ok(tokens) => {
            let room = usize::try_from(row.ask.most_tokens).unwrap_or(usize::MAX);
            let (needed, most) = (common.tokens.saturating_add(tokens.len()).saturating_add(room), generator.model.context());
            if needed <= most {
                return tokens;
            }
            row.end(Err(too_long(needed, most)));
        }
        Err(error) => row.end(Err(Abstention::Unusable(error.to_string()))),
    }
    Vec::new()
}

fn end_all(rows: &mut [&mut Row<'_>], error: &ModelError) {
    for row in rows.iter_mut().filter(|row| row.is_open()) {
        let abstention = abstention(error, row.ask, row.stop);
        row.end(Err(abstention));
    }
}

fn too_long(needed: usize, most: usize) -> Abstention {
    Abstention::TooLong { tokens: u32::try_from(needed).unwrap_or(u32::MAX), most: u32::try_from(most).unwrap_or(u32::MAX) }
}

/// Over when all of them are.
fn joint<'a>(stops: impl Iterator<Item = &'a Stop>) -> Stop {
    Stop::of_all(&stops.cloned().collect::<Vec<Stop>>())
}

fn abstention(error: &ModelError, ask: &Ask, stop: &Stop) -> Abstention {
    match error {
        ModelError::Stopped => given_up(ask, stop),
        ModelError::TooLong { needed, context } => too_long(*needed, *context),
        ModelError::NotANumber => Abstention::NotANumber,
        ModelError::StrangeToken(_) => Abstention::Unusable(error.to_string()),
        ModelError::Device(what) if what.to_lowercase().contains("out of memory") => Abstention::OutOfMemory(what.clone()),
        ModelError::Device(what) => Abstention::Gone(what.clone()),
    }
}
