//! How large a trade may be.

use serde::{Deserialize, Serialize};

use crate::domain::{Money, Price, Quantity, Ratio};

/// Which rule decided the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SizingRule {
    /// A fixed small share of equity, because nothing proves the source yet. Paper only.
    Exploratory,
}

/// A size and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sized {
    /// Whole lots, never above the budget.
    pub quantity: Quantity,
    /// The rule.
    pub rule: SizingRule,
}

/// The exploratory size: `share` of equity at `price`, rounded down to whole lots; `None` where that is less than `minimum`.
pub fn exploratory(equity: Money, share: Ratio, price: Price, lot: Quantity, minimum: Quantity) -> Option<Sized> {
    let budget = equity.times(share).ok()?;
    let quantity = Quantity::affordable(budget, price)?.floored_to(lot);
    (quantity.is_positive() && quantity >= minimum).then_some(Sized { quantity, rule: SizingRule::Exploratory })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Currency;

    #[test]
    fn the_exploratory_size_is_whole_lots_within_the_budget() {
        let equity = Money::whole(100_000, Currency::USD).unwrap();
        let quarter_percent = Ratio::of(25, 10_000).unwrap();
        let lot: Quantity = "0.001".parse().unwrap();
        let size = |price: &str| {
            exploratory(equity, quarter_percent, price.parse().unwrap(), lot, lot).map(|sized| sized.quantity.to_string())
        };
        assert_eq!(size("73.45").as_deref(), Some("3.403"));
        assert_eq!(size("250").as_deref(), Some("1"));
        assert_eq!(size("300000"), None);
        assert_eq!(size("0"), None);
    }
}
