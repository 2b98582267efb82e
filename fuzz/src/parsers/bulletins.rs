//! Economic series and headlines.

use jiff::civil::Date;
use pmax::domain::{Indicator, WallTime};
use pmax::market::WrittenIn;
use pmax::market::bulletins::clients::{Told, bls, cboe, feed, fred, fred_graph, search, treasury};
use pmax::market::bulletins::{BulletinDesk, BulletinTable, Found, Named, Output};
use pmax::market::providers::{ProviderTable, Refusal};
use pmax::runtime::Trouble;

use super::market::{LONGEST_REFUSAL, status};
use super::words::{LONGEST_TROUBLE, chosen, is_fit_to_show};

const SHIPPED: &str = include_str!("../../../config/bulletins.toml");
const PROVIDERS: &str = include_str!("../../../config/providers.toml");

fn day(text: &str) -> Date {
    text.parse().expect("a date")
}

/// FRED with a key and without, the Treasury's curve, Cboe's indices, and the labour statistics; the first byte chooses.
pub fn economic_series(bytes: &[u8]) {
    let Some((bits, rest)) = chosen(bytes) else { return };
    let (status, today) = (status(bits), day("2026-11-27"));
    let named = |indicator, name: &str| -> Named { (indicator, name.to_owned()) };
    let curve = [named(Indicator::Yield3m, "3 Mo"), named(Indicator::Yield10y, "10 Yr")];
    let graph = [named(Indicator::Yield10y, "DGS10"), named(Indicator::Yield2y, "DGS2")];
    let read = match bits % 5 {
        0 => fred(status, rest, &graph[0], today),
        1 => fred_graph(status, rest, &graph, today),
        2 => treasury(status, rest, &curve, today),
        3 => cboe(status, rest, &named(Indicator::Vix, "VIX"), day("2026-11-01"), today),
        _ => bls(status, rest, &named(Indicator::Unemployment, "LNS14000000"), today),
    };
    is_sound_series(&read, bits);
}

fn is_sound_series(read: &Result<Vec<Found>, Refusal>, bits: u8) {
    let found = match read {
        Ok(found) => found,
        Err(refusal) => return is_fit_to_show(&refusal.to_string(), LONGEST_REFUSAL),
    };
    assert!(!found.is_empty(), "an answer without a value is a refusal");
    for one in found {
        assert!(one.period <= day("2026-11-28"), "a value of a day that has not come: {one:?}");
        assert!(one.value.to_f64().abs() < 1e9, "{one:?}");
        if bits % 5 == 3 {
            assert!(one.period >= day("2026-11-01"), "older than asked for: {one:?}");
        }
    }
}

/// Headlines: feeds, and the news of a search.
pub fn headlines(bytes: &[u8]) {
    let Some((bits, rest)) = chosen(bytes) else { return };
    let read = if bits & 1 == 0 { feed(status(bits), rest) } else { search(status(bits), rest) };
    let told = match read {
        Ok(told) => told,
        Err(refusal) => return is_fit_to_show(&refusal.to_string(), LONGEST_REFUSAL),
    };
    assert!(!told.is_empty() && told.len() <= 100);
    for Told { id, title, publisher, link, symbols, .. } in &told {
        assert!(!title.as_str().is_empty(), "a headline without words");
        [id, title, publisher, link].into_iter().for_each(|text| is_fit_to_show(text.as_str(), 400));
        assert!(symbols.len() <= 20 && symbols.iter().all(|symbol| symbol.len() <= 32));
    }
}

/// A person's table of series and news over the shipped one.
pub fn bulletins_toml(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match BulletinTable::read(SHIPPED, Some(&text)) {
        Ok(table) => {
            assert!((5..=720).contains(&table.news.every_minutes));
            assert!(table.order.iter().all(|id| id.tells_series()) && table.news.order.iter().all(|id| id.tells_headlines()));
            assert!(table.news.general.values().all(|path| path.starts_with('/')), "a path that may lead to another host");
            for (indicator, row) in &table.series {
                assert!(table.release(*indicator).is_some(), "{indicator} is released by no rule");
                row.names.values().for_each(|name| is_fit_to_show(name, 32));
            }
        }
        Err(error) => {
            assert!(!matches!(error.place, WrittenIn::OwnAt(byte) if byte > text.len()), "a place behind the end of the file");
            is_fit_to_show(&Trouble::new(error.to_string(), "", "").to_string(), LONGEST_TROUBLE);
        }
    }
}

/// What was kept of series and news: whatever it says, the desk begins, and what it shows is clean.
pub fn bulletins_kept(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (Ok(table), Ok(providers)) = (BulletinTable::read(SHIPPED, None), ProviderTable::read(PROVIDERS, None)) else {
        unreachable!("the shipped tables are sound")
    };
    let now = WallTime::parse("2026-11-27T12:00:00Z").expect("a time");
    let mut budget = providers.budget();
    let mut desk = BulletinDesk::new(table, &providers, Vec::new(), Vec::new(), Some(&text), now);
    let mut out = Vec::new();
    desk.tick(&mut budget, now, &mut out);
    let told =
        out.iter().filter_map(|output| if let Output::Tell(told) = output { Some(told.len()) } else { None }).sum::<usize>();
    assert!(told <= bytes.len(), "more values than bytes");
    for headline in &desk.view(&budget, now).headlines {
        [&headline.title, &headline.publisher, &headline.link].into_iter().for_each(|text| is_fit_to_show(text.as_str(), 400));
    }
}
