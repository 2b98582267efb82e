//! What can be watched and traded, and the table that names it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::{BrokerKind, Capabilities, Currency, InstrumentId, Price, Quantity};

/// The broad class an instrument belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssetClass {
    /// A share.
    Stock,
    /// An index; it cannot be bought itself.
    Index,
    /// A metal or energy contract.
    Commodity,
    /// A crypto pair.
    Crypto,
    /// A currency pair.
    Fx,
}

/// When an instrument trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Calendar {
    /// 09:30 to 16:00 New York on exchange days.
    UsEquity,
    /// Always.
    #[serde(rename = "crypto-24-7")]
    Crypto247,
    /// Sunday 17:00 to Friday 17:00 New York.
    #[serde(rename = "fx-24-5")]
    Fx245,
}

/// The terms on which a broker over xAPI trades an instrument. What the broker itself says of them is held against these at every login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Its symbol there.
    pub symbol: String,
    /// Units in one lot.
    pub contract_size: i64,
    /// Smallest volume, in lots.
    pub lot_min: Quantity,
    /// Step of volumes, in lots.
    pub lot_step: Quantity,
    /// Decimals of its price.
    pub digits: u8,
}

/// One instrument as `config/instruments.toml` states it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instrument {
    /// Stable number; never reused.
    pub id: InstrumentId,
    /// Ticker, `[A-Z0-9._-]{1,24}`.
    pub symbol: String,
    /// Full name.
    pub name: String,
    /// Asset class.
    pub kind: AssetClass,
    /// Currency of price and profit.
    pub currency: Currency,
    /// Smallest price step for limits and stops.
    pub tick: Price,
    /// Smallest quantity step.
    pub lot: Quantity,
    /// Smallest order.
    pub min_quantity: Quantity,
    /// Currency units per point and unit; the exchange supports 1.
    pub multiplier: Quantity,
    /// Decimals shown.
    pub decimals: u8,
    /// Sector for concentration limits.
    pub sector: String,
    /// Trading hours.
    pub calendar: Calendar,
    /// Whether orders are taken at all.
    pub tradable: bool,
    /// How a broker over xAPI trades it, where one does.
    #[serde(default)]
    pub xapi: Option<Contract>,
}

/// An instrument as a run of providers has it, with what its series carries. All of it is journalled when it joins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// The instrument.
    pub instrument: Instrument,
    /// What its series can say.
    pub capabilities: Capabilities,
}

/// Why an instrument table is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InstrumentError {
    /// Two instruments share a number or a symbol.
    #[error("instrument {0} appears twice (number or symbol)")]
    Duplicate(String),
    /// A symbol holds other characters than `A-Z 0-9 . _ -` or is too long.
    #[error("«{0}» is not a symbol: use 1 to 24 of A-Z, 0-9, dot, underscore, hyphen")]
    Symbol(String),
    /// A number that makes no sense.
    #[error("{symbol}: {what}")]
    Value {
        /// Which instrument.
        symbol: String,
        /// What is wrong and what is allowed.
        what: String,
    },
}

/// All known instruments by number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstrumentTable {
    by_id: BTreeMap<InstrumentId, Instrument>,
}

impl InstrumentTable {
    /// Builds the table; refuses duplicates, strange symbols and impossible numbers.
    pub fn new(instruments: Vec<Instrument>) -> Result<Self, InstrumentError> {
        let mut table = Self::default();
        for instrument in instruments {
            check(&instrument)?;
            let symbol = instrument.symbol.clone();
            let known_symbol = table.by_symbol(&symbol).is_some();
            if known_symbol || table.by_id.insert(instrument.id, instrument).is_some() {
                return Err(InstrumentError::Duplicate(symbol));
            }
        }
        Ok(table)
    }

    /// The instrument with this number.
    pub fn get(&self, id: InstrumentId) -> Option<&Instrument> {
        self.by_id.get(&id)
    }

