//! From a row of a search to an instrument of one's own: what follows from its kind, shown before it is written.

use std::collections::BTreeMap;

use crate::domain::{AssetClass, Calendar, Currency, Instrument, InstrumentId, InstrumentTable, Price, Quantity, SCALE};
use crate::market::providers::{Alias, Hit, Listing, ProviderId};

/// An instrument that is about to be one's own; its number comes when it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The instrument, without a number yet.
    pub instrument: Instrument,
    /// What providers call it.
    pub names: BTreeMap<ProviderId, Alias>,
    /// What a person should know of it: what was assumed, and why it cannot be traded.
    pub notes: Vec<String>,
}

/// Exchanges in New York's hours, by Yahoo's codes: their prices are in dollars.
const AMERICAN: [&str; 16] =
    ["NMS", "NGM", "NCM", "NYQ", "ASE", "PCX", "BTS", "BATS", "PNK", "OQB", "OQX", "NAS", "NYS", "SNP", "DJI", "NIM"];
/// Indices of Cboe.
const CBOE: [&str; 3] = ["WCB", "CXI", "CBO"];

/// Currencies of other exchanges, by Yahoo's codes.
const ELSEWHERE: [(&str, Currency); 16] = [
    ("GER", Currency::EUR),
    ("FRA", Currency::EUR),
    ("STU", Currency::EUR),
    ("PAR", Currency::EUR),
    ("AMS", Currency::EUR),
    ("BRU", Currency::EUR),
    ("MIL", Currency::EUR),
    ("MCE", Currency::EUR),
    ("LIS", Currency::EUR),
    ("HEL", Currency::EUR),
    ("VIE", Currency::EUR),
    ("WSE", Currency::PLN),
    ("EBS", Currency::CHF),
    ("JPX", Currency::JPY),
    ("TOR", Currency::CAD),
    ("ASX", Currency::AUD),
];

/// What Yahoo calls sectors, and what they are called here: limits count by these words.
const SECTORS: [(&str, &str); 7] = [
    ("Technology", "Information technology"),
    ("Financial Services", "Financials"),
    ("Healthcare", "Health care"),
    ("Consumer Cyclical", "Consumer discretionary"),
    ("Consumer Defensive", "Consumer staples"),
    ("Basic Materials", "Materials"),
    ("Communication Services", "Communication services"),
];

