//! What the protocol's error codes mean to a person and to this program.

/// What follows from a code for the request it answers. What follows for a login is [`may_log_in_again`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Nothing happened; the words are shown.
    Definitive,
    /// Nobody knows whether it happened.
    Ambiguous,
    /// The session is over; a new one may be opened.
    Relogin,
}

/// A code with its words.
struct Row(&'static str, &'static str, Policy);

use Policy::{Ambiguous, Definitive, Relogin};

const TABLE: [Row; 50] = [
    Row("BE001", "the price is not valid", Definitive),
    Row("BE002", "stop-loss or take-profit is not valid", Definitive),
    Row("BE003", "the volume is not valid", Definitive),
    Row("BE004", "the login is disabled", Definitive),
    Row("BE005", "account number or password is wrong; a wrong pair is blocked for ten minutes", Definitive),
    Row("BE006", "the market is closed", Definitive),
    Row("BE007", "the parameters do not match", Definitive),
    Row("BE008", "the change was denied", Definitive),
    Row("BE009", "not enough money", Definitive),
    Row("BE010", "there is no quote", Definitive),
    Row("BE011", "opposite positions are not allowed", Definitive),
    Row("BE012", "short positions are not allowed", Definitive),
    Row("BE013", "the price has changed; look again", Definitive),
    Row("BE014", "requests come too fast", Definitive),
    Row("BE015", "requoted; look again", Definitive),
    Row("BE016", "too many trade requests", Definitive),
    Row("BE017", "too many trade requests", Definitive),
    Row("BE018", "trading in this symbol is disabled", Definitive),
    Row("BE019", "trading timed out at the broker", Ambiguous),
    Row("BE094", "the symbol does not exist for this account", Definitive),
    Row("BE095", "the account cannot trade this symbol", Definitive),
    Row("BE096", "a waiting order cannot be closed, only deleted", Definitive),
    Row("BE097", "it is closed already", Definitive),
    Row("BE098", "no such transaction", Definitive),
    Row("BE099", "refused by the broker", Definitive),
    Row("BE101", "the symbol does not exist", Definitive),
    Row("BE102", "unknown transaction type", Definitive),
    Row("BE103", "not logged in", Relogin),
    Row("BE104", "unknown command", Definitive),
    Row("BE105", "unknown chart period", Definitive),
    Row("BE106", "data is missing", Definitive),
    Row("BE110", "the command is not well formed", Definitive),
    Row("BE115", "the symbol does not exist", Definitive),
    Row("BE116", "the symbol does not exist", Definitive),
    Row("BE117", "the session is not valid", Relogin),
    Row("BE118", "logged in already", Definitive),
    Row("BE200", "the session timed out", Relogin),
    Row("EX000", "invalid parameters", Definitive),
    Row("EX001", "internal error at the broker", Ambiguous),
    Row("EX002", "internal error at the broker", Ambiguous),
    Row("EX003", "internal time-out at the broker", Ambiguous),
    Row("EX004", "wrong credentials", Definitive),
    Row("EX005", "the broker is overloaded", Definitive),
    Row("EX006", "no access", Definitive),
    Row("EX007", "this login is blocked for ten minutes", Definitive),
    Row("EX008", "too many connections from this address", Definitive),
    Row("EX009", "more than 50,000 candles were asked for", Definitive),
    Row("EX010", "the login is black-listed", Definitive),
    Row("EX011", "the command is not allowed for this account", Definitive),
    Row("EX017", "the account belongs to another platform: another host", Definitive),
];

/// What a code means. A code nobody knows leaves the fate of a trade open.
pub fn meaning(code: &str) -> (&'static str, Policy) {
    if let Some(Row(_, words, policy)) = TABLE.iter().find(|row| row.0 == code) {
        return (words, *policy);
    }
    let number = |prefix: &str| code.strip_prefix(prefix).and_then(|digits| digits.parse::<u32>().ok());
    if number("BE").is_some_and(|number| (20..=37).contains(&number)) {
        return ("refused by the broker", Definitive);
    }
    ("internal error at the broker", Ambiguous)
}

/// Whether a login refused with this code may be tried again by itself: only where the refusal is about the moment, not about who asks.
/// A repeated wrong login is blocked, so everything else waits for a person.
pub fn may_log_in_again(code: &str) -> bool {
    let passing = ["BE000", "BE014", "BE016", "BE017", "BE103", "BE117", "BE200", "EX001", "EX002", "EX003", "EX005", "EX008"];
    let is_internal =
        code.strip_prefix("SE").is_some_and(|digits| digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit()));
    passing.contains(&code) || is_internal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_patterns_hold() {
        let codes: std::collections::BTreeSet<&str> = TABLE.iter().map(|row| row.0).collect();
        assert_eq!(codes.len(), TABLE.len());
        assert_eq!(meaning("BE025").1, Definitive);
        assert_eq!(meaning("SE199").1, Ambiguous);
        assert_eq!(meaning("BE000").1, Ambiguous);
        assert_eq!(meaning("ZZ").1, Ambiguous);
    }
}
