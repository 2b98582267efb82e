//! The model that answers in a worker: loaded as the job says, within the memory it may take, and warmed up.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

use sha2::{Digest, Sha256};

use crate::llm::answer::{Abstention, Answer, Piece};
use crate::llm::ask::{Ask, AskId};
use crate::llm::bandwidth::measured_bandwidth;
use crate::llm::decoder::{Config, Decoder, LoadOptions, MemoryNeed, Place};
use crate::llm::generate::Generator;
use crate::llm::gguf::Header;
use crate::llm::model::{ModelError, Stop, TextModel};
use crate::llm::protocol::{BenchPlan, Benched, Device, Job, Loaded};
use crate::llm::samples;
use crate::llm::tokenizer::{Tokenizer, Vocabulary};
use crate::llm::worker::queue::WIDEST_WAVE;
use crate::llm::worker::{Answers, held_bytes, process};

/// States of static parts that are kept.
const MOST_PREFIX_BYTES: usize = 512 << 20;
/// Address space beside what the model needs: the program, its stacks, pools of the allocator.
const ROOM: u64 = 4 << 30;
/// Tokens of prompts, and written, that are measured at most.
const MOST_BENCHED: u32 = 4_096;

/// A model that answers.
pub struct Writer {
    generator: Generator<Decoder>,
    /// Questions whose static parts are computed when nobody waits.
    cold: VecDeque<Ask>,
}

/// Loads what a job says.
pub fn load(job: &Job) -> Result<(Writer, Loaded), String> {
    let begun = Instant::now();
    let header = Header::open(&job.model).map_err(|error| error.to_string())?;
    let config = Config::of(&header).map_err(|error| error.to_string())?;
    let (place, context) = (place(job.device), usize::try_from(job.context).unwrap_or(usize::MAX));
    let need = Decoder::need(&header, place, context).map_err(|error| error.to_string())?;
    let most_bytes = limit(job, need, header.file_bytes)?;
    let vocabulary = Vocabulary::of(&header.metadata).and_then(Tokenizer::build);
    let tokenizer = vocabulary.map_err(|error| error.to_string())?;
    let sha256 = match &job.sha256 {
        Some(known) => known.clone(),
        None => hash(&job.model).map_err(|error| format!("its file cannot be read: {error}"))?,
    };
    let decoder = Decoder::load(&job.model, LoadOptions { place, context, most_bytes }).map_err(|error| error.to_string())?;
    let (token_bytes, context) = (decoder.bytes_per_token(), decoder.context());
    let generator = Generator::new(decoder, tokenizer, MOST_PREFIX_BYTES).map_err(|error| error.to_string())?;
    let cold: VecDeque<Ask> = samples::questions(0).map_err(|error| error.to_string())?.into();
    let mut writer = Writer { generator, cold };
    // The first product of each matrix rearranges it, and a GPU loads its kernels: the first question is not to wait for that.
    if let Some(first) = writer.cold.pop_front() {
        let tokens = writer.generator.warm(&[first], &Stop::never());
        tracing::debug!(target: "pmax::model", "warmed up with {tokens} tokens");
    }
    let threads = usize::try_from(job.threads).unwrap_or(1);
    let loaded = Loaded {
        architecture: config.architecture.word().to_owned(),
        quantisation: header.quantisation().map_or_else(|| "n/a".to_owned(), |kind| format!("{kind:?}")),
        device: match job.device {
            Device::Cpu => format!("CPU, {threads} thread{}", if threads == 1 { "" } else { "s" }),
            Device::Gpu => "GPU".to_owned(),
        },
        file_bytes: header.file_bytes,
        token_bytes,
        memory_bytes: held_bytes().unwrap_or_default(),
        context: u32::try_from(context).unwrap_or(u32::MAX),
        loaded_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        // What a graphics card's memory gives is not measured here.
        memory_gigabytes_per_second: (job.device == Device::Cpu).then(|| measured_bandwidth(threads)),
        sha256,
    };
    Ok((writer, loaded))
}

