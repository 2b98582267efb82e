use jiff::ToSpan;

use super::*;
use crate::domain::{Edition, Every, Reading};

const BULLETINS: &str = include_str!("../../../../config/bulletins.toml");
const PROVIDERS: &str = include_str!("../../../../config/providers.toml");

/// A desk in virtual time with publishers that answer as told: for unemployment alone, where the Treasury is not asked.
struct World {
    desk: BulletinDesk,
    budget: Budget,
    now: WallTime,
    told: Vec<Observation>,
    kept: Option<String>,
    counts: String,
    asked: Vec<(WallTime, ProviderId, String)>,
}

fn at(text: &str) -> WallTime {
    WallTime::parse(text).unwrap()
}

impl World {
    fn new(own: &str, kept: Option<&str>, counts: Option<&str>, now: WallTime) -> Self {
        let (mut table, providers) =
            (BulletinTable::read(BULLETINS, Some(own)).unwrap(), ProviderTable::read(PROVIDERS, None).unwrap());
        if !own.contains("treasury") {
            table.series.retain(|id, _| *id == Indicator::Unemployment);
        }
        table.news.general.clear();
        let mut budget = providers.budget();
        counts.into_iter().for_each(|counts| budget.take_up(counts).unwrap());
        let desk = BulletinDesk::new(table, &providers, Vec::new(), Vec::new(), kept, now);
        Self { desk, budget, now, told: Vec::new(), kept: None, counts: String::new(), asked: Vec::new() }
    }

    /// Runs until an instant; every request is answered a second later.
    fn run(&mut self, until: WallTime, answer: &mut dyn FnMut(ProviderId, &str, WallTime) -> Result<Answer, Refusal>) {
        let mut waiting: Vec<(FetchId, ProviderId, String)> = Vec::new();
        while self.now < until {
            let mut out = Vec::new();
            for (id, by, path) in std::mem::take(&mut waiting) {
                let answer = answer(by, &path, self.now);
                self.desk.answered(id, answer, &mut self.budget, self.now, &mut out);
            }
            self.desk.tick(&mut self.budget, self.now, &mut out);
            for output in out {
                match output {
                    Output::Keep(text) => self.counts = text,
                    Output::Store(text) => self.kept = Some(text),
                    Output::Tell(observations) => self.told.extend(observations),
                    Output::Fetch(request, _) => {
                        assert!(BulletinDesk::is_ours(request.id));
                        self.asked.push((self.now, request.provider, request.path.clone()));
                        waiting.push((request.id, request.provider, request.path));
                    }
                }
            }
            self.now = self.now.plus(Duration::seconds(if waiting.is_empty() { 20 } else { 1 }));
        }
    }

    fn latest(&self, indicator: Indicator) -> Option<String> {
        self.told.iter().filter(|one| one.indicator == indicator).map(|one| one.period.to_string()).max()
    }

    fn count(&self, by: ProviderId) -> usize {
        self.asked.iter().filter(|(_, id, _)| *id == by).count()
    }
}

fn says(body: &str) -> Result<Answer, Refusal> {
    Ok(Answer { status: 200, retry_after: None, body: body.as_bytes().to_vec() })
}

