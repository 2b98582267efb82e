//! The name of a strategy of one's own: short, so that it fits a column, and plain, so that it can stand in a ledger for ever.

use std::fmt;
use std::str::FromStr;

/// Letters of the longest name.
const LONGEST: usize = 24;

/// 1 to 24 of `a`–`z`, `0`–`9`, `-` and `_`. Scorecards are kept under it, so a strategy keeps its name when its text changes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScriptName([u8; LONGEST]);

impl ScriptName {
    /// The name.
    pub fn as_str(&self) -> &str {
        let letters = self.0.split(|byte| *byte == 0).next().unwrap_or_default();
        std::str::from_utf8(letters).unwrap_or_default()
    }
}

impl FromStr for ScriptName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        if text.is_empty() || text.len() > LONGEST || !text.bytes().all(is_plain) {
            return Err(format!("«{text}» is not a name: write 1 to {LONGEST} of a–z, 0–9, - and _"));
        }
        let mut letters = [0; LONGEST];
        letters.iter_mut().zip(text.bytes()).for_each(|(place, byte)| *place = byte);
        Ok(Self(letters))
    }
}

impl fmt::Display for ScriptName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Debug for ScriptName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SignalSource;

    #[test]
    fn a_name_is_short_and_plain() {
        assert_eq!("break-out_2".parse::<ScriptName>().unwrap().as_str(), "break-out_2");
        for wrong in ["", "Breakout", "a b", "ä", "../x", "a234567890123456789012345"] {
            assert!(wrong.parse::<ScriptName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn sources_are_written_as_before_and_scripts_by_their_name() {
        let script = SignalSource::Script("breakout".parse().unwrap());
        for (source, text) in [(SignalSource::BaselineMomentum, "\"baseline_momentum\""), (script, "\"script:breakout\"")] {
            assert_eq!(serde_json::to_string(&source).unwrap(), text);
            assert_eq!(serde_json::from_str::<SignalSource>(text).unwrap(), source);
        }
        assert!(serde_json::from_str::<SignalSource>("\"script:NO\"").is_err());
        assert!(serde_json::from_str::<SignalSource>("\"oracle\"").is_err());
    }
}
