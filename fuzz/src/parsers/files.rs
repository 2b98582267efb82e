//! Files: tapes, segments of live runs, and a person's series.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use jiff::tz::TimeZone;
use pmax::cli::series::{Format, Stats, read};
use pmax::domain::{InstrumentId, InstrumentTable, MarketEvent, MarketTime};
use pmax::market::Tape;
use pmax::market::own::{Asked, DateOrder, import};
use pmax::runtime::{self, Trouble};
use pmax::store::SegmentReader;

use super::market::is_sound_bar;
use super::words::{LONGEST_TROUBLE, chosen, is_fit_to_show, with_folder};

/// A tape in Parquet.
pub fn tape(bytes: &[u8]) {
    let tape = match Tape::read("fuzz", Bytes::copy_from_slice(bytes)) {
        Ok(tape) => tape,
        Err(error) => return is_fit_to_show(&Trouble::from(error).to_string(), LONGEST_TROUBLE),
    };
    let known: Vec<u32> = tape.meta.series.iter().map(|series| series.instrument).collect();
    let mut before = MarketTime(i64::MIN);
    let mut ends: BTreeMap<InstrumentId, MarketTime> = BTreeMap::new();
    for bar in tape.bars.iter() {
        is_sound_bar(bar);
        assert!(bar.close_at >= before && known.contains(&bar.instrument.0));
        before = bar.close_at;
        assert!(ends.insert(bar.instrument, bar.close_at).is_none_or(|ended| bar.open_at >= ended), "bars overlap");
    }
    assert!(tape.start().is_some() && tape.meta.speed > 0 && tape.meta.format == 1);
    assert_eq!(tape.span().is_some(), !tape.bars.is_empty());
    assert_eq!(tape.series().len(), tape.meta.series.len());
}

/// A person's own history: a table of text or of Parquet. The first byte chooses what the person says about it.
pub fn tape_import(bytes: &[u8]) {
    thread_local! {
        static INSTRUMENTS: Arc<InstrumentTable> = runtime::instruments().expect("the shipped instruments");
    }
    let Some((bits, rest)) = chosen(bytes) else { return };
    let instruments = INSTRUMENTS.with(Arc::clone);
    let asked = Asked {
        instruments: &instruments,
        symbol: (bits & 1 == 0).then(|| "AAPL".to_owned()),
        names: BTreeMap::new(),
        zone: (bits & 2 == 0).then_some(TimeZone::UTC),
        frame: None,
        order: (bits & 4 != 0).then_some(DateOrder::DayFirst),
        is_adjusted: false,
        skips_missing: bits & 8 != 0,
        skips_closed: bits & 16 != 0,
    };
    let imported = match import(rest.to_vec(), &asked) {
        Ok(imported) => imported,
        Err(error) => return is_fit_to_show(&Trouble::new(error.to_string(), "", "").to_string(), LONGEST_TROUBLE),
    };
    assert!(imported.rows <= rest.len().saturating_mul(16).max(10_000), "more rows than the file has room for");
    for problem in imported.faults.first().iter().chain(imported.doubts.first()) {
        is_fit_to_show(&Trouble::new(problem.to_string(), "", "").to_string(), 1_000);
    }
    if imported.faults.count() > 0 {
        return;
    }
    for series in &imported.series {
        series.bars.iter().for_each(is_sound_bar);
        let is_ordered = series.bars.windows(2).all(|pair| pair[0].close_at <= pair[1].open_at);
        assert!(is_ordered, "bars overlap, or are out of order");
        assert!(series.bars.iter().all(|bar| bar.instrument == series.instrument));
    }
}

/// A segment; the first byte chooses whether header and checksums are made right, so that more than the first of them is reached.
pub fn segment(bytes: &[u8]) {
    let Some((bits, rest)) = chosen(bytes) else { return };
    let path = Path::new("fuzz.segment");
    let bytes = if bits & 1 == 0 { rest.to_vec() } else { framed(rest) };
    let Ok(reader) = SegmentReader::of(bytes.as_slice(), path) else { return };
    let events: Vec<MarketEvent> = reader.collect();
    assert!(events.len() <= bytes.len() / 6, "more events than there is room for");
    let again: Vec<MarketEvent> = SegmentReader::of(bytes.as_slice(), path).expect("it was read before").collect();
    assert_eq!(events, again, "the same bytes mean the same");
}

/// A header, then every piece with its length and a checksum that is right. The first byte of a piece is its length.
fn framed(mut rest: &[u8]) -> Vec<u8> {
    let mut whole = b"pmaxseg1".to_vec();
    while let Some((length, after)) = rest.split_first() {
        let (piece, next) = after.split_at(usize::from(*length).min(after.len()));
        whole.extend(u16::from(*length).min(piece.len() as u16).to_le_bytes());
        whole.extend(checksum(piece).to_le_bytes());
        whole.extend(piece);
        rest = next;
    }
    whole
}

/// CRC-32 as IEEE 802.3 has it, bit by bit.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |before, byte| {
        (0..8).fold(before ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xEDB8_8320 & (sum & 1).wrapping_neg()))
    })
}

/// A person's file of prices or returns; the first byte chooses the options.
pub fn stats_file(bytes: &[u8]) {
    let Some((bits, rest)) = chosen(bytes) else { return };
    let file = with_folder(|folder| {
        let file = folder.join("series.csv");
        fs::write(&file, rest).expect("a file in memory");
        file
    });
    let options = Stats {
        file,
        prices: bits & 1 == 1,
        returns: bits & 3 == 2,
        column: (bits & 4 != 0).then(|| "close".to_owned()),
        symbol: (bits & 8 != 0).then(|| "AAPL".to_owned()),
        periods: (bits & 16 != 0).then_some(252.0),
        skip_missing: bits & 32 != 0,
        seed: 1,
        format: Format::Text,
    };
    match read(&options) {
        Ok(series) => {
            assert!(series.returns.len() >= 20 && series.returns.len() <= rest.len());
            assert!(series.returns.iter().all(|value| value.is_finite()), "a return that is no number");
            assert!(!options.prices || series.returns.iter().all(|value| *value >= -1.0), "a price below zero");
            assert!(series.periods.is_finite() && series.periods > 0.0);
            is_fit_to_show(&series.column, 40);
            if let Some((first, last)) = &series.span {
                is_fit_to_show(first, 40);
                is_fit_to_show(last, 40);
            }
        }
        Err(trouble) => is_fit_to_show(&trouble.to_string(), 1_200),
    }
}
