//! What a person here and another client of the same account wish for, drawn from the seed.

use pmax::domain::{InstrumentId, OrderId, OrderKind, OrderSide, Price, Protection, Quantity, TimeInForce};
use pmax::engine::{Command, Seen, SnapshotRequest, Ticket};
use pmax::orders::TrackedOrder;
use pmax::risk::Acknowledged;
use pmax::simulator::{Dice, Port};

use super::{TRADED, World};

impl World {
    /// Another client of the same account: it opens, closes wholly or in part, places, deletes, and moves or removes stops, of its own
    /// and of ours.
    pub(super) fn stranger(&mut self) {
        let dealer = self.simulator.dealer();
        let positions: Vec<_> = dealer.positions().values().cloned().collect();
        let waiting: Vec<_> = dealer.waiting().values().cloned().collect();
        let adopted: Vec<_> =
            positions.iter().filter(|trade| self.takes_ours || !trade.mark.starts_with("pmax-")).cloned().collect();
        let draw = &mut self.dice;
        let (id, symbol, ..) = TRADED[usize::try_from(draw.below(3)).unwrap()];
        let (what, cmd, away) = (draw.below(8), draw.below(2), draw.below(2) == 0);
        let mut pick = |count: usize| usize::try_from(draw.below(count as u64)).unwrap();
        let lots = |hundredths: i64| format!("0.{hundredths:02}");
        let side = |trade: &pmax::exchange::Trade| if trade.side == OrderSide::Buy { 0 } else { 1 };
        let wish = match what {
            2 | 3 if !adopted.is_empty() => {
                let trade = &adopted[pick(adopted.len())];
                let hundredths = trade.volume.nanos() / 10_000_000;
                let part = if away && hundredths > 1 { hundredths - 1 } else { hundredths };
                (side(trade), 2, trade.symbol.clone(), lots(part), "1.0".to_owned(), "0".to_owned(), trade.position)
            }
            4 => {
                let price = self.level(id, if cmd == 0 { -10 } else { 10 });
                (i64::try_from(cmd).unwrap() + 2, 0, symbol.to_owned(), lots(1), price.to_string(), "0".to_owned(), 0)
            }
            5 if !waiting.is_empty() => {
                let trade = &waiting[pick(waiting.len())];
                (side(trade) + 2, 4, trade.symbol.clone(), lots(1), "1.0".to_owned(), "0".to_owned(), trade.order)
            }
            6 | 7 if !positions.is_empty() => {
                let trade = positions[pick(positions.len())].clone();
                let id = TRADED.into_iter().find(|(_, symbol, ..)| *symbol == trade.symbol).unwrap().0;
                let level = self.level(id, if trade.side == OrderSide::Buy { -18 } else { 18 });
                let stop = if away { "0".to_owned() } else { level.to_string() };
                (side(&trade), 3, trade.symbol.clone(), trade.volume.to_string(), "1.0".to_owned(), stop, trade.position)
            }
            _ => {
                let hundredths = i64::try_from(pick(3)).unwrap() + 1;
                (i64::try_from(cmd).unwrap(), 0, symbol.to_owned(), lots(hundredths), "1.0".to_owned(), "0".to_owned(), 0)
            }
        };
        let (cmd, kind, symbol, volume, price, stop, order) = wish;
        let id = self.simulator.connect(self.now, Port::Main, "127.0.0.1");
        let login = r#"{"command":"login","arguments":{"userId":"20001","password":"secret"}}"#;
        let trade = format!(
            r#"{{"command":"tradeTransaction","arguments":{{"tradeTransInfo":{{"cmd":{cmd},"type":{kind},"symbol":"{symbol}","volume":{volume},"price":{price},"sl":{stop},"tp":0,"offset":0,"order":{order},"expiration":0,"customComment":""}}}}}}"#
        );
        for text in [login, &trade] {
            self.simulator.receive(self.now, id, text, &mut self.sent);
        }
        self.simulator.disconnect(id, &mut self.sent);
        self.deliver();
    }

