//! Where orders may go and whether they may at all.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where orders may go. Every start is [`Mode::ReadOnly`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Nothing is sent anywhere.
    #[default]
    ReadOnly,
    /// Orders go to the paper exchange inside this process.
    Paper,
    /// Orders go to a broker's demo account.
    Demo,
}

/// Which broker a run trades with. A run never changes it: its positions are that broker's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrokerKind {
    /// The paper exchange inside this process.
    #[default]
    Paper,
    /// A demo account over xAPI.
    Xapi,
}

impl BrokerKind {
    /// The mode in which orders go to it.
    pub const fn armed(self) -> Mode {
        match self {
            Self::Paper => Mode::Paper,
            Self::Xapi => Mode::Demo,
        }
    }

    /// The word of configuration and command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Xapi => "xapi",
        }
    }
}

/// Whether trading is allowed. Persisted with who, why and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TradingState {
    /// Everything within limits.
    #[default]
    Active,
    /// Only orders that reduce exposure.
    Reducing,
    /// Nothing but the kill switch's own cancels and closes.
    Halted,
}

/// How risky a signal is; the one list that code, database and screen share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskLevel {
    /// Annual volatility below 20 %.
    Low,
    /// 20 % to 40 %.
    Medium,
    /// 40 % to 80 %.
    High,
    /// 80 % and above.
    Extreme,
}

/// Who acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// A person at the screen.
    Person,
    /// A person through a second process or the kill file.
    Outside,
    /// The engine itself: a breaker, a rule, a timer.
    Engine,
    /// The runtime: a start, a failed commit, a dead task.
    Watchdog,
}

impl Mode {
    /// The badge of the status line and the window title.
    pub const fn badge(self) -> &'static str {
        match self {
            Self::ReadOnly => "READ-ONLY",
            Self::Paper => "PAPER",
            Self::Demo => "DEMO",
        }
    }
}

impl fmt::Display for TradingState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Active => "ACTIVE",
            Self::Reducing => "REDUCING",
            Self::Halted => "HALTED",
        })
    }
}

impl RiskLevel {
    /// All levels, calmest first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Extreme];

    /// The level of an annualised volatility (`0.25` is 25 %).
    pub fn of_volatility(annual: f64) -> Self {
        if annual < 0.2 {
            Self::Low
        } else if annual < 0.4 {
            Self::Medium
        } else if annual < 0.8 {
            Self::High
        } else {
            Self::Extreme
        }
    }

    /// The word stored and shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Extreme => "extreme",
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Person => "you",
            Self::Outside => "the kill file",
            Self::Engine => "engine",
            Self::Watchdog => "watchdog",
        })
    }
}