    /// The instrument with this ticker, whatever its case. Of several that had it one after the other, the latest.
    pub fn by_symbol(&self, symbol: &str) -> Option<&Instrument> {
        self.by_id.values().rev().find(|instrument| instrument.symbol.eq_ignore_ascii_case(symbol))
    }

    /// Takes an instrument in, in place of what had its number.
    pub fn put(&mut self, instrument: Instrument) {
        self.by_id.insert(instrument.id, instrument);
    }

    /// The ticker, or the bare number where the instrument is unknown.
    pub fn symbol(&self, id: InstrumentId) -> String {
        self.get(id).map_or_else(|| id.to_string(), |instrument| instrument.symbol.clone())
    }

    /// The table as this broker trades it: quantities in its lots, prices in its decimals, and nothing it does not list.
    #[must_use]
    pub fn at(&self, broker: BrokerKind) -> Self {
        let traded = |instrument: &Instrument| match broker {
            BrokerKind::Paper => instrument.clone(),
            BrokerKind::Xapi => instrument.over_xapi(),
        };
        Self { by_id: self.by_id.iter().map(|(id, instrument)| (*id, traded(instrument))).collect() }
    }

    /// All instruments in order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &Instrument> {
        self.by_id.values()
    }
}

impl Contract {
    /// Units of so many lots.
    pub const fn units(&self, lots: Quantity) -> Quantity {
        Quantity::from_nanos(lots.nanos().saturating_mul(self.contract_size))
    }

    /// Lots of so many units; what is not a whole step is cut off.
    pub fn lots(&self, units: Quantity) -> Quantity {
        Quantity::from_nanos(units.nanos() / self.contract_size.max(1))
    }
}

impl Instrument {
    /// Why nobody could trade it here whatever a table says; nothing where that is for the table to say.
    pub fn never_tradable(&self) -> Option<String> {
        match (self.kind, self.currency) {
            (AssetClass::Index, _) => Some("an index cannot be bought itself".to_owned()),
            (_, Currency::USD) => None,
            (_, other) => Some(format!("it is priced in {other}, and the account has dollars only")),
        }
    }

    fn over_xapi(&self) -> Self {
        let Some(contract) = &self.xapi else { return Self { tradable: false, ..self.clone() } };
        Self {
            tick: Price::from_nanos(10_i64.pow(9 - u32::from(contract.digits.min(9)))),
            lot: contract.units(contract.lot_step),
            min_quantity: contract.units(contract.lot_min),
            decimals: contract.digits,
            tradable: true,
            ..self.clone()
        }
    }
}

fn check(instrument: &Instrument) -> Result<(), InstrumentError> {
    let symbol = &instrument.symbol;
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    if symbol.is_empty() || symbol.len() > 24 || !symbol.bytes().all(plain) {
        return Err(InstrumentError::Symbol(symbol.chars().take(40).collect()));
    }
    let refuse = |what: &str| Err(InstrumentError::Value { symbol: symbol.clone(), what: what.to_owned() });
    if !instrument.tick.is_positive() {
        return refuse("tick must be above 0");
    }
    if !instrument.lot.is_positive() || instrument.min_quantity < instrument.lot {
        return refuse("lot must be above 0 and min_quantity at least one lot");
    }
    if instrument.multiplier != Quantity::from_nanos(crate::domain::SCALE) {
        return refuse("multiplier must be \"1\": contracts with other multipliers are not supported yet");
    }
    if instrument.decimals > 9 {
        return refuse("decimals must be between 0 and 9");
    }
    if let Some(contract) = &instrument.xapi {
        let is_sound = contract.contract_size > 0 && contract.lot_step.is_positive() && contract.lot_min >= contract.lot_step;
        if !is_sound || contract.digits > 9 || contract.symbol.is_empty() || instrument.currency != Currency::USD {
            return refuse(
                "xapi must name a symbol, a size and lots above 0 and at most 9 digits; only contracts in USD are supported yet",
            );
        }
    }
    Ok(())
}