    pub(super) fn act(&mut self) {
        if self.dice.happens(self.strangers) {
            return self.stranger();
        }
        if self.dice.below(80) == 0 {
            self.command(Command::Kill { why: "campaign".to_owned() });
            if self.dice.below(2) == 0 {
                self.command(Command::Flatten);
            }
        }
        let snapshot = self.engine.snapshot(&SnapshotRequest::default());
        let pick = |dice: &mut Dice, count: usize| usize::try_from(dice.below(count as u64)).unwrap();
        match self.dice.below(11) {
            0..=4 => self.open(),
            10 => {
                let is_waiting = |row: &&std::sync::Arc<TrackedOrder>| {
                    row.state.is_modifiable() && row.order.request.closes.is_none() && row.order.request.named_price().is_some()
                };
                let waiting: Vec<_> = snapshot.orders.iter().filter(is_waiting).collect();
                if !waiting.is_empty() {
                    let order = waiting[pick(&mut self.dice, waiting.len())].order;
                    let size = TRADED.into_iter().find(|(id, ..)| *id == order.request.instrument.0).unwrap().3;
                    let quantity = Quantity::from_nanos(size * 10_000_000 * (i64::try_from(self.dice.below(3)).unwrap() + 1));
                    self.command(Command::ModifyOrder { order: order.id, quantity, kind: order.request.kind });
                }
            }
            5 | 6 => {
                if !snapshot.positions.is_empty() {
                    let row = &snapshot.positions[pick(&mut self.dice, snapshot.positions.len())];
                    let (_, _, _, size) = TRADED.into_iter().find(|(id, ..)| *id == row.instrument.0).unwrap();
                    let step = size * 10_000_000;
                    let part = Quantity::from_nanos(row.quantity.nanos() / 2 / step * step);
                    let quantity = (self.dice.below(2) == 0 && part.is_positive()).then_some(part);
                    self.command(Command::ClosePosition { position: row.id, quantity });
                }
            }
            7 => {
                let open: Vec<OrderId> =
                    snapshot.orders.iter().filter(|row| row.state.is_cancellable()).map(|row| row.order.id).collect();
                if !open.is_empty() {
                    let order = open[pick(&mut self.dice, open.len())];
                    self.command(Command::CancelOrder { order });
                }
            }
            8 => {
                if !snapshot.positions.is_empty() {
                    let row = &snapshot.positions[pick(&mut self.dice, snapshot.positions.len())];
                    let losing = row.side.closing() == OrderSide::Sell;
                    let level = self.level(row.instrument.0, if losing { -20 } else { 20 });
                    let protection = Protection { stop_loss: Some(level), take_profit: None };
                    self.command(Command::ProtectPosition { position: row.id, protection });
                }
            }
            _ => {
                if self.engine.book().needs_rearming() {
                    self.command(Command::RequestRearm);
                    self.command(Command::ConfirmRearm);
                }
                self.command(Command::ArmPaper);
            }
        }
    }

    /// A price so many thousandths away, on a whole tick of every instrument here.
    pub(super) fn level(&self, id: u32, thousandths: i64) -> Price {
        let price = self.prices[&id] / 1_000 * (1_000 + thousandths);
        let tick = if id == 6 { 10_000 } else { 10_000_000 };
        Price::from_nanos(price / tick * tick)
    }

    pub(super) fn open(&mut self) {
        let (id, _, _, size) = TRADED[usize::try_from(self.dice.below(3)).unwrap()];
        let side = if self.dice.below(2) == 0 { OrderSide::Buy } else { OrderSide::Sell };
        let lots = i64::try_from(self.dice.below(3)).unwrap() + 1;
        let quantity = Quantity::from_nanos(size * 10_000_000 * lots);
        let away = if side == OrderSide::Buy { 1 } else { -1 };
        let kind = match self.dice.below(4) {
            0 => OrderKind::Limit(self.level(id, -away)),
            1 => OrderKind::Stop(self.level(id, away)),
            _ => OrderKind::Market,
        };
        let protection = match self.dice.below(2) {
            0 => Protection { stop_loss: Some(self.level(id, -away * 15)), take_profit: None },
            _ => Protection { stop_loss: Some(self.level(id, -away * 4)), take_profit: Some(self.level(id, away * 4)) },
        };
        let time_in_force = if self.dice.below(4) == 0 { TimeInForce::Day } else { TimeInForce::GoodTillCancelled };
        let ticket = Ticket { instrument: InstrumentId(id), side, quantity, kind, time_in_force, protection };
        self.command(Command::PlaceOrder {
            ticket,
            acknowledged: Acknowledged::Precautions,
            seen: Seen { price: None, quantity },
        });
    }
}
