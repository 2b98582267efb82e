//! What the open positions are worth, kept up to date per quote at constant cost.

use serde::{Deserialize, Serialize};

use crate::domain::{ArithmeticError, InstrumentId, Money, Position, PositionSide, Price, SCALE};
use crate::portfolio::Ledger;

/// Quantities held of one instrument and its last price, in raw 1e-9 units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Held {
    long: i64,
    short: i64,
    mark: i64,
}

impl Held {
    fn net(self) -> i128 {
        (i128::from(self.long) - i128::from(self.short)) * i128::from(self.mark)
    }

    fn gross(self) -> i128 {
        (i128::from(self.long) + i128::from(self.short)) * i128::from(self.mark)
    }
}

/// How much of one instrument is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exposure {
    /// Value long minus value short.
    pub net: Money,
    /// Value long plus value short.
    pub gross: Money,
}

/// Running sums of `quantity × last price`, exact at 1e-18 so that they equal a recomputation from scratch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Valuation {
    held: Vec<Held>,
    net: i128,
    gross: i128,
}

fn to_money(value: i128, like: Money) -> Result<Money, ArithmeticError> {
    let nanos = i64::try_from(value.div_euclid(SCALE.into())).map_err(|_| ArithmeticError::Overflow)?;
    Ok(Money::from_nanos(nanos, like.currency()))
}

impl Valuation {
    /// Takes a new price. Returns whether the value of the book changed.
    pub fn mark(&mut self, instrument: InstrumentId, price: Price) -> bool {
        let Some(held) = self.slot(instrument) else { return false };
        let before = *held;
        held.mark = price.nanos();
        let after = *held;
        if after.long == 0 && after.short == 0 {
            return false;
        }
        self.net += after.net() - before.net();
        self.gross += after.gross() - before.gross();
        before.mark != after.mark
    }

    /// Takes the positions of one instrument anew after a fill.
    pub fn reposition(&mut self, instrument: InstrumentId, ledger: &Ledger) {
        let of_instrument = |side: PositionSide| {
            let matching = |position: &&Position| position.instrument == instrument && position.side == side;
            ledger.positions().values().filter(matching).map(|position| position.quantity.nanos()).sum::<i64>()
        };
        let (long, short) = (of_instrument(PositionSide::Long), of_instrument(PositionSide::Short));
        let Some(held) = self.slot(instrument) else { return };
        let before = *held;
        (held.long, held.short) = (long, short);
        let after = *held;
        self.net += after.net() - before.net();
        self.gross += after.gross() - before.gross();
    }

    /// Whether anything of this side is held of an instrument.
    pub fn holds(&self, instrument: InstrumentId, side: PositionSide) -> bool {
        let held = self.of(instrument);
        match side {
            PositionSide::Long => held.long > 0,
            PositionSide::Short => held.short > 0,
        }
    }

    /// The value held of several instruments together: of each one side, or both where none is named. Rounded once, down.
    pub fn total(
        &self,
        parts: impl Iterator<Item = (InstrumentId, Option<PositionSide>)>,
        ledger: &Ledger,
    ) -> Result<Money, ArithmeticError> {
        let value = |(instrument, side): (InstrumentId, Option<PositionSide>)| {
            let held = self.of(instrument);
            match side {
                Some(PositionSide::Long) => i128::from(held.long) * i128::from(held.mark),
                Some(PositionSide::Short) => i128::from(held.short) * i128::from(held.mark),
                None => held.gross(),
            }
        };
        to_money(parts.map(value).sum(), ledger.cash())
    }

    fn of(&self, instrument: InstrumentId) -> Held {
        usize::try_from(instrument.0).ok().and_then(|index| self.held.get(index)).copied().unwrap_or_default()
    }

    /// The last price taken, if any.
    pub fn last(&self, instrument: InstrumentId) -> Option<Price> {
        let held = self.held.get(usize::try_from(instrument.0).ok()?)?;
        (held.mark > 0).then(|| Price::from_nanos(held.mark))
    }

    /// Cash plus the signed value of all positions.
    pub fn equity(&self, ledger: &Ledger) -> Result<Money, ArithmeticError> {
        ledger.cash().plus(to_money(self.net, ledger.cash())?)
    }

    /// The sum of the sizes of all positions.
    pub fn gross(&self, ledger: &Ledger) -> Result<Money, ArithmeticError> {
        to_money(self.gross, ledger.cash())
    }

    /// Exposure in one instrument.
    pub fn exposure(&self, instrument: InstrumentId, ledger: &Ledger) -> Result<Exposure, ArithmeticError> {
        let held = self.of(instrument);
        Ok(Exposure { net: to_money(held.net(), ledger.cash())?, gross: to_money(held.gross(), ledger.cash())? })
    }

    /// Drops all holdings and keeps the prices, for a fresh account.
    pub fn clear_holdings(&mut self) {
        for held in &mut self.held {
            (held.long, held.short) = (0, 0);
        }
        (self.net, self.gross) = (0, 0);
    }

    fn slot(&mut self, instrument: InstrumentId) -> Option<&mut Held> {
        /// Instrument numbers are small and dense; a larger one is a damaged tape, refused at the door.
        const MOST_INSTRUMENTS: usize = 65_536;
        let index = usize::try_from(instrument.0).ok().filter(|index| *index < MOST_INSTRUMENTS)?;
        if index >= self.held.len() {
            self.held.resize(index + 1, Held::default());
        }
        self.held.get_mut(index)
    }
}