/// A bureau that publishes unemployment on time.
fn bureau(now: WallTime) -> Result<Answer, Refusal> {
    let table = BulletinTable::read(BULLETINS, None).unwrap();
    let release = table.release(Indicator::Unemployment).unwrap();
    let latest = release.latest_by(Every::Month, MarketTime(now.0)).unwrap();
    let rows: Vec<String> = (0..16_i64)
        .map(|back| latest.saturating_sub(back.months()))
        .map(|month| {
            format!(r#"{{"year":"{}","period":"M{:02}","value":"4.{}"}}"#, month.year(), month.month(), month.month() % 10)
        })
        .collect();
    says(&format!(
        r#"{{"status":"REQUEST_SUCCEEDED","message":[],"Results":{{"series":[{{"seriesID":"LNS14000000","data":[{}]}}]}}}}"#,
        rows.join(",")
    ))
}

#[test]
fn a_series_is_asked_for_after_its_release_and_not_every_minute() {
    let mut world = World::new("order = [\"bls\"]\n", None, None, at("2026-11-02T00:00:00Z"));
    let until = at("2026-12-08T00:00:00Z");
    world.run(until, &mut |by, path, now| match by {
        ProviderId::Bls if path.ends_with("LNS14000000") => bureau(now),
        _ => Err(Refusal::of(Failure::NoData)),
    });
    let asked: Vec<String> =
        world.asked.iter().filter(|(_, _, path)| path.ends_with("LNS14000000")).map(|(at, _, _)| at.to_string()).collect();
    assert_eq!(asked.len(), 3, "once at the start and once after each of two releases: {asked:?}");
    assert!(asked[1].starts_with("2026-11-06T13:3"), "{asked:?}");
    assert_eq!(world.latest(Indicator::Unemployment).as_deref(), Some("2026-11-01"));
    let october = world.told.iter().find(|one| one.period.to_string() == "2026-10-01").unwrap();
    assert_eq!(october.known_at.to_string(), "2026-11-06T13:30:00Z", "half past eight in New York, whenever it was asked for");
}

#[test]
fn twenty_five_a_day_are_never_exceeded_and_the_count_outlives_a_restart() {
    let begin = at("2026-11-06T05:00:00Z");
    let own = "order = [\"bls\"]\n";
    let mut world = World::new(own, None, None, begin);
    // The bureau answers and never has anything new: a release that does not come.
    let mut stuck = |_: ProviderId, _: &str, _: WallTime| bureau(at("2026-10-20T00:00:00Z"));
    world.run(begin.plus(Duration::seconds(12 * 3_600)), &mut stuck);
    let first = world.count(ProviderId::Bls);
    assert!((3..=25).contains(&first), "{first}");
    let (mut counts, mut now) = (world.counts.clone(), world.now);
    for _ in 0..40 {
        // A person who starts it over and over.
        let mut again = World::new(own, None, Some(&counts), now);
        again.run(now.plus(Duration::seconds(60)), &mut stuck);
        assert!(again.budget.used_today(ProviderId::Bls, again.now).0 <= 25);
        now = again.now;
        if !again.counts.is_empty() {
            counts = again.counts;
        }
    }
    let last = World::new(own, None, Some(&counts), now);
    assert_eq!(last.budget.used_today(ProviderId::Bls, now), (25, Some(25)));
}

#[test]
fn who_fails_is_passed_over_and_the_last_value_stays() {
    let own = "order = [\"bls\", \"fredgraph\"]\n";
    let begin = at("2026-11-10T12:00:00Z");
    let mut world = World::new(own, None, None, begin);
    let graph = "observation_date,UNRATE\n2026-09-01,4.4\n2026-10-01,4.5\n";
    world.run(begin.plus(Duration::seconds(120)), &mut |by, _, _| match by {
        ProviderId::Bls => says(r#"{"status":"REQUEST_NOT_PROCESSED","message":["daily threshold reached"]}"#),
        _ => says(graph),
    });
    let asked: Vec<ProviderId> = world.asked.iter().map(|(_, by, _)| *by).collect();
    assert_eq!(asked, [ProviderId::Bls, ProviderId::FredGraph], "the next one at once, and nobody again");
    assert_eq!(world.latest(Indicator::Unemployment).as_deref(), Some("2026-10-01"));
    let view = world.desk.view(&world.budget, world.now);
    let of = |view: &BulletinView| view.series.iter().find(|row| row.indicator == Indicator::Unemployment).unwrap().clone();
    assert_eq!(of(&view).heard.map(|(by, _)| by), Some(ProviderId::FredGraph));
    // From now on nobody answers: weeks later the release is overdue, and what was known is still known after a restart.
    let later = at("2026-12-10T12:00:00Z");
    world.run(later, &mut |_, _, _| Err(Refusal::of(Failure::Timeout)));
    let view = world.desk.view(&world.budget, world.now);
    assert!(of(&view).is_overdue && of(&view).trouble.is_some(), "{:?}", of(&view));
    let mut restarted = World::new(own, world.kept.as_deref(), Some(&world.counts), later);
    restarted.run(later.plus(Duration::seconds(30)), &mut |_, _, _| Err(Refusal::of(Failure::Timeout)));
    assert_eq!(restarted.latest(Indicator::Unemployment).as_deref(), Some("2026-10-01"));
}

#[test]
fn another_value_of_a_known_period_is_a_revision_and_known_since_it_was_heard() {
    let own = "order = [\"fredgraph\"]\n";
    let begin = at("2026-11-10T12:00:00Z");
    let mut world = World::new(own, None, None, begin);
    world.run(begin.plus(Duration::seconds(60)), &mut |_, _, _| says("DATE,UNRATE\n2026-10-01,4.5\n"));
    let second = at("2026-12-04T14:00:00Z");
    world.run(second, &mut |_, _, _| says("DATE,UNRATE\n2026-10-01,4.4\n2026-11-01,4.6\n"));
    let of = |month: &str| world.told.iter().rev().find(|one| one.period.to_string() == month).unwrap();
    assert_eq!((of("2026-10-01").value, of("2026-10-01").edition), (Reading::read("4.4").unwrap(), Edition::Revised));
    assert!(of("2026-10-01").known_at > MarketTime(at("2026-12-04T13:30:00Z").0));
    assert_eq!(of("2026-11-01").known_at, MarketTime(at("2026-12-04T13:30:00Z").0));
}

#[test]
fn one_table_of_the_treasury_tells_the_whole_curve() {
    let begin = at("2026-11-25T15:00:00Z");
    let mut world = World::new("order = [\"treasury\"]\n", None, None, begin);
    let body = "Date,\"1 Mo\",\"3 Mo\",\"6 Mo\",\"1 Yr\",\"2 Yr\",\"5 Yr\",\"10 Yr\",\"30 Yr\"\n11/24/2026,4.0,4.0,4.0,4.0,3.9,4.0,4.1,4.6\n";
    world.run(begin.plus(Duration::seconds(600)), &mut |_, _, _| says(body));
    assert_eq!(world.count(ProviderId::Treasury), 1);
    assert_eq!(world.told.len(), 8);
    assert!(world.asked[0].2.contains("/2026/all?"), "{:?}", world.asked[0]);
}

#[test]
fn an_answer_that_never_comes_is_given_up_and_a_broken_file_is_asked_anew() {
    let begin = at("2026-11-25T15:00:00Z");
    let mut world = World::new("order = [\"treasury\"]\n", Some("{\"version\":9}"), None, begin);
    let mut out = Vec::new();
    world.desk.tick(&mut world.budget, begin, &mut out);
    assert!(out.iter().any(|one| matches!(one, Output::Fetch(..))));
    world.desk.tick(&mut world.budget, begin.plus(LOST_AFTER), &mut out);
    let view = world.desk.view(&world.budget, begin.plus(LOST_AFTER));
    assert!(view.series.iter().any(|row| row.trouble.as_deref() == Some("Treasury: no answer in time")), "{:?}", view.series);
}

/// One that joins is asked about from then on, and one that leaves is not: also where its answer is still under way.
#[test]
fn news_follow_what_is_watched() {
    let mut world = World::new("", None, None, at("2026-06-01T12:00:00Z"));
    let watched = |ids: &[(u32, &str)]| {
        let one = |(id, symbol): &(u32, &str)| Watched { instrument: InstrumentId(*id), symbol: (*symbol).to_owned() };
        ids.iter().map(one).collect::<Vec<_>>()
    };
    let mut feed = |by: ProviderId, path: &str, _: WallTime| {
        let symbol = path.split("s=").nth(1).and_then(|rest| rest.split('&').next()).filter(|_| by == ProviderId::YahooRss);
        let symbol = symbol.ok_or(Refusal::of(Failure::Timeout))?;
        says(&format!("<rss version=\"2.0\"><channel><item><title>About {symbol}</title></item></channel></rss>"))
    };
    world.desk.watch(watched(&[(1, "AAA"), (2, "BBB")]), world.now);
    world.run(at("2026-06-01T12:02:00Z"), &mut feed);
    world.desk.watch(watched(&[(2, "BBB"), (3, "CCC")]), world.now);
    let before = world.asked.len();
    world.run(at("2026-06-01T14:02:00Z"), &mut feed);
    let later: Vec<&str> = world
        .asked
        .iter()
        .skip(before)
        .filter(|(_, by, _)| *by == ProviderId::YahooRss)
        .map(|(_, _, path)| path.as_str())
        .collect();
    assert!(later.iter().any(|path| path.contains("CCC")) && later.iter().any(|path| path.contains("BBB")), "{later:?}");
    assert!(!later.iter().any(|path| path.contains("AAA")), "{later:?}");
    let mut about: Vec<InstrumentId> = world.desk.news.headlines().flat_map(|headline| headline.about.clone()).collect();
    about.sort_unstable();
    assert_eq!(about, [InstrumentId(1), InstrumentId(2), InstrumentId(3)]);
}

/// The Treasury keeps a table for each year: around New Year that of the latest curve that is out is asked for.
#[test]
fn around_new_year_the_table_of_the_latest_curve_is_asked_for() {
    for (now, year) in [("2027-01-01T15:00:00Z", "2026"), ("2027-01-05T23:30:00Z", "2027"), ("2026-12-31T23:30:00Z", "2026")] {
        let mut world = World::new("order = [\"treasury\"]\n[news]\norder = []\n", None, None, at(now));
        world.run(world.now.plus(Duration::seconds(60)), &mut |_, _, _| Err(Refusal::of(Failure::Timeout)));
        let paths: Vec<&str> = world.asked.iter().map(|(_, _, path)| path.as_str()).collect();
        assert!(!paths.is_empty() && paths.iter().all(|path| path.contains(year)), "{now}: {paths:?}");
    }
}

/// A clock set back by a day makes nobody wait for a day.
#[test]
fn a_clock_that_goes_back_stalls_nothing() {
    let mut world = World::new("", None, None, at("2026-06-05T12:00:00Z"));
    world.run(at("2026-06-05T14:00:00Z"), &mut |_, _, now| bureau(now));
    let by = Duration::seconds(86_400);
    world.now = world.now.before(by);
    world.desk.set_back(by);
    let before = world.asked.len();
    world.desk.watch(vec![Watched { instrument: InstrumentId(1), symbol: "AAA".to_owned() }], world.now);
    world.run(world.now.plus(Duration::seconds(3_600)), &mut |_, _, _| Err(Refusal::of(Failure::Timeout)));
    assert!(world.asked.len() > before, "nothing was asked for an hour");
}