/// The instrument that a row of a search means, or why there can be none.
pub fn draft_of(hit: &Hit) -> Result<Draft, String> {
    let mut notes = Vec::new();
    let (currency, symbol) = currency_and_symbol(hit)?;
    let (kind, sector) = match hit.listing {
        Listing::Share => (AssetClass::Stock, sector_of(hit)),
        Listing::ExchangeFund => (AssetClass::Stock, "Funds".to_owned()),
        Listing::Index => (AssetClass::Index, "Index".to_owned()),
        Listing::Crypto => (AssetClass::Crypto, "Crypto".to_owned()),
        Listing::Fx => (AssetClass::Fx, "Foreign exchange".to_owned()),
        Listing::Future => (AssetClass::Commodity, "Futures".to_owned()),
        Listing::MutualFund => return Err("a fund with one price a day has no minutes to watch".to_owned()),
        Listing::Other => {
            return Err("what it is is not known here: shares, ETFs, indices, crypto, currencies and futures are".to_owned());
        }
    };
    let (tick, lot, decimals) = match (kind, currency) {
        (AssetClass::Stock | AssetClass::Index | AssetClass::Commodity, _) => {
            ("0.01", if kind == AssetClass::Stock { "0.001" } else { "1" }, 2)
        }
        (AssetClass::Crypto, _) => ("0.0001", "0.0001", 4),
        (AssetClass::Fx, Currency::JPY) => ("0.001", "1", 3),
        (AssetClass::Fx, _) => ("0.00001", "1", 5),
    };
    let calendar = match kind {
        AssetClass::Crypto => Calendar::Crypto247,
        AssetClass::Fx => Calendar::Fx245,
        AssetClass::Stock | AssetClass::Index if is_american(hit) => Calendar::UsEquity,
        AssetClass::Stock | AssetClass::Index | AssetClass::Commodity => {
            notes.push("its hours are not known here: it is asked for around the clock, and counts as stale at night".to_owned());
            Calendar::Crypto247
        }
    };
    let parsed = tick.parse::<Price>().ok().zip(lot.parse::<Quantity>().ok());
    let (tick, lot) = parsed.ok_or_else(|| "its tick and lot are not known".to_owned())?;
    let name = if hit.name.as_str().is_empty() { symbol.clone() } else { hit.name.to_string() };
    let mut instrument = Instrument {
        id: InstrumentId(0),
        symbol,
        name: name.chars().take(60).collect(),
        kind,
        currency,
        tick,
        lot,
        min_quantity: lot,
        multiplier: Quantity::from_nanos(SCALE),
        decimals,
        sector,
        calendar,
        tradable: hit.listing != Listing::Future,
        xapi: None,
    };
    if let Some(why) = instrument.never_tradable() {
        instrument.tradable = false;
        notes.push(format!("watch-only: {why}"));
    } else if hit.listing == Listing::Future {
        notes.push("watch-only: a future expires and has a multiplier, which orders here do not know".to_owned());
    }
    if matches!(kind, AssetClass::Stock) && instrument.sector == UNKNOWN_SECTOR {
        notes.push("its sector was not told: sector limits count it as one of its own".to_owned());
    }
    InstrumentTable::new(vec![instrument.clone()]).map_err(|error| error.to_string())?;
    Ok(Draft { instrument, names: [(ProviderId::Yahoo, Alias::Same(hit.symbol.clone()))].into(), notes })
}

/// The sector of what has none.
const UNKNOWN_SECTOR: &str = "Not told";

fn sector_of(hit: &Hit) -> String {
    let said = hit.sector.as_str();
    match SECTORS.iter().find(|(theirs, _)| *theirs == said) {
        Some((_, ours)) => (*ours).to_owned(),
        None if said.is_empty() => UNKNOWN_SECTOR.to_owned(),
        None => {
            let mut letters = said.chars();
            letters.next().map(|first| format!("{first}{}", letters.as_str().to_lowercase())).unwrap_or_default()
        }
    }
}

fn is_american(hit: &Hit) -> bool {
    AMERICAN.contains(&hit.code.as_str()) || CBOE.contains(&hit.code.as_str())
}

/// In what its price is, and what it is called here: `SOL-USD` is SOLUSD, `JPY=X` USDJPY, `^DJI` DJI, `GC=F` GC.F.
fn currency_and_symbol(hit: &Hit) -> Result<(Currency, String), String> {
    let theirs = hit.symbol.to_ascii_uppercase();
    let unknown = |of: &str| format!("its prices are in {of}, which is not known here");
    match hit.listing {
        Listing::Crypto => {
            let (coin, money) = theirs.rsplit_once('-').ok_or_else(|| unknown("a currency that is not told"))?;
            Ok((currency_named(money).ok_or_else(|| unknown(money))?, format!("{coin}{money}")))
        }
        Listing::Fx => {
            let pair = theirs.strip_suffix("=X").unwrap_or(&theirs);
            let pair = if pair.len() == 3 { format!("USD{pair}") } else { pair.to_owned() };
            let money = pair.get(3..).unwrap_or_default();
            Ok((currency_named(money).ok_or_else(|| unknown(money))?, pair))
        }
        Listing::Future => Ok((Currency::USD, theirs.replace("=F", ".F"))),
        Listing::Share | Listing::ExchangeFund | Listing::MutualFund | Listing::Index | Listing::Other => {
            let elsewhere = ELSEWHERE.iter().find(|(code, _)| *code == hit.code).map(|(_, currency)| *currency);
            let currency = if is_american(hit) { Some(Currency::USD) } else { elsewhere };
            let place = if hit.exchange.as_str().is_empty() { "its exchange" } else { hit.exchange.as_str() };
            let currency = currency.ok_or_else(|| unknown(&format!("the currency of {place}")))?;
            Ok((currency, theirs.trim_start_matches('^').to_owned()))
        }
    }
}

