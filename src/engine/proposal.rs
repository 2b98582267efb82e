//! A trade that waits for a person.

use serde::{Deserialize, Serialize};

use crate::domain::{MarketTime, OrderRequest, Price, ProposalId, Ratio, SignalId, WallTime};
use crate::portfolio::{NotSized, SizingRule};

/// A validated, sized signal. Its order exists only after a person confirmed this very revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Its number.
    pub id: ProposalId,
    /// Rises when price, size or levels are computed anew.
    pub revision: u32,
    /// The signal behind it, also where it closes the position because the signal's horizon has ended.
    pub signal: SignalId,
    /// The order it would become.
    pub request: OrderRequest,
    /// Price it was computed at.
    pub reference: Price,
    /// How far the price may move before the proposal is computed anew.
    pub tolerance: Ratio,
    /// How the size was found; `None` for a close.
    pub sizing: Option<SizingRule>,
    /// Why the size is exploratory; nothing for another size, a close, and in runs that learn no chances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_sized: Option<NotSized>,
    /// When, in market time.
    pub made_at: MarketTime,
    /// When it lapses, on the wall clock.
    pub expires: WallTime,
}
