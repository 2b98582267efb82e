//! A vocabulary and models for tests: small, and nobody's weights.

use pmax::llm::ask::{Ask, AskId, Decision, Task};
use pmax::llm::generate::Generator;
use pmax::llm::model::{Logits, ModelError, Stop, TextModel};
use pmax::llm::tokenizer::{Tokenizer, Vocabulary};
use serde_json::Value;

/// What `tests/oracles/llm/tokens.py` wrote.
pub fn oracle() -> Value {
    serde_json::from_str(include_str!("../oracles/llm/tokens.json")).unwrap()
}

/// The oracle's vocabulary, cut in a way of one's choice.
pub fn vocabulary(pre: &str) -> Vocabulary {
    let oracle = oracle();
    let texts = |key: &str| oracle[key].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect();
    Vocabulary {
        model: "gpt2".to_owned(),
        pre: pre.to_owned(),
        tokens: texts("tokens"),
        types: oracle["types"].as_array().unwrap().iter().map(|kind| kind.as_i64().unwrap()).collect(),
        merges: texts("merges"),
        begin: None,
        template: Some("<|im_start|>".to_owned()),
    }
}

/// Columns of the fakes: more than there are tokens.
pub const COLUMNS: usize = 640;

/// A model whose logits come from what was read: the same tokens give the same logits, whatever the wave they are in.
#[derive(Debug, Clone)]
pub struct Fake {
    /// Changes everything it says.
    pub seed: u64,
    /// What it likes beside chance: a token, and by how much, whatever came before.
    pub likes: Vec<(u32, f32)>,
    /// What it likes after a token.
    pub likes_after: Vec<(u32, u32, f32)>,
    /// From so many tokens of a sequence on it gives what is no number.
    pub breaks_at: Option<usize>,
    /// Positions it has.
    pub context: usize,
    /// Raised once a sequence has so many tokens.
    pub raises: Option<(usize, Stop)>,
    /// How often a prefix was computed.
    pub prefixes: std::rc::Rc<std::cell::Cell<usize>>,
    /// Chunks that were appended, by step and row.
    pub chunks: std::rc::Rc<std::cell::RefCell<Vec<Vec<usize>>>>,
    /// Everything that each row read, prefix included, of the latest wave.
    pub read: std::rc::Rc<std::cell::RefCell<Vec<Vec<u32>>>>,
}

impl Fake {
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            likes: Vec::new(),
            likes_after: Vec::new(),
            breaks_at: None,
            context: 4096,
            raises: None,
            prefixes: std::rc::Rc::default(),
            chunks: std::rc::Rc::default(),
            read: std::rc::Rc::default(),
        }
    }

    /// The logits after a sequence, without waves.
    pub fn logits(&self, sequence: &[u32]) -> Vec<f32> {
        let mut state = sequence.iter().fold(self.seed, |state, token| mixed(state ^ u64::from(*token)));
        let mut row: Vec<f32> = (0..COLUMNS)
            .map(|_| {
                state = mixed(state.wrapping_add(1));
                (state >> 40) as f32 / (1 << 24) as f32 * 8.0 - 4.0
            })
            .collect();
        let last = *sequence.last().unwrap();
        let after = self.likes_after.iter().filter(|(before, _, _)| *before == last).map(|(_, token, liking)| (*token, *liking));
        for (token, liking) in self.likes.iter().copied().chain(after) {
            row[token as usize] += liking;
        }
        if self.breaks_at.is_some_and(|at| sequence.len() >= at) {
            row[17] = f32::NAN;
        }
        row
    }

    fn step(&self, rows: &[Vec<u32>], chunks: &[&[u32]]) -> Logits {
        if let Some((at, stop)) = &self.raises
            && rows.iter().any(|row| row.len() >= *at)
        {
            stop.raise();
        }
        self.chunks.borrow_mut().push(chunks.iter().map(|chunk| chunk.len()).collect());
        *self.read.borrow_mut() = rows.to_vec();
        let values =
            rows.iter().zip(chunks).flat_map(|(row, chunk)| if chunk.is_empty() { vec![0.0; COLUMNS] } else { self.logits(row) });
        Logits::new(values.collect(), COLUMNS).unwrap()
    }
}

