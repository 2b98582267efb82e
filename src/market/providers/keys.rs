//! Keys that a person has with providers: what each is called, and how it is kept out of everything that is read.
//!
//! A key is added to a request where it is written to the wire (`sockets.rs`) and nowhere before, and taken out of an answer before
//! anything reads it: some providers repeat it inside their refusals.

use std::collections::BTreeMap;

use crate::domain::{Secret, cleaned};

/// A key that a person can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyName {
    /// Alpha Vantage.
    AlphaVantage,
    /// FRED of the Federal Reserve Bank of St. Louis.
    Fred,
}

/// What stands in an answer where the key stood.
const TAKEN_OUT: &[u8] = b"[key]";

impl KeyName {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::AlphaVantage, Self::Fred];

    /// Its word on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::AlphaVantage => "alphavantage",
            Self::Fred => "fred",
        }
    }

    /// Whose it is.
    pub const fn owner(self) -> &'static str {
        match self {
            Self::AlphaVantage => "Alpha Vantage",
            Self::Fred => "FRED",
        }
    }

    /// The variable in the environment and in `.env`.
    pub const fn variable(self) -> &'static str {
        match self {
            Self::AlphaVantage => "PMAX_ALPHAVANTAGE_KEY",
            Self::Fred => "PMAX_FRED_KEY",
        }
    }

    /// The parameter of a request that carries it.
    pub const fn parameter(self) -> &'static str {
        match self {
            Self::AlphaVantage => "apikey",
            Self::Fred => "api_key",
        }
    }

    /// Why a text cannot be such a key, if it cannot. Letters and digits only, so that it stands in an address and in an answer as it is.
    pub fn refuses(text: &str) -> Option<&'static str> {
        let is_key = (8..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (!is_key).then_some("a key has 8 to 64 letters and digits, and nothing else")
    }
}

/// The keys at hand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys(BTreeMap<KeyName, Secret>);

impl Keys {
    /// Takes a key.
    pub fn take(&mut self, name: KeyName, key: Secret) {
        self.0.insert(name, key);
    }

    /// Whether there is such a key.
    pub fn has(&self, name: KeyName) -> bool {
        self.0.contains_key(&name)
    }

    /// A path with the key behind it.
    pub(super) fn signed(&self, name: KeyName, path: &str) -> String {
        let Some(key) = self.0.get(&name) else { return path.to_owned() };
        let joint = if path.contains('?') { '&' } else { '?' };
        format!("{path}{joint}{}={}", name.parameter(), key.reveal())
    }

    /// The bytes without any key, in whichever case it is written.
    /// Also where it is hidden by escapes of JSON or letters that nobody sees: whoever reads the answer would take them away.
    pub(super) fn redacted(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.0.values().fold(bytes, |bytes, key| {
            let key = key.reveal().as_bytes();
            let bytes = without(bytes, key);
            let plain = if key.is_empty() { Vec::new() } else { plain(&bytes) };
            if plain.windows(key.len().max(1)).any(|part| part.eq_ignore_ascii_case(key)) { without(plain, key) } else { bytes }
        })
    }
}

/// A text with letters and digits in place of their escapes, and without what is not seen.
fn plain(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    while let Some(letter) = rest.chars().next() {
        let escaped =
            rest.strip_prefix("\\u").and_then(|code| u32::from_str_radix(code.get(..4)?, 16).ok()).and_then(char::from_u32);
        let (meant, length) = escaped.map_or((letter, letter.len_utf8()), |meant| (meant, 6));
        let is_seen = meant.is_whitespace() || !cleaned(&meant.to_string(), 1).is_empty();
        match escaped {
            Some(meant) if !meant.is_ascii_alphanumeric() && is_seen => plain.push_str(rest.get(..6).unwrap_or_default()),
            _ if is_seen => plain.push(meant),
            _ => {}
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    plain.into_bytes()
}

fn without(bytes: Vec<u8>, key: &[u8]) -> Vec<u8> {
    let is_there = |part: &[u8]| part.eq_ignore_ascii_case(key);
    if key.is_empty() || !bytes.windows(key.len()).any(is_there) {
        return bytes;
    }
    let (mut clean, mut rest) = (Vec::with_capacity(bytes.len()), bytes.as_slice());
    while let Some(at) = rest.windows(key.len()).position(is_there) {
        let (before, after) = rest.split_at(at);
        clean.extend_from_slice(before);
        clean.extend_from_slice(TAKEN_OUT);
        rest = after.get(key.len()..).unwrap_or_default();
    }
    clean.extend_from_slice(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_in_the_address_alone() {
        let mut keys = Keys::default();
        keys.take(KeyName::AlphaVantage, Secret::new("CANARY0123456789"));
        assert_eq!(keys.signed(KeyName::AlphaVantage, "/query?function=X"), "/query?function=X&apikey=CANARY0123456789");
        assert_eq!(keys.signed(KeyName::Fred, "/fred"), "/fred", "no key, nothing added");
        let told = b"We have detected your API key as CANARY0123456789 and canary0123456789".to_vec();
        assert_eq!(keys.redacted(told), b"We have detected your API key as [key] and [key]");
        assert_eq!(keys.redacted(b"CANARY012345678".to_vec()), b"CANARY012345678");
        let hidden = r#"{"a":"\u0043\u0041NARY0123456789 \u0022x\u0022"}"#.as_bytes().to_vec();
        assert_eq!(keys.redacted(hidden), br#"{"a":"[key] \u0022x\u0022"}"#);
        let parted = "CAN\u{200b}ARY01\u{2060}23456789 and CAN\\u200bARY0123456789".as_bytes().to_vec();
        assert_eq!(keys.redacted(parted), b"[key] and [key]");
        let other = "é\u{200b} \\u0041 \\u12".as_bytes().to_vec();
        assert_eq!(keys.redacted(other.clone()), other, "what holds no key stays as it came");
        assert!(!format!("{keys:?}").contains("CANARY"));
        for (text, is_key) in [("ABCDEFGH", true), ("demo", false), ("ABCD&x=1FGH", false), ("ÄBCDEFGH", false)] {
            assert_eq!(KeyName::refuses(text).is_none(), is_key, "{text}");
        }
    }
}
