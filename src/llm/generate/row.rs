//! One answer while it is written.

use std::time::Instant;

use crate::llm::answer::{Abstention, Answer, Piece, Timings};
use crate::llm::ask::Ask;
use crate::llm::generate::Told;
use crate::llm::generate::choice::Choice;
use crate::llm::generate::speech::Speech;
use crate::llm::grammar::{GrammarError, Pen};
use crate::llm::model::Stop;
use crate::llm::tokenizer::Tokenizer;
use crate::llm::weigh;

/// With so few tokens left, a text is ended where it may end.
const CLOSING: u32 = 12;

/// A sequence of a wave.
pub(super) struct Row<'a> {
    pub(super) ask: &'a Ask,
    pub(super) stop: &'a Stop,
    pub(super) timings: Timings,
    purpose: Purpose,
    pen: Pen,
    choice: Option<Choice>,
    speech: Option<Speech>,
    text: Vec<u8>,
    last: Option<u32>,
    labels: Vec<f64>,
    prior: Vec<f64>,
    end: Option<Result<(), Abstention>>,
}

/// What a row is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// An answer, of the question with this number.
    Answer(usize),
    /// The chances of the labels and nothing more.
    Prior,
}

/// What all rows write with.
pub(super) struct Desk<'a> {
    pub(super) tokenizer: &'a Tokenizer,
    /// Tokens that begin with a quote.
    pub(super) closers: &'a [u32],
    pub(super) began: Instant,
}

impl Desk<'_> {
    fn elapsed_ms(&self) -> f64 {
        self.began.elapsed().as_secs_f64() * 1000.0
    }
}

impl<'a> Row<'a> {
    pub(super) fn new(ask: &'a Ask, stop: &'a Stop, pen: Pen, purpose: Purpose) -> Self {
        let streams = ask.streams && purpose != Purpose::Prior;
        Self {
            ask,
            stop,
            purpose,
            pen,
            timings: Timings::default(),
            choice: None,
            speech: streams.then(|| Speech::of(&ask.schema)),
            text: Vec::new(),
            last: None,
            labels: Vec::new(),
            prior: Vec::new(),
            end: None,
        }
        .with_prior(Vec::new())
    }

    /// The same, with what the model would say of nothing.
    pub(super) fn with_prior(mut self, prior: Vec<f64>) -> Self {
        self.choice = self.ask.decision.as_ref().map(|decision| Choice::new(decision, prior.clone()));
        self.prior = prior;
        self
    }

    pub(super) fn is_open(&self) -> bool {
        self.end.is_none()
    }

    pub(super) fn end(&mut self, end: Result<(), Abstention>) {
        self.end.get_or_insert(end);
    }

    /// What came of it.
    pub(super) fn answer(self) -> Result<Answer, Abstention> {
        self.end.unwrap_or(Err(Abstention::Busy))?;
        let text = String::from_utf8(self.text).map_err(|_| Abstention::Unusable("it is no text".to_owned()))?;
        Ok(Answer { text, labels: self.labels, prior: self.prior, timings: self.timings })
    }

    /// The chances of the labels, where they were found.
    pub(super) fn labels(self) -> Option<Vec<f64>> {
        matches!(self.end, Some(Ok(()))).then_some(self.labels)
    }

    /// Goes on by the logits after its last token, as far as it goes without others. Gives the tokens to append; none where it has ended.
    pub(super) fn advance(&mut self, logits: &[f32], desk: &Desk<'_>, told: &mut Told<'_>) -> Vec<u32> {
        if self.stop.is_over() {
            self.end(Err(given_up(self.ask, self.stop)));
        } else if logits.iter().any(|logit| logit.is_nan()) {
            self.end(Err(Abstention::NotANumber));
        }
        let mut chunk = Vec::new();
        let mut fresh = Some(logits);
        while self.is_open() {
            match self.next(fresh, desk) {
                Ok(Next::Tokens(tokens)) => {
                    self.write(&tokens, desk, told);
                    chunk.extend(tokens);
                    fresh = None;
                }
                Ok(Next::NeedsLogits) => break,
                Ok(Next::Whole) => self.end = Some(Ok(())),
                Err(abstention) => self.end = Some(Err(abstention)),
            }
        }
        if self.is_open() {
            return chunk;
        }
        self.timings.writing_ms = (desk.elapsed_ms() - self.timings.prompt_ms).max(0.0);
        Vec::new()
    }

