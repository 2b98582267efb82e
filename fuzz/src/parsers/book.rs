//! The ledger's records, and a broker's wire from both of its ends.

use pmax::broker::xapi::codec::{Chart, Pushed, command, decode, decode_each, decode_pushed, decode_reply, trade_command};
use pmax::broker::xapi::{Decimal, Margin, Status, Symbol, Tick, Trade, TradeRequest};
use pmax::domain::{Duration, Price, WallTime};
use pmax::simulator::{Catalogue, Faults, Port, Sent, Settings, Simulator, Variants};
use pmax::store::payload;

use super::words::{chosen, chosen_text, is_fit_to_show};

/// A row of the journal; the first byte chooses its kind and version.
pub fn ledger_record(bytes: &[u8]) {
    let Some((bits, text)) = chosen_text(bytes) else { return };
    let kind = if bits & 1 == 0 { "input.command" } else { "record.order" };
    let version = if bits & 6 == 6 { payload::VERSION + 1 } else { payload::VERSION };
    let Ok(body) = payload::decode(7, kind, version, &text) else { return };
    assert_eq!(version, payload::VERSION, "an entry of a newer version is refused");
    let written = payload::encode(&body).expect("what was read can be written");
    let again = payload::decode(7, written.kind, payload::VERSION, &written.payload).expect("what was written can be read");
    let twice = payload::encode(&again).expect("and written again");
    assert_eq!(written, twice, "the same entry has the same bytes, on which its hash rests");
}

/// Replies, their data, and the stream; the first byte chooses what the text is taken for.
pub fn xapi(bytes: &[u8]) {
    let Some((kind, rest)) = chosen(bytes) else { return };
    let text = String::from_utf8_lossy(rest);
    match kind % 5 {
        0 => reply(&text),
        1 => pushed(&text),
        2 => chart(&text),
        3 => lists(&text),
        _ => request(&text),
    }
}

fn reply(text: &str) {
    match decode_reply(text) {
        Ok(reply) => match reply.outcome {
            Ok(data) => {
                assert!(data.len() <= text.len());
                lists(&data);
                chart(&data);
            }
            Err((_, words)) => is_fit_to_show(words.as_str(), 400),
        },
        Err(error) => is_fit_to_show(&error.to_string(), 450),
    }
}

fn pushed(text: &str) {
    let Ok(pushed) = decode_pushed(text) else { return };
    assert_eq!(decode_pushed(text).as_ref(), Ok(&pushed), "the same bytes mean the same");
    match pushed {
        Pushed::Tick(Tick { bid, ask, .. }) => [bid, ask].into_iter().for_each(is_written_as_read),
        Pushed::Trade(trade) => is_sound_trade(&trade),
        Pushed::Balance(Margin { balance, equity, margin, .. }) => {
            [balance, equity, margin].into_iter().for_each(is_written_as_read)
        }
        Pushed::Status(Status { .. }) | Pushed::KeepAlive | Pushed::Error(_) | Pushed::Other => {}
    }
}

fn is_sound_trade(trade: &Trade) {
    [trade.volume, trade.open_price, trade.close_price, trade.sl, trade.tp].into_iter().for_each(is_written_as_read);
}

/// A number of the wire is written so that it is read as the same number.
fn is_written_as_read(number: Decimal) {
    let text = serde_json::to_string(&number).expect("a number can be written");
    assert_eq!(serde_json::from_str::<Decimal>(&text).ok(), Some(number), "{text}");
}

fn chart(text: &str) {
    let Ok(chart) = decode::<Chart>(text) else { return };
    let Ok(candles) = chart.candles() else { return };
    for pair in candles.windows(2) {
        assert!(pair[0].at < pair[1].at, "candles are in order, each minute once");
    }
    for candle in &candles {
        assert!(candle.low > Price::from_nanos(0), "{candle:?}");
        assert!(candle.low <= candle.open.min(candle.close) && candle.high >= candle.open.max(candle.close), "{candle:?}");
    }
}

