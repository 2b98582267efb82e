//! What providers of market data say, and the files about them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pmax::domain::{AssetClass, Bar, Calendar, Currency, Duration, InstrumentId, MarketTime, Price, VenueQuote, WallTime};
use pmax::market::WrittenIn;
use pmax::market::providers::clients::{
    Frame, alpha_vantage_bars, alpha_vantage_quote, alpha_vantage_refusal, binance_frame, binance_klines, coinbase_candles,
    coinbase_frame, kraken_frame, kraken_ohlc, yahoo_chart as chart, yahoo_frame, yahoo_search as search, yahoo_spark as spark,
};
use pmax::market::providers::{Budget, Capability, Chart, Plan, ProviderId, ProviderTable, Refusal, Wanted};
use pmax::runtime::Trouble;

use super::words::{LONGEST_TROUBLE, chosen, chosen_text, is_fit_to_show};

/// The instant at which the answers of the corpora came: 2026-11-25T14:34:30Z.
const NOW: WallTime = WallTime(1_795_617_270_000_000_000);
const MINUTE: i64 = 60_000_000_000;
/// Words of a refusal with its kind.
pub const LONGEST_REFUSAL: usize = 240;

/// What was asked for, by some bits of a number.
fn wanted(bits: u8) -> Wanted<'static> {
    let (name, calendar, kind) = match bits & 3 {
        0 => ("AAPL", Calendar::UsEquity, AssetClass::Stock),
        1 => ("EURUSD=X", Calendar::Fx245, AssetClass::Fx),
        _ => ("BTC-USD", Calendar::Crypto247, AssetClass::Crypto),
    };
    let from = MarketTime(NOW.0 - if bits & 4 == 0 { 5 * MINUTE - 30_000_000_000 } else { 7 * 1_440 * MINUTE });
    let decimals = if bits & 8 == 0 { 2 } else { 5 };
    let (plan, currency, has_volume) = (Plan::Realtime, Currency::USD, bits & 16 == 0);
    Wanted { name, instrument: InstrumentId(5), kind, calendar, decimals, currency, has_volume, plan, from, now: NOW }
}

/// An HTTP status, by some bits of a number.
pub fn status(bits: u8) -> u16 {
    [200, 200, 200, 200, 404, 429, 502, 403].get(usize::from(bits >> 5)).copied().unwrap_or(200)
}

/// What holds for every closed bar.
#[track_caller]
pub fn is_sound_bar(bar: &Bar) {
    assert!(bar.low > Price::from_nanos(0), "a price that is not above zero: {bar:?}");
    assert!(bar.low <= bar.open && bar.low <= bar.close && bar.low <= bar.high, "{bar:?}");
    assert!(bar.high >= bar.open && bar.high >= bar.close, "{bar:?}");
    assert!(bar.open_at < bar.close_at, "{bar:?}");
    assert!(bar.volume.is_none_or(|volume| volume.milli() >= 0), "{bar:?}");
}

/// What holds for every answer with bars.
#[track_caller]
pub fn is_sound_chart(read: &Result<Chart, Refusal>, wanted: &Wanted<'_>) {
    let chart = match read {
        Ok(chart) => chart,
        Err(refusal) => return is_fit_to_show(&refusal.to_string(), LONGEST_REFUSAL),
    };
    assert!(chart.from >= wanted.from, "more is promised than was asked for");
    let mut before = MarketTime(i64::MIN);
    for bar in &chart.closed {
        is_sound_bar(bar);
        assert!(bar.open_at >= before, "bars overlap or are out of order");
        assert!(bar.open_at >= wanted.from && bar.open_at.0 % MINUTE == 0 && bar.close_at.0 == bar.open_at.0 + MINUTE, "{bar:?}");
        assert!(bar.open_at.0 < wanted.now.0 + 3 * MINUTE, "a bar of the future: {bar:?}");
        assert_eq!(bar.instrument, wanted.instrument);
        assert!(wanted.has_volume || bar.volume.is_none(), "a volume that is not the instrument's");
        before = bar.close_at;
    }
    if let Some((at, open)) = chart.opened {
        assert!(open > Price::from_nanos(0) && at >= before, "the minute under way began before the last one ended");
    }
    if let Some(quote) = chart.quote {
        is_price(quote.last, quote.bid, quote.ask);
    }
}

/// What holds for every price: above zero, and its bid not above its ask.
#[track_caller]
pub fn is_price(last: Price, bid: Option<Price>, ask: Option<Price>) {
    let is_positive = |price: Price| price > Price::from_nanos(0);
    assert!(is_positive(last) && bid.is_none_or(is_positive) && ask.is_none_or(is_positive), "{last} {bid:?} {ask:?}");
    assert!(bid.zip(ask).is_none_or(|(bid, ask)| bid <= ask), "a bid above its ask");
}

