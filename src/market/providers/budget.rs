//! How often a provider may be asked: per second, per minute and per day, and not before it wants to be asked again.
//!
//! Pure: time comes in, and the counts go out as text to be kept. A request is counted before it leaves, so that a crash between the two
//! costs one request and never grants one. The day turns at midnight in the provider's own zone. A clock that is set back grants nothing, and
//! holds nothing up for longer than the days it went back over, two of them at most.

use std::collections::{BTreeMap, VecDeque};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use crate::domain::{Duration, WallTime};
use crate::market::providers::ProviderId;

/// A second and a minute.
const SECOND: Duration = Duration::seconds(1);
const MINUTE: Duration = Duration::seconds(60);
/// A host that asks for a pause without a length is left alone for so long, then twice as long each time, up to fifteen minutes.
const FIRST_PAUSE: Duration = Duration::seconds(60);
const LONGEST_PAUSE: Duration = Duration::seconds(900);
/// A pause that a provider asks for is kept up to this length.
const LONGEST_ASKED: Duration = Duration::seconds(86_400);

/// What may be asked at most. What is not stated is not limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Requests in any second.
    pub per_second: Option<u32>,
    /// Requests in any minute.
    pub per_minute: Option<u32>,
    /// Requests in a day of the provider's zone.
    pub per_day: Option<u32>,
}

/// One count: a provider as a whole, or one of its endpoints.
type Account = (ProviderId, String);

/// Days before today whose counts are kept, for a clock that is set back; and after it, where one was.
const KEPT_BEFORE: i64 = 7;
const KEPT_AFTER: i64 = 2;

/// What one account has spent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Spent {
    /// Requests by day of the provider's zone. Days after today count for today: the clock went back since.
    #[serde(default)]
    days: BTreeMap<Date, u32>,
    /// How counts were kept before there was one for each day: taken over where they are found.
    #[serde(default, skip_serializing)]
    day: Option<Date>,
    #[serde(default, skip_serializing)]
    used: u32,
    /// When the latest requests left, oldest first; at most a minute's worth.
    recent: VecDeque<WallTime>,
}

/// A pause that a provider asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Paused {
    until: WallTime,
    /// How long the last one was, where the provider named no length.
    length: Duration,
}

/// The counts as they are kept. A map of accounts is a list, as its keys are pairs.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    spent: Vec<(ProviderId, String, Spent)>,
    paused: Vec<(ProviderId, Paused)>,
}

/// Limits and counts of all providers.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    limits: BTreeMap<Account, Limits>,
    zones: BTreeMap<ProviderId, TimeZone>,
    spent: BTreeMap<Account, Spent>,
    paused: BTreeMap<ProviderId, Paused>,
}

impl Budget {
    /// Limits a provider as a whole; its day turns in this zone.
    pub fn limit(&mut self, provider: ProviderId, limits: Limits, zone: TimeZone) {
        self.limits.insert((provider, String::new()), limits);
        self.zones.insert(provider, zone);
    }

    /// Limits one endpoint of a provider besides.
    pub fn limit_endpoint(&mut self, provider: ProviderId, endpoint: &str, limits: Limits) {
        self.limits.insert((provider, endpoint.to_owned()), limits);
    }

    /// Takes up counts that were kept. What cannot be read is said, and counts begin anew.
    pub fn take_up(&mut self, text: &str) -> Result<(), serde_json::Error> {
        let kept: Kept = serde_json::from_str(text)?;
        self.spent = kept.spent.into_iter().map(|(provider, endpoint, spent)| ((provider, endpoint), spent)).collect();
        self.paused = kept.paused.into_iter().collect();
        Ok(())
    }

    /// Begins at this time: what was kept of a later one was counted by a clock that went ahead, and counts from now on.
    pub fn begin(&mut self, now: WallTime) {
        for spent in self.spent.values_mut() {
            spent.recent.iter_mut().for_each(|at| *at = (*at).min(now));
        }
        for paused in self.paused.values_mut() {
            paused.until = paused.until.min(now.plus(LONGEST_ASKED));
        }
        self.settle_days(now);
    }

    /// The clock went back by so much, to this time: what left lately left that much earlier by it.
    pub fn set_back(&mut self, by: Duration, now: WallTime) {
        for spent in self.spent.values_mut() {
            spent.recent.iter_mut().for_each(|at| *at = at.before(by));
        }
        self.paused.values_mut().for_each(|paused| paused.until = paused.until.before(by));
        self.settle_days(now);
    }

    /// What was counted on days that are far from coming counts today: it left lately, whatever the clock said.
    fn settle_days(&mut self, now: WallTime) {
        let accounts: Vec<(Account, Date)> =
            self.spent.keys().map(|account| (account.clone(), self.today(account.0, now))).collect();
        for (account, today) in accounts {
            self.spent.entry(account).and_modify(|spent| spent.settle(today));
        }
    }

