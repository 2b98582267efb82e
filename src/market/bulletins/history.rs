//! Economic series that come with the program, told to a tape's run when they were released.

use std::sync::{Arc, LazyLock};

use jiff::civil::Date;

use crate::domain::{Duration, Edition, Indicator, MarketTime, Observation, Reading};
use crate::market::bulletins::csv::is_missing;
use crate::market::bulletins::view::SeriesView;
use crate::market::bulletins::{BulletinTable, BulletinView, Found};

/// Par yields of the Treasury, and payrolls; `assets/economy/README.md` says where they come from.
const FILES: [&str; 2] = [
    include_str!("../../../assets/economy/us_treasury_par_curve.csv"),
    include_str!("../../../assets/economy/us_nonfarm_payroll.csv"),
];
/// Values of each series that a run begins with.
const BEGINS_WITH: usize = 60;
/// A series whose latest value was released so long ago has ended: a run that begins later hears nothing of it.
const ENDED: Duration = Duration::seconds(45 * 86_400);

/// The table of the program: a tape goes by it alone, so that the same tape gives the same run.
const TABLE: &str = include_str!("../../../config/bulletins.toml");

/// The table and all values in the order of their releases: worked out once.
#[derive(Debug)]
struct Library {
    table: BulletinTable,
    values: Vec<Observation>,
}

static LIBRARY: LazyLock<Option<Library>> = LazyLock::new(|| {
    let table = BulletinTable::read(TABLE, None).ok()?;
    let mut values: Vec<Observation> = FILES.iter().flat_map(|text| dated(&table, read(text))).collect();
    values.sort_by_key(|one| (one.known_at, one.indicator, one.period));
    Some(Library { table, values })
});

/// The series of the program, and how far they were told.
#[derive(Debug, Clone)]
pub struct TapeBulletins {
    library: &'static Library,
    told: usize,
    has_begun: bool,
    view: Option<(MarketTime, Arc<BulletinView>)>,
}

impl TapeBulletins {
    /// The series of the program before any is told.
    ///
    /// Nothing where the program's own table cannot be read, which a test rules out.
    pub fn new() -> Option<Self> {
        LIBRARY.as_ref().map(|library| Self { library, told: 0, has_begun: false, view: None })
    }

    /// When the next value is released.
    pub fn next_at(&self) -> Option<MarketTime> {
        self.library.values.get(self.told).map(|one| one.known_at)
    }

    /// What was released since the last call, up to and with this instant. The first call tells what a run begins with.
    pub fn due(&mut self, now: MarketTime) -> Vec<Observation> {
        if self.next_at().is_none_or(|at| at > now) {
            return Vec::new();
        }
        let end = self.library.values.partition_point(|one| one.known_at <= now);
        let due = self.library.values.get(self.told..end).unwrap_or_default();
        let due = if self.has_begun {
            due.to_vec()
        } else {
            let latest = |id: Indicator| {
                let of: Vec<Observation> = due.iter().filter(|one| one.indicator == id).copied().collect();
                if of.last().is_none_or(|last| now.since(last.known_at).0 > ENDED.0) {
                    return Vec::new();
                }
                of.get(of.len().saturating_sub(BEGINS_WITH)..).unwrap_or_default().to_vec()
            };
            let mut first: Vec<Observation> = Indicator::ALL.into_iter().flat_map(latest).collect();
            first.sort_by_key(|one| (one.known_at, one.indicator, one.period));
            first
        };
        (self.told, self.has_begun) = (end, true);
        due
    }

    /// What the screen shows beside the values: when each series that a tape may hold comes next.
    pub fn view(&mut self, now: MarketTime) -> Arc<BulletinView> {
        if let Some((_, view)) = self.view.as_ref().filter(|(until, _)| now < *until) {
            return Arc::clone(view);
        }
        let told = self.library.values.get(..self.told).unwrap_or_default();
        let latest = |id: Indicator| told.iter().rev().find(|one| one.indicator == id).map(|one| one.known_at);
        let row = |indicator: Indicator| SeriesView {
            indicator,
            heard: None,
            next: self.library.table.next_release(indicator, now),
            is_overdue: latest(indicator).is_some_and(|at| now.since(at).0 > ENDED.0),
            trouble: None,
        };
        let series: Vec<SeriesView> = self.library.table.series.keys().copied().map(row).collect();
        let until = series.iter().filter_map(|row| row.next).map(|(_, at)| at).min().unwrap_or(MarketTime(i64::MAX));
        let view = Arc::new(BulletinView { series, ..BulletinView::default() });
        // A run does not go back in time.
        self.view = Some((until, Arc::clone(&view)));
        view
    }
}

