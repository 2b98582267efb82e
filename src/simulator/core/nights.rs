//! Nights: swaps are charged at midnight in Warsaw, for three nights on one day of the week, and not at weekends.

use jiff::civil::Time;
use jiff::tz::TimeZone;

use crate::domain::WallTime;
use crate::simulator::records::{TRIPLE_SWAP_DAY, ZONE};
use crate::simulator::{Sent, Simulator};

/// The first day of the week, counted from Monday as 0, whose night costs nothing.
const SATURDAY: i64 = 5;

impl Simulator {
    /// A night has passed on the market: swaps are charged on what is open, on the day of the market's clock.
    pub fn night(&mut self, now: WallTime, out: &mut Vec<Sent>) {
        let day = weekday(self.market_clock.unwrap_or(now));
        self.charge(now, day, out);
    }

    /// Charges for the midnights since the last look. Where a tape's clock rules, whoever plays it says when a night has passed.
    pub(super) fn pass_nights(&mut self, now: WallTime, out: &mut Vec<Sent>) {
        while now >= self.next_night {
            let ended = weekday(WallTime(self.next_night.0 - 1));
            self.next_night = midnight_after(self.next_night);
            if self.market_clock.is_none() && ended < SATURDAY {
                self.charge(now, ended, out);
            }
        }
    }

    fn charge(&mut self, now: WallTime, day: i64, out: &mut Vec<Sent>) {
        let nights = if day == TRIPLE_SWAP_DAY { 3 } else { 1 };
        let mut events = Vec::new();
        self.dealer.roll_over(nights, &mut events);
        self.publish(now, &events, out);
    }
}

/// The first midnight in Warsaw after an instant.
pub(super) fn midnight_after(at: WallTime) -> WallTime {
    let Ok(zone) = TimeZone::get(ZONE) else { return WallTime(i64::MAX) };
    let tomorrow = zone.to_datetime(at.timestamp()).date().tomorrow();
    let midnight = tomorrow.and_then(|date| zone.to_timestamp(date.to_datetime(Time::midnight())));
    let nanos = midnight.ok().and_then(|midnight| i64::try_from(midnight.as_nanosecond()).ok());
    nanos.map_or(WallTime(i64::MAX), WallTime)
}

/// The day of the week in Warsaw, 0 Monday.
fn weekday(at: WallTime) -> i64 {
    TimeZone::get(ZONE).map_or(0, |zone| i64::from(zone.to_datetime(at.timestamp()).weekday().to_monday_zero_offset()))
}
