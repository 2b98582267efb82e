//! What the simulator lists, from `config/simulator.toml`.

use serde::Deserialize;
use thiserror::Error;

use crate::domain::{Price, Quantity, Ratio};
use crate::exchange::Contract;

const TEXT: &str = include_str!("../../config/simulator.toml");

/// Why a catalogue is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CatalogueError {
    /// It does not read.
    #[error("the simulator's catalogue does not read: {0}")]
    Text(String),
    /// Two symbols share a name.
    #[error("the simulator's catalogue lists {0} twice")]
    Duplicate(String),
}

/// One symbol.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// Its name.
    pub symbol: String,
    /// One line.
    pub description: String,
    /// `FX`, `IND`, `CMD`, `STC`, `ETF` or `CRT`.
    pub category: String,
    /// Group inside the category.
    pub group: String,
    /// Base currency.
    pub base: String,
    /// Currency of profit.
    pub profit: String,
    /// Decimals of the price.
    pub digits: u8,
    /// Decimals of a pip.
    pub pips: u8,
    /// Units in one lot.
    pub contract_size: i64,
    /// Smallest, largest and step of volumes, in lots.
    pub lot: [Quantity; 3],
    /// Least distance of exits, in pips.
    pub stops_level: i64,
    /// Percent of the nominal value.
    pub margin_percent: Ratio,
    /// Ask minus bid, in points.
    pub spread: i64,
    /// Long and short, in points a night.
    pub swap: [i64; 2],
    /// Whether it may be sold short.
    #[serde(default = "yes")]
    pub can_short: bool,
    /// Levels of the order book that are quoted; 1 where only the base quote is.
    #[serde(default = "one")]
    pub depth: u8,
    /// Where a drawn path begins.
    pub price: Price,
    /// The tape's instrument that prices it.
    #[serde(default)]
    pub tape: Option<String>,
}

const fn yes() -> bool {
    true
}

const fn one() -> u8 {
    1
}

/// All symbols, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    listings: Vec<Listing>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    symbol: Vec<Listing>,
}

impl Catalogue {
    /// The shipped catalogue.
    pub fn shipped() -> Result<Self, CatalogueError> {
        Self::read(TEXT)
    }

    /// Reads a catalogue.
    pub fn read(text: &str) -> Result<Self, CatalogueError> {
        let file: File = toml::from_str(text).map_err(|error| CatalogueError::Text(error.to_string()))?;
        let mut names = std::collections::BTreeSet::new();
        match file.symbol.iter().find(|listing| !names.insert(listing.symbol.clone())) {
            Some(twice) => Err(CatalogueError::Duplicate(twice.symbol.clone())),
            None => Ok(Self { listings: file.symbol }),
        }
    }

    /// All listings.
    pub fn iter(&self) -> impl Iterator<Item = &Listing> {
        self.listings.iter()
    }

    /// The listing of this name.
    pub fn get(&self, symbol: &str) -> Option<&Listing> {
        self.listings.iter().find(|listing| listing.symbol == symbol)
    }

    /// Keeps only what `keeps` says.
    #[must_use]
    pub fn only(mut self, keeps: impl Fn(&Listing) -> bool) -> Self {
        self.listings.retain(keeps);
        self
    }

    /// What the dealer has to know.
    pub fn contracts(&self) -> Vec<Contract> {
        self.listings.iter().map(Listing::contract).collect()
    }
}

impl Listing {
    /// One point of the last decimal.
    pub fn point(&self) -> Price {
        Price::from_nanos(10_i64.pow(9 - u32::from(self.digits.min(9))))
    }

    /// One pip.
    pub fn pip(&self) -> Price {
        Price::from_nanos(10_i64.pow(9 - u32::from(self.pips.min(9))))
    }

    /// So many points.
    pub fn points(&self, count: i64) -> Price {
        Price::from_nanos(self.point().nanos().saturating_mul(count))
    }

    fn contract(&self) -> Contract {
        let [lot_min, lot_max, lot_step] = self.lot;
        let [swap_long, swap_short] = self.swap;
        Contract {
            symbol: self.symbol.clone(),
            contract_size: self.contract_size,
            digits: self.digits,
            lot_min,
            lot_max,
            lot_step,
            stops_level: Price::from_nanos(self.pip().nanos().saturating_mul(self.stops_level)),
            margin: Ratio::from_nanos(self.margin_percent.nanos() / 100),
            profit_currency: self.profit.clone(),
            can_short: self.can_short,
            swap_long: self.points(swap_long),
            swap_short: self.points(swap_short),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_catalogue_has_every_category() {
        let catalogue = Catalogue::shipped().unwrap();
        for category in ["FX", "IND", "CMD", "STC", "ETF", "CRT"] {
            assert!(catalogue.iter().any(|listing| listing.category == category), "{category}");
        }
        let euro = catalogue.get("EURUSD").unwrap();
        assert_eq!(euro.contract().margin, Ratio::from_nanos(33_300_000));
        assert_eq!(euro.points(9), "0.00009".parse().unwrap());
        let zloty = catalogue.get("EURPLN").unwrap();
        assert_eq!(zloty.contract().stops_level, "0.001".parse().unwrap(), "ten pips");
    }

    #[test]
    fn a_strange_catalogue_is_refused() {
        assert!(matches!(Catalogue::read("[[symbol]]\nname = 1"), Err(CatalogueError::Text(_))));
        let twice = TEXT.replace("\"GBPUSD\"", "\"EURUSD\"");
        assert_eq!(Catalogue::read(&twice), Err(CatalogueError::Duplicate("EURUSD".to_owned())));
    }
}
