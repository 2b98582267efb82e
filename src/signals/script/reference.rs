//! What a run writes down of its scripts: names and the hashes of their texts.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::ScriptName;
use crate::signals::Script;

/// Scripts a run may have at once; bounded, so that settings stay a plain value.
pub const MOST_SCRIPTS: usize = 8;

/// A script's name and the SHA-256 of its text, written `name@hash`.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ScriptRef {
    /// Its name.
    pub name: ScriptName,
    sha256: [u8; 32],
}

/// The scripts of a run, in their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<ScriptRef>", into = "Vec<ScriptRef>")]
pub struct Scripts([Option<ScriptRef>; MOST_SCRIPTS]);

impl ScriptRef {
    /// The reference of a text.
    pub fn of(name: ScriptName, text: &str) -> Self {
        Self { name, sha256: Sha256::digest(text.as_bytes()).into() }
    }
}

impl Scripts {
    /// Those of the scripts at hand; none beyond the most that may be.
    pub fn of(library: &[Script]) -> Self {
        let mut places = [None; MOST_SCRIPTS];
        places.iter_mut().zip(library).for_each(|(place, script)| *place = Some(script.reference()));
        Self(places)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = ScriptRef> + '_ {
        self.0.iter().flatten().copied()
    }

    /// One that is here under the same name with another text.
    pub fn changed_in(&self, other: &Self) -> Option<ScriptName> {
        let differs = |old: &ScriptRef| other.iter().any(|new| new.name == old.name && new != *old);
        self.iter().find(differs).map(|old| old.name)
    }
}

impl fmt::Display for ScriptRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@", self.name)?;
        self.sha256.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for ScriptRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl From<ScriptRef> for String {
    fn from(reference: ScriptRef) -> Self {
        reference.to_string()
    }
}

impl TryFrom<String> for ScriptRef {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let refuse = || format!("«{text}» is not a script's name and hash");
        let (name, digits) = text.split_once('@').ok_or_else(refuse)?;
        let mut sha256 = [0; 32];
        if digits.len() != 64 || !digits.is_ascii() {
            return Err(refuse());
        }
        for (index, byte) in sha256.iter_mut().enumerate() {
            let pair = digits.get(index * 2..index * 2 + 2).ok_or_else(refuse)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| refuse())?;
        }
        Ok(Self { name: name.parse()?, sha256 })
    }
}

impl From<Scripts> for Vec<ScriptRef> {
    fn from(scripts: Scripts) -> Self {
        scripts.iter().collect()
    }
}

impl TryFrom<Vec<ScriptRef>> for Scripts {
    type Error = String;

    fn try_from(list: Vec<ScriptRef>) -> Result<Self, Self::Error> {
        if list.len() > MOST_SCRIPTS {
            return Err(format!("{} scripts; a run has {MOST_SCRIPTS} at most", list.len()));
        }
        let mut places = [None; MOST_SCRIPTS];
        places.iter_mut().zip(list).for_each(|(place, script)| *place = Some(script));
        Ok(Self(places))
    }
}
