//! How a conversation is written for a model: the static part, which many questions share, and the question.
//!
//! The templates are code, not the file's own: those are programs in a language of their own, and a stranger's program is not run here. The file's
//! template only says which one it is. The tokens of a static part are the same whatever question follows.

use thiserror::Error;

use crate::llm::tokenizer::{Tokenizer, TokenizerError};

/// A way of writing conversations, with the numbers of its control tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat {
    shape: Shape,
}

/// Why a model cannot be spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ChatError {
    /// The template is none that is known.
    #[error("its chat template is none that is known (ChatML and Llama 3 are)")]
    Unknown,
    /// The template needs a control token that the vocabulary does not have.
    #[error("its vocabulary has no control token {0}")]
    NoToken(&'static str),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    /// SmolLM 2 and Qwen. A model that thinks aloud is told that it has already.
    ChatMl { start: u32, end: u32, thoughts: Option<(u32, u32)> },
    /// Llama 3.
    Llama3 { begin: u32, header: u32, header_end: u32, end: u32 },
}

impl Chat {
    /// Finds out how a model is spoken to: by its template, or by its control tokens where it has none.
    pub fn of(tokenizer: &Tokenizer) -> Result<Self, ChatError> {
        let says = |word: &str| {
            tokenizer.template().map_or_else(|| tokenizer.control(word).is_some(), |template| template.contains(word))
        };
        let need = |name: &'static str| tokenizer.control(name).ok_or(ChatError::NoToken(name));
        let shape = if says("<|im_start|>") {
            let thinks = tokenizer.template().is_some_and(|template| template.contains("enable_thinking"));
            let thoughts = tokenizer.control("<think>").zip(tokenizer.control("</think>")).filter(|_| thinks);
            Shape::ChatMl { start: need("<|im_start|>")?, end: need("<|im_end|>")?, thoughts }
        } else if says("<|start_header_id|>") {
            Shape::Llama3 {
                begin: need("<|begin_of_text|>")?,
                header: need("<|start_header_id|>")?,
                header_end: need("<|end_header_id|>")?,
                end: need("<|eot_id|>")?,
            }
        } else {
            return Err(ChatError::Unknown);
        };
        Ok(Self { shape })
    }

    /// The token that ends a turn.
    pub fn turn_end(&self) -> u32 {
        match self.shape {
            Shape::ChatMl { end, .. } | Shape::Llama3 { end, .. } => end,
        }
    }

    /// The static part: everything before the question's first letter.
    pub fn system(&self, tokenizer: &Tokenizer, system: &str) -> Result<Vec<u32>, TokenizerError> {
        let system = system.trim();
        match self.shape {
            Shape::ChatMl { start, end, .. } => {
                let mut tokens: Vec<u32> = tokenizer.begin().into_iter().collect();
                tokens.push(start);
                tokens.extend(tokenizer.encode(&format!("system\n{system}"))?);
                tokens.push(end);
                tokens.extend(tokenizer.encode("\n")?);
                tokens.push(start);
                tokens.extend(tokenizer.encode("user\n")?);
                Ok(tokens)
            }
            Shape::Llama3 { begin, header, header_end, end } => {
                let mut tokens = vec![begin, header];
                tokens.extend(tokenizer.encode("system")?);
                tokens.push(header_end);
                tokens.extend(tokenizer.encode(&format!("\n\n{system}"))?);
                tokens.extend([end, header]);
                tokens.extend(tokenizer.encode("user")?);
                tokens.push(header_end);
                tokens.extend(tokenizer.encode("\n\n")?);
                Ok(tokens)
            }
        }
    }

    /// The question, to the place where the answer begins.
    pub fn question(&self, tokenizer: &Tokenizer, question: &str) -> Result<Vec<u32>, TokenizerError> {
        let mut tokens = tokenizer.encode(question.trim())?;
        match self.shape {
            Shape::ChatMl { start, end, thoughts } => {
                tokens.push(end);
                tokens.extend(tokenizer.encode("\n")?);
                tokens.push(start);
                tokens.extend(tokenizer.encode("assistant\n")?);
                if let Some((open, close)) = thoughts {
                    let blank = tokenizer.encode("\n\n")?;
                    tokens.push(open);
                    tokens.extend(&blank);
                    tokens.push(close);
                    tokens.extend(&blank);
                }
            }
            Shape::Llama3 { header, header_end, end, .. } => {
                tokens.extend([end, header]);
                tokens.extend(tokenizer.encode("assistant")?);
                tokens.push(header_end);
                tokens.extend(tokenizer.encode("\n\n")?);
            }
        }
        Ok(tokens)
    }
}
