//! The panes of economic series and of news: nothing asked, waiting, told, refused, overdue.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use pmax::domain::{CleanText, Edition, Indicator, InstrumentId, MarketTime, Observation, Reading, WallTime};
use pmax::engine::InputBody;
use pmax::runtime::{BulletinView, Headless, Headline, Palette, ProviderId, SeriesView, SourceView, Stands, Topic};
use pmax::signals::Sentiment;
use pmax::ui::{Event, View};

use crate::stage::{Stage, lived};
use crate::world;

fn before(now: WallTime, seconds: i64) -> WallTime {
    WallTime(now.0 - seconds * 1_000_000_000)
}

fn series(indicator: Indicator, now: WallTime, heard: Option<ProviderId>, trouble: Option<&str>) -> SeriesView {
    SeriesView {
        indicator,
        heard: heard.map(|by| (by, before(now, 1_800))),
        next: Some(("2020-03-01".parse().unwrap(), MarketTime::parse("2020-04-03T12:30:00Z").unwrap())),
        is_overdue: trouble.is_some(),
        trouble: trouble.map(str::to_owned),
    }
}

fn source(id: ProviderId, topic: Topic, stands: Stands, used: (u32, Option<u32>), lacks: Option<&'static str>) -> SourceView {
    SourceView { id, topic, stands, used, paused_until: None, last: None, lacks }
}

fn view(now: WallTime) -> BulletinView {
    let rest = Stands::Resting { until: WallTime(now.0 + 90_000_000_000) };
    let refused = SourceView {
        last: Some((before(now, 30), "too many requests".to_owned())),
        ..source(ProviderId::Bls, Topic::Series, rest, (25, Some(25)), None)
    };
    let of = |indicator, by| series(indicator, now, Some(by), None);
    BulletinView {
        series: vec![
            of(Indicator::Payrolls, ProviderId::Bls),
            of(Indicator::Unemployment, ProviderId::FredGraph),
            series(Indicator::Claims, now, None, Some("FREDgraph: trouble of its own (HTTP 504)")),
            of(Indicator::Yield10y, ProviderId::Treasury),
            of(Indicator::Yield2y, ProviderId::Treasury),
            of(Indicator::Vix, ProviderId::Cboe),
            of(Indicator::Vix3m, ProviderId::Cboe),
        ],
        sources: vec![
            source(ProviderId::Fred, Topic::Series, Stands::Good, (0, Some(5_000)), Some("no key")),
            source(ProviderId::Treasury, Topic::Series, Stands::Good, (1, Some(100)), None),
            source(ProviderId::Cboe, Topic::Series, Stands::Good, (4, Some(200)), None),
            refused,
            source(ProviderId::YahooRss, Topic::News, Stands::Good, (12, Some(3_000)), None),
        ],
        ..BulletinView::default()
    }
}

/// Values of February 2020, as they were known at the end of that month.
fn publish(world: &mut Headless) {
    let mut observations = Vec::new();
    let mut say = |indicator: Indicator, period: &str, value: &str, at: &str, edition: Edition| {
        let (period, value) = (period.parse().unwrap(), Reading::read(value).unwrap());
        observations.push(Observation { indicator, period, value, known_at: MarketTime::parse(at).unwrap(), edition });
    };
    for (indicator, day, eve) in [
        (Indicator::Yield1m, "1.45", "1.56"),
        (Indicator::Yield3m, "1.27", "1.45"),
        (Indicator::Yield6m, "1.11", "1.30"),
        (Indicator::Yield1y, "0.97", "1.17"),
        (Indicator::Yield2y, "0.86", "1.11"),
        (Indicator::Yield5y, "0.89", "1.11"),
        (Indicator::Yield10y, "1.13", "1.30"),
        (Indicator::Yield30y, "1.65", "1.79"),
    ] {
        say(indicator, "2020-02-26", eve, "2020-02-27T13:00:00Z", Edition::First);
        say(indicator, "2020-02-27", day, "2020-02-28T13:00:00Z", Edition::First);
    }
    for (indicator, value) in [(Indicator::Vix, "40.11"), (Indicator::Vix3m, "29.85")] {
        say(indicator, "2020-02-28", value, "2020-02-28T21:30:00Z", Edition::First);
    }
    for (month, value) in [("2019-10-01", "151553"), ("2019-11-01", "151814"), ("2019-12-01", "151998"), ("2020-01-01", "152212")]
    {
        say(Indicator::Payrolls, month, value, "2020-02-07T13:30:00Z", Edition::Revised);
    }
    for month in 1..=12 {
        say(Indicator::Unemployment, &format!("2019-{month:02}-01"), "3.6", "2020-01-10T13:30:00Z", Edition::First);
    }
    say(Indicator::Claims, "2020-02-22", "219000", "2020-02-27T13:30:00Z", Edition::First);
    world.input(InputBody::Published { observations });
}

fn opened(world: Headless, size: (u16, u16), key: char, view: View) -> Stage {
    let mut stage = Stage::new(world, size, Palette::GreenRed);
    stage.event(&Event::Key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::SHIFT)));
    assert_eq!(stage.state.view, view);
    stage
}