    fn next(&mut self, logits: Option<&[f32]>, desk: &Desk<'_>) -> Result<Next, Abstention> {
        let decided = !self.labels.is_empty();
        if self.pen.is_finished() || (decided && self.purpose == Purpose::Prior) {
            return Ok(Next::Whole);
        }
        let used = self.timings.sampled_tokens + self.timings.forced_tokens;
        if used >= self.ask.most_tokens {
            return Err(Abstention::Unusable(format!("it was not whole after {used} tokens")));
        }
        let forced = self.pen.forced().map_err(unusable)?;
        if !forced.is_empty() {
            self.timings.forced_tokens += count(&forced);
            return Ok(Next::Tokens(forced));
        }
        if let Some(next) = self.next_of_choice(logits, desk)? {
            return Ok(next);
        }
        let Some(logits) = logits else { return Ok(Next::NeedsLogits) };
        let mask = self.pen.mask().map_err(unusable)?;
        let closing = self.ask.most_tokens - used <= CLOSING;
        let closer = if closing { mask.best(logits, |token| desk.closers.binary_search(&token).is_ok()) } else { None };
        let (token, _) = closer.or_else(|| mask.best(logits, |_| true)).ok_or(Abstention::NotANumber)?;
        self.sampled(token)
    }

    /// The next token where it belongs to the decision.
    fn next_of_choice(&mut self, logits: Option<&[f32]>, desk: &Desk<'_>) -> Result<Option<Next>, Abstention> {
        let Some(choice) = &mut self.choice else { return Ok(None) };
        if !choice.is_reached(&self.text, &self.pen.forced_bytes()) {
            return Ok(None);
        }
        let ways = choice.ways(desk.tokenizer, &self.text, self.last)?;
        if let [(token, _)] = ways.as_slice() {
            let token = *token;
            self.timings.forced_tokens += 1;
            self.pen.take(&[token]).map_err(unusable)?;
            return Ok(Some(Next::Tokens(vec![token])));
        }
        let Some(logits) = logits else { return Ok(Some(Next::NeedsLogits)) };
        let token = choice.decide(&ways, logits)?;
        self.sampled(token).map(Some)
    }

    fn sampled(&mut self, token: u32) -> Result<Next, Abstention> {
        self.timings.sampled_tokens += 1;
        self.pen.take(&[token]).map_err(unusable)?;
        Ok(Next::Tokens(vec![token]))
    }

    /// Adds tokens to the answer and tells what they say.
    fn write(&mut self, tokens: &[u32], desk: &Desk<'_>, told: &mut Told<'_>) {
        let begins = self.text.len();
        self.text.extend(tokens.iter().flat_map(|token| desk.tokenizer.bytes(*token)));
        self.last = tokens.last().copied().or(self.last);
        let text = &self.text;
        let made = self.choice.as_mut().and_then(|choice| {
            let made = choice.is_reached(text, &[]) && choice.is_made();
            made.then(|| (choice.chances(), choice.is_written(text)))
        });
        if let Some((chances, is_written)) = made {
            if self.labels.is_empty() {
                self.labels = chances;
                self.mark_first(desk);
                self.tell(Piece::Decided(weigh::without_prior(&self.labels, &self.prior)), told);
            }
            if is_written {
                self.choice = None;
            }
        }
        if self.ask.decision.is_none() && self.timings.sampled_tokens > 0 {
            self.mark_first(desk);
        }
        let heard =
            self.speech.as_mut().map(|speech| speech.more(self.text.get(begins..).unwrap_or_default())).unwrap_or_default();
        if !heard.is_empty() {
            self.tell(Piece::Text(heard), told);
        }
    }

    fn tell(&self, piece: Piece, told: &mut Told<'_>) {
        if let Purpose::Answer(index) = self.purpose {
            told(index, piece);
        }
    }

    fn mark_first(&mut self, desk: &Desk<'_>) {
        if self.timings.first_ms == 0.0 {
            self.timings.first_ms = desk.elapsed_ms();
        }
    }
}

/// How an answer goes on.
enum Next {
    /// With these, which the grammar has taken.
    Tokens(Vec<u32>),
    /// With something that the model has to say first.
    NeedsLogits,
    /// Not at all: it is whole.
    Whole,
}

/// Why a question whose stop is over has no answer.
pub(super) fn given_up(ask: &Ask, stop: &Stop) -> Abstention {
    if stop.is_raised() { Abstention::Superseded } else { Abstention::Late(ask.deadline_ms) }
}

/// Why a question has no answer by its grammar.
#[expect(clippy::needless_pass_by_value, reason = "it maps errors")]
pub(super) fn unusable(error: GrammarError) -> Abstention {
    Abstention::Unusable(error.to_string())
}

fn count(tokens: &[u32]) -> u32 {
    u32::try_from(tokens.len()).unwrap_or(u32::MAX)
}
