//! Model files: what is read from good ones, and that bad ones are refused with a sentence, whatever was done to them.

use std::path::PathBuf;

use pmax::llm::decoder::{Decoder, LoadOptions, Place};
use pmax::llm::gguf::random::{Shape, write_random_to};
use pmax::llm::gguf::write::GgufWriter;
use pmax::llm::gguf::{GgufError, Header, Kind, Metadata, Value};

const OPTIONS: LoadOptions = LoadOptions { place: Place::Cpu, context: 64, most_bytes: 1 << 32 };

fn good() -> Vec<u8> {
    let mut bytes = Vec::new();
    write_random_to(&Shape::named("tiny-qwen2").unwrap(), &mut bytes, 1).unwrap();
    bytes
}

fn header(bytes: &[u8]) -> Result<Header, GgufError> {
    Header::read(bytes, bytes.len() as u64)
}

/// A file without tensors but one.
fn small(change: impl FnOnce(&mut GgufWriter)) -> Vec<u8> {
    let mut writer = GgufWriter::new();
    change(&mut writer);
    writer.tensor("one", Kind::F32, &[2, 3]).unwrap();
    let mut bytes = Vec::new();
    writer.write(&mut bytes, |tensor, out| std::io::Write::write_all(out, &vec![0; tensor.bytes as usize])).unwrap();
    bytes
}

#[test]
fn facts_come_back_with_their_types() {
    let texts = vec!["a".to_owned(), String::new(), "Ġé".to_owned()];
    let bytes = small(|writer| {
        writer.fact("text", Value::Text("hello".to_owned()));
        writer.fact("whole", Value::Integer(7));
        writer.fact("large", Value::Integer(1 << 40));
        writer.fact("below", Value::Integer(-3));
        writer.fact("float", Value::Float(0.5));
        writer.fact("flag", Value::Flag(true));
        writer.fact("texts", Value::Texts(texts.clone()));
        writer.fact("none", Value::Texts(Vec::new()));
        writer.fact("wholes", Value::Integers(vec![1, -2]));
        writer.fact("floats", Value::Floats(vec![1.5, -2.0]));
    });
    let Header { metadata, tensors, .. } = header(&bytes).unwrap();
    assert_eq!(metadata.text("text"), Ok("hello"));
    assert_eq!((metadata.integer("whole"), metadata.integer("large"), metadata.integer("below")), (Ok(7), Ok(1 << 40), Ok(-3)));
    assert_eq!((metadata.float("float"), metadata.float("whole"), metadata.flag("flag")), (Ok(0.5), Ok(7.0), Ok(true)));
    assert_eq!((metadata.strings("texts"), metadata.strings("none")), (Ok(texts.as_slice()), Ok([].as_slice())));
    assert_eq!((metadata.integers("wholes"), metadata.floats("floats")), (Ok([1, -2].as_slice()), Ok([1.5, -2.0].as_slice())));
    assert_eq!(metadata.text("absent"), Err(GgufError::Missing("absent".to_owned())));
    assert_eq!(Metadata::optional(metadata.text("absent")), Ok(None));
    assert!(matches!(Metadata::optional(metadata.text("whole")), Err(GgufError::Mistyped { .. })));
    assert!(matches!(metadata.count("below"), Err(GgufError::Mistyped { .. })));
    assert_eq!((tensors[0].shape.as_slice(), tensors[0].bytes), ([2, 3].as_slice(), 24));
}

#[test]
fn random_files_have_a_vocabulary_and_the_size_of_their_shape() {
    for name in ["tiny-llama", "tiny-qwen2", "tiny-qwen3"] {
        let mut bytes = Vec::new();
        let shape = Shape::named(name).unwrap();
        write_random_to(&shape, &mut bytes, 1).unwrap();
        let read = header(&bytes).unwrap();
        let tokens = read.metadata.strings("tokenizer.ggml.tokens").unwrap();
        assert_eq!(tokens.len(), shape.vocabulary);
        assert_eq!(read.metadata.integers("tokenizer.ggml.token_type").unwrap().len(), shape.vocabulary);
        let end = read.metadata.count("tokenizer.ggml.eos_token_id").unwrap();
        assert_eq!(tokens[end], "<|im_end|>");
        assert!(tokens.iter().any(|token| token == "buy"));
        let mut again = Vec::new();
        write_random_to(&shape, &mut again, 1).unwrap();
        assert!(again == bytes, "the same seed gives the same file");
    }
}