/// A table of the program: the period, then one column for each series by its word.
fn read(text: &str) -> Vec<Found> {
    let mut lines = text.lines();
    let header: Vec<Option<Indicator>> = lines.next().unwrap_or_default().split(',').map(Indicator::of_word).collect();
    let mut found = Vec::new();
    for line in lines {
        let mut cells = line.split(',');
        let Some(period) = cells.next().and_then(|cell| cell.parse::<Date>().ok()) else { continue };
        for (indicator, cell) in header.iter().skip(1).zip(cells) {
            let value = if is_missing(cell) { None } else { Reading::read(cell) };
            found.extend(indicator.zip(value).map(|(indicator, value)| Found { indicator, period, value }));
        }
    }
    found
}

/// The values of the program are of one later day: those of a series that is revised may have been.
fn dated(table: &BulletinTable, found: Vec<Found>) -> Vec<Observation> {
    let mut latest: Option<(&str, Date, Option<MarketTime>)> = None;
    let dated = found.into_iter().filter_map(|Found { indicator, period, value }| {
        let row = table.series.get(&indicator)?;
        let known_at = match latest {
            // The columns of a row are released together.
            Some((rule, of, known_at)) if rule == row.release && of == period => known_at,
            Some(_) | None => table.release(indicator)?.known_at(period),
        };
        latest = Some((row.release.as_str(), period, known_at));
        let edition = if row.revised { Edition::Revised } else { Edition::First };
        Some(Observation { indicator, period, value, known_at: known_at?, edition })
    });
    dated.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::{Economy, Slope};

    fn bulletins() -> TapeBulletins {
        TapeBulletins::new().unwrap()
    }

    fn at(text: &str) -> MarketTime {
        MarketTime::parse(text).unwrap()
    }

    #[test]
    fn a_tape_hears_each_value_at_its_release_and_never_before() {
        let mut bulletins = bulletins();
        let mut economy = Economy::default();
        let mut now = at("2008-08-01T00:00:00Z");
        let end = at("2008-12-10T00:00:00Z");
        let mut told = 0;
        while now < end {
            for one in bulletins.due(now) {
                assert!(one.known_at <= now, "{one:?} at {now}");
                assert!(told == 0 || one.known_at > MarketTime(now.0 - 3_600_000_000_000), "{one:?} came late");
                economy.take(one);
            }
            told += 1;
            now = now.plus(crate::domain::Duration::seconds(3_600));
        }
        let payrolls = |text: &str| economy.as_of(Indicator::Payrolls, at(text)).next().unwrap().period.to_string();
        // The report on August came on 5 September at half past eight in New York.
        assert_eq!([payrolls("2008-09-05T12:29:00Z"), payrolls("2008-09-05T12:30:00Z")], ["2008-07-01", "2008-08-01"]);
        let jobs = economy.jobs(at("2008-12-05T14:00:00Z")).unwrap();
        assert_eq!(jobs.change.map(|(month, _)| month.to_string()), Some("2008-11-01".to_owned()));
        assert!(jobs.change.unwrap().1.nanos() < -400_000_000_000, "{jobs:?}");
    }

    #[test]
    fn a_run_that_begins_after_a_series_has_ended_hears_nothing_of_it() {
        assert!(bulletins().due(at("2020-02-20T20:45:00Z")).is_empty());
        let in_2016 = bulletins().due(at("2016-06-01T20:00:00Z"));
        assert!(in_2016.iter().all(|one| one.indicator != Indicator::Payrolls) && !in_2016.is_empty());
        assert!(in_2016.len() <= BEGINS_WITH * 8);
    }

    #[test]
    fn the_curve_was_inverted_before_the_crisis_and_not_in_it() {
        let mut bulletins = bulletins();
        let mut economy = Economy::default();
        for one in bulletins.due(at("2007-02-28T22:00:00Z")) {
            economy.take(one);
        }
        assert_eq!(economy.curve(at("2007-02-28T22:00:00Z")).unwrap().slope(), Slope::Inverted);
        for one in bulletins.due(at("2008-10-10T22:00:00Z")) {
            economy.take(one);
        }
        assert_eq!(economy.curve(at("2008-10-10T22:00:00Z")).unwrap().slope(), Slope::Normal);
        let view = bulletins.view(at("2008-10-10T22:00:00Z"));
        let next = view.series.iter().find(|row| row.indicator == Indicator::Payrolls);
        assert_eq!(next.unwrap().next.unwrap().1, at("2008-11-07T13:30:00Z"));
    }
}
