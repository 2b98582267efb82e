//! The decoder: one skeleton for llama, qwen2 and qwen3 over quantized matrices, on a CPU or a GPU.
//!
//! Tokens of all sequences are computed together, packed without padding; each has its own position, and only looking back is done by
//! sequence. Prompts are computed in chunks, between which one may stop. Only the last token of each sequence is turned into logits.
//! Not here: words (the tokenizer), what may be said (the grammar), and which token is taken.

mod attention;
mod cache;
mod config;
mod error;
mod kernels;
mod layer;
mod matrix;
mod memory;
mod pack;
mod plan;
mod rotation;
mod weights;

use std::path::Path;
use std::sync::Arc;

use candle_core::quantized::QTensor;
use candle_core::{Device, Tensor};

pub use self::cache::Prefix;
pub use self::config::{Architecture, Config};
pub use self::error::DecoderError;
pub use self::memory::MemoryNeed;

use self::attention::Gaze;
use self::cache::Own;
use self::layer::{Chunk, Layer, Norm};
use self::matrix::Matrix;
use self::pack::{Pack, packs};
use self::rotation::Rotation;
use self::weights::Weights;
use crate::llm::gguf::Header;
use crate::llm::model::{Logits, ModelError, Stop, TextModel};

/// Sequences that are computed together at most: the kernels of a GPU read weights once for so many.
pub const MOST_ROWS: usize = 8;
/// Tokens between two looks at whether to stop.
pub const CHUNK: usize = 128;

/// Where a model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Place {
    /// On the CPU. How many threads is told to the process by `CANDLE_NUM_THREADS`, which is read once; `RAYON_NUM_THREADS` must say the
    /// same, or the library counts processors anew for every small product, from a file.
    #[default]
    Cpu,
    /// On the first GPU of NVIDIA's, in builds with the feature `cuda`.
    Cuda,
}

/// How a model is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadOptions {
    /// Where it runs.
    pub place: Place,
    /// Positions it is given, at most those it was trained for.
    pub context: usize,
    /// Bytes it may need; more is refused before anything is read.
    pub most_bytes: u64,
}

/// A model that is ready.
#[derive(Debug)]
pub struct Decoder {
    config: Config,
    need: MemoryNeed,
    context: usize,
    device: Device,
    words: Arc<QTensor>,
    layers: Vec<Layer>,
    last_norm: Norm,
    head: Matrix,
    rotation: Rotation,
}

/// Sequences behind a prefix.
#[derive(Debug)]
pub struct Rows {
    prefix: Prefix,
    own: Own,
}

impl Place {
    fn device(self) -> Result<Device, DecoderError> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda => Ok(Device::new_cuda(0)?),
        }
    }
}

impl Decoder {
    /// What a file will need in memory, from its header.
    pub fn need(header: &Header, place: Place, context: usize) -> Result<MemoryNeed, DecoderError> {
        let config = Config::of(header)?;
        Ok(MemoryNeed::of(header, &config, context.min(config.context), place == Place::Cpu))
    }

    /// Loads a file. Everything that can be refused by its header is, before a tensor is read.
    pub fn load(path: &Path, options: LoadOptions) -> Result<Self, DecoderError> {
        let header = Header::open(path)?;
        let config = Config::of(&header)?;
        let need = Self::need(&header, options.place, options.context)?;
        if need.total() > options.most_bytes {
            return Err(DecoderError::Memory { need: need.to_string(), most: options.most_bytes });
        }
        plan::check(&header, &config)?;
        let device = options.place.device()?;
        let weights = Weights::open(path, &header, &device)?;
        let words = weights.table("token_embd.weight")?;
        let head = match header.tensor("output.weight") {
            Some(_) => weights.matrix("output.weight")?,
            None => weights.matrix_beside("token_embd.weight", &words)?,
        };
        let layers = (0..config.layers).map(|layer| Layer::load(&weights, layer, &config)).collect::<Result<_, _>>()?;
        let factors = weights.vector_if_any("rope_freqs.weight")?;
        let factors = factors.map(|factors| factors.to_vec1::<f32>()).transpose()?;
        let context = options.context.min(config.context);
        Ok(Self {
            last_norm: Norm::load(&weights, "output_norm.weight", &config)?,
            rotation: Rotation::new(&config, factors.as_deref(), context, &device)?,
            config,
            need,
            context,
            device,
            words,
            layers,
            head,
        })
    }

