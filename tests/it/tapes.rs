//! The bundled tapes: readable, true to their sources, and refused when damaged.

use std::collections::BTreeMap;
use std::fs;

use bytes::Bytes;
use pmax::domain::{MarketEvent, Price, QuoteOrigin};
use pmax::engine::SnapshotRequest;
use pmax::market::{self, BUNDLED, Player, Tape};

use crate::support::shared;

#[test]
fn every_bundled_tape_reads_and_says_where_it_comes_from() {
    let mut bytes = 0;
    for name in BUNDLED {
        let tape = market::load(name).unwrap();
        bytes += market::bundled(name).unwrap().len();
        assert_eq!(tape.meta.name, name);
        let (first, last) = tape.span().unwrap();
        let start = tape.start().unwrap();
        assert!(first < start && start < last, "{name} plays from inside");
        for series in &tape.meta.series {
            let count = tape.bars.iter().filter(|bar| bar.instrument.0 == series.instrument).count();
            assert_eq!(count as u64, series.rows, "{name} {}", series.symbol);
            assert!(!series.source.is_empty() && !series.licence.is_empty());
        }
    }
    assert!(bytes < 6 * 1024 * 1024, "{bytes} bytes");
    assert_eq!(market::load("crash-2020").unwrap().meta.series.len(), 25);
}

#[test]
fn the_crash_is_in_it() {
    let tape = market::load("crash-2020").unwrap();
    let index: Vec<_> = tape.bars.iter().filter(|bar| bar.instrument.0 == 1).collect();
    let worst = index
        .windows(2)
        .map(|pair| (pair[1].close.change_from(pair[0].close).unwrap(), pair[1].close_at.to_string()))
        .min()
        .unwrap();
    assert_eq!(format!("{:.2} {}", worst.0, &worst.1[..10]), "-11.98 2020-03-16");
}

#[test]
fn a_player_gives_the_same_events_wherever_it_starts_and_stays_inside_its_bars() {
    let tape = market::load("crash-2020").unwrap();
    let all: Vec<MarketEvent> = Player::new(&tape, 7).collect();
    for position in [0, 1, 999, 50_000] {
        let mut player = Player::new(&tape, 7);
        player.seek(position);
        assert!(player.take(500).eq(all.iter().skip(position).take(500).copied()));
    }
    let mut open: BTreeMap<u32, Vec<Price>> = BTreeMap::new();
    let mut before = None;
    for event in &all {
        assert!(before <= Some(event.known_at()), "time never runs back");
        before = Some(event.known_at());
        match event {
            MarketEvent::Quoted { quote, .. } => {
                assert_eq!(quote.origin, QuoteOrigin::SynthesisedFromBars);
                open.entry(quote.instrument.0).or_default().push(quote.last);
            }
            MarketEvent::BarOpened { instrument, open: price, .. } => open.entry(instrument.0).or_default().push(*price),
            MarketEvent::BarClosed { bar, .. } => {
                let drawn = open.remove(&bar.instrument.0).unwrap_or_default();
                assert_eq!(drawn.is_empty(), !bar.has_range, "only series with a range are drawn");
                assert!(drawn.iter().all(|price| (bar.low..=bar.high).contains(price)));
            }
        }
    }
}

#[test]
fn damage_is_refused_in_words() {
    let whole = market::bundled("eurusd-2017").unwrap();
    let read = |bytes: Vec<u8>| Tape::read("x", Bytes::from(bytes)).map(drop).map_err(|error| error.to_string());
    assert!(read(Vec::new()).unwrap_err().contains("damaged or not Parquet"));
    assert!(read(b"date,open\n2020-01-01,1\n".to_vec()).unwrap_err().contains("damaged or not Parquet"));
    for cut in [whole.len() / 4, whole.len() / 2, whole.len() - 9] {
        assert!(read(whole[..cut].to_vec()).is_err());
    }
    for at in (4..whole.len() - 8).step_by(whole.len() / 60) {
        let mut broken = whole.to_vec();
        broken[at] ^= 0x55;
        let _: Result<(), String> = read(broken);
    }
    let missing = market::load("crash-1929").unwrap_err().to_string();
    assert!(missing.contains("crash-2020") && missing.contains("btc-2021"), "{missing}");
}

#[test]
fn tapes_equal_their_sources() {
    let Some(shared) = shared() else { return };
    let text = fs::read_to_string(shared.join("data/daily/us20_adjclose_1990_2022.csv")).unwrap();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    for (name, symbols, first, last) in
        [("crash-2020", &["JPM"][..], "2019-06-03", "2020-07-31"), ("us20-1990-2022", &header[1..], "1990-01-02", "2022-12-28")]
    {
        let tape = market::load(name).unwrap();
        for symbol in symbols {
            let column = header.iter().position(|name| name == symbol).unwrap();
            let in_tape = rows.iter().filter(|row| (first..=last).contains(&row[0]));
            let source: Vec<(&str, Price)> = in_tape.map(|row| (row[0], row[column].parse().unwrap())).collect();
            let number = tape.meta.series.iter().find(|series| series.symbol == *symbol).unwrap().instrument;
            let bars = tape.bars.iter().filter(|bar| bar.instrument.0 == number);
            let ours: Vec<(String, Price)> = bars.map(|bar| (bar.open_at.to_string()[..10].to_owned(), bar.close)).collect();
            assert!(ours.iter().map(|(date, close)| (date.as_str(), *close)).eq(source), "{name} {symbol}");
        }
    }
}

#[test]
fn the_long_tape_says_that_only_survivors_are_in_it() {
    let tape = market::load("us20-1990-2022").unwrap();
    assert!(tape.meta.description.contains("Survivors only"), "{}", tape.meta.description);
    assert!(tape.meta.series.iter().all(|series| series.adjusted && !series.ohlc && series.note.contains("survivors only")));
    assert!(market::bundled("us20-1990-2022").unwrap().len() < 1_500_000);
    let missing = market::load("us30").unwrap_err().to_string();
    assert!(missing.contains("us20-1990-2022"), "{missing}");
}

#[test]
fn a_daily_close_stands_against_the_close_before_until_the_next_bar() {
    // A Friday's evening, a Sunday, and an hour after Monday's close: the risk day turns at 17:00 New York, after the bars have closed.
    for at in ["2020-03-06T23:00:00Z", "2020-03-09T00:00:00Z", "2020-03-09T21:30:00Z"] {
        let world = crate::world::lived_until(at);
        let snapshot = world.engine().snapshot(&SnapshotRequest::default());
        let daily = snapshot.quotes.iter().filter(|row| !row.capabilities.has_range && row.forming.is_none());
        let mut rows = 0;
        for row in daily {
            let closes: Vec<_> = row.bars.last(2).iter().map(|bar| bar.close).collect();
            assert_eq!(row.change, closes[1].change_from(closes[0]), "{at} {:?}", row.instrument);
            rows += usize::from(row.change != Some(pmax::domain::Ratio::ZERO));
        }
        assert!(rows >= 15, "{at}: {rows} rows moved");
    }
}