/// A refusal is a sentence that says something, on one line, of a length that fits a pane.
fn refused(what: &str, bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("model.gguf");
    std::fs::write(&path, bytes).unwrap();
    let error = match Decoder::load(&path, OPTIONS) {
        Ok(_) => panic!("{what}: loaded"),
        Err(error) => error.to_string(),
    };
    assert!(error.len() > 10 && error.len() < 300 && !error.contains('\n'), "{what}: {error}");
}

/// Where the fields of a header lie.
#[derive(Default)]
struct Fields {
    key_lengths: Vec<usize>,
    value_types: Vec<usize>,
    text_lengths: Vec<usize>,
    list_types: Vec<usize>,
    list_lengths: Vec<usize>,
    tensor_names: Vec<usize>,
    dimension_counts: Vec<usize>,
    dimensions: Vec<usize>,
    tensor_types: Vec<usize>,
    offsets: Vec<usize>,
    end: usize,
}

/// Reads a good file's header, noting places.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Walk<'_> {
    fn u32(&mut self) -> u32 {
        self.at += 4;
        u32::from_le_bytes(self.bytes[self.at - 4..self.at].try_into().unwrap())
    }

    fn u64(&mut self) -> usize {
        self.at += 8;
        usize::try_from(u64::from_le_bytes(self.bytes[self.at - 8..self.at].try_into().unwrap())).unwrap()
    }

    fn text(&mut self) {
        let length = self.u64();
        self.at += length;
    }

    fn fields(bytes: &[u8]) -> Fields {
        let mut walk = Walk { bytes, at: 8 };
        let mut fields = Fields::default();
        let (tensors, facts) = (walk.u64(), walk.u64());
        for _ in 0..facts {
            fields.key_lengths.push(walk.at);
            walk.text();
            fields.value_types.push(walk.at);
            match walk.u32() {
                8 => {
                    fields.text_lengths.push(walk.at);
                    walk.text();
                }
                9 => {
                    fields.list_types.push(walk.at);
                    let kind = walk.u32();
                    fields.list_lengths.push(walk.at);
                    let length = walk.u64();
                    (0..length).for_each(|_| if kind == 8 { walk.text() } else { walk.at += 4 });
                }
                7 => walk.at += 1,
                _ => walk.at += 4,
            }
        }
        for _ in 0..tensors {
            fields.tensor_names.push(walk.at);
            walk.text();
            fields.dimension_counts.push(walk.at);
            let count = walk.u32();
            for _ in 0..count {
                fields.dimensions.push(walk.at);
                walk.u64();
            }
            fields.tensor_types.push(walk.at);
            walk.u32();
            fields.offsets.push(walk.at);
            walk.u64();
        }
        fields.end = walk.at;
        fields
    }
}

#[test]
fn mutilated_files_are_refused() {
    let good = good();
    let fields = Walk::fields(&good);
    let mut tried = 0;
    let mut with = |what: String, at: usize, new: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + new.len()].copy_from_slice(new);
        refused(&what, &bytes);
        tried += 1;
    };
    with("another magic".to_owned(), 0, b"GGML");
    for version in [0, 1, 4, u32::MAX] {
        with(format!("version {version}"), 4, &version.to_le_bytes());
    }
    let counts = [u64::MAX, 1 << 63, 1 << 40, 1 << 20];
    for count in counts {
        with(format!("{count} tensors"), 8, &count.to_le_bytes());
        with(format!("{count} facts"), 16, &count.to_le_bytes());
    }
    with("no tensors".to_owned(), 8, &0_u64.to_le_bytes());
    with("no facts".to_owned(), 16, &0_u64.to_le_bytes());
    let lengths = [
        ("name", &fields.key_lengths),
        ("text", &fields.text_lengths),
        ("list", &fields.list_lengths),
        ("tensor's name", &fields.tensor_names),
    ];
    for (what, places) in lengths {
        for &at in [places.first().unwrap(), places.last().unwrap()] {
            for length in counts {
                with(format!("a {what} of {length}"), at, &length.to_le_bytes());
            }
        }
    }
    for kind in [9, 13, u32::MAX] {
        with(format!("a list of {kind}"), fields.list_types[0], &kind.to_le_bytes());
        with(format!("a value of {kind}"), fields.value_types[0], &(kind + u32::from(kind == 9) * 90).to_le_bytes());
    }
    for count in [0, 5, u32::MAX] {
        with(format!("{count} dimensions"), fields.dimension_counts[1], &count.to_le_bytes());
    }
    for dimension in [0, 1, 65, 1 << 36, 1 << 62, u64::MAX] {
        with(format!("a dimension of {dimension}"), fields.dimensions[0], &dimension.to_le_bytes());
        with(format!("a second dimension of {dimension}"), fields.dimensions[1], &dimension.to_le_bytes());
    }
    for kind in [4, 9, 16, 20, 23, 29, 39, 255] {
        with(format!("type {kind}"), fields.tensor_types[2], &u32::to_le_bytes(kind));
    }
    // The last byte of the file, beyond it, beside the alignment, over its neighbour.
    for offset in [u64::MAX, u64::MAX - 31, (good.len() as u64) & !31, 1, 4, 0] {
        with(format!("offset {offset}"), fields.offsets[3], &offset.to_le_bytes());
    }
    for at in (0..fields.end).step_by(fields.end / 16).chain([good.len() - 1, fields.end, fields.end + 1]) {
        refused(&format!("cut at {at}"), &good[..at]);
        tried += 1;
    }
    assert!(tried >= 50, "{tried}");
}

