//! What may be opened here at all: nothing, until the broker's contracts and the account's currency were held against the table.
//! What is held can be closed whatever they say.

use std::collections::BTreeMap;

use super::Adapter;
use crate::broker::xapi::Decimal;
use crate::broker::xapi::wire::{Margin, Symbol};
use crate::domain::{CleanText, Contract, Currency, InstrumentId};

/// The currency everything here is booked in.
const BOOKED_IN: Currency = Currency::USD;

/// What is known of the broker's terms.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Terms {
    /// Instruments whose contracts differ from the table, and how; nothing before they were compared.
    barred: Option<BTreeMap<InstrumentId, String>>,
    /// The account's currency, once the broker has said it.
    currency: Option<String>,
}

impl Terms {
    /// Holds the broker's contracts against the table: a lot of another size would be another order.
    pub(super) fn compare(&mut self, markets: &BTreeMap<InstrumentId, Contract>, symbols: &[Symbol]) {
        self.barred = Some(BTreeMap::new());
        for contract in markets.values() {
            let listed = symbols.iter().find(|symbol| symbol.symbol == contract.symbol);
            self.compare_one(markets, &contract.symbol, listed);
        }
    }

    /// The same for one symbol, once all were compared.
    pub(super) fn compare_one(&mut self, markets: &BTreeMap<InstrumentId, Contract>, name: &str, listed: Option<&Symbol>) {
        let Some(barred) = &mut self.barred else { return };
        for (id, contract) in markets.iter().filter(|(_, contract)| contract.symbol == name) {
            let difference = match listed {
                None => Some(format!("{name} is not listed there")),
                Some(symbol) => difference(contract, symbol),
            };
            match difference {
                Some(why) => barred.insert(*id, CleanText::from_outside(&why).as_str().to_owned()),
                None => barred.remove(id),
            };
        }
    }

    /// Takes the account's currency, where the broker tells it.
    pub(super) fn note_account(&mut self, margin: &Margin) {
        if let Some(code) = &margin.currency {
            self.currency = Some(CleanText::from_outside(code).as_str().to_owned());
        }
    }

    /// Whether amounts of the account mean what they mean here.
    pub(super) fn is_booked_alike(&self) -> bool {
        self.currency.as_ref().is_some_and(|code| *code == BOOKED_IN.to_string())
    }

    /// Why this instrument must not be opened, if it must not.
    fn refusal(&self, instrument: InstrumentId) -> Option<String> {
        let Some(code) = &self.currency else { return Some("the broker has not told the account's currency yet".to_owned()) };
        if !self.is_booked_alike() {
            return Some(format!("the account is kept in {code}; only accounts in {BOOKED_IN} are traded from here"));
        }
        match &self.barred {
            None => Some("the broker's contracts were not compared with the table yet".to_owned()),
            Some(barred) => barred.get(&instrument).cloned(),
        }
    }
}

impl Adapter {
    /// Why this instrument must not be opened at this broker, if it must not.
    pub fn refusal_of(&self, instrument: InstrumentId) -> Option<String> {
        self.terms.refusal(instrument)
    }

    /// Whether the broker's contract is known to be another than the table's.
    pub fn differs(&self, instrument: InstrumentId) -> bool {
        self.terms.barred.as_ref().is_some_and(|barred| barred.contains_key(&instrument))
    }

    /// Instruments whose contracts at the broker are not those of the table, and other reasons why nothing can be opened; one line each.
    pub fn mismatched(&self) -> Vec<String> {
        let Terms { barred, currency } = &self.terms;
        let account = currency.as_ref().filter(|_| !self.terms.is_booked_alike());
        let account = account.map(|code| format!("the account is kept in {code}, not in {BOOKED_IN}: nothing is opened"));
        account.into_iter().chain(barred.iter().flat_map(BTreeMap::values).cloned()).collect()
    }

    /// Whether amounts of the account are in the currency that everything here is booked in.
    pub fn is_booked_alike(&self) -> bool {
        self.terms.is_booked_alike()
    }
}

/// What differs between the table's terms and the broker's, in words.
fn difference(contract: &Contract, symbol: &Symbol) -> Option<String> {
    let size = Decimal(contract.contract_size.saturating_mul(crate::domain::SCALE));
    let numbers = [
        ("units in a lot", size, symbol.contract_size),
        ("least volume", Decimal(contract.lot_min.nanos()), symbol.lot_min),
        ("step of volumes", Decimal(contract.lot_step.nanos()), symbol.lot_step),
    ];
    let name = &contract.symbol;
    let other = |(what, ours, theirs): &(&str, Decimal, Decimal)| format!("{name}: {what} {theirs} there, {ours} here");
    if symbol.currency_profit != BOOKED_IN.to_string() {
        return Some(format!("{name} settles in {} there, in {BOOKED_IN} here", symbol.currency_profit));
    }
    if symbol.precision != i64::from(contract.digits) {
        return Some(format!("{name}: {} decimals there, {} here", symbol.precision, contract.digits));
    }
    numbers.iter().find(|(_, ours, theirs)| ours != theirs).map(other)
}
