//! Identities. Each is its own type, so that an order number can never be handed over as a position number.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $inner:ty, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&format!(concat!($prefix, "{}"), self.0))
            }
        }
    };
}

number_id!(
    /// An instrument's stable number in `config/instruments.toml`.
    InstrumentId, u32, "i"
);
number_id!(
    /// The account an order, position or fill belongs to.
    AccountId, u32, "a"
);
number_id!(
    /// One run of the engine over one tape or feed; kept across restarts until it is ended.
    RunId, u64, "run-"
);
number_id!(
    /// A place in the ordered stream of events.
    Sequence, u64, ""
);
number_id!(
    /// An order of ours, unique in the ledger for ever.
    OrderId, u64, "o"
);
number_id!(
    /// A position; it carries the number of the order that opened it.
    PositionId, u64, "p"
);
number_id!(
    /// A judged opinion about an instrument.
    SignalId, u64, "s"
);
number_id!(
    /// A trade that waits for a person.
    ProposalId, u64, "t"
);
number_id!(
    /// An alert's number; numbers have no gaps, so a gap on screen is visible.
    AlertId, u64, "n"
);
number_id!(
    /// A ledger's random number, drawn when its database is made; part of every order mark.
    LedgerId, u32, ""
);
number_id!(
    /// An order's number at the broker.
    BrokerRef, u64, "b"
);
number_id!(
    /// A fill's number at the broker, unique per account.
    DealId, u64, "d"
);

impl InstrumentId {
    /// Instruments of a person's own have numbers from here on, up to [`InstrumentId::OWN_UNTIL`]; the program's table stays below.
    pub const OWN_FROM: u32 = 501;
    /// See [`InstrumentId::OWN_FROM`].
    pub const OWN_UNTIL: u32 = 999;

    /// Whether a person added it.
    pub const fn is_own(self) -> bool {
        self.0 >= Self::OWN_FROM && self.0 <= Self::OWN_UNTIL
    }
}

impl PositionId {
    /// Whether it was opened elsewhere and adopted.
    pub const fn is_adopted(self) -> bool {
        self.0 >= OrderId::ADOPTED.0
    }
}

impl OrderId {
    /// Orders that were not made here have numbers from here on, made from the broker's: those of its own doing first, what was adopted
    /// from [`OrderId::ADOPTED`] on.
    pub const FOREIGN: Self = Self(1 << 48);
    /// See [`OrderId::FOREIGN`].
    pub const ADOPTED: Self = Self(1 << 49);

    /// The mark that travels to the broker with the order: 22 characters, unique across ledgers.
    pub fn mark(self, ledger: LedgerId) -> String {
        format!("pmax-{:08x}-{:08}", ledger.0, self.0)
    }
}
