//! Series whose truth is known, and how often each test and interval that the program prints is wrong about it.

use pmax::stats::{self, Bandwidth, Generator, Interval, Lags, Observed, Resampler, Scheme};

/// Everything here follows from it.
pub const SEED: u64 = 20_261_126;
/// Share of the time that every test and interval states to be wrong.
pub const STATED: f64 = 0.05;
const LEVEL: f64 = 1.0 - STATED;
/// True Sharpe ratio a day, about 0.8 a year.
const SHARPE: f64 = 0.05;
/// True standard deviation a day.
const DEVIATION: f64 = 0.01;
/// How much of a day's deviation from the mean the next one keeps, where one depends on the other.
const KEPT: f64 = 0.3;
/// Share of the variance that follows the last day's square, and the last day's variance (Bollerslev 1986).
const SHOCK: f64 = 0.08;
const PERSISTENCE: f64 = 0.90;
/// Days before the series, until it has forgotten where it began.
const WARM_UP: usize = 300;

/// How one day depends on the days before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    /// Not at all; normal.
    Independent,
    /// Its deviation from the mean is partly the last one.
    Autoregressive,
    /// The same, and calm and nervous times take turns.
    Garch,
}

impl Process {
    /// All, in the order of the report.
    pub const ALL: [Self; 3] = [Self::Independent, Self::Autoregressive, Self::Garch];

    /// `count` daily returns with the true mean, deviation and Sharpe ratio above.
    fn returns(self, count: usize, generator: &mut Generator) -> Vec<f64> {
        let kept = match self {
            Self::Independent => 0.0,
            Self::Autoregressive | Self::Garch => KEPT,
        };
        let scale = DEVIATION * (1.0 - kept * kept).sqrt();
        let (mut variance, mut shock, mut away) = (1.0_f64, 0.0, 0.0);
        let mut day = || {
            variance = match self {
                Self::Independent | Self::Autoregressive => 1.0,
                Self::Garch => (1.0 - SHOCK - PERSISTENCE) + SHOCK * shock * shock + PERSISTENCE * variance,
            };
            shock = variance.sqrt() * generator.normal();
            away = kept * away + scale * shock;
            SHARPE * DEVIATION + away
        };
        let days: Vec<f64> = (0..WARM_UP + count).map(|_| day()).collect();
        days.into_iter().skip(WARM_UP).collect()
    }
}

/// What is asked of a series; each is wrong where it rejects, or leaves out, what is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Student's t test of the true mean; its interval of the mean is the same question.
    MeanByT,
    /// Interval of the mean by single draws.
    MeanBySingleDraws,
    /// Interval of the mean by blocks.
    MeanByBlocks,
    /// Interval of the Sharpe ratio by its standard error.
    SharpeByError,
    /// Probability of a better Sharpe ratio than the true one, said to be 95 % or more.
    SharpeByProbability,
    /// Studentised interval of the Sharpe ratio by single draws.
    SharpeBySingleDraws,
    /// The same by blocks.
    SharpeByBlocks,
    /// Ljung and Box's test of no memory, ten lags.
    Memory,
    /// Jarque and Bera's test of normality.
    Normality,
    /// Dickey and Fuller's test of a unit root, asked of the returns added up.
    UnitRoot,
    /// Kwiatkowski, Phillips, Schmidt and Shin's test of a steady level.
    Level,
}

impl Question {
    /// All, in the order of the report.
    pub const ALL: [Self; 11] = [
        Self::MeanByT,
        Self::MeanBySingleDraws,
        Self::MeanByBlocks,
        Self::SharpeByError,
        Self::SharpeByProbability,
        Self::SharpeBySingleDraws,
        Self::SharpeByBlocks,
        Self::Memory,
        Self::Normality,
        Self::UnitRoot,
        Self::Level,
    ];

    /// Its row in the report.
    pub fn title(self) -> &'static str {
        match self {
            Self::MeanByT => "mean: t test and t interval",
            Self::MeanBySingleDraws => "mean: percentile bootstrap, single draws",
            Self::MeanByBlocks => "mean: percentile bootstrap, blocks",
            Self::SharpeByError => "Sharpe ratio: Lo and Mertens' interval",
            Self::SharpeByProbability => "Sharpe ratio: probabilistic, one-sided",
            Self::SharpeBySingleDraws => "Sharpe ratio: studentised bootstrap, single draws",
            Self::SharpeByBlocks => "Sharpe ratio: studentised bootstrap, blocks",
            Self::Memory => "no memory: Ljung–Box, 10 lags",
            Self::Normality => "normality: Jarque–Bera",
            Self::UnitRoot => "unit root: Dickey–Fuller, of the returns added up",
            Self::Level => "steady level: KPSS",
        }
    }

    /// Whether what it takes for granted, or asks, is true of the process.
    pub fn is_true_of(self, process: Process) -> bool {
        match self {
            Self::Memory => process == Process::Independent,
            Self::Normality => process != Process::Garch,
            Self::MeanByT
            | Self::MeanBySingleDraws
            | Self::MeanByBlocks
            | Self::SharpeByError
            | Self::SharpeByProbability
            | Self::SharpeBySingleDraws
            | Self::SharpeByBlocks
            | Self::UnitRoot
            | Self::Level => true,
        }
    }
}

