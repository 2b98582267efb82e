//! Why a provider gave nothing: one taxonomy for all of them, and what each kind means for whom to ask next.

use std::fmt;

use crate::domain::{CleanText, Duration, Flaw};

/// A kind of failure. Each counts in its own way; see [`Failure::means`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// No answer in time.
    Timeout,
    /// The name is not known.
    Dns,
    /// No encrypted connection.
    Tls,
    /// No connection, or one that broke.
    Transport,
    /// Too many requests.
    Throttled {
        /// When the provider wants to be asked again, if it said so.
        retry_after: Option<Duration>,
    },
    /// A page for people where data should be, or a place that is not served.
    Blocked,
    /// Not for this key, or for customers only.
    NotEntitled,
    /// The key is not taken.
    BadKey,
    /// The requests of the day are used up, whatever was counted here.
    QuotaExhausted,
    /// The provider does not know the symbol.
    UnknownSymbol,
    /// The request was refused for what it asked.
    BadRequest,
    /// A valid answer without data.
    NoData,
    /// The provider's own trouble (5xx, or its words for it).
    Upstream,
    /// What came cannot be read at all.
    Malformed,
    /// It can be read, but fields that must be there are not, or are of another kind.
    Schema,
    /// It can be read and makes no sense: prices that are not above zero, crossed, out of order, a hundredfold.
    Nonsense,
    /// What came is too old.
    Stale,
    /// Its prices are not those that were taken before from another provider.
    Splice,
}

/// What a failure means for whom to ask next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// Nothing about the provider: the request, or the hour.
    Nothing,
    /// Nothing about the provider, but this instrument is asked of it no more for so long.
    Skip(Duration),
    /// One strike against the provider; several in a row keep it from being asked.
    Strike,
    /// It is not asked for so long.
    Pause(Duration),
    /// Its whole host is not asked: for so long as it said, or else longer each time.
    PauseHost(Option<Duration>),
    /// Its whole host is not asked before its day turns.
    PauseDay,
    /// It is not asked for the same thing again in this process.
    Remove,
    /// It is asked for nothing again in this process.
    RemoveAll,
}

impl Failure {
    /// What it means. An unknown symbol, an empty answer and a refused request say nothing about the provider's health.
    pub const fn means(self) -> Means {
        match self {
            Self::NoData => Means::Nothing,
            Self::UnknownSymbol | Self::BadRequest => Means::Skip(Duration::seconds(600)),
            Self::Stale => Means::Skip(Duration::seconds(60)),
            Self::Splice => Means::Skip(Duration::seconds(300)),
            Self::Timeout | Self::Dns | Self::Tls | Self::Transport => Means::Strike,
            Self::Upstream | Self::Malformed | Self::Schema | Self::Nonsense => Means::Strike,
            Self::Blocked => Means::Pause(Duration::seconds(900)),
            Self::Throttled { retry_after } => Means::PauseHost(retry_after),
            Self::QuotaExhausted => Means::PauseDay,
            Self::NotEntitled => Means::Remove,
            Self::BadKey => Means::RemoveAll,
        }
    }

    /// In words, as behind "Kraken: ".
    pub const fn words(self) -> &'static str {
        match self {
            Self::Timeout => "no answer in time",
            Self::Dns => "its name is not known here",
            Self::Tls => "no encrypted connection",
            Self::Transport => "no connection",
            Self::Throttled { .. } => "too many requests",
            Self::Blocked => "it does not serve this place",
            Self::NotEntitled => "not entitled",
            Self::BadKey => "it does not take the key",
            Self::QuotaExhausted => "its requests of the day are used up",
            Self::UnknownSymbol => "it does not know the symbol",
            Self::BadRequest => "it refused the request",
            Self::NoData => "no data",
            Self::Upstream => "trouble of its own",
            Self::Malformed => "an answer that cannot be read",
            Self::Schema => "an answer of another shape",
            Self::Nonsense => "prices that make no sense",
            Self::Stale => "nothing new",
            Self::Splice => "prices unlike those before",
        }
    }
}

/// A failure with what was said of it, cleaned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its kind.
    pub failure: Failure,
    /// The provider's or the system's words; may be empty.
    pub said: CleanText,
    /// What was wrong with what was told of one instrument, where that is what it is about.
    pub flaw: Option<Flaw>,
    /// What the provider calls that instrument, where only what was said tells which.
    pub about: Option<String>,
}

impl Refusal {
    /// A refusal with words from outside, which are cleaned here.
    pub fn new(failure: Failure, said: &str) -> Self {
        // A sentence of a provider can be a page; what helps stands at its beginning.
        let short: String = said.chars().take(120).collect();
        Self { failure, said: CleanText::from_outside(&short), flaw: None, about: None }
    }

    /// A refusal that needs no more words than its kind.
    pub fn of(failure: Failure) -> Self {
        Self { failure, said: CleanText::default(), flaw: None, about: None }
    }

    /// Nonsense that is told of an instrument.
    pub fn flawed(flaw: Flaw, said: &str) -> Self {
        Self { flaw: Some(flaw), ..Self::new(Failure::Nonsense, said) }
    }

    /// The same about the instrument of this name.
    #[must_use]
    pub fn about(self, name: String) -> Self {
        Self { about: Some(name), ..self }
    }

    /// What an answer that could not be read says by its status and its looks.
    pub fn unread(status: u16, body: &[u8], error: &serde_json::Error) -> Self {
        let is_page = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<');
        match status {
            429 => Self::of(Failure::Throttled { retry_after: None }),
            500..=599 => Self::new(Failure::Upstream, &format!("HTTP {status}")),
            403 | 451 => Self::new(Failure::Blocked, &format!("HTTP {status}")),
            _ if is_page => Self::new(Failure::Blocked, "a page for people"),
            _ if error.is_data() => Self::new(Failure::Schema, &error.to_string()),
            _ => Self::of(Failure::Malformed),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.failure.words())?;
        match (self.said.as_str(), self.failure) {
            ("", _) => Ok(()),
            (said, Failure::NotEntitled) => write!(formatter, ": {said}"),
            (said, _) => write!(formatter, " ({said})"),
        }
    }
}
