//! One family more, Phi-3, through the library's own model: the door for families that the decoder does not speak.
//!
//! It is slower and dearer than the decoder on purpose of staying small: sequences are computed one after the other, a prefix is only
//! remembered as tokens and read again with every sequence behind it, and its table of words is unpacked. The library's model knows one base
//! of rotations, whole heads that are turned, and no window, so files that need more are refused.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use candle_core::quantized::gguf_file::Content;
use candle_core::{Device, Tensor};
use candle_transformers::models::quantized_phi3::ModelWeights;

use crate::llm::decoder::{CHUNK, DecoderError, LoadOptions, MOST_ROWS, Place};
use crate::llm::gguf::{Header, Metadata};
use crate::llm::model::{Logits, ModelError, Stop, TextModel};

const FAMILY: &str = "phi3";
/// The base that the library's model has built in.
const THETA: f64 = 10_000.0;
/// Room for what is computed on the way, and for the program itself.
const SLACK: u64 = 512 << 20;

/// A model of the further family.
#[derive(Debug)]
pub struct Stock {
    /// Never run, so that its copies share weights and nothing else.
    pristine: ModelWeights,
    device: Device,
    vocabulary: usize,
    context: usize,
}

/// A prefix: its tokens, to be read again.
#[derive(Debug, Clone)]
pub struct Prefix(Arc<[u32]>);

/// Sequences, each with a model's state of its own.
#[derive(Debug)]
pub struct Rows {
    rows: Vec<Row>,
    /// Positions that each may have.
    capacity: usize,
}

#[derive(Debug)]
struct Row {
    model: ModelWeights,
    length: usize,
}

/// The sizes that are checked.
struct Sizes {
    layers: usize,
    width: usize,
    heads: usize,
    kv_heads: usize,
    feed_forward: usize,
    vocabulary: usize,
    context: usize,
}

impl Stock {
    /// Whether a file is of this family.
    pub fn speaks(metadata: &Metadata) -> bool {
        metadata.text("general.architecture") == Ok(FAMILY)
    }

    /// Bytes it needs, from the header: weights with what the arithmetic rearranges, the unpacked words, one full sequence.
    pub fn need(header: &Header, context: usize) -> Result<u64, DecoderError> {
        let sizes = Sizes::of(header)?;
        let weights: u64 = header.tensors.iter().map(|tensor| tensor.bytes).sum();
        let words = 4 * (sizes.vocabulary as u64).saturating_mul(sizes.width as u64);
        let token = 8 * (sizes.layers * sizes.kv_heads * (sizes.width / sizes.heads)) as u64;
        let sequence = token.saturating_mul(context.min(sizes.context) as u64);
        Ok(weights.saturating_mul(5).div_euclid(2).saturating_add(words).saturating_add(sequence).saturating_add(SLACK))
    }

    /// Loads a file, as the decoder does.
    pub fn load(path: &Path, options: LoadOptions) -> Result<Self, DecoderError> {
        let header = Header::open(path)?;
        let sizes = Sizes::of(&header)?;
        sizes.check_tensors(&header)?;
        let need = Self::need(&header, options.context)?;
        if need > options.most_bytes {
            return Err(DecoderError::Memory { need: format!("{} MiB", need >> 20), most: options.most_bytes });
        }
        let device = match options.place {
            Place::Cpu => Device::Cpu,
            Place::Cuda => Device::new_cuda(0)?,
        };
        let unreadable = |error: std::io::Error| DecoderError::Unreadable(error.to_string());
        let mut reader = BufReader::new(File::open(path).map_err(unreadable)?);
        let content = Content::read(&mut reader)?;
        let pristine = ModelWeights::from_gguf(false, content, &mut reader, &device)?;
        Ok(Self { pristine, device, vocabulary: sizes.vocabulary, context: options.context.min(sizes.context) })
    }

    /// Feeds a chunk to one sequence, in pieces; gives the logits after its last token.
    fn feed(&self, row: &mut Row, tokens: &[u32], stop: &Stop) -> Result<Vec<f32>, ModelError> {
        let mut logits = Vec::new();
        for piece in tokens.chunks(CHUNK) {
            stop.check()?;
            let computed = Tensor::new(piece, &self.device)
                .and_then(|piece| row.model.forward(&piece.unsqueeze(0)?, row.length)?.flatten_all()?.to_vec1::<f32>());
            logits = computed.map_err(|error| ModelError::Device(error.to_string()))?;
            row.length += piece.len();
        }
        if logits.iter().all(|logit| logit.is_finite()) { Ok(logits) } else { Err(ModelError::NotANumber) }
    }

    fn check(&self, needed: usize, most: usize, chunks: &[&[u32]]) -> Result<(), ModelError> {
        if needed > most {
            return Err(ModelError::TooLong { needed, context: most });
        }
        let stranger = chunks.iter().flat_map(|chunk| chunk.iter()).find(|&&token| token as usize >= self.vocabulary);
        stranger.map_or(Ok(()), |&token| Err(ModelError::StrangeToken(token)))
    }
}

impl TextModel for Stock {
    type Prefix = Prefix;
    type Rows = Rows;

    fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    fn context(&self) -> usize {
        self.context
    }

    fn prefix_bytes(&self, prefix: &Prefix) -> usize {
        size_of_val(&*prefix.0)
    }

    fn prefix(&self, tokens: &[u32], stop: &Stop) -> Result<Prefix, ModelError> {
        self.check(tokens.len(), self.context, &[tokens])?;
        stop.check()?;
        if tokens.is_empty() {
            return Err(ModelError::Device("a prefix has at least one token".to_owned()));
        }
        Ok(Prefix(tokens.into()))
    }

