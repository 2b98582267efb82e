//! Chances of labels out of the chances of tokens that a server tells.

use serde::Deserialize;

use crate::llm::ask::Decision;

/// Chances that sum to less leave too much to tokens that were not told.
const LEAST_TOLD: f64 = 0.5;

/// A token that was written, and others that could have been.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Token {
    token: String,
    #[serde(default)]
    top_logprobs: Vec<Other>,
}

/// A token that could have been written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Other {
    token: String,
    logprob: f64,
}

/// The labels' chances where the decision's value begins; `None` where they cannot be told apart there, or too little is told.
pub(super) fn chances(tokens: &[Token], decision: &Decision) -> Option<Vec<f64>> {
    let text: String = tokens.iter().map(|token| token.token.as_str()).collect();
    let start = value_start(&text, &decision.property)?;
    let mut before = 0;
    let deciding = tokens.iter().find(|token| {
        let is_it = (before..before + token.token.len()).contains(&start);
        before += if is_it { 0 } else { token.token.len() };
        is_it
    })?;
    // What the token has before the value, often its quote, the others must have too.
    let lead = deciding.token.get(..start.checked_sub(before)?)?;
    let mut chances = vec![0.0; decision.labels.len()];
    for other in &deciding.top_logprobs {
        let Some(rest) = other.token.strip_prefix(lead).filter(|rest| !rest.is_empty()) else { continue };
        let is_begun = |label: &&String| {
            label.starts_with(rest) || rest.strip_prefix(label.as_str()).is_some_and(|end| end.starts_with('"'))
        };
        let mut begun = decision.labels.iter().enumerate().filter(|(_, label)| is_begun(&label));
        match (begun.next(), begun.next()) {
            (Some((place, _)), None) => *chances.get_mut(place)? += other.logprob.exp(),
            (None, _) => {}
            // It begins several labels: this token does not decide.
            (Some(_), Some(_)) => return None,
        }
    }
    let sum: f64 = chances.iter().sum();
    // Rounded shares may sum to a little more than one.
    (LEAST_TOLD..=1.01).contains(&sum).then(|| chances.iter().map(|chance| chance / sum).collect())
}

/// Where the first letter of a property's text stands.
fn value_start(text: &str, property: &str) -> Option<usize> {
    let name = format!("\"{property}\"");
    let mut rest = text;
    loop {
        let (_, after) = rest.split_once(&name)?;
        rest = after;
        let value = after.trim_start().strip_prefix(':').map(str::trim_start).and_then(|value| value.strip_prefix('"'));
        if let Some(value) = value {
            return text.len().checked_sub(value.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(token: &str, others: &[(&str, f64)]) -> Token {
        let other = |(token, chance): &(&str, f64)| Other { token: (*token).to_owned(), logprob: chance.ln() };
        Token { token: token.to_owned(), top_logprobs: others.iter().map(other).collect() }
    }

    fn decision() -> Decision {
        Decision { property: "action".to_owned(), labels: ["buy", "sell", "hold"].map(str::to_owned).to_vec() }
    }

    fn check(tokens: &[Token], expected: Option<[f64; 3]>) {
        let found = chances(tokens, &decision());
        match (&found, expected) {
            (Some(found), Some(expected)) => {
                for (found, expected) in found.iter().zip(expected) {
                    assert!((found - expected).abs() < 1e-12, "{found} {expected}");
                }
            }
            (None, None) => {}
            _ => panic!("{found:?} {expected:?}"),
        }
    }

    #[test]
    fn chances_are_read_where_the_value_begins_however_the_text_is_cut() {
        let split = [("buy", 0.6), ("sell", 0.3), ("hold", 0.1)];
        check(&[token("{\"", &[]), token("action", &[]), token("\":\"", &[]), token("buy", &split)], Some([0.6, 0.3, 0.1]));
        check(&[token("{ \"action\" : \"", &[]), token("b", &[("b", 0.8), ("sel", 0.2)])], Some([0.8, 0.2, 0.0]));
        let quoted = [("\"buy\"", 0.5), ("\"sell", 0.25), ("\"h", 0.25), ("sell", 0.1)];
        check(&[token("{\"action\":", &[]), token("\"buy\"", &quoted)], Some([0.5, 0.25, 0.25]));
        check(&[token("{\"note\":\"action\",\"action\":\"", &[]), token("buy", &split)], Some([0.6, 0.3, 0.1]));
        check(&[token("{\"action\":\"", &[]), token("buy", &[("buy", 0.45), ("sell", 0.45)])], Some([0.5, 0.5, 0.0]));
    }

    #[test]
    fn where_they_cannot_be_read_there_are_none() {
        check(&[], None);
        check(&[token("{\"level\":\"", &[]), token("buy", &[("buy", 1.0)])], None);
        check(&[token("{\"action\":\"", &[]), token("buy", &[])], None);
        check(&[token("{\"action\":\"", &[]), token("buy", &[("buy", 0.3), ("sell", 0.1), ("Sell", 0.6)])], None);
        check(&[token("{\"action\":\"", &[]), token("buy", &[("buy", 9.0)])], None);
        check(&[token("{\"action\":\"", &[]), token("buy", &[("buy", f64::NAN)])], None);
        let ambiguous = Decision { labels: vec!["sell".to_owned(), "send".to_owned()], ..decision() };
        assert_eq!(chances(&[token("{\"action\":\"", &[]), token("se", &[("se", 1.0)])], &ambiguous), None);
    }
}
