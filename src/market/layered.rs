//! A table of the program with a person's own file of the same name laid over it.

use serde::de::DeserializeOwned;
use thiserror::Error;
use toml::{Table, Value};

/// Why a table is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{path}: {what}")]
pub struct TableError {
    /// Which value.
    pub path: String,
    /// Which file says so.
    pub place: WrittenIn,
    /// What is wrong and what is allowed.
    pub what: String,
}

/// Which of the two files a value stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrittenIn {
    /// In that of the program.
    Program,
    /// In the person's own.
    Own,
    /// There, at this byte.
    OwnAt(usize),
}

/// Both laid over one another, and what is needed to say who is to blame.
pub(in crate::market) struct Layered<T> {
    /// What they say together.
    pub table: T,
    over: Table,
}

impl<T: DeserializeOwned> Layered<T> {
    /// Reads both; a key of the person's replaces that of the program, tables are laid over one another key by key.
    pub fn read(defaults: &str, own: Option<&str>) -> Result<Self, TableError> {
        let mut merged =
            parsed(defaults).map_err(|(_, what)| TableError { path: "the file".to_owned(), place: WrittenIn::Program, what })?;
        let over = own.map(parsed).transpose();
        let over = over
            .map_err(|(at, what)| TableError { path: "the file".to_owned(), place: WrittenIn::OwnAt(at), what })?
            .unwrap_or_default();
        lay_over(&mut merged, &over);
        serde_path_to_error::deserialize(Value::Table(merged)).map(|table| Self { table, over: over.clone() }).map_err(|error| {
            let path = error.path().to_string();
            let what = error.into_inner().to_string().lines().next().unwrap_or_default().to_owned();
            refused(&over, path, what)
        })
    }

    /// A refusal of a value, blamed on whoever wrote it.
    pub fn blame(&self, path: String, what: String) -> TableError {
        refused(&self.over, path, what)
    }
}

fn refused(over: &Table, path: String, what: String) -> TableError {
    // `order.bars[1]` stands under `order.bars`.
    let keys = path.split('.').map(|key| key.split('[').next().unwrap_or(key));
    let mut below = Some(over);
    let mut place = WrittenIn::Own;
    for key in keys {
        let Some(table) = below else { break };
        let Some(value) = table.get(key) else {
            place = WrittenIn::Program;
            break;
        };
        below = value.as_table();
    }
    TableError { place, path, what }
}

/// The table of a text, or the byte and the words of what is no TOML.
fn parsed(text: &str) -> Result<Table, (usize, String)> {
    text.parse::<Table>().map_err(|error| {
        let words = error.message().lines().collect::<Vec<_>>().join("; ");
        (error.span().map_or(0, |span| span.start), format!("this is not TOML as it should be: {words}"))
    })
}

fn lay_over(under: &mut Table, over: &Table) {
    for (key, value) in over {
        match (under.get_mut(key).and_then(Value::as_table_mut), value.as_table()) {
            (Some(under), Some(over)) => lay_over(under, over),
            _ => drop(under.insert(key.clone(), value.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Small {
        order: Vec<u8>,
        each: BTreeMap<String, u8>,
    }

    const PROGRAM: &str = "order = [1, 2]\n[each]\na = 1\nb = 2\n";

    #[test]
    fn tables_are_laid_over_key_by_key_and_lists_are_replaced() {
        let both = Layered::<Small>::read(PROGRAM, Some("order = [3]\n[each]\nb = 5\n")).unwrap().table;
        assert_eq!(both, Small { order: vec![3], each: [("a".to_owned(), 1), ("b".to_owned(), 5)].into() });
    }

    #[test]
    fn whoever_wrote_a_value_is_to_blame() {
        let wrong = |own: &str| Layered::<Small>::read(PROGRAM, Some(own)).err().map(|error| (error.path, error.place)).unwrap();
        assert_eq!(wrong("order = [1, \"x\"]\n"), ("order[1]".to_owned(), WrittenIn::Own));
        assert_eq!(wrong("[each]\nb = 500\n"), ("each.b".to_owned(), WrittenIn::Own));
        assert_eq!(wrong("# fine\n[each\n").1, WrittenIn::OwnAt(12));
        let sound = Layered::<Small>::read(PROGRAM, Some("[each]\nb = 5\n")).unwrap();
        assert_eq!(sound.blame("each.b".to_owned(), "odd".to_owned()).place, WrittenIn::Own);
        assert_eq!(sound.blame("each.a".to_owned(), "odd".to_owned()).place, WrittenIn::Program, "the program's own value");
        assert_eq!(sound.blame("order".to_owned(), "odd".to_owned()).place, WrittenIn::Program);
    }
}
