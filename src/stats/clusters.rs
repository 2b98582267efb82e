//! The mean of observations that come in groups, one after another: those of one group may depend on each other in any way, neighbouring
//! groups a little, others not.

use serde::{Deserialize, Serialize};

use crate::stats::descriptive::defined;
use crate::stats::{Interval, student_t_975};

/// Groups at which the bound for every look is narrowest.
const NARROWEST_AT: f64 = 100.0;

/// Sums over groups; memory does not grow with them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Clusters {
    groups: u64,
    count: u64,
    sum: f64,
    /// Sums over groups of the group's sum squared, of its sum times its count, and of its count squared.
    squares: f64,
    products: f64,
    counts: f64,
    /// The same of each group and the one before: products of their sums, of sums and counts crosswise, and of counts.
    beside: [f64; 3],
    last: Option<(f64, f64)>,
}

impl Clusters {
    /// Adds a group of so many observations with this sum.
    pub fn add(&mut self, sum: f64, count: u64) {
        let size = count as f64;
        self.groups += 1;
        self.count += count;
        self.sum += sum;
        self.squares += sum * sum;
        self.products += sum * size;
        self.counts += size * size;
        if let Some((before, counted)) = self.last.replace((sum, size)) {
            let [sums, crosswise, counts] = self.beside;
            self.beside = [sums + before * sum, crosswise + before * size + counted * sum, counts + counted * size];
        }
    }

    /// How many groups.
    pub const fn groups(&self) -> u64 {
        self.groups
    }

    /// Mean of all observations; `None` without any.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64).and_then(defined)
    }

    /// Its standard error, groups being independent and observations in them not (Liang and Zeger 1986, with the factor G / (G − 1) for G
    /// groups). `None` below two groups.
    pub fn standard_error(&self) -> Option<f64> {
        let mean = self.mean().filter(|_| self.groups >= 2)?;
        self.error_of(self.apart(mean))
    }

    /// The same where neighbouring groups may depend on each other too: their covariance counts where it makes the error larger (Hansen and
    /// Hodrick 1980, one lag).
    pub fn error_with_neighbours(&self) -> Option<f64> {
        let mean = self.mean().filter(|_| self.groups >= 2)?;
        let [sums, crosswise, counts] = self.beside;
        let beside = sums - mean * crosswise + mean * mean * counts;
        self.error_of(self.apart(mean) + 2.0 * beside.max(0.0))
    }

    /// Sum over groups of the squared distance of the group's sum from what the mean says of it.
    fn apart(&self, mean: f64) -> f64 {
        (self.squares - 2.0 * mean * self.products + mean * mean * self.counts).max(0.0)
    }

    fn error_of(&self, apart: f64) -> Option<f64> {
        let groups = self.groups as f64;
        defined(libm::sqrt(groups / (groups - 1.0) * apart) / self.count as f64)
    }

    /// 95 % interval of the mean for one look at it, with neighbours: Student's t with one degree of freedom less than there are groups.
    pub fn interval_95(&self) -> Option<Interval> {
        let (mean, error) = (self.mean()?, self.error_with_neighbours()?);
        around(mean, student_t_975(self.groups - 1) * error)
    }

    /// Interval of the mean, with neighbours, that holds at every look at once with a chance of 1 − `false_alarm` (between 0 and 1), so that whoever looks
    /// after each group and stops when it suits is fooled no more often. For many groups: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas
    /// 2024, *Time-uniform central limit theory and asymptotic confidence sequences*, theorem 2.2, narrowest at a hundred groups.
    pub fn interval_at_every_look(&self, false_alarm: f64) -> Option<Interval> {
        let is_sound = false_alarm > 0.0 && false_alarm < 1.0;
        let (mean, error) = (self.mean().filter(|_| is_sound)?, self.error_with_neighbours()?);
        let groups = self.groups as f64;
        let twice = -2.0 * libm::log(false_alarm);
        let scale = (twice + libm::log(twice) + 1.0) / NARROWEST_AT;
        let grown = groups * scale + 1.0;
        let deviations = libm::sqrt(2.0 * grown / (groups * scale) * libm::log(libm::sqrt(grown) / false_alarm));
        around(mean, deviations * error)
    }
}

fn around(centre: f64, half: f64) -> Option<Interval> {
    Some(Interval { low: defined(centre - half)?, high: defined(centre + half)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats;

    #[test]
    fn groups_of_one_are_the_usual_interval() {
        // Each value is on the other side of the mean than the one before: neighbours make nothing larger.
        let values = [0.01, -0.02, 0.015, -0.03, 0.011, -0.01, 0.002];
        let mut clusters = Clusters::default();
        values.iter().for_each(|value| clusters.add(*value, 1));
        let (ours, usual) = (clusters.interval_95().unwrap(), stats::mean_interval_95(&values).unwrap());
        assert!((ours.low - usual.low).abs() < 1e-12 && (ours.high - usual.high).abs() < 1e-12);
    }

    #[test]
    fn neighbours_that_go_together_widen_the_interval() {
        let mut clusters = Clusters::default();
        [0.01, 0.012, 0.011, -0.01, -0.012, -0.009].iter().for_each(|value| clusters.add(*value, 1));
        assert!(clusters.error_with_neighbours().unwrap() > 1.3 * clusters.standard_error().unwrap());
    }

    #[test]
    fn a_group_told_ten_times_is_no_more_than_one() {
        let values = [0.01, -0.02, 0.005, 0.03, -0.011, 0.0, 0.002];
        let (mut once, mut often) = (Clusters::default(), Clusters::default());
        for value in values {
            once.add(value, 1);
            often.add(value * 10.0, 10);
        }
        let (once, often) = (once.interval_95().unwrap(), often.interval_95().unwrap());
        assert!((once.low - often.low).abs() < 1e-12 && (once.high - often.high).abs() < 1e-12);
    }

    #[test]
    fn what_says_nothing_is_undefined() {
        let mut clusters = Clusters::default();
        assert_eq!((clusters.mean(), clusters.standard_error(), clusters.interval_95()), (None, None, None));
        clusters.add(0.5, 2);
        assert_eq!((clusters.mean(), clusters.standard_error()), (Some(0.25), None));
        clusters.add(0.1, 1);
        assert!(clusters.interval_at_every_look(0.05).is_some());
        assert_eq!((clusters.interval_at_every_look(0.0), clusters.interval_at_every_look(1.0)), (None, None));
        clusters.add(f64::NAN, 1);
        assert_eq!((clusters.mean(), clusters.interval_95()), (None, None));
    }
}