/// What holds for every frame of a stream, read twice.
#[track_caller]
pub fn are_sound_frames(text: &str, read: fn(&str) -> Result<Vec<Frame>, Refusal>) {
    let frames = read(text);
    assert_eq!(frames, read(text), "the same bytes mean the same");
    // White space before it keeps a reader's shortcut from being taken: both ways must tell the same.
    if let Ok(frames) = &frames {
        assert_eq!(Ok(frames), read(&format!(" {text}")).as_ref(), "the shortcut tells something else");
    }
    match &frames {
        Ok(frames) => {
            assert!(frames.len() <= text.len().max(1), "more frames than bytes");
            frames.iter().for_each(is_sound_frame);
        }
        Err(refusal) => is_fit_to_show(&refusal.to_string(), LONGEST_REFUSAL),
    }
}

#[track_caller]
fn is_sound_frame(frame: &Frame) {
    match frame {
        Frame::Quote(Ok(heard)) => is_price(heard.last, heard.bid, heard.ask),
        Frame::Quote(Err(refusal)) | Frame::Subscription { refusal: Some(refusal), .. } => {
            is_fit_to_show(&refusal.to_string(), LONGEST_REFUSAL);
        }
        Frame::Subscription { refusal: None, .. } | Frame::AllTaken | Frame::Leaving => {}
    }
}

/// Kraken: the first byte's lowest bits choose a frame of the stream or an answer with bars.
pub fn kraken(bytes: &[u8]) {
    let Some((bits, rest)) = chosen(bytes) else { return };
    if bits & 1 == 0 {
        are_sound_frames(&String::from_utf8_lossy(rest), kraken_frame);
    } else {
        let wanted = wanted(bits | 2);
        is_sound_chart(&kraken_ohlc(status(bits), rest, &wanted), &wanted);
    }
}

/// Coinbase: the same.
pub fn coinbase(bytes: &[u8]) {
    let Some((bits, rest)) = chosen(bytes) else { return };
    if bits & 1 == 0 {
        are_sound_frames(&String::from_utf8_lossy(rest), coinbase_frame);
    } else {
        let wanted = wanted(bits | 2);
        is_sound_chart(&coinbase_candles(status(bits), rest, &wanted), &wanted);
    }
}

/// Yahoo's charts.
pub fn yahoo_chart(bytes: &[u8]) {
    let Some((bits, rest)) = chosen(bytes) else { return };
    let wanted = wanted(bits);
    is_sound_chart(&chart(status(bits), rest, &wanted), &wanted);
}