#[test]
fn economic_series_are_shown_with_ages_sources_and_what_comes_next() {
    let mut stage = opened(lived(), (160, 45), 'E', View::Economy);
    assert!(stage.text().contains("No economic series are known here"), "{}", stage.text());
    stage.bulletins = Some(Arc::new(view(stage.now())));
    assert!(stage.text().contains("Waiting for the first values"), "{}", stage.text());
    assert!(stage.text().contains("refused") && stage.text().contains("HTTP 504"), "{}", stage.text());
    publish(&mut stage.world);
    insta::assert_snapshot!("economy_160x45", stage.shot());
    stage.size = (120, 40);
    insta::assert_snapshot!("economy_120x40", stage.shot());
    stage.size = (80, 24);
    insta::assert_snapshot!("economy_80x24", stage.shot());
    stage.press(KeyCode::Esc);
    assert_eq!(stage.state.view, View::Panes);
}

#[test]
fn a_tape_shows_series_as_of_their_releases() {
    let (tape, setup) = world::setup("crash-2008");
    let at = MarketTime::parse("2008-10-03T21:00:00Z").unwrap();
    let mut world = Headless::with_usual_capital(&tape, &setup, MarketTime(at.0 - 21 * 86_400_000_000_000));
    world.play_until(at);
    let economy = world.engine().snapshot(&pmax::engine::SnapshotRequest::default()).economy;
    let of = |indicator| economy.rows.iter().find(|row| row.indicator == indicator).unwrap().latest;
    assert_eq!(of(Indicator::Payrolls).period.to_string(), "2008-09-01", "out that morning");
    assert_eq!(of(Indicator::Yield10y).period.to_string(), "2008-10-02", "that of Friday comes on Monday");
    assert!(economy.regime.jobs.unwrap().change.unwrap().1.nanos() < 0);
    let stage = opened(world, (120, 40), 'E', View::Economy);
    insta::assert_snapshot!("economy_on_a_tape_120x40", stage.shot());
}

#[test]
fn a_turn_of_the_curve_is_said_once() {
    let mut world = lived();
    publish(&mut world);
    let alerts = |world: &Headless| -> Vec<String> {
        world
            .engine()
            .book()
            .alerts()
            .iter()
            .map(|alert| alert.text.clone())
            .filter(|text| text.contains("Treasury curve"))
            .collect()
    };
    assert!(alerts(&world).is_empty(), "a first look is no turn");
    let day = "2020-02-28".parse().unwrap();
    let say = |indicator, value: &str| Observation {
        indicator,
        period: day,
        value: Reading::read(value).unwrap(),
        known_at: MarketTime::parse("2020-03-02T13:00:00Z").unwrap(),
        edition: Edition::First,
    };
    let observations = vec![say(Indicator::Yield10y, "1.13"), say(Indicator::Yield2y, "0.86"), say(Indicator::Yield3m, "1.00")];
    world.input(InputBody::Published { observations: observations.clone() });
    world.input(InputBody::Published { observations });
    assert_eq!(alerts(&world).len(), 1, "{:?}", alerts(&world));
    assert!(alerts(&world)[0].contains("slopes upward again"), "{:?}", alerts(&world));
}

fn headline(title: &str, at: Option<WallTime>, heard: WallTime, about: &[u32], publisher: &str) -> Arc<Headline> {
    Arc::new(Headline {
        title: CleanText::from_outside(title),
        publisher: CleanText::from_outside(publisher),
        link: CleanText::default(),
        at,
        heard,
        by: ProviderId::YahooRss,
        about: about.iter().map(|id| InstrumentId(*id)).collect(),
        sentiment: Sentiment::read(title),
    })
}

#[test]
fn headlines_are_shown_with_what_they_are_about_and_their_mood() {
    let mut stage = opened(lived(), (160, 45), 'N', View::News);
    assert!(stage.text().contains("Headlines come with a live market"), "{}", stage.text());
    let now = stage.now();
    let mut view = view(now);
    stage.bulletins = Some(Arc::new(view.clone()));
    assert!(stage.text().contains("Waiting for the first headlines"), "{}", stage.text());
    view.sources.push(SourceView {
        last: Some((before(now, 5), "does not serve this place (HTTP 403)".to_owned())),
        ..source(
            ProviderId::BlsRss,
            Topic::News,
            Stands::Resting { until: WallTime(now.0 + 800_000_000_000) },
            (1, Some(200)),
            None,
        )
    });
    view.news_heard = Some(before(now, 40));
    view.repeated = 17;
    view.headlines = vec![
        headline("Undated remark about markets", None, before(now, 60), &[], ""),
        headline("Amazon raises guidance as sales jump", Some(before(now, 600)), before(now, 60), &[4], "Example Wire"),
        headline(
            "Apple withdraws its guidance; suppliers slump",
            Some(before(now, 4_000)),
            before(now, 60),
            &[3, 4, 11],
            "Example Wire",
        ),
        headline("Federal Reserve issues FOMC statement", Some(before(now, 90_000)), before(now, 60), &[], "FRB: Press Release"),
    ];
    stage.bulletins = Some(Arc::new(view));
    insta::assert_snapshot!("news_160x45", stage.shot());
    stage.size = (120, 40);
    insta::assert_snapshot!("news_120x40", stage.shot());
    stage.size = (80, 24);
    insta::assert_snapshot!("news_80x24", stage.shot());
    stage.press(KeyCode::Down);
    assert_eq!(stage.state.news_row, 1);
    assert!(!stage.text().contains("Undated remark"), "{}", stage.text());
}