#[test]
fn no_single_flipped_byte_of_a_header_ends_the_program() {
    let good = good();
    let end = Walk::fields(&good).end;
    for at in (0..end).step_by(7) {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = good.clone();
            bytes[at] ^= flip;
            // Some letter of some word may be another; everything else is refused.
            let _ = header(&bytes);
        }
    }
}

#[test]
fn files_that_are_well_formed_and_wrong_are_refused_for_what_they_are() {
    let of = |key: &str, value: Value| {
        header(&small(|writer| {
            writer.fact(key, value);
        }))
        .map(|_| ())
    };
    assert_eq!(of("split.count", Value::Integer(2)), Err(GgufError::Split(2)));
    assert_eq!(of("split.count", Value::Integer(1)), Ok(()));
    for alignment in [0, 3, 1, 1 << 30] {
        assert!(matches!(of("general.alignment", Value::Integer(alignment)), Err(GgufError::Alignment(_))), "{alignment}");
    }
    let twice = small(|writer| {
        writer.fact("a", Value::Integer(1)).fact("a", Value::Integer(2));
    });
    assert_eq!(header(&twice).map(|_| ()), Err(GgufError::Twice("a".to_owned())));
    let twice = small(|writer| {
        writer.tensor("one", Kind::F32, &[8]).unwrap();
    });
    assert_eq!(header(&twice).map(|_| ()), Err(GgufError::Twice("one".to_owned())));
}

#[test]
fn models_that_are_not_spoken_are_refused_by_name() {
    let check = |change: &dyn Fn(&str, &Value) -> Option<Value>, without: &str, wanted: &str| {
        let good = good();
        let read = header(&good).unwrap();
        let mut writer = GgufWriter::new();
        for (key, value) in read.metadata.iter() {
            writer.fact(key, change(key, value).unwrap_or_else(|| value.clone()));
        }
        for tensor in read.tensors.iter().filter(|tensor| tensor.name != without) {
            writer.tensor(&tensor.name, tensor.kind, &tensor.shape).unwrap();
        }
        let mut bytes = Vec::new();
        let write =
            |tensor: &pmax::llm::gguf::TensorInfo, out: &mut dyn std::io::Write| out.write_all(&vec![0; tensor.bytes as usize]);
        writer.write(&mut bytes, |tensor, out| write(tensor, out)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        std::fs::write(&path, bytes).unwrap();
        let error = Decoder::load(&path, OPTIONS).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error} has no {wanted}");
    };
    let as_text =
        |new: &'static str| move |key: &str, _: &Value| (key == "general.architecture").then(|| Value::Text(new.to_owned()));
    let number = |which: &'static str, new: i64| move |key: &str, _: &Value| (key == which).then_some(Value::Integer(new));
    let same = |_: &str, _: &Value| None;
    check(&as_text("mamba"), "", "`mamba`");
    // A qwen2 file has biases, which a llama has not.
    check(&as_text("llama"), "", "llama.");
    check(&same, "blk.1.attn_k.bias", "blk.1.attn_k.bias");
    check(&same, "output_norm.weight", "output_norm.weight");
    check(&number("qwen2.block_count", 1), "", "blk.1.");
    check(&number("qwen2.block_count", 3), "", "blk.2.");
    check(&number("qwen2.attention.head_count", 0), "", "nothing");
    check(&number("qwen2.attention.head_count_kv", 3), "", "shared out");
    check(&number("qwen2.embedding_length", 96), "", "shape");
    check(&number("qwen2.block_count", 1 << 30), "", "beyond");
    check(&number("qwen2.rope.dimension_count", 8), "", "rope.dimension_count");
}