fn place(device: Device) -> Place {
    match device {
        Device::Cpu => Place::Cpu,
        Device::Gpu => Place::Cuda,
    }
}

/// Refuses what has no room, and keeps the process within its own. Gives the bytes the model may take.
fn limit(job: &Job, need: MemoryNeed, file_bytes: u64) -> Result<u64, String> {
    if job.device == Device::Gpu {
        // Its driver sets address space aside that has nothing to do with memory; the card itself refuses what it has no room for.
        return Ok(job.memory_limit.unwrap_or(u64::MAX));
    }
    let most = job.memory_limit.or_else(process::free_bytes).unwrap_or(u64::MAX);
    if need.total() > most {
        return Err(format!("it needs {need}; there are {} MiB", most >> 20));
    }
    let space = need.total().saturating_mul(2).saturating_add(file_bytes).saturating_add(ROOM);
    process::limit_memory(job.memory_limit.map_or(space, |limit| limit.saturating_add(ROOM).min(space)))
        .map_err(|error| format!("its memory cannot be limited: {error}"))?;
    Ok(most)
}

fn hash(path: &Path) -> std::io::Result<String> {
    let (mut file, mut hash, mut block) = (File::open(path)?, Sha256::new(), vec![0; 1 << 20]);
    loop {
        let count = file.read(&mut block)?;
        let Some(read) = block.get(..count).filter(|read| !read.is_empty()) else { break };
        hash.update(read);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

impl Answers for Writer {
    fn answer(&mut self, asks: &[Ask], stops: &[Stop], told: &mut dyn FnMut(AskId, Piece)) -> Vec<Result<Answer, Abstention>> {
        self.generator.answer(asks, stops, &mut |index, piece| {
            if let Some(ask) = asks.get(index).filter(|ask| ask.streams) {
                told(ask.id, piece);
            }
        })
    }

    fn bench(&mut self, plan: BenchPlan) -> Result<Benched, Abstention> {
        bench(self.generator.model(), plan).map_err(|error| Abstention::Unusable(error.to_string()))
    }

    fn idle(&mut self, stop: &Stop) -> bool {
        let Some(ask) = self.cold.pop_front() else { return false };
        self.generator.warm(std::slice::from_ref(&ask), stop);
        if stop.is_over() {
            self.cold.push_back(ask);
        }
        !self.cold.is_empty()
    }
}

fn bench(model: &Decoder, plan: BenchPlan) -> Result<Benched, ModelError> {
    let rows = usize::try_from(plan.rows).unwrap_or(1).clamp(1, WIDEST_WAVE);
    let (prompt, written) = (plan.prompt_tokens.clamp(1, MOST_BENCHED), plan.written_tokens.clamp(1, MOST_BENCHED));
    let words = u32::try_from(model.vocabulary()).unwrap_or(u32::MAX).clamp(1, 40_000);
    let text: Vec<u32> = (0..prompt).map(|place| place.wrapping_mul(7_919) % words).collect();
    let stop = Stop::never();
    let first = model.prefix(text.get(..1).unwrap_or_default(), &stop)?;
    let begun = Instant::now();
    let room = usize::try_from(written).unwrap_or_default();
    let (mut state, _) = model.open(&first, &vec![text.as_slice(); rows], room, &stop)?;
    let read = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    for step in 0..written {
        let token = [step.wrapping_mul(31) % words];
        model.append(&mut state, &vec![token.as_slice(); rows], &stop)?;
    }
    let wrote = begun.elapsed().as_secs_f64();
    let (all_rows, steps) = (rows as f64, f64::from(written));
    Ok(Benched {
        prompt_per_second: f64::from(prompt) * all_rows / read,
        written_per_second: steps * all_rows / wrote,
        gigabytes_per_second: steps * model.bytes_per_token() as f64 / wrote / 1e9,
        rows: plan.rows,
    })
}