    /// How much it keeps.
    pub fn size(&self) -> usize {
        self.spent.values().map(|spent| spent.days.len() + spent.recent.len()).sum::<usize>() + self.paused.len()
    }

    /// The counts as text, to be kept.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        let spent = self.spent.iter().map(|((provider, endpoint), spent)| (*provider, endpoint.clone(), spent.clone()));
        let paused = self.paused.iter().map(|(provider, paused)| (*provider, *paused));
        serde_json::to_string(&Kept { spent: spent.collect(), paused: paused.collect() })
    }

    /// When the next request may leave: now, or later.
    pub fn ready_at(&self, provider: ProviderId, endpoint: &str, now: WallTime) -> WallTime {
        let paused = self.paused.get(&provider).map_or(now, |paused| paused.until.max(now));
        let of = |endpoint: &str| self.account_ready_at((provider, endpoint.to_owned()), now);
        paused.max(of("")).max(of(endpoint))
    }

    /// Counts a request that is about to leave; `false` where none may.
    #[must_use]
    pub fn spend(&mut self, provider: ProviderId, endpoint: &str, now: WallTime) -> bool {
        if self.ready_at(provider, endpoint, now) > now {
            return false;
        }
        let today = self.today(provider, now);
        for endpoint in ["", endpoint] {
            let spent = self.spent.entry((provider, endpoint.to_owned())).or_default();
            spent.count(today);
            spent.recent.retain(|at| now.since(*at).0 < MINUTE.0);
            spent.recent.push_back(now);
        }
        true
    }

    /// The provider wants to be left alone: for so long, or for longer each time. Returns until when.
    pub fn pause(&mut self, provider: ProviderId, asked: Option<Duration>, now: WallTime) -> WallTime {
        let before = self.paused.get(&provider).copied();
        let doubled = |paused: Paused| Duration((paused.length.0.saturating_mul(2)).clamp(FIRST_PAUSE.0, LONGEST_PAUSE.0));
        // A pause that ended an hour ago has nothing to do with this one.
        let again = before.filter(|paused| now.since(paused.until).0 < 4 * LONGEST_PAUSE.0);
        let own = again.map_or(FIRST_PAUSE, doubled);
        let (length, wait) = match asked {
            Some(asked) => (FIRST_PAUSE, Duration(asked.0.clamp(SECOND.0, LONGEST_ASKED.0))),
            None => (own, own),
        };
        let until = now.plus(wait).max(before.map_or(now, |paused| paused.until));
        self.paused.insert(provider, Paused { until, length });
        until
    }

    /// When a provider's day turns next.
    pub fn day_turns(&self, provider: ProviderId, now: WallTime) -> WallTime {
        self.next_day(provider, self.today(provider, now))
    }

    /// Until when a provider wants to be left alone.
    pub fn paused_until(&self, provider: ProviderId, now: WallTime) -> Option<WallTime> {
        self.paused.get(&provider).map(|paused| paused.until).filter(|until| *until > now)
    }

    /// Requests of the provider's day so far, and how many it may be.
    pub fn used_today(&self, provider: ProviderId, now: WallTime) -> (u32, Option<u32>) {
        let account = (provider, String::new());
        let today = self.today(provider, now);
        let used = self.spent.get(&account).map_or(0, |spent| spent.used_on(today));
        (used, self.limits.get(&account).and_then(|limits| limits.per_day))
    }

    fn account_ready_at(&self, account: Account, now: WallTime) -> WallTime {
        let (Some(limits), Some(spent)) = (self.limits.get(&account), self.spent.get(&account)) else { return now };
        let today = self.today(account.0, now);
        let day = match limits.per_day {
            Some(most) if spent.used_on(today) >= most => self.next_day(account.0, today),
            _ => now,
        };
        let within = |most: Option<u32>, length: Duration| {
            let most = usize::try_from(most?).ok()?;
            // The request that has to leave the window before there is room for another.
            let blocking = spent.recent.len().checked_sub(most).map(|index| spent.recent.get(index).copied());
            blocking.map(|at| at.unwrap_or(now).plus(length))
        };
        let second = within(limits.per_second, SECOND).unwrap_or(now);
        let minute = within(limits.per_minute, MINUTE).unwrap_or(now);
        day.max(second).max(minute).max(now)
    }

    fn zone(&self, provider: ProviderId) -> TimeZone {
        self.zones.get(&provider).cloned().unwrap_or(TimeZone::UTC)
    }

    fn today(&self, provider: ProviderId, now: WallTime) -> Date {
        self.zone(provider).to_datetime(now.timestamp()).date()
    }

    fn next_day(&self, provider: ProviderId, today: Date) -> WallTime {
        let midnight = today.saturating_add(1.day()).at(0, 0, 0, 0);
        let at = self.zone(provider).to_timestamp(midnight).unwrap_or(Timestamp::MAX);
        WallTime(i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX))
    }
}