    fn open(&self, prefix: &Prefix, suffixes: &[&[u32]], room: usize, stop: &Stop) -> Result<(Rows, Logits), ModelError> {
        let longest = suffixes.iter().map(|suffix| suffix.len()).max().unwrap_or(0);
        let capacity = prefix.0.len().saturating_add(longest).saturating_add(room);
        self.check(capacity, self.context, suffixes)?;
        if suffixes.is_empty() || suffixes.len() > MOST_ROWS || suffixes.iter().any(|suffix| suffix.is_empty()) {
            return Err(ModelError::Device(format!("one to {MOST_ROWS} sequences of at least one token are computed together")));
        }
        let mut rows = Vec::new();
        let mut logits = Vec::new();
        for suffix in suffixes {
            let mut row = Row { model: self.pristine.clone(), length: 0 };
            logits.extend(self.feed(&mut row, &[&*prefix.0, suffix].concat(), stop)?);
            rows.push(row);
        }
        let logits = Logits::new(logits, self.vocabulary).ok_or_else(odd)?;
        Ok((Rows { rows, capacity }, logits))
    }

    fn append(&self, rows: &mut Rows, chunks: &[&[u32]], stop: &Stop) -> Result<Logits, ModelError> {
        if chunks.len() != rows.rows.len() {
            return Err(ModelError::Device(format!("{} chunks for {} sequences", chunks.len(), rows.rows.len())));
        }
        let longest = rows.rows.iter().zip(chunks).map(|(row, chunk)| row.length + chunk.len()).max().unwrap_or(0);
        self.check(longest, rows.capacity, chunks)?;
        stop.check()?;
        let mut logits = Vec::new();
        for (row, chunk) in rows.rows.iter_mut().zip(chunks) {
            if chunk.is_empty() {
                logits.resize(logits.len() + self.vocabulary, 0.0);
            } else {
                logits.extend(self.feed(row, chunk, stop)?);
            }
        }
        Logits::new(logits, self.vocabulary).ok_or_else(odd)
    }
}

impl Sizes {
    fn of(header: &Header) -> Result<Self, DecoderError> {
        let metadata = &header.metadata;
        if !Stock::speaks(metadata) {
            return Err(DecoderError::Architecture(metadata.text("general.architecture")?.to_owned()));
        }
        let key = |name: &str| format!("{FAMILY}.{name}");
        let count = |name: &str| metadata.count(&key(name));
        let table =
            header.tensor("token_embd.weight").ok_or_else(|| DecoderError::MissingTensor("token_embd.weight".to_owned()))?;
        let sizes = Self {
            layers: count("block_count")?,
            width: count("embedding_length")?,
            heads: count("attention.head_count")?,
            kv_heads: count("attention.head_count_kv")?,
            feed_forward: count("feed_forward_length")?,
            vocabulary: table.shape.first().copied().unwrap_or(0),
            // Within its window a model with one looks at everything, as the library's does.
            context: count("context_length")?.min(Metadata::optional(count("attention.sliding_window"))?.unwrap_or(usize::MAX)),
        };
        let unsupported = |what: &str| Err(DecoderError::Unsupported(what.to_owned()));
        if [sizes.layers, sizes.width, sizes.heads, sizes.kv_heads, sizes.feed_forward, sizes.context].contains(&0) {
            return unsupported("a size of nothing");
        }
        if sizes.layers > 1 << 10 || sizes.width > 1 << 20 || sizes.feed_forward > 1 << 24 || sizes.context > 1 << 18 {
            return unsupported("a size beyond any model's");
        }
        if !sizes.width.is_multiple_of(sizes.heads) || !sizes.heads.is_multiple_of(sizes.kv_heads) {
            return unsupported("heads that cannot be shared out");
        }
        if count("rope.dimension_count")? != sizes.width / sizes.heads {
            return unsupported("heads that are turned in part");
        }
        if Metadata::optional(metadata.float(&key("rope.freq_base")))?.is_some_and(|base| base.to_bits() != THETA.to_bits()) {
            return unsupported("another base of rotations");
        }
        Ok(sizes)
    }

    /// Stretched positions come as tensors, so a stranger among them is refused with the others.
    fn check_tensors(&self, header: &Header) -> Result<(), DecoderError> {
        let (width, both) = (self.width, 2 * self.feed_forward);
        let sides = width + 2 * self.kv_heads * (width / self.heads);
        let mut wanted = vec![
            ("token_embd.weight".to_owned(), vec![self.vocabulary, width]),
            ("output_norm.weight".to_owned(), vec![width]),
            ("output.weight".to_owned(), vec![self.vocabulary, width]),
        ];
        for layer in 0..self.layers {
            let mut must = |part: &str, shape: &[usize]| wanted.push((format!("blk.{layer}.{part}.weight"), shape.to_vec()));
            must("attn_norm", &[width]);
            must("attn_qkv", &[sides, width]);
            must("attn_output", &[width, width]);
            must("ffn_norm", &[width]);
            must("ffn_up", &[both, width]);
            must("ffn_down", &[width, self.feed_forward]);
        }
        for (name, shape) in &wanted {
            let found = header.tensor(name).ok_or_else(|| DecoderError::MissingTensor(name.clone()))?;
            if found.shape != *shape {
                return Err(DecoderError::Shape { tensor: name.clone(), found: found.shape.clone(), wanted: shape.clone() });
            }
        }
        match header.tensors.iter().find(|tensor| !wanted.iter().any(|(name, _)| *name == tensor.name)) {
            Some(stranger) => Err(DecoderError::StrangeTensor(stranger.name.clone())),
            None => Ok(()),
        }
    }
}

fn odd() -> ModelError {
    ModelError::Device("logits of another number than words".to_owned())
}
