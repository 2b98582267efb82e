//! What providers call instruments: every name means one instrument, and a person chooses which are watched.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::market::providers::table::Alias;
use crate::market::providers::{Capability, ProviderId, ProviderTable};

/// Names by provider.
pub type Names = BTreeMap<ProviderId, Alias>;

/// What a person adds to the table and takes away from what is watched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Instruments of one's own with their names; watched.
    pub own: BTreeMap<String, Names>,
    /// Others that are watched besides.
    pub also: BTreeSet<String>,
    /// And that are not.
    pub without: BTreeSet<String>,
}

/// Two instruments have one name at one provider.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{provider} calls {first} «{name}» already, so {second} cannot be called that: one name is one instrument")]
pub struct NameTaken {
    /// Where.
    pub provider: ProviderId,
    /// The name.
    pub name: String,
    /// Whose it is.
    pub first: String,
    /// Who wants it.
    pub second: String,
}

impl ProviderTable {
    /// Lays a person's choice over the table. What the table itself says of an instrument stays. Also where nothing is chosen, a name
    /// that two instruments have is refused.
    pub fn choose(&mut self, choice: &Choice) -> Result<(), NameTaken> {
        for (symbol, names) in &choice.own {
            let known = self.known.entry(symbol.clone()).or_default();
            for (provider, alias) in names {
                known.entry(*provider).or_insert_with(|| alias.clone());
            }
        }
        self.one_name_each()?;
        let is_watched = |symbol: &String| {
            let is_wanted = self.aliases.contains_key(symbol) || choice.own.contains_key(symbol) || choice.also.contains(symbol);
            is_wanted && !choice.without.contains(symbol)
        };
        self.aliases =
            self.known.iter().filter(|(symbol, _)| is_watched(symbol)).map(|row| (row.0.clone(), row.1.clone())).collect();
        Ok(())
    }

    /// The symbol of the instrument that a provider calls so.
    pub fn named(&self, provider: ProviderId, name: &str) -> Option<&str> {
        let is_called = |names: &Names| {
            let alias = names.get(&provider);
            alias.is_some_and(|alias| {
                Capability::ALL.into_iter().filter_map(|of| alias.of(of)).any(|is| is.eq_ignore_ascii_case(name))
            })
        };
        self.known.iter().find(|(_, names)| is_called(names)).map(|(symbol, _)| symbol.as_str())
    }

    fn one_name_each(&self) -> Result<(), NameTaken> {
        let mut whose: BTreeMap<(ProviderId, Capability, String), &String> = BTreeMap::new();
        for (symbol, names) in &self.known {
            for (provider, alias) in names {
                for (of, name) in Capability::ALL.into_iter().filter_map(|of| Some((of, alias.of(of)?.to_owned()))) {
                    if let Some(first) = whose.insert((*provider, of, name.to_uppercase()), symbol) {
                        return Err(NameTaken { provider: *provider, name, first: first.clone(), second: symbol.clone() });
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHIPPED: &str = include_str!("../../../config/providers.toml");

    fn called(name: &str) -> Names {
        [(ProviderId::Yahoo, Alias::Same(name.to_owned()))].into()
    }

    fn symbols(table: &ProviderTable) -> Vec<&str> {
        table.aliases.keys().map(String::as_str).collect()
    }

    #[test]
    fn one_name_is_one_instrument() {
        let mut table = ProviderTable::read(SHIPPED, None).unwrap();
        assert_eq!(table.named(ProviderId::Yahoo, "btc-usd"), Some("BTCUSD"));
        assert_eq!(table.named(ProviderId::Kraken, "XBTUSD"), Some("BTCUSD"));
        let own = [("BITCOIN".to_owned(), called("BTC-USD"))].into();
        let refused = table.choose(&Choice { own, ..Choice::default() }).unwrap_err();
        assert!(refused.to_string().contains("one name is one instrument"), "{refused}");
    }

    #[test]
    fn a_choice_adds_to_what_is_watched_and_takes_away() {
        let mut table = ProviderTable::read(SHIPPED, Some("watch = [\"BTCUSD\", \"IBM\"]\n")).unwrap();
        let own = [("SOLUSD".to_owned(), called("SOL-USD"))].into();
        let (also, without) = (["AAPL".to_owned()].into(), ["IBM".to_owned()].into());
        table.choose(&Choice { own, also, without }).unwrap();
        assert_eq!(symbols(&table), ["AAPL", "BTCUSD", "SOLUSD"]);
        assert_eq!(table.named(ProviderId::Yahoo, "IBM"), Some("IBM"), "what is not watched is known all the same");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn whatever_is_laid_over_every_name_means_one_instrument_or_all_is_refused(
            rows in prop::collection::vec(("[A-D]{1,2}", "[A-C]{1,2}"), 0..6),
            also in prop::collection::btree_set("[A-D]{1,2}", 0..3),
            without in prop::collection::btree_set("[A-D]{1,2}", 0..3),
        ) {
            let mut table = ProviderTable::read(SHIPPED, Some("watch = [\"BTCUSD\"]\n")).unwrap();
            let before = table.clone();
            let own: BTreeMap<String, Names> = rows.iter().map(|(symbol, name)| (symbol.clone(), called(name))).collect();
            let names: Vec<&Alias> = own.values().flat_map(BTreeMap::values).collect();
            let is_twice = names.iter().enumerate().any(|(place, name)| names.iter().take(place).any(|other| other == name));
            let choice = Choice { own: own.clone(), also, without: without.clone() };
            match table.choose(&choice) {
                Err(_) => prop_assert!(is_twice),
                Ok(()) => {
                    prop_assert!(!is_twice);
                    for (symbol, names) in &own {
                        let name = names[&ProviderId::Yahoo].of(Capability::Bars).unwrap();
                        prop_assert_eq!(table.named(ProviderId::Yahoo, name), Some(symbol.as_str()));
                        prop_assert_eq!(table.aliases.contains_key(symbol), !without.contains(symbol));
                    }
                    prop_assert!(table.aliases.contains_key("BTCUSD"));
                    prop_assert!(before.known.iter().all(|(symbol, names)| table.known.get(symbol) == Some(names)));
                }
            }
        }
    }
}
