//! The feed panel and what the other panes say of providers.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use pmax::domain::{Flaw, InstrumentId, MarketTime, PauseOf, WallTime};
use pmax::runtime::{
    FeedView, Met, Minutes, MinutesView, Palette, Pause, ProviderId, ProviderView, ServedView, Stands, StreamView,
};
use pmax::ui::{Event, View};

use crate::stage::{Stage, lived};

fn second(now: WallTime, before: i64) -> WallTime {
    WallTime(now.0 - before * 1_000_000_000)
}

fn feed(now: WallTime) -> FeedView {
    let stream = |open: bool, retry: Option<i64>| StreamView {
        open_since: open.then(|| second(now, 750)),
        retry_at: retry.map(|seconds| second(now, -seconds)),
        connections: 2,
    };
    let provider = |id, stream, bars, used_today, last: Option<&str>| ProviderView {
        id,
        stream,
        key: None,
        bars: Some(bars),
        used_today,
        most_today: Some(10_000),
        paused_until: None,
        last: last.map(|words| (second(now, 42), words.to_owned())),
    };
    let until = second(now, -75);
    let yahoo = ProviderView {
        paused_until: Some(until),
        ..provider(ProviderId::Yahoo, None, Stands::Resting { until }, 9_500, Some("too many requests"))
    };
    let served = |id: u32, quotes: Option<(ProviderId, WallTime)>, before: Vec<(ProviderId, String)>| ServedView {
        instrument: InstrumentId(id),
        quotes,
        priced_at: quotes.map(|_| second(now, 7)),
        quotes_before: before.clone(),
        bars: quotes,
        bars_before: Vec::new(),
        paused: (id == 3).then(|| Pause { since: MarketTime::parse("2020-03-09T13:34:00Z").unwrap(), of: PauseOf::Instruments }),
        met: if id == 5 { vec![Met { by: ProviderId::Kraken, flaw: Flaw::Crossed, count: 1_300 }] } else { Vec::new() },
    };
    let minutes = Minutes { told: 470, silent: 4, missing: 6 };
    FeedView {
        minutes: vec![MinutesView { instrument: InstrumentId(5), minutes }],
        lost_notes: 0,
        providers: vec![
            provider(ProviderId::Kraken, Some(stream(false, Some(4))), Stands::Good, 12, Some("no connection (refused)")),
            provider(ProviderId::Coinbase, Some(stream(true, None)), Stands::Good, 3, None),
            yahoo,
        ],
        served: vec![
            served(5, Some((ProviderId::Coinbase, second(now, 125))), vec![(ProviderId::Kraken, "silent for 4 s".to_owned())]),
            served(3, Some((ProviderId::Yahoo, second(now, 600))), Vec::new()),
            served(4, None, vec![(ProviderId::Yahoo, "it does not know the symbol; asked again in 590 s".to_owned())]),
        ],
        conflated: 1_204,
        dropped: 0,
        not_kept: Some("no space left".to_owned()),
        search: None,
    }
}

fn opened(size: (u16, u16)) -> Stage {
    let mut stage = Stage::new(lived(), size, Palette::GreenRed);
    stage.event(&Event::Key(KeyEvent::new(KeyCode::Char('P'), KeyModifiers::SHIFT)));
    assert_eq!(stage.state.view, View::Feed);
    stage
}

#[test]
fn who_serves_what_and_why_not_another_is_one_key_away() {
    let mut stage = opened((120, 40));
    assert!(stage.text().contains("no provider is asked"), "{}", stage.text());
    stage.feed = Some(feed(stage.now()));
    insta::assert_snapshot!("feed_120x40", stage.shot());
    stage.size = (80, 24);
    insta::assert_snapshot!("feed_80x24", stage.shot());
    stage.press(KeyCode::Esc);
    assert_eq!(stage.state.view, View::Panes);
}

#[test]
fn a_key_says_what_it_is_good_for() {
    let mut stage = opened((120, 40));
    let mut feed = feed(stage.now());
    feed.providers[0].key = Some("free key: not entitled to live quotes and bars".to_owned());
    (feed.providers[0].bars, feed.providers[0].last) = (Some(Stands::Removed), None);
    feed.served[0].quotes_before = vec![(ProviderId::AlphaVantage, "not entitled: free key".to_owned())];
    stage.feed = Some(feed);
    let text = stage.text();
    assert!(
        text.contains("○ Kraken") && text.contains("free key: not entitled to") && text.contains("not asked for bars"),
        "{text}"
    );
    assert!(text.contains("not Alpha Vantage: not entitled: free key"), "{text}");
}

#[test]
fn a_price_says_whose_it_is() {
    let mut stage = Stage::new(lived(), (160, 45), Palette::GreenRed);
    stage.feed = Some(feed(stage.now()));
    let text = stage.text();
    let row = |symbol: &str| text.lines().find(|line| line.starts_with(&format!("│ {symbol}"))).unwrap().to_owned();
    assert!(row("AMZN").contains("  7s "), "its age is that of its provider's own time: {text}");
    assert!(row("BTCUSD").contains("Coinbase") && row("AMZN").contains("Yahoo"), "{text}");
    assert!(row("AMZN").contains('‖'), "nothing trades in it, which is not the same as nobody being heard: {text}");
    assert!(text.contains("‖ no trades"), "{text}");
}

#[test]
fn the_quality_of_data_is_told_with_its_reasons_in_the_view_of_one_instrument_too() {
    let mut stage = Stage::new(lived(), (160, 45), Palette::GreenRed);
    stage.feed = Some(feed(stage.now()));
    stage.keys("/btc");
    stage.press(KeyCode::Enter);
    stage.press(KeyCode::Enter);
    let text = stage.text();
    for words in ["470 minutes told, 4 without a trade, 6 missing", "1,300 crossed (Kraken)"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}
