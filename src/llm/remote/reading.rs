//! What a server's answers say, read with nothing in them believed.

use serde::Deserialize;
use serde_json::Value;

use crate::domain::cleaned;
use crate::llm::answer::{Abstention, Answer, Timings};
use crate::llm::ask::Ask;
use crate::llm::remote::labels::{Token, chances};

/// Characters that are kept of a server's own words.
const MOST_SAID: usize = 200;

/// Which models there are.
#[derive(Deserialize)]
pub(super) struct Models {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
}

/// The answer to a question.
#[derive(Deserialize)]
pub(super) struct Chat {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
    #[serde(default)]
    finish_reason: Option<String>,
    #[serde(default)]
    logprobs: Option<Logprobs>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
}

#[derive(Deserialize)]
struct Logprobs {
    #[serde(default)]
    content: Option<Vec<Token>>,
}

#[derive(Deserialize, Clone, Copy, Default)]
struct Usage {
    #[serde(default)]
    prompt_tokens: u32,
    #[serde(default)]
    completion_tokens: u32,
}

impl Models {
    /// Their names, cleaned.
    pub(super) fn names(body: &[u8]) -> Result<Vec<String>, String> {
        let models: Self = serde_json::from_slice(body)
            .map_err(|_| said(body).unwrap_or_else(|| "it speaks something else than was expected".to_owned()))?;
        Ok(models.data.into_iter().map(|model| cleaned(&model.id, MOST_SAID)).filter(|name| !name.is_empty()).collect())
    }
}

impl Chat {
    /// Reads an answer with status 200, which may hold an error all the same.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        if let Some(words) = said(body) {
            return Err(words);
        }
        let chat: Self = serde_json::from_slice(body).map_err(|_| "its answer is none that was expected".to_owned())?;
        if chat.choices.is_empty() { Err("its answer is empty".to_owned()) } else { Ok(chat) }
    }

    /// The answer, if it is whole and has what the schema asks for.
    pub(super) fn answer(&self, ask: &Ask) -> Result<Answer, Abstention> {
        let unusable = |why: &str| Abstention::Unusable(why.to_owned());
        let choice = self.choices.first().ok_or_else(|| unusable("there is none"))?;
        if let Some(refusal) = choice.message.refusal.as_deref().filter(|refusal| !refusal.is_empty()) {
            return Err(Abstention::Remote(cleaned(refusal, MOST_SAID)));
        }
        let text = choice.message.content.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| unusable("it is empty"))?;
        if choice.finish_reason.as_deref() == Some("length") {
            return Err(Abstention::Unusable(format!("it was not whole after {} tokens", ask.most_tokens)));
        }
        fits(text, ask)?;
        let tokens = choice.logprobs.as_ref().and_then(|logprobs| logprobs.content.as_deref()).unwrap_or_default();
        let labels = ask.decision.as_ref().and_then(|decision| chances(tokens, decision)).unwrap_or_default();
        let usage = self.usage.unwrap_or_default();
        let timings = Timings {
            prompt_tokens: usage.prompt_tokens,
            sampled_tokens: usage.completion_tokens,
            rows: 1,
            ..Timings::default()
        };
        Ok(Answer { text: text.to_owned(), labels, prior: Vec::new(), timings })
    }
}

/// Whether a text is an object with the schema's properties and a label for a decision: a server may know nothing of schemas.
fn fits(text: &str, ask: &Ask) -> Result<(), Abstention> {
    let unusable = |why: String| Abstention::Unusable(why);
    let answer: Value = serde_json::from_str(text).map_err(|_| unusable("it is no JSON".to_owned()))?;
    let answer = answer.as_object().ok_or_else(|| unusable("it is no object".to_owned()))?;
    let schema: Value = serde_json::from_str(&ask.schema).map_err(|error| unusable(error.to_string()))?;
    let properties = schema.get("properties").and_then(Value::as_object);
    for property in properties.into_iter().flat_map(|properties| properties.keys()) {
        if !answer.contains_key(property) {
            return Err(unusable(format!("it lacks `{property}`")));
        }
    }
    if let Some(extra) = answer.keys().find(|key| properties.is_some_and(|properties| !properties.contains_key(*key))) {
        return Err(unusable(format!("it has `{}`, which was not asked for", cleaned(extra, 40))));
    }
    let Some(decision) = &ask.decision else { return Ok(()) };
    let label = answer.get(&decision.property).and_then(Value::as_str);
    if label.is_some_and(|label| decision.labels.iter().any(|known| known == label)) {
        return Ok(());
    }
    Err(unusable(format!("its `{}` is none of {}", decision.property, decision.labels.join(", "))))
}

/// What a server says is wrong, in any of the ways they write it.
pub(super) fn said(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let error = value.get("error").or_else(|| value.get("detail")).filter(|error| !error.is_null());
    let is_error = value.get("object").and_then(Value::as_str) == Some("error");
    let words = match error {
        Some(error) => error.as_str().or_else(|| error.get("message").and_then(Value::as_str)).unwrap_or("it does not say what"),
        None if is_error => value.get("message").and_then(Value::as_str).unwrap_or("it does not say what"),
        None => return None,
    };
    Some(cleaned(words, MOST_SAID))
}
