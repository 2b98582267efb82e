//! A vocabulary for models that mean nothing: every byte, some words, the marks of a conversation, then padding.

use std::io;

use crate::llm::gguf::Value;
use crate::llm::gguf::write::GgufWriter;

/// Words that are one token, as they are for large models; each is merged letter by letter.
const WORDS: [&str; 14] = [
    "buy", "sell", "hold", "low", "medium", "high", "extreme", "positive", "negative", "neutral", "Ġthe", "Ġprice", "\":\"",
    "\",\"",
];
/// Marks of a conversation. The last two are the ends of a turn and of a text.
const MARKS: [&str; 3] = ["<|im_start|>", "<|im_end|>", "<|endoftext|>"];
const TEMPLATE: &str = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
const NORMAL: i64 = 1;
const CONTROL: i64 = 3;
const UNUSED: i64 = 5;

/// Adds the facts of a vocabulary of that many words.
pub(super) fn facts(words: usize, writer: &mut GgufWriter) -> io::Result<()> {
    let mut tokens: Vec<String> = (0..=255).map(|byte| letter_of(byte).to_string()).collect();
    let mut merges = Vec::new();
    for word in WORDS {
        let mut begun = String::new();
        for letter in word.chars() {
            if !begun.is_empty() {
                let merge = format!("{begun} {letter}");
                if !merges.contains(&merge) {
                    merges.push(merge);
                    tokens.push(format!("{begun}{letter}"));
                }
            }
            begun.push(letter);
        }
    }
    let normal = tokens.len();
    tokens.extend(MARKS.map(str::to_owned));
    let marked = tokens.len();
    let padding = words.checked_sub(marked).ok_or_else(|| io::Error::other("a vocabulary has at least a word for each byte"))?;
    tokens.extend((0..padding).map(|number| format!("[PAD{number}]")));
    let kinds = [(NORMAL, normal), (CONTROL, marked - normal), (UNUSED, padding)];
    let kinds = kinds.into_iter().flat_map(|(kind, count)| std::iter::repeat_n(kind, count)).collect();
    let id = |behind: usize| i64::try_from(marked - behind).map_err(io::Error::other);
    writer.fact("tokenizer.ggml.model", Value::Text("gpt2".to_owned()));
    writer.fact("tokenizer.ggml.pre", Value::Text("qwen2".to_owned()));
    writer.fact("tokenizer.ggml.tokens", Value::Texts(tokens));
    writer.fact("tokenizer.ggml.token_type", Value::Integers(kinds));
    writer.fact("tokenizer.ggml.merges", Value::Texts(merges));
    writer.fact("tokenizer.ggml.eos_token_id", Value::Integer(id(2)?));
    writer.fact("tokenizer.ggml.bos_token_id", Value::Integer(id(1)?));
    writer.fact("tokenizer.ggml.padding_token_id", Value::Integer(id(1)?));
    writer.fact("tokenizer.ggml.add_bos_token", Value::Flag(false));
    writer.fact("tokenizer.chat_template", Value::Text(TEMPLATE.to_owned()));
    Ok(())
}

/// The letter that stands for a byte: itself where it can be printed, else one of those from 256 on, in order.
fn letter_of(byte: u8) -> char {
    let printed = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    if printed(byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|&other| !printed(other)).count();
    u32::try_from(before).ok().and_then(|before| char::from_u32(256 + before)).unwrap_or(char::REPLACEMENT_CHARACTER)
}
