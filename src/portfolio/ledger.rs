//! The ledger: cash and positions as the sum of fills.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::{
    AccountId, ArithmeticError, Currency, DealId, Fill, Money, OrderSide, Position, PositionId, Protection, Quantity,
};

/// Deal numbers remembered to recognise a repeat; the database keeps all of them unique.
const REMEMBERED_DEALS: usize = 16_384;

/// Why a fill does not fit the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LedgerError {
    /// The same deal again: harmless, and nothing is done.
    #[error("deal {0} was applied before")]
    Duplicate(DealId),
    /// A closing fill names a position that is not open.
    #[error("position {0} is not open")]
    NoPosition(PositionId),
    /// A closing fill is larger than the position, or on the wrong side.
    #[error("the fill does not fit position {0}")]
    Mismatch(PositionId),
    /// Amounts left the range of the ledger.
    #[error(transparent)]
    Arithmetic(#[from] ArithmeticError),
}

/// What a fill did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FillResult {
    /// Profit realised by this fill, before its cost.
    pub realised: Money,
    /// Whether the position is gone.
    pub closed: bool,
}

/// The account as a fill would leave it.
struct After {
    position: Position,
    cash: Money,
    costs: Money,
    realised: Money,
}

/// Cash and open positions of one account in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    account: AccountId,
    starting_capital: Money,
    cash: Money,
    realised: Money,
    costs: Money,
    positions: BTreeMap<PositionId, Position>,
    deals: BTreeSet<DealId>,
    deal_order: VecDeque<DealId>,
}

impl Ledger {
    /// An account that holds only cash.
    pub fn new(account: AccountId, capital: Money) -> Self {
        let nothing = Money::zero(capital.currency());
        Self {
            account,
            starting_capital: capital,
            cash: capital,
            realised: nothing,
            costs: nothing,
            positions: BTreeMap::new(),
            deals: BTreeSet::new(),
            deal_order: VecDeque::new(),
        }
    }

    /// The position and the cash a fill would leave, without taking it.
    pub fn would_give(&self, fill: &Fill, protection: Protection) -> Result<(Position, Money), LedgerError> {
        let after = self.after(fill, protection)?;
        Ok((after.position, after.cash))
    }

    /// Adds one fill. On an error nothing has changed.
    pub fn apply(&mut self, fill: &Fill, protection: Protection) -> Result<FillResult, LedgerError> {
        let After { position, cash, costs, realised } = self.after(fill, protection)?;
        let gained = realised.minus(self.realised)?;
        (self.cash, self.costs, self.realised) = (cash, costs, realised);
        let closed = position.quantity.is_zero();
        if closed {
            self.positions.remove(&fill.position);
        } else {
            self.positions.insert(fill.position, position);
        }
        self.remember(fill.deal);
        Ok(FillResult { realised: gained, closed })
    }

    /// Changes the exit levels of an open position.
    pub fn protect(&mut self, position: PositionId, protection: Protection) {
        if let Some(position) = self.positions.get_mut(&position) {
            position.protection = protection;
        }
    }

    /// The account's currency.
    pub const fn currency(&self) -> Currency {
        self.cash.currency()
    }

    /// Cash, proceeds of shorts included.
    pub const fn cash(&self) -> Money {
        self.cash
    }

    /// What the account began with.
    pub const fn starting_capital(&self) -> Money {
        self.starting_capital
    }

    /// Profit of everything closed, before costs.
    pub const fn realised(&self) -> Money {
        self.realised
    }

    /// All costs paid.
    pub const fn costs(&self) -> Money {
        self.costs
    }

    /// Open positions by number.
    pub const fn positions(&self) -> &BTreeMap<PositionId, Position> {
        &self.positions
    }

    /// One open position.
    pub fn position(&self, id: PositionId) -> Option<&Position> {
        self.positions.get(&id)
    }

    /// Every trade that is booked.
    pub const fn deals(&self) -> &BTreeSet<DealId> {
        &self.deals
    }

    /// The account as a fill leaves it.
    fn after(&self, fill: &Fill, protection: Protection) -> Result<After, LedgerError> {
        if self.deals.contains(&fill.deal) {
            return Err(LedgerError::Duplicate(fill.deal));
        }
        let value = Money::notional(fill.price, fill.quantity, self.currency())?;
        let cash = match fill.side {
            OrderSide::Buy => self.cash.minus(value)?,
            OrderSide::Sell => self.cash.plus(value)?,
        }
        .minus(fill.cost)?;
        let (position, gained) = if fill.closes {
            self.closed_part(fill, value)?
        } else {
            (self.grown(fill, value, protection)?, Money::zero(self.currency()))
        };
        Ok(After { position, cash, costs: self.costs.plus(fill.cost)?, realised: self.realised.plus(gained)? })
    }

    /// The position as an opening fill leaves it.
    fn grown(&self, fill: &Fill, value: Money, protection: Protection) -> Result<Position, LedgerError> {
        let nothing = Money::zero(self.currency());
        let fresh = || Position {
            id: fill.position,
            account: self.account,
            instrument: fill.instrument,
            side: fill.side.opens(),
            quantity: Quantity::ZERO,
            basis: nothing,
            realised: nothing,
            costs: nothing,
            protection,
            opened_at: fill.at,
        };
        let held = self.positions.get(&fill.position).cloned().unwrap_or_else(fresh);
        if held.side != fill.side.opens() || held.instrument != fill.instrument {
            return Err(LedgerError::Mismatch(fill.position));
        }
        Ok(Position {
            quantity: held.quantity.plus(fill.quantity)?,
            basis: held.basis.plus(value)?,
            costs: held.costs.plus(fill.cost)?,
            ..held
        })
    }

    /// The position as a closing fill leaves it, and the profit that realises.
    fn closed_part(&self, fill: &Fill, value: Money) -> Result<(Position, Money), LedgerError> {
        let held = self.positions.get(&fill.position).ok_or(LedgerError::NoPosition(fill.position))?;
        if held.side.closing() != fill.side || held.instrument != fill.instrument || fill.quantity > held.quantity {
            return Err(LedgerError::Mismatch(fill.position));
        }
        let basis = held.basis.prorated(fill.quantity, held.quantity)?;
        let realised = held.side.signed(value.minus(basis)?);
        let left = Position {
            quantity: held.quantity.minus(fill.quantity)?,
            basis: held.basis.minus(basis)?,
            realised: held.realised.plus(realised)?,
            costs: held.costs.plus(fill.cost)?,
            ..held.clone()
        };
        Ok((left, realised))
    }

    fn remember(&mut self, deal: DealId) {
        self.deals.insert(deal);
        self.deal_order.push_back(deal);
        if self.deal_order.len() > REMEMBERED_DEALS
            && let Some(oldest) = self.deal_order.pop_front()
        {
            self.deals.remove(&oldest);
        }
    }
}