fn lists(text: &str) {
    let count = |read: usize, unread: usize| assert!(read + unread <= text.len(), "more records than bytes");
    if let Ok((trades, unread)) = decode_each::<Trade>(text) {
        count(trades.len(), unread);
        trades.iter().for_each(is_sound_trade);
    }
    if let Ok((symbols, unread)) = decode_each::<Symbol>(text) {
        count(symbols.len(), unread);
        symbols.iter().for_each(|symbol| is_written_as_read(symbol.contract_size));
    }
    if let Ok(margin) = decode::<Margin>(text) {
        is_written_as_read(margin.balance);
    }
    drop(decode::<Status>(text));
}

/// A command carries texts from outside, as they are: it is one JSON object of at most a kilobyte that says what it was given.
fn request(text: &str) {
    let (symbol, mark) = text.split_once('\n').unwrap_or((text, ""));
    let (volume, price) = (Decimal(symbol.len() as i64 * 100_000_000), Decimal(i64::MAX - mark.len() as i64));
    let request = TradeRequest {
        cmd: 0,
        kind: 0,
        symbol: symbol.to_owned(),
        volume,
        price,
        sl: Decimal(0),
        tp: Decimal(0),
        order: 0,
        expiration: 0,
        mark: mark.to_owned(),
    };
    if let Ok(written) = trade_command(&request, mark) {
        assert!(written.len() <= 1_000);
        let read: serde_json::Value = serde_json::from_str(&written).expect("a command is JSON");
        let info = &read["arguments"]["tradeTransInfo"];
        assert_eq!((info["symbol"].as_str(), info["customComment"].as_str()), (Some(symbol), Some(mark)));
        assert_eq!(read["customTag"].as_str(), Some(mark));
    }
    if let Ok(written) = command(symbol, None, mark) {
        let read: serde_json::Value = serde_json::from_str(&written).expect("a command is JSON");
        assert_eq!((read["command"].as_str(), read["customTag"].as_str()), (Some(symbol), Some(mark)));
    }
}

/// Commands to the broker to practise with, one a line; those behind a `~` go to the stream. Whatever it is told, what it says is read
/// by the client's codec, which shares no code with it.
pub fn simulator(bytes: &[u8]) {
    thread_local! {
        static CATALOGUE: Catalogue = Catalogue::shipped().expect("the shipped catalogue");
    }
    let text = String::from_utf8_lossy(bytes);
    let settings = Settings {
        user: "20001".to_owned(),
        password: "secret".to_owned(),
        currency: "USD".to_owned(),
        balance: 100_000_000_000_000,
        seed: 3,
        faults: Faults::default(),
        variants: Variants::default(),
        has_hours: false,
        spacing: Duration::millis(200),
    };
    let mut now = WallTime(1_795_617_270_000_000_000);
    let mut out = Vec::new();
    let mut simulator = CATALOGUE.with(|catalogue| Simulator::new(settings, catalogue.clone(), now));
    let (main, stream) = (simulator.connect(now, Port::Main, "a"), simulator.connect(now, Port::Stream, "a"));
    let login = r#"{"command":"login","arguments":{"userId":"20001","password":"secret"}}"#;
    simulator.receive(now, main, login, &mut out);
    let session = out.iter().find_map(|sent| match sent {
        Sent::Text(_, text) => decode_reply(text).ok()?.session,
        Sent::Close(_) => None,
    });
    let session = session.expect("the right password is taken");
    for (index, line) in text.split('\n').take(16).enumerate() {
        now = now.plus(Duration::millis(250));
        match line.strip_prefix('~') {
            Some(line) => simulator.receive(now, stream, &line.replace("SESSION", &session), &mut out),
            None => simulator.receive(now, main, line, &mut out),
        }
        simulator.price(now, "EURUSD", Price::from_nanos(1_084_300_000 + index as i64 * 10_000), &mut out);
        simulator.tick(now, &mut out);
    }
    simulator.tick(now.plus(Duration::seconds(90_000)), &mut out);
    for sent in &out {
        match sent {
            Sent::Text(id, text) if *id == main => drop(decode_reply(text).expect("a reply is read by the client")),
            Sent::Text(_, text) => drop(decode_pushed(text).expect("what is pushed is read by the client")),
            Sent::Close(_) => {}
        }
    }
}
