//! Messages of streams, from their text to a typed price. `benches/README.md` holds the figures.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench stops at the impossible")]

use std::hint::black_box;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pmax::broker::xapi::codec::{Pushed, decode_pushed};
use pmax::market::providers::clients::{Frame, binance_frame, coinbase_frame, kraken_frame, yahoo_frame};

/// Messages in one go: no two alike, so that nothing is learnt by heart.
const MESSAGES: usize = 64;

type Read = fn(&str) -> usize;

/// A stream: its name, its messages, and what reads one and gives how many prices it holds.
struct Stream {
    name: &'static str,
    texts: Vec<String>,
    read: Read,
}

/// A price with two decimals, another one for each message.
fn price(index: usize) -> String {
    format!("{}.{:02}", 90_000 + index * 7, (index * 13) % 100)
}

fn time(index: usize) -> String {
    format!("2026-11-27T14:34:{:02}.{:06}Z", index % 60, index * 9_973)
}

fn prices(frames: &[Frame]) -> usize {
    frames.iter().filter(|frame| matches!(frame, Frame::Quote(Ok(_)))).count()
}

/// A message of Yahoo's stream as its provider writes them, field by field.
fn pricing(index: usize) -> Vec<u8> {
    let varint = |mut number: u64| {
        let mut bytes = Vec::new();
        while number > 127 {
            bytes.push(number as u8 | 128);
            number >>= 7;
        }
        bytes.push(number as u8);
        bytes
    };
    let text = |tag: u64, text: &str| [varint(tag << 3 | 2), varint(text.len() as u64), text.as_bytes().to_vec()].concat();
    let float = |tag: u64, number: f32| [varint(tag << 3 | 5), number.to_le_bytes().to_vec()].concat();
    let whole = |tag: u64, number: u64| [varint(tag << 3), varint(number)].concat();
    [
        text(1, "AAPL"),
        float(2, 226.5 + index as f32 / 8.0),
        whole(3, (1_795_617_269_000 + index as u64) * 2),
        text(5, "NMS"),
        whole(6, 8),
        whole(7, 1),
        float(8, 1.25),
        whole(9, 6_719_763 * 2),
        float(12, 2.75),
        whole(27, 4),
    ]
    .concat()
}

fn streams() -> Vec<Stream> {
    let of = |name, read: Read, text: fn(usize) -> String| Stream { name, texts: (0..MESSAGES).map(text).collect(), read };
    vec![
        of(
            "kraken",
            |text| prices(&kraken_frame(text).unwrap()),
            |index| {
                let (bid, ask) = (price(index), price(index + 1));
                format!(
                    r#"{{"channel":"ticker","type":"update","data":[{{"symbol":"BTC/USD","bid":{bid},"bid_qty":0.50219837,"ask":{ask},"ask_qty":1.22871913,"last":{bid},"volume":2812.52183912,"vwap":90800.1,"low":90000.0,"high":92000.5,"change":12.5,"change_pct":0.01,"timestamp":"{}"}}]}}"#,
                    time(index)
                )
            },
        ),
        of(
            "coinbase",
            |text| prices(&coinbase_frame(text).unwrap()),
            |index| {
                let (bid, ask) = (price(index), price(index + 1));
                format!(
                    r#"{{"type":"ticker","sequence":{},"product_id":"BTC-USD","price":"{ask}","open_24h":"90310.24","volume_24h":"18732.18392015","low_24h":"88822.02","high_24h":"91310.76","volume_30d":"535376.15219839","best_bid":"{bid}","best_bid_size":"0.50219837","best_ask":"{ask}","best_ask_size":"1.22871913","side":"buy","time":"{}","trade_id":{},"last_size":"0.00123917"}}"#,
                    37_475_248_783_u64 + index as u64,
                    time(index),
                    370_843_401 + index
                )
            },
        ),
        of(
            "binance",
            |text| prices(&binance_frame(text).unwrap()),
            |index| {
                let at = 1_795_617_269_120 + index;
                format!(
                    r#"{{"stream":"btcusdt@aggTrade","data":{{"e":"aggTrade","E":{at},"s":"BTCUSDT","a":{},"p":"{}000000","q":"0.01633102","f":{index},"l":{index},"T":{at},"m":true,"M":true}}}}"#,
                    26_129 + index,
                    price(index)
                )
            },
        ),
        of(
            "yahoo",
            |text| prices(&yahoo_frame(text).unwrap()),
            |index| format!(r#"{{"type":"pricing","message":"{}"}}"#, STANDARD.encode(pricing(index))),
        ),
        of(
            "xapi ticks",
            |text| usize::from(matches!(decode_pushed(text).unwrap(), Pushed::Tick(_))),
            |index| {
                let (bid, ask) = (10_842 + index, 10_843 + index);
                format!(
                    r#"{{"command":"tickPrices","data":{{"symbol":"EURUSD","ask":1.{ask},"bid":1.{bid},"high":1.0861,"low":1.0805,"askVolume":300000,"bidVolume":400000,"timestamp":{},"level":0,"quoteId":5,"exemode":1,"spreadTable":0.9,"spreadRaw":0.00009}}}}"#,
                    1_795_617_000_400_u64 + index as u64
                )
            },
        ),
    ]
}

fn decode(criterion: &mut Criterion) {
    let streams = streams();
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(MESSAGES as u64));
    for Stream { name, texts, read } in &streams {
        assert_eq!(texts.iter().map(|text| read(text)).sum::<usize>(), MESSAGES, "{name}: every message holds a price");
        group.bench_function(*name, |bencher| bencher.iter(|| texts.iter().map(|text| read(black_box(text))).sum::<usize>()));
        // What a general reader takes for the same texts, without looking at what it has read.
        group.bench_function(format!("{name}, serde_json::Value"), |bencher| {
            let is_read = |text: &&String| serde_json::from_str::<serde_json::Value>(black_box(text)).is_ok();
            bencher.iter(|| texts.iter().filter(is_read).count());
        });
    }
    // One message of each stream in turn, as a desk with all of them open would hear them.
    group.throughput(Throughput::Elements((MESSAGES * streams.len()) as u64));
    group.bench_function("all in turn", |bencher| {
        bencher.iter(|| {
            (0..MESSAGES)
                .flat_map(|index| streams.iter().map(move |stream| (stream.read)(black_box(&stream.texts[index]))))
                .sum::<usize>()
        });
    });
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