impl Spent {
    /// Requests that count for this day: its own, and those of days after it.
    fn used_on(&self, today: Date) -> u32 {
        self.days.range(today..).fold(0, |sum, (_, used)| sum.saturating_add(*used))
    }

    fn count(&mut self, today: Date) {
        let first = today.saturating_sub(KEPT_BEFORE.days());
        self.days.retain(|day, _| *day >= first);
        let used = self.days.entry(today).or_default();
        *used = used.saturating_add(1);
    }

    fn settle(&mut self, today: Date) {
        // A count that lost its day counts today.
        let (day, used) = (self.day.take().unwrap_or(today), std::mem::take(&mut self.used));
        if used > 0 {
            let before = self.days.entry(day).or_default();
            *before = before.saturating_add(used);
        }
        let last = today.saturating_add(KEPT_AFTER.days());
        let ahead = self.days.iter().filter(|(day, _)| **day > last).fold(0_u32, |sum, (_, used)| sum.saturating_add(*used));
        self.days.retain(|day, _| *day <= last);
        if ahead > 0 {
            let used = self.days.entry(today).or_default();
            *used = used.saturating_add(ahead);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAHOO: ProviderId = ProviderId::Yahoo;

    fn at(text: &str) -> WallTime {
        WallTime::parse(text).unwrap()
    }

    fn budget(per_second: u32, per_minute: u32, per_day: u32) -> Budget {
        let limits = Limits { per_second: Some(per_second), per_minute: Some(per_minute), per_day: Some(per_day) };
        let mut budget = Budget::default();
        budget.limit(YAHOO, limits, TimeZone::get("America/New_York").unwrap());
        budget
    }

    /// Asks as often as it may until `until`, and gives when each request left.
    fn greedy(budget: &mut Budget, mut now: WallTime, until: WallTime) -> Vec<WallTime> {
        let mut sent = Vec::new();
        while now < until {
            let ready = budget.ready_at(YAHOO, "chart", now);
            if ready > now {
                now = ready;
                continue;
            }
            assert!(budget.spend(YAHOO, "chart", now));
            sent.push(now);
        }
        sent
    }

    #[test]
    fn no_window_of_a_second_a_minute_or_a_day_holds_more_than_it_may() {
        let mut budget = budget(2, 20, 1_000);
        let sent = greedy(&mut budget, at("2026-11-27T00:00:00Z"), at("2026-11-29T12:00:00Z"));
        let most = |length: Duration| {
            let within = |from: &WallTime| sent.iter().filter(|at| (0..length.0).contains(&at.since(*from).0)).count();
            sent.iter().take(2_000).map(within).max().unwrap()
        };
        assert_eq!((most(SECOND), most(MINUTE)), (2, 20));
        // Midnight in New York is five in the morning in London.
        let on = |from: &str, until: &str| sent.iter().filter(|sent| **sent >= at(from) && **sent < at(until)).count();
        assert_eq!(on("2026-11-27T00:00:00Z", "2026-11-27T05:00:00Z"), 1_000);
        assert_eq!(on("2026-11-27T05:00:00Z", "2026-11-28T05:00:00Z"), 1_000);
        assert_eq!(on("2026-11-28T05:00:00Z", "2026-11-29T05:00:00Z"), 1_000);
    }

    #[test]
    fn a_restart_at_any_request_grants_none() {
        let mut budget = budget(5, 100, 25);
        let (start, mut count) = (at("2026-11-27T12:00:00Z"), 0);
        for second in 0..600 {
            let now = start.plus(Duration::seconds(second));
            let text = budget.to_text().unwrap();
            budget = {
                let mut again = super::tests::budget(5, 100, 25);
                again.take_up(&text).unwrap();
                again
            };
            count += u32::from(budget.spend(YAHOO, "chart", now));
        }
        assert_eq!((count, budget.used_today(YAHOO, start)), (25, (25, Some(25))));
        assert!(budget.take_up("{\"spent\":").is_err());
        assert_eq!(budget.used_today(YAHOO, start).0, 25, "what cannot be read changes nothing");
    }

    #[test]
    fn a_count_that_lost_its_day_grants_nothing() {
        let (mut budget, now) = (budget(100, 100, 3), at("2026-11-27T12:00:00Z"));
        budget.take_up(r#"{"spent":[["yahoo","",{"day":null,"used":2,"recent":[]}]],"paused":[]}"#).unwrap();
        budget.begin(now);
        assert_eq!((budget.used_today(YAHOO, now).0, budget.spend(YAHOO, "chart", now)), (2, true));
        assert_eq!((budget.used_today(YAHOO, now).0, budget.spend(YAHOO, "chart", now)), (3, false));
    }

    #[test]
    fn a_clock_that_is_set_back_grants_nothing() {
        let mut budget = budget(100, 100, 3);
        let now = at("2026-11-27T12:00:00Z");
        (0..3).for_each(|_| assert!(budget.spend(YAHOO, "chart", now)));
        let before = at("2026-11-26T12:00:00Z");
        assert!(!budget.spend(YAHOO, "chart", before));
        assert!(budget.spend(YAHOO, "chart", at("2026-11-28T12:00:00Z")));
    }

    #[test]
    fn a_clock_that_was_ahead_holds_nothing_up_for_longer_than_a_few_days() {
        let mut budget = budget(1, 1, 3);
        let (ahead, now) = (at("2027-11-27T12:00:00Z"), at("2026-11-27T12:00:00Z"));
        (0..3).for_each(|minute| assert!(budget.spend(YAHOO, "chart", ahead.plus(Duration::seconds(60 * minute)))));
        let text = budget.to_text().unwrap();
        let check = |mut budget: Budget| {
            assert!(!budget.spend(YAHOO, "chart", now), "what left lately counts today");
            assert_eq!(budget.ready_at(YAHOO, "chart", now), at("2026-11-28T05:00:00Z"));
            assert!(budget.spend(YAHOO, "chart", at("2026-11-28T05:00:00Z")));
        };
        let mut again = super::tests::budget(1, 1, 3);
        again.take_up(&text).unwrap();
        again.begin(now);
        check(again);
        budget.set_back(ahead.since(now), now);
        check(budget);
    }

    #[test]
    fn a_clock_that_is_set_back_by_an_hour_keeps_requests_a_minute_apart_and_goes_on() {
        let mut budget = budget(1, 1, 100);
        let now = at("2026-11-27T12:00:00Z");
        assert!(budget.spend(YAHOO, "chart", now));
        let back = at("2026-11-27T11:00:20Z");
        budget.set_back(Duration::seconds(3_600), back);
        assert_eq!(budget.ready_at(YAHOO, "chart", back), at("2026-11-27T11:01:00Z"));
    }

    #[test]
    fn a_day_of_a_zone_is_as_long_as_its_clocks_make_it() {
        for (day, next, hours) in
            [("2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z", 25), ("2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z", 23)]
        {
            let (day, next) = (at(day), at(next));
            assert_eq!(next.since(day), Duration::seconds(hours * 3_600));
            let mut budget = budget(10, 10, 4);
            (0..4).for_each(|_| assert!(budget.spend(YAHOO, "chart", day)));
            assert_eq!(budget.ready_at(YAHOO, "chart", next.before(Duration(1))), next);
            assert!(
                !budget.spend(YAHOO, "chart", day.before(Duration(1))),
                "what counts for a later day counts for this one too"
            );
            assert!(budget.spend(YAHOO, "chart", next));
        }
    }

    #[test]
    fn a_host_is_left_alone_for_as_long_as_it_asks_or_for_longer_each_time() {
        let mut budget = budget(100, 1_000, 10_000);
        let now = at("2026-11-27T12:00:00Z");
        assert_eq!(budget.pause(YAHOO, Some(Duration::seconds(17)), now), now.plus(Duration::seconds(17)));
        assert_eq!(budget.ready_at(YAHOO, "chart", now), now.plus(Duration::seconds(17)));
        let mut now = now.plus(Duration::seconds(7_200));
        for seconds in [60, 120, 240, 480, 900, 900] {
            let until = budget.pause(YAHOO, None, now);
            assert_eq!(until.since(now), Duration::seconds(seconds));
            assert!(!budget.spend(YAHOO, "chart", now));
            now = until;
        }
        assert!(budget.spend(YAHOO, "chart", now));
    }

    #[test]
    fn an_endpoint_may_be_limited_besides() {
        let mut budget = budget(100, 1_000, 10_000);
        budget.limit_endpoint(YAHOO, "search", Limits { per_day: Some(1), ..Limits::default() });
        let now = at("2026-11-27T12:00:00Z");
        assert!(budget.spend(YAHOO, "search", now));
        assert!(!budget.spend(YAHOO, "search", now));
        assert!(budget.spend(YAHOO, "chart", now));
        assert_eq!(budget.used_today(YAHOO, now).0, 2);
    }
}
