//! The order form: text that a person types, read strictly. What cannot be read is refused, never guessed.

use tui_input::Input;

use crate::domain::{
    Instrument, InstrumentId, OrderId, OrderKind, OrderSide, PositionId, Price, Protection, Quantity, TimeInForce,
};
use crate::engine::Ticket;
use crate::ui::intent::Intent;

/// Market, limit or stop, before a price is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KindChoice {
    /// At the next price.
    Market,
    /// At a price or better.
    Limit,
    /// Once a price is touched.
    Stop,
}

/// A field of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Buy or sell.
    Side,
    /// How much.
    Quantity,
    /// Market, limit or stop.
    Kind,
    /// The named price.
    Price,
    /// Exit on the losing side.
    StopLoss,
    /// Exit on the winning side.
    TakeProfit,
    /// How long.
    TimeInForce,
}

/// What the form is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A new order.
    New,
    /// Change this order.
    Modify(OrderId),
    /// Set the exits of this position.
    Protect(PositionId),
}

/// The form.
#[derive(Debug, Clone)]
pub struct Form {
    /// What for.
    pub purpose: Purpose,
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: OrderSide,
    /// Market, limit or stop.
    pub kind: KindChoice,
    /// How long.
    pub time_in_force: TimeInForce,
    /// Typed quantity.
    pub quantity: Input,
    /// Typed price.
    pub price: Input,
    /// Typed stop-loss.
    pub stop_loss: Input,
    /// Typed take-profit.
    pub take_profit: Input,
    /// The field under the cursor.
    pub focus: usize,
}

impl Form {
    /// An empty form.
    pub fn new(purpose: Purpose, instrument: InstrumentId, side: OrderSide) -> Self {
        Self {
            purpose,
            instrument,
            side,
            kind: KindChoice::Market,
            time_in_force: TimeInForce::GoodTillCancelled,
            quantity: Input::default(),
            price: Input::default(),
            stop_loss: Input::default(),
            take_profit: Input::default(),
            focus: 0,
        }
    }

    /// The fields that matter for the purpose and kind.
    pub fn fields(&self) -> Vec<Field> {
        let priced = self.kind != KindChoice::Market;
        match self.purpose {
            Purpose::New => {
                let mut fields = vec![Field::Side, Field::Quantity, Field::Kind];
                fields.extend(priced.then_some(Field::Price));
                fields.extend([Field::StopLoss, Field::TakeProfit, Field::TimeInForce]);
                fields
            }
            Purpose::Modify(_) => vec![Field::Quantity, Field::Price],
            Purpose::Protect(_) => vec![Field::StopLoss, Field::TakeProfit],
        }
    }

    /// The field under the cursor.
    pub fn focused(&self) -> Field {
        let fields = self.fields();
        fields.get(self.focus.min(fields.len().saturating_sub(1))).copied().unwrap_or(Field::Quantity)
    }

    /// The text of a field that is typed, for editing.
    pub fn input(&mut self, field: Field) -> Option<&mut Input> {
        match field {
            Field::Quantity => Some(&mut self.quantity),
            Field::Price => Some(&mut self.price),
            Field::StopLoss => Some(&mut self.stop_loss),
            Field::TakeProfit => Some(&mut self.take_profit),
            Field::Side | Field::Kind | Field::TimeInForce => None,
        }
    }

    /// The next choice of a field that is chosen.
    pub fn choose(&mut self, field: Field) {
        match field {
            Field::Side => self.side = self.side.opposite(),
            Field::Kind => {
                self.kind = match self.kind {
                    KindChoice::Market => KindChoice::Limit,
                    KindChoice::Limit => KindChoice::Stop,
                    KindChoice::Stop => KindChoice::Market,
                };
            }
            Field::TimeInForce => {
                self.time_in_force = match self.time_in_force {
                    TimeInForce::GoodTillCancelled => TimeInForce::Day,
                    TimeInForce::Day => TimeInForce::GoodTillCancelled,
                };
            }
            Field::Quantity | Field::Price | Field::StopLoss | Field::TakeProfit => {}
        }
    }

    /// The intent the form says, or the field that cannot be read and why.
    pub fn read(&self, instrument: &Instrument) -> Result<Intent, (Field, String)> {
        let protection = Protection {
            stop_loss: optional_price(Field::StopLoss, &self.stop_loss, instrument)?,
            take_profit: optional_price(Field::TakeProfit, &self.take_profit, instrument)?,
        };
        if let Purpose::Protect(position) = self.purpose {
            return Ok(Intent::Protect { position, protection });
        }
        let quantity = read_quantity(&self.quantity, instrument)?;
        let named = |kind: fn(Price) -> OrderKind| {
            let price = optional_price(Field::Price, &self.price, instrument)?;
            price.map(kind).ok_or((Field::Price, "name a price".to_owned()))
        };
        let kind = match self.kind {
            KindChoice::Market => OrderKind::Market,
            KindChoice::Limit => named(OrderKind::Limit)?,
            KindChoice::Stop => named(OrderKind::Stop)?,
        };
        if let Purpose::Modify(order) = self.purpose {
            return Ok(Intent::Modify { order, quantity, kind });
        }
        let (side, time_in_force) = (self.side, self.time_in_force);
        Ok(Intent::Ticket(Ticket { instrument: self.instrument, side, quantity, kind, time_in_force, protection }))
    }
}

fn read_quantity(input: &Input, instrument: &Instrument) -> Result<Quantity, (Field, String)> {
    let text = input.value().trim();
    if text.is_empty() {
        return Err((Field::Quantity, "how much?".to_owned()));
    }
    let quantity: Quantity = text.parse().map_err(|_| (Field::Quantity, format!("«{text}» is not a quantity")))?;
    if !quantity.is_positive() {
        return Err((Field::Quantity, "must be above zero".to_owned()));
    }
    if !quantity.is_multiple_of(instrument.lot) {
        return Err((Field::Quantity, format!("must be a multiple of {}", instrument.lot)));
    }
    Ok(quantity)
}

fn optional_price(field: Field, input: &Input, instrument: &Instrument) -> Result<Option<Price>, (Field, String)> {
    let text = input.value().trim();
    if text.is_empty() {
        return Ok(None);
    }
    let price: Price = text.parse().map_err(|_| (field, format!("«{text}» is not a price")))?;
    if !price.is_positive() {
        return Err((field, "must be above zero".to_owned()));
    }
    if price.rounded_to(instrument.tick) != price {
        return Err((field, format!("must be a multiple of the tick {}", instrument.tick)));
    }
    Ok(Some(price))
}

impl Field {
    /// Its label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Side => "side",
            Self::Quantity => "quantity",
            Self::Kind => "type",
            Self::Price => "price",
            Self::StopLoss => "stop-loss",
            Self::TakeProfit => "take-profit",
            Self::TimeInForce => "valid",
        }
    }
}

impl KindChoice {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Market => "market",
            Self::Limit => "limit",
            Self::Stop => "stop",
        }
    }
}