    /// Its sizes and constants.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// What it was reckoned to need.
    pub const fn memory(&self) -> MemoryNeed {
        self.need
    }

    /// Bytes of weights that are read for one token, whatever the number of sequences.
    pub fn bytes_per_token(&self) -> u64 {
        self.layers.iter().map(Layer::bytes).sum::<u64>() + self.head.bytes()
    }

    fn fresh(&self, rows: usize, capacity: usize) -> Result<Own, ModelError> {
        Own::new(&self.config, rows, capacity, &self.device).map_err(failed)
    }

    /// Appends packs to sequences; gives the states of each sequence's last token, where it has one.
    fn read(
        &self,
        prefix: Option<&Prefix>,
        own: &mut Own,
        packs: &[Pack],
        stop: &Stop,
    ) -> Result<Vec<(usize, Tensor)>, ModelError> {
        let mut states = Vec::new();
        for pack in packs {
            stop.check()?;
            if let Some(state) = self.compute(prefix, own, pack).map_err(failed)? {
                for (place, &(_, row)) in pack.last.iter().enumerate() {
                    states.push((row, state.narrow(0, place, 1).map_err(failed)?));
                }
            }
            own.advance(&pack.stretches);
        }
        Ok(states)
    }

    /// The states of a pack's last tokens [last, width]; `None` where it has none.
    fn compute(&self, prefix: Option<&Prefix>, own: &Own, pack: &Pack) -> candle_core::Result<Option<Tensor>> {
        let before = prefix.map_or(0, |prefix| prefix.length);
        let places = pack.stretches.iter().flat_map(|stretch| (0..stretch.count).map(move |new| before + stretch.before + new));
        let turns = self.rotation.turns(&places.filter_map(|place| u32::try_from(place).ok()).collect::<Vec<_>>())?;
        let gaze = Gaze::new(own, &pack.stretches, before, self.config.heads / self.config.kv_heads)?;
        let chunk = Chunk { config: &self.config, own, prefix, stretches: &pack.stretches, turns: &turns, gaze: &gaze };
        let mut tokens = self.words.embedding(&Tensor::new(pack.tokens.as_slice(), &self.device)?)?;
        let Some((last_layer, layers)) = self.layers.split_last() else { return Ok(None) };
        for layer in layers {
            tokens = layer.forward(&tokens, chunk, None)?;
        }
        // Past the last layer's keys and values only last tokens matter.
        let wanted: Vec<u32> = pack.last.iter().map(|&(place, _)| place).collect();
        if wanted.is_empty() {
            last_layer.remember(&tokens, chunk)?;
            return Ok(None);
        }
        let wanted = (wanted.len() < pack.tokens.len()).then(|| Tensor::new(wanted, &self.device)).transpose()?;
        last_layer.forward(&tokens, chunk, wanted.as_ref()).map(Some)
    }

    /// Logits of the rows' last states; zeros for a row without one.
    fn logits(&self, rows: usize, states: &[(usize, Tensor)]) -> Result<Logits, ModelError> {
        let vocabulary = self.config.vocabulary;
        let mut values = vec![0.0; rows * vocabulary];
        if !states.is_empty() {
            let together = states.iter().map(|(_, state)| state).collect::<Vec<_>>();
            let computed = Tensor::cat(&together, 0)
                .and_then(|states| self.head.forward(&self.last_norm.forward(&states)?)?.to_vec2::<f32>())
                .map_err(failed)?;
            for ((row, _), computed) in states.iter().zip(&computed) {
                if !computed.iter().all(|value| value.is_finite()) {
                    return Err(ModelError::NotANumber);
                }
                if let Some(place) = values.get_mut(row * vocabulary..(row + 1) * vocabulary) {
                    place.copy_from_slice(computed);
                }
            }
        }
        Logits::new(values, vocabulary).ok_or_else(|| ModelError::Device("logits of another number than words".to_owned()))
    }