/// Another number, without a pattern (SplitMix64).
pub fn mixed(state: u64) -> u64 {
    let mut mixed = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

impl TextModel for Fake {
    type Prefix = Vec<u32>;
    type Rows = Vec<Vec<u32>>;

    fn vocabulary(&self) -> usize {
        COLUMNS
    }

    fn context(&self) -> usize {
        self.context
    }

    fn prefix_bytes(&self, prefix: &Self::Prefix) -> usize {
        prefix.len() * 100
    }

    fn prefix(&self, tokens: &[u32], stop: &Stop) -> Result<Self::Prefix, ModelError> {
        stop.check()?;
        self.prefixes.set(self.prefixes.get() + 1);
        Ok(tokens.to_vec())
    }

    fn open(
        &self,
        prefix: &Self::Prefix,
        suffixes: &[&[u32]],
        room: usize,
        stop: &Stop,
    ) -> Result<(Self::Rows, Logits), ModelError> {
        stop.check()?;
        assert!(
            suffixes.len() <= 8
                && suffixes.iter().all(|suffix| !suffix.is_empty() && prefix.len() + suffix.len() + room <= self.context)
        );
        let rows: Vec<Vec<u32>> = suffixes.iter().map(|suffix| [prefix, *suffix].concat()).collect();
        let logits = self.step(&rows, suffixes);
        Ok((rows, logits))
    }

    fn append(&self, rows: &mut Self::Rows, chunks: &[&[u32]], stop: &Stop) -> Result<Logits, ModelError> {
        stop.check()?;
        assert!(rows.len() == chunks.len() && chunks.iter().any(|chunk| !chunk.is_empty()));
        for (row, chunk) in rows.iter_mut().zip(chunks) {
            row.extend_from_slice(chunk);
        }
        Ok(self.step(rows, chunks))
    }
}

/// A tokenizer over the oracle's vocabulary.
pub fn tokenizer() -> Tokenizer {
    Tokenizer::build(vocabulary("qwen2")).unwrap()
}

/// A generator around a fake.
pub fn generator(fake: Fake) -> Generator<Fake> {
    Generator::new(fake, tokenizer(), 1 << 20).unwrap()
}

/// A question by a schema, without a decision.
pub fn ask(schema: &str, most_tokens: u32) -> Ask {
    Ask {
        id: AskId(1),
        task: Task::Signal,
        system: "You judge one instrument.".to_owned(),
        question: "Q: SPY".to_owned(),
        content_free: None,
        schema: schema.to_owned(),
        decision: None,
        most_tokens,
        streams: false,
        deadline_ms: 1000,
    }
}

/// A question that decides between labels.
pub fn decide(property: &str, labels: &[&str]) -> Ask {
    let schema = serde_json::json!({
        "type": "object", "additionalProperties": false, "required": [property, "note"],
        "properties": { property: { "type": "string", "enum": labels }, "note": { "type": "string", "maxLength": 20 } },
    });
    let labels = labels.iter().map(|label| (*label).to_owned()).collect();
    Ask { decision: Some(Decision { property: property.to_owned(), labels }), ..ask(&schema.to_string(), 80) }
}

/// Answers one question without listening.
pub fn one(generator: &mut Generator<Fake>, ask: &Ask) -> Result<pmax::llm::answer::Answer, pmax::llm::answer::Abstention> {
    generator.answer(std::slice::from_ref(ask), &[Stop::never()], &mut |_, _| {}).pop().unwrap()
}

/// The small model's file, where one is installed; says so where none is.
pub fn installed_file() -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PMAX_TEST_MODEL").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/models/smollm2-135m.gguf"),
        std::path::PathBuf::from,
    );
    let is_there = path.is_file();
    if !is_there {
        eprintln!("SKIPPED: no model at {}", path.display());
    }
    is_there.then_some(path)
}

/// The small model's tokenizer, where it is installed.
pub fn installed() -> Option<Tokenizer> {
    let header = pmax::llm::gguf::Header::open(&installed_file()?).unwrap();
    Some(Tokenizer::build(Vocabulary::of(&header.metadata).unwrap()).unwrap())
}