/// Many series of one kind and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// How days depend on each other.
    pub process: Process,
    /// Days of a series.
    pub days: usize,
    /// Replications of a bootstrap.
    pub replications: u64,
}

/// How often a question was wrong, of how many series that gave an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rejected or left out the truth.
    pub wrong: u64,
    /// Answered.
    pub answered: u64,
}

impl Tally {
    /// Share of answers that were wrong.
    pub fn share(self) -> f64 {
        self.wrong as f64 / self.answered as f64
    }
}

impl Cell {
    /// Asks all questions, in order, of the series with these numbers; a series follows from seed, cell and number.
    pub fn ask(self, series: core::ops::Range<u64>) -> [Tally; Question::ALL.len()] {
        let mut tallies = [Tally::default(); Question::ALL.len()];
        for number in series {
            for (tally, is_wrong) in tallies.iter_mut().zip(self.answers(number)) {
                tally.answered += u64::from(is_wrong.is_some());
                tally.wrong += u64::from(is_wrong == Some(true));
            }
        }
        tallies
    }

    fn answers(self, number: u64) -> [Option<bool>; Question::ALL.len()] {
        let stream = ((self.process as u64) << 48) | ((self.days as u64) << 24) | number;
        let values = self.process.returns(self.days, &mut Generator::of_replication(SEED, stream));
        let single = self.resampled(&values, Some(1.0), stream);
        let blocks = self.resampled(&values, None, stream);
        let observed = Observed::of(&values, 0.0);
        Question::ALL.map(|question| match question {
            Question::MeanByT => Some(stats::t_test(&values, SHARPE * DEVIATION)?.p < STATED),
            Question::MeanBySingleDraws => Some(misses(single?.mean, SHARPE * DEVIATION)),
            Question::MeanByBlocks => Some(misses(blocks?.mean, SHARPE * DEVIATION)),
            Question::SharpeByError => Some(misses(observed?.interval(LEVEL)?, SHARPE)),
            Question::SharpeByProbability => Some(observed?.probabilistic(SHARPE)? >= LEVEL),
            Question::SharpeBySingleDraws => Some(misses(single?.sharpe, SHARPE)),
            Question::SharpeByBlocks => Some(misses(blocks?.sharpe, SHARPE)),
            Question::Memory => Some(stats::ljung_box(&values, 10, 0)?.p < STATED),
            Question::Normality => Some(stats::jarque_bera(&values)?.p < STATED),
            Question::UnitRoot => Some(stats::dickey_fuller(&added_up(&values), Lags::Akaike)?.p < STATED),
            Question::Level => Some(stats::kpss(&values, Bandwidth::Automatic)?.p < STATED),
        })
    }

    /// Intervals by blocks of this mean length, or of one chosen from the data as the program does.
    fn resampled(self, values: &[f64], length: Option<f64>, stream: u64) -> Option<Resampled> {
        let length = length.or_else(|| Some(stats::optimal_block_lengths(values)?.stationary))?;
        let observed = Observed::of(values, 0.0)?;
        let (mut means, mut students) = (Vec::new(), Vec::new());
        let resampler = Resampler::new(values, 0.0)?;
        for replica in resampler.replications(Scheme::Stationary(length), SEED ^ stream, 0..self.replications) {
            means.push(replica.mean);
            students.extend(replica.sharpe.zip(replica.sharpe_error).map(|(sharpe, error)| (sharpe - observed.sharpe) / error));
        }
        means.sort_unstable_by(f64::total_cmp);
        students.sort_unstable_by(f64::total_cmp);
        let mean = stats::percentile_interval(&means, LEVEL)?;
        let sharpe = stats::studentised_interval(observed.sharpe, observed.standard_error()?, &students, LEVEL)?;
        Some(Resampled { mean, sharpe })
    }
}

#[derive(Debug, Clone, Copy)]
struct Resampled {
    mean: Interval,
    sharpe: Interval,
}

fn misses(interval: Interval, truth: f64) -> bool {
    truth < interval.low || interval.high < truth
}

fn added_up(values: &[f64]) -> Vec<f64> {
    let sum = |sum: &mut f64, value: &f64| {
        *sum += value;
        Some(*sum)
    };
    values.iter().scan(0.0, sum).collect()
}