    fn check_tokens(&self, chunks: &[&[u32]]) -> Result<(), ModelError> {
        let stranger = chunks.iter().flat_map(|chunk| chunk.iter()).find(|&&token| token as usize >= self.config.vocabulary);
        stranger.map_or(Ok(()), |&token| Err(ModelError::StrangeToken(token)))
    }
}

impl TextModel for Decoder {
    type Prefix = Prefix;
    type Rows = Rows;

    fn vocabulary(&self) -> usize {
        self.config.vocabulary
    }

    fn context(&self) -> usize {
        self.context
    }

    fn prefix_bytes(&self, prefix: &Prefix) -> usize {
        prefix.length * self.config.token_bytes()
    }

    fn prefix(&self, tokens: &[u32], stop: &Stop) -> Result<Prefix, ModelError> {
        within(tokens.len(), self.context)?;
        self.check_tokens(&[tokens])?;
        some_tokens(&[tokens])?;
        let mut own = self.fresh(1, tokens.len())?;
        let mut packs = packs(&own.lengths, &[tokens]);
        packs.iter_mut().for_each(|pack| pack.last.clear());
        self.read(None, &mut own, &packs, stop)?;
        Ok(own.freeze())
    }

    fn open(&self, prefix: &Prefix, suffixes: &[&[u32]], room: usize, stop: &Stop) -> Result<(Rows, Logits), ModelError> {
        let longest = suffixes.iter().map(|suffix| suffix.len()).max().unwrap_or(0);
        let capacity = longest.saturating_add(room);
        within(prefix.length.saturating_add(capacity), self.context)?;
        self.check_tokens(suffixes)?;
        some_tokens(suffixes)?;
        let mut own = self.fresh(suffixes.len(), capacity)?;
        let packs = packs(&own.lengths, suffixes);
        let states = self.read(Some(prefix), &mut own, &packs, stop)?;
        let logits = self.logits(suffixes.len(), &states)?;
        Ok((Rows { prefix: prefix.clone(), own }, logits))
    }

    fn append(&self, rows: &mut Rows, chunks: &[&[u32]], stop: &Stop) -> Result<Logits, ModelError> {
        if chunks.len() != rows.own.lengths.len() {
            return Err(ModelError::Device(format!("{} chunks for {} sequences", chunks.len(), rows.own.lengths.len())));
        }
        let longest = chunks.iter().zip(&rows.own.lengths).map(|(chunk, &length)| length + chunk.len()).max().unwrap_or(0);
        within(longest, rows.own.capacity)?;
        self.check_tokens(chunks)?;
        stop.check()?;
        let Rows { prefix, own } = rows;
        let states = self.read(Some(prefix), own, &packs(&own.lengths, chunks), stop)?;
        self.logits(chunks.len(), &states)
    }
}

const fn within(needed: usize, context: usize) -> Result<(), ModelError> {
    if needed > context { Err(ModelError::TooLong { needed, context }) } else { Ok(()) }
}

fn some_tokens(chunks: &[&[u32]]) -> Result<(), ModelError> {
    if chunks.is_empty() || chunks.len() > MOST_ROWS || chunks.iter().any(|chunk| chunk.is_empty()) {
        return Err(ModelError::Device(format!("one to {MOST_ROWS} sequences of at least one token are computed together")));
    }
    Ok(())
}

fn failed(error: candle_core::Error) -> ModelError {
    ModelError::Device(error.to_string())
}