/// Yahoo's stream: texts, or, where the first byte says so, protocol buffers that are wrapped here.
pub fn yahoo_stream(bytes: &[u8]) {
    let Some((bits, rest)) = chosen(bytes) else { return };
    let text = match bits & 3 {
        0 => String::from_utf8_lossy(rest).into_owned(),
        1 => STANDARD.encode(rest),
        _ => format!(r#"{{"type":"pricing","message":"{}"}}"#, STANDARD.encode(rest)),
    };
    are_sound_frames(&text, yahoo_frame);
}

/// Binance: frames and bars, as of Kraken.
pub fn binance(bytes: &[u8]) {
    let Some((bits, rest)) = chosen(bytes) else { return };
    if bits & 1 == 0 {
        are_sound_frames(&String::from_utf8_lossy(rest), binance_frame);
    } else {
        let wanted = wanted(bits | 2);
        is_sound_chart(&binance_klines(status(bits), rest, &wanted), &wanted);
    }
}

fn is_sound_quote(quote: &VenueQuote) {
    assert_eq!(quote.instrument, InstrumentId(5));
    is_price(quote.last, quote.bid, quote.ask);
}

/// Alpha Vantage: bars, a price, or a refusal.
pub fn alpha_vantage(bytes: &[u8]) {
    let Some((bits, rest)) = chosen(bytes) else { return };
    let wanted = wanted(bits | 16);
    if let Some(refusal) = alpha_vantage_refusal(rest) {
        is_fit_to_show(&refusal.to_string(), LONGEST_REFUSAL);
    }
    if bits & 32 == 0 {
        is_sound_chart(&alpha_vantage_bars(status(bits), rest, &wanted), &wanted);
        return;
    }
    match alpha_vantage_quote(status(bits), rest, &wanted) {
        Ok(quote) => is_sound_quote(&quote),
        Err(refusal) => is_fit_to_show(&refusal.to_string(), LONGEST_REFUSAL),
    }
}

/// Yahoo's spark of three symbols.
pub fn yahoo_spark(bytes: &[u8]) {
    let Some((bits, rest)) = chosen(bytes) else { return };
    let asked = [wanted(0), wanted(1), wanted(2)];
    match spark(status(bits), rest, &asked) {
        Ok(quotes) => {
            assert!(!quotes.is_empty() && quotes.len() <= asked.len(), "prices that were not asked for");
            quotes.iter().for_each(is_sound_quote);
        }
        Err(refusal) => is_fit_to_show(&refusal.to_string(), LONGEST_REFUSAL),
    }
}

/// Yahoo's search by name.
pub fn yahoo_search(bytes: &[u8]) {
    let Some((bits, rest)) = chosen(bytes) else { return };
    match search(status(bits), rest) {
        Ok(hits) => {
            assert!(hits.len() <= 10);
            for hit in &hits {
                assert!(!hit.symbol.is_empty() && hit.symbol.len() <= 32, "{hit:?}");
                assert!(hit.symbol.bytes().all(|byte| byte.is_ascii_graphic()), "{hit:?}");
                [&hit.name, &hit.exchange, &hit.sector].into_iter().for_each(|text| is_fit_to_show(text.as_str(), 400));
                is_fit_to_show(&hit.code, 400);
            }
        }
        Err(refusal) => is_fit_to_show(&refusal.to_string(), LONGEST_REFUSAL),
    }
}

/// A person's table of providers over the shipped one.
pub fn providers_toml(bytes: &[u8]) {
    const SHIPPED: &str = include_str!("../../../config/providers.toml");
    let text = String::from_utf8_lossy(bytes);
    match ProviderTable::read(SHIPPED, Some(&text)) {
        Ok(table) => {
            for (id, provider) in &table.provider {
                let is_safe = |url: &str| {
                    let is_here = ["http://127.0.0.1", "http://localhost", "ws://127.0.0.1", "ws://localhost"]
                        .iter()
                        .any(|here| url.strip_prefix(here).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':'])));
                    url.starts_with("https://") || url.starts_with("wss://") || is_here
                };
                assert!(is_safe(&provider.http), "{id} is asked in the clear: {}", provider.http);
                assert!(provider.stream.is_empty() || is_safe(&provider.stream), "{id} streams in the clear");
                is_fit_to_show(&provider.http, usize::MAX);
                is_fit_to_show(&provider.stream, usize::MAX);
            }
            for capability in [Capability::Quotes, Capability::Bars] {
                assert!(!table.order(capability).is_empty());
                assert!(table.order(capability).iter().all(|id| table.provider.contains_key(id)));
            }
            for alias in table.aliases.values().flat_map(|names| names.values()) {
                let names = [Capability::Quotes, Capability::Bars].map(|capability| alias.of(capability));
                names.into_iter().flatten().for_each(|name| is_fit_to_show(name, 32));
            }
            assert!((15..=600).contains(&table.refresh_seconds));
            drop(table.budget());
        }
        Err(error) => {
            assert!(!matches!(error.place, WrittenIn::OwnAt(byte) if byte > text.len()), "a place behind the end of the file");
            is_fit_to_show(&Trouble::new(error.to_string(), "", "").to_string(), LONGEST_TROUBLE);
        }
    }
}

/// Counts of requests as they were kept.
pub fn budget(bytes: &[u8]) {
    let Some((bits, text)) = chosen_text(bytes) else { return };
    let fresh = || {
        let mut budget = Budget::default();
        let shipped = include_str!("../../../config/providers.toml");
        if let Ok(table) = ProviderTable::read(shipped, None) {
            budget = table.budget();
        }
        budget
    };
    let mut budget = fresh();
    if budget.take_up(&text).is_err() {
        let untouched = fresh().to_text().ok();
        assert_eq!(budget.to_text().ok(), untouched, "what cannot be read changes nothing");
        return;
    }
    let kept = budget.to_text().expect("counts can be written");
    let mut again = fresh();
    again.take_up(&kept).expect("what was written can be read");
    assert_eq!(again.to_text().ok().as_deref(), Some(kept.as_str()), "kept and taken up, it is the same");
    for provider in [ProviderId::Kraken, ProviderId::Coinbase, ProviderId::Yahoo] {
        let ready = budget.ready_at(provider, "chart", NOW);
        assert!(ready >= NOW, "a request may not leave in the past");
        let (before, most) = budget.used_today(provider, NOW);
        let is_spent = budget.spend(provider, "chart", NOW);
        assert_eq!(is_spent, ready == NOW);
        let (after, _) = budget.used_today(provider, NOW);
        assert!(most.is_none_or(|most| !is_spent || after <= most), "more than a day's requests");
        assert!(after >= before);
        if bits & 1 == 1 {
            let until = budget.pause(provider, Some(Duration(i64::from(bits) << 55)), NOW);
            assert!(until >= NOW && !budget.spend(provider, "chart", NOW) || until == NOW);
        }
    }
}