fn currency_named(word: &str) -> Option<Currency> {
    let all =
        [Currency::USD, Currency::EUR, Currency::GBP, Currency::PLN, Currency::CHF, Currency::JPY, Currency::CAD, Currency::AUD];
    all.into_iter().find(|currency| currency.to_string() == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::CleanText;

    fn hit(symbol: &str, listing: Listing, code: &str, sector: &str) -> Hit {
        let (name, exchange) = (CleanText::from_outside("Something Inc."), CleanText::from_outside("Place"));
        Hit { symbol: symbol.to_owned(), name, exchange, code: code.to_owned(), listing, sector: sector.into() }
    }

    #[test]
    fn each_kind_becomes_an_instrument_with_what_is_usual_for_it() {
        for (row, symbol, currency, calendar, decimals, tradable) in [
            (hit("SHOP", Listing::Share, "NMS", "Technology"), "SHOP", Currency::USD, Calendar::UsEquity, 2, true),
            (hit("BRK-B", Listing::Share, "NYQ", "Financial Services"), "BRK-B", Currency::USD, Calendar::UsEquity, 2, true),
            (hit("SPY", Listing::ExchangeFund, "PCX", ""), "SPY", Currency::USD, Calendar::UsEquity, 2, true),
            (hit("SOL-USD", Listing::Crypto, "CCC", ""), "SOLUSD", Currency::USD, Calendar::Crypto247, 4, true),
            (hit("ETH-EUR", Listing::Crypto, "CCC", ""), "ETHEUR", Currency::EUR, Calendar::Crypto247, 4, false),
            (hit("GBPUSD=X", Listing::Fx, "CCY", ""), "GBPUSD", Currency::USD, Calendar::Fx245, 5, true),
            (hit("JPY=X", Listing::Fx, "CCY", ""), "USDJPY", Currency::JPY, Calendar::Fx245, 3, false),
            (hit("^DJI", Listing::Index, "DJI", ""), "DJI", Currency::USD, Calendar::UsEquity, 2, false),
            (hit("SAP.DE", Listing::Share, "GER", "Technology"), "SAP.DE", Currency::EUR, Calendar::Crypto247, 2, false),
            (hit("GC=F", Listing::Future, "CMX", ""), "GC.F", Currency::USD, Calendar::Crypto247, 2, false),
        ] {
            let Draft { instrument, names, notes } = draft_of(&row).unwrap();
            assert_eq!(
                (instrument.symbol.as_str(), instrument.currency, instrument.calendar, instrument.decimals, instrument.tradable),
                (symbol, currency, calendar, decimals, tradable)
            );
            assert_eq!(names[&ProviderId::Yahoo], Alias::Same(row.symbol.clone()));
            assert_eq!(notes.iter().any(|note| note.contains("watch-only")), !tradable, "{notes:?}");
        }
        assert_eq!(draft_of(&hit("V", Listing::Share, "NYQ", "Financial Services")).unwrap().instrument.sector, "Financials");
        assert_eq!(draft_of(&hit("O", Listing::Share, "NYQ", "Real Estate")).unwrap().instrument.sector, "Real estate");
    }

    #[test]
    fn what_cannot_be_one_is_refused_in_words() {
        for (row, words) in [
            (hit("VFIAX", Listing::MutualFund, "NAS", ""), "one price a day"),
            (hit("AAPL261218C00200000", Listing::Other, "OPR", ""), "not known here"),
            (hit("VOD.L", Listing::Share, "LSE", ""), "currency of Place"),
            (hit("DOGE-INR", Listing::Crypto, "CCC", ""), "INR"),
            (hit("A\u{f8}", Listing::Share, "NYQ", ""), "symbol"),
        ] {
            let said = draft_of(&row).unwrap_err();
            assert!(said.contains(words), "{said}");
        }
    }
}
