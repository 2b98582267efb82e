//! What can be written on the command line.

mod model;
mod watch;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use jiff::tz::TimeZone;

use crate::backtest::EVERY;
use crate::backtest::walk::Length;
use crate::cli::examples;
use crate::cli::keys::KeysVerb;
use crate::cli::rehearsal::Rehearsal;
use crate::domain::{BrokerKind, TimeFrame};
use crate::portfolio::WINDOW;
use crate::runtime::FeedKind;
use crate::signals::By;

pub use model::{ModelVerb, RunsOn};
pub use watch::{WatchKind, WatchVerb};

/// pmax — a trading workstation that lives in a terminal.
///
/// Without a command it opens the workstation on real market history. Every start is READ-ONLY; `p` arms trading,
/// F12 twice is the kill switch, `?` shows all keys. Nothing here is advice.
///
/// Exit codes: 0 done, also where the reader of a pipe has seen enough · 1 trouble (one sentence says what, what is safe, what to do)
/// · 2 wrong usage · 3 a verification or replay found a difference · 4 the engine did not stop in time · 128+n ended by signal n.
#[derive(Debug, Parser)]
#[command(version, about, long_about, max_term_width = 110, after_help = examples::WORKSTATION)]
pub struct Args {
    /// Folder for configuration, ledger and logs [default: the system's usual places]
    #[arg(long, value_name = "DIR", env = "PMAX_HOME", global = true)]
    pub home: Option<PathBuf>,
    /// Configuration file [default: pmax.toml in the configuration folder]
    #[arg(long, value_name = "FILE", env = "PMAX_CONFIG", global = true)]
    pub config: Option<PathBuf>,
    /// Set one setting, e.g. `--set risk.daily_loss=0.03`; may be repeated
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE", global = true)]
    pub sets: Vec<String>,
    /// Tape to play: a name from `pmax tapes`, your own included, or the path of a .parquet file
    #[arg(long, value_name = "NAME", global = true)]
    pub tape: Option<String>,
    /// Where prices come from: `tape`, or `live`, public providers that need neither key nor account (paper account only)
    #[arg(long, value_name = "KIND", value_parser = feed_kind, global = true)]
    pub feed: Option<FeedKind>,
    /// Where orders go: `paper`, or `xapi`, a demo account (simulated inside this process where no host is configured)
    #[arg(long, value_name = "KIND", value_parser = broker_kind, global = true)]
    pub broker: Option<BrokerKind>,
    /// Begin a new run with fresh capital instead of taking up the last one
    #[arg(long)]
    pub new: bool,
    /// Where a new run begins to play, e.g. 2020-03-09 or 2020-03-09T14:30 (UTC); earlier history is warm-up
    #[arg(long, value_name = "DATE")]
    pub from: Option<String>,
    /// Speed: market seconds per wall second, or `max`
    #[arg(long, value_name = "N|max")]
    pub speed: Option<String>,
    /// Something goes wrong on purpose
    #[arg(long, value_enum, hide = true)]
    pub rehearse: Option<Rehearsal>,
    /// What to do instead of opening the workstation
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// Commands.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List the tapes that can be played, bundled ones and your own, with their coverage
    #[command(after_help = examples::TAPES)]
    Tapes {
        /// For people or for scripts
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
        /// What to do instead of listing them
        #[command(subcommand)]
        verb: Option<TapesVerb>,
    },
    /// Write what live providers say to a tape, without engine and screen
    ///
    /// Closed minute bars become a tape, and prices a Parquet file beside it, both when the recording ends. What a crash cuts off is finished
    /// by the next start of it, or by `pmax tapes`. Requests count in the same budgets as `pmax --feed live`, so only one of them runs at a time.
    #[command(after_help = examples::RECORD)]
    Record(Record),
    /// Handle a run's inputs again and compare every decision and the state hash (exit 3 on a difference)
    #[command(after_help = examples::REPLAY)]
    Replay {
        /// Number of the run; `pmax status` lists them
        #[arg(value_parser = run_number)]
        run: u64,
        /// For people or for scripts
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Hold a lived run's trades against a test of the same decisions (exit 3 where one differs)
    ///
    /// What a person, a clock or a line decided comes from the journal; what the broker said is left out, and the exchange of `pmax backtest`
    /// says it instead. On paper both agree to the last digit. At a broker the difference is what a test cannot know of its fills.
    #[command(after_help = examples::PARITY)]
    Parity(Parity),
    /// Look after the journal
    #[command(after_help = examples::JOURNAL)]
    Journal {
        /// What to do
        #[command(subcommand)]
        verb: JournalVerb,
    },
    /// Fire the kill switch of a running workstation, or keep the next start halted
    #[command(after_help = examples::KILL)]
    Kill {
        /// Why, for the journal
        #[arg(default_value = "pmax kill")]
        why: String,
        /// For people or for scripts
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Say whether a workstation runs, and what its ledger holds
    #[command(after_help = examples::STATUS)]
    Status {
        /// For people or for scripts
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Say where configuration, ledger and logs are, and what this program is made of
    #[command(after_help = examples::INFO)]
    Info {
        /// For people or for scripts
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Play a tape through the engine, confirm every proposal, and say what the results show
    #[command(after_help = examples::BACKTEST)]
    Backtest(Backtest),
    /// What the signals of a run were worth: right, after cost, and how good stated chances are
    ///
    /// Refused signals count too. Chances are stated from signals that had ended by then, and from no others.
    #[command(after_help = examples::SCORES)]
    Scores(Scores),
    /// Hold a book through a crash and say which breakers trip when, what they do, and what is left with and without them
    #[command(after_help = examples::REHEARSE)]
    Rehearse(Rehearse),
    /// Choose parameters on the past, test them on what came after, window after window, and say what that shows
    ///
    /// Rules and parameters are 24, fixed before anything was looked at, and each strategy of your own as it is. What ends in a window after it began is kept apart from the next
    /// by purge and embargo. Every fit is counted in the trial ledger.
    #[command(after_help = examples::WALKFORWARD)]
    Walkforward(Walkforward),
    /// Target weights under caps beside the present book, with where their risk comes from and how they would have done
    ///
    /// Long only, the least variance by default. It is information: nothing here makes an order.
    #[command(after_help = examples::ALLOCATE)]
    Allocate(Allocate),
    /// Say what a file of prices or returns shows: metrics with intervals, and tests
    ///
    /// The file is CSV: one row for each date, oldest first, parted by `,`, `;` or tabs, with or without a header. Dates are 2020-03-16, times
    /// with a zone, or seconds or milliseconds since 1970. Returns are simple and shares: 0.012 for 1.2 %.
    #[command(after_help = examples::STATS)]
    Stats(Stats),
    /// Prove that strategies do not look ahead (exit 3 where one does)
    #[command(after_help = examples::VALIDATE)]
    Validate(Validate),
    /// Draw the real screen without a terminal
    #[command(after_help = examples::RENDER)]
    Render(Render),
    /// What is watched on live markets: list, look for instruments by name, add, remove, group
    #[command(after_help = examples::WATCH)]
    Watch {
        /// What to do
        #[command(subcommand)]
        verb: WatchVerb,
    },
    /// Hosts to choose from, and the password of a demo account
    #[command(after_help = examples::BROKER)]
    Broker {
        /// What to do
        #[command(subcommand)]
        verb: BrokerVerb,
    },
    /// Keys of providers of live prices and series, which are never printed
    #[command(after_help = examples::KEYS)]
    Keys {
        /// What to do
        #[command(subcommand)]
        verb: KeysVerb,
    },
    /// Language models: install, list, check, measure
    ///
    /// A model runs in a process of its own on this machine and comments; it has no way to an order.
    #[command(after_help = examples::MODEL)]
    Model {
        /// What to do
        #[command(subcommand)]
        verb: ModelVerb,
    },
    /// Be the process a model runs in: started by this program, with messages on standard input and output
    #[command(hide = true, after_help = examples::MODEL_WORKER)]
    ModelWorker,
    /// Run a broker to practise with
    #[command(after_help = examples::SIM)]
    Sim {
        /// Which protocol
        #[command(subcommand)]
        verb: SimVerb,
    },
    /// Trade at random on paper and print every acknowledged order: a drill for `kill -9` and what comes after
    #[command(after_help = examples::DRILL)]
    Drill {
        /// Orders per second to aim at
        #[arg(long, default_value_t = 20)]
        orders_per_second: u32,
    },
}

/// What can be done with tapes.
#[derive(Debug, Subcommand)]
pub enum TapesVerb {
    /// Make a tape of your own history, with what is wrong said by row
    ///
    /// CSV parted by commas, semicolons or tabs, with or without a header, or Parquet as pandas, Polars and DuckDB write it. Bars of minutes to
    /// months, closes alone, or ticks, of which bars are built. Nothing is mended: with a fault there is no tape.
    #[command(after_help = examples::IMPORT)]
    Import(Import),
}

/// `pmax tapes import`.
#[derive(Debug, clap::Args)]
pub struct Import {
    /// The file
    pub file: PathBuf,
    /// Which instrument it is; in a file with several series FILES_NAME=SYMBOL, once for each that is called otherwise
    #[arg(long, value_name = "SYMBOL")]
    pub symbol: Vec<String>,
    /// Name of the tape [default: that of the file]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Zone of times that say none, e.g. UTC or America/New_York
    #[arg(long, value_name = "ZONE", value_parser = time_zone)]
    pub timezone: Option<TimeZone>,
    /// Length of its bars: 1m, 15m, 1h, 1d, 1w, 1mo; of ticks, that of the bars to build [default: by the usual gap, 1m for ticks]
    #[arg(long, value_name = "FRAME")]
    pub frame: Option<TimeFrame>,
    /// What comes first in dates like 03/04/2020
    #[arg(long, value_enum)]
    pub dates: Option<Dates>,
    /// Its prices are adjusted for splits or dividends; with a column of adjusted closes, all prices are scaled to it
    #[arg(long)]
    pub adjusted: bool,
    /// Leave rows without a price out
    #[arg(long)]
    pub skip_missing: bool,
    /// Leave rows outside trading hours out: weekends, holidays, before the open and after the close
    #[arg(long)]
    pub skip_closed: bool,
    /// Where the workstation begins to play it, e.g. 2020-03-09 (UTC) [default: after some warm-up]
    #[arg(long, value_name = "DATE")]
    pub start: Option<String>,
    /// Only say what would be made of it
    #[arg(long)]
    pub check: bool,
    /// Put it in the place of a tape of that name
    #[arg(long)]
    pub replace: bool,
}

/// `pmax record`.
#[derive(Debug, clap::Args)]
pub struct Record {
    /// Name of the tape [default: live- and the day]
    #[arg(long, value_name = "NAME")]
    pub out: Option<String>,
    /// How long, e.g. 6h30m [default: until Ctrl+C]
    #[arg(long = "for", value_name = "LENGTH", conflicts_with = "until")]
    pub length: Option<String>,
    /// Until when, e.g. 21:00 or 2026-11-27T21:00 (UTC)
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Only these instruments, e.g. BTCUSD,AAPL [default: all that the table of providers watches]
    #[arg(long, value_name = "SYMBOLS", value_delimiter = ',')]
    pub watch: Option<Vec<String>>,
    /// Files for each risk day, which turns at 17:00 New York
    #[arg(long)]
    pub daily: bool,
    /// Nobody is asked: make a tape of what a live run has heard [without a number: the latest one]
    #[arg(long, value_name = "RUN", value_parser = run_number, num_args = 0..=1, default_missing_value = "0",
        conflicts_with_all = ["length", "until", "watch", "daily"])]
    pub from_run: Option<u64>,
}

/// What comes first in a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Dates {
    /// The day
    Dmy,
    /// The month
    Mdy,
}

fn time_zone(text: &str) -> Result<TimeZone, String> {
    TimeZone::get(text).map_err(|_| "write a zone such as UTC, America/New_York or Europe/Warsaw".to_owned())
}

/// `pmax parity`.
#[derive(Debug, clap::Args)]
pub struct Parity {
    /// Number of the run; the latest where none is named
    #[arg(value_parser = run_number)]
    pub run: Option<u64>,
    /// Only positions that were opened on this day (a day ends at 17:00 New York)
    #[arg(long)]
    pub day: Option<String>,
    /// For people or for scripts
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// `pmax scores`.
#[derive(Debug, clap::Args)]
pub struct Scores {
    /// Number of the run; the latest where none is named
    #[arg(long, value_parser = run_number)]
    pub run: Option<u64>,
    /// One scorecard for each of these
    #[arg(long, value_enum, default_value_t = ScoredBy::Source)]
    pub by: ScoredBy,
    /// For people or for scripts
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// What scorecards are kept by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ScoredBy {
    /// Who made the signal
    Source,
    /// What it was about
    Instrument,
    /// How stormy the market was
    Regime,
    /// How many bars it looked ahead
    Horizon,
    /// Whether the layers let it through
    Verdict,
    /// Which layer refused it
    Layer,
    /// Whether it was made before the run began, while history warmed up, or since
    Start,
}

impl From<ScoredBy> for By {
    fn from(by: ScoredBy) -> Self {
        match by {
            ScoredBy::Source => Self::Source,
            ScoredBy::Instrument => Self::Instrument,
            ScoredBy::Regime => Self::Regime,
            ScoredBy::Horizon => Self::Horizon,
            ScoredBy::Verdict => Self::Verdict,
            ScoredBy::Layer => Self::Layer,
            ScoredBy::Start => Self::Start,
        }
    }
}

/// How to test.
#[derive(Debug, clap::Args)]
pub struct Backtest {
    /// Where trading begins, e.g. 2020-01-02 (UTC); earlier history warms up [default: the tape's own start]
    #[arg(long, value_name = "DATE")]
    pub from: Option<String>,
    /// Where it ends [default: the tape's end]
    #[arg(long, value_name = "DATE")]
    pub until: Option<String>,
    /// Only so much of its end, e.g. 30d or 6m
    #[arg(long, value_name = "LENGTH", conflicts_with = "from")]
    pub last: Option<Length>,
    /// Write a tear sheet too: one file that a browser opens offline
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Draw the sheet's pictures in the terminal
    #[arg(long)]
    pub charts: bool,
    /// Only this strategy speaks: momentum, reversal, or the name of one of yours
    #[arg(long, value_name = "NAME")]
    pub only: Option<String>,
    /// For people or for scripts
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// What to rehearse.
#[derive(Debug, clap::Args)]
pub struct Rehearse {
    /// 2008, 2020, or a tape by its name or path
    #[arg(value_name = "2008|2020|TAPE")]
    pub tape: String,
    /// When the book is taken over, e.g. 2020-02-03 (UTC); earlier history warms up [default: the tape's own start]
    #[arg(long, value_name = "DATE")]
    pub from: Option<String>,
    /// Where it ends [default: the tape's end]
    #[arg(long, value_name = "DATE")]
    pub until: Option<String>,
    /// For people or for scripts
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// How to walk.
#[derive(Debug, clap::Args)]
pub struct Walkforward {
    /// Length of a training window: a number and y, m, w or d
    #[arg(long, value_name = "LENGTH", default_value = "3y")]
    pub train: Length,
    /// Length of the test after it
    #[arg(long, value_name = "LENGTH", default_value = "1y")]
    pub test: Length,
    /// From one window to the next [default: as long as the test]
    #[arg(long, value_name = "LENGTH")]
    pub step: Option<Length>,
    /// Training windows all begin with the first one, and grow
    #[arg(long)]
    pub anchored: bool,
    /// Bars before the end of a window in which nothing is opened [default: the longest horizon and its fills]
    #[arg(long, value_name = "BARS")]
    pub purge: Option<u32>,
    /// Bars between training and test that neither sees [default: 5]
    #[arg(long, value_name = "BARS")]
    pub embargo: Option<u32>,
    /// Where the first training window begins (UTC); earlier history warms up [default: the tape's own start]
    #[arg(long, value_name = "DATE")]
    pub from: Option<String>,
    /// Where the last test ends [default: the tape's end]
    #[arg(long, value_name = "DATE")]
    pub until: Option<String>,
    /// Write a page with pictures too: one file that a browser opens offline
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Windows that are worked on at the same time; the results are the same for any number
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub threads: usize,
    /// For people, for scripts, or for a page
    #[arg(long, value_enum, default_value_t = WrittenAs::Table)]
    pub format: WrittenAs,
}

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Stats {
    /// The file
    pub file: PathBuf,
    /// Its values are prices: returns are made of them
    #[arg(long, conflicts_with = "returns")]
    pub prices: bool,
    /// Its values are simple returns, however they look
    #[arg(long)]
    pub returns: bool,
    /// Column of the values, by its name or, without a header, its number [default: the only one with numbers]
    #[arg(long, value_name = "NAME")]
    pub column: Option<String>,
    /// Which series, where a column of symbols parts several
    #[arg(long, value_name = "NAME")]
    pub symbol: Option<String>,
    /// Returns that make a year [default: 252, 365, 52, 12, 4 or 1 by the median gap between dates]
    #[arg(long, value_name = "N", value_parser = above_zero)]
    pub periods: Option<f64>,
    /// Leave rows without a value out; a return of prices then spans the gap
    #[arg(long)]
    pub skip_missing: bool,
    /// Seed of the bootstrap
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// For people or for scripts
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

fn above_zero(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "write a number above 0, e.g. 252".to_owned())
}

/// What to allocate, and within what.
#[derive(Debug, clap::Args)]
pub struct Allocate {
    /// How many of the latest daily returns an estimate is made of
    #[arg(long, value_name = "N", default_value_t = WINDOW)]
    pub last: usize,
    /// Largest weight of one instrument [default: risk.max_ticket_position, as only tickets could bring it about]
    #[arg(long, value_name = "SHARE")]
    pub position: Option<f64>,
    /// Largest weight of one sector [default: risk.max_sector]
    #[arg(long, value_name = "SHARE")]
    pub sector: Option<f64>,
    /// Most that is bought and sold on the way from the present book, added up [default: no such cap]
    #[arg(long, value_name = "SHARE")]
    pub turnover: Option<f64>,
    /// Share of equity to invest; the rest stays in cash [default: the most the caps allow]
    #[arg(long, value_name = "SHARE")]
    pub invested: Option<f64>,
    /// Where expected returns come from
    #[arg(long, value_enum, default_value_t = ExpectedFrom::None)]
    pub returns: ExpectedFrom,
    /// With expected returns: how much variance a unit of return is worth
    #[arg(long, value_name = "NUMBER", default_value_t = 3.0)]
    pub aversion: f64,
    /// Days between two estimates of the test out of sample
    #[arg(long, value_name = "DAYS", default_value_t = EVERY, value_parser = at_least_one)]
    pub every: usize,
    /// Beside no book, and from the whole tape
    #[arg(long)]
    pub alone: bool,
    /// For people or for scripts
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Where expected returns come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExpectedFrom {
    /// Nowhere: the least variance, as means of samples are mostly noise.
    None,
    /// From signals that stand now, where the record of their source is proven.
    Record,
}

/// What to prove.
#[derive(Debug, clap::Args)]
pub struct Validate {
    /// Names of strategies [default: all]
    #[arg(value_name = "STRATEGY")]
    pub strategies: Vec<String>,
    /// For people or for scripts
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// What can be done about a demo account.
#[derive(Debug, Subcommand)]
pub enum BrokerVerb {
    /// List hosts with what to write under `[xapi]` for each
    #[command(after_help = examples::PRESETS)]
    Presets,
    /// Ask for the account's password and keep it: in the keyring, or in a private file where there is none
    #[command(after_help = examples::LOGIN)]
    Login {
        /// The account's number [default: xapi.account]
        #[arg(long, value_name = "NUMBER")]
        account: Option<String>,
    },
    /// Forget the account's password
    #[command(after_help = examples::LOGOUT)]
    Logout {
        /// The account's number [default: xapi.account]
        #[arg(long, value_name = "NUMBER")]
        account: Option<String>,
    },
}

/// What can be simulated.
#[derive(Debug, Subcommand)]
pub enum SimVerb {
    /// A broker that speaks xAPI 2.5.0, on this machine only
    #[command(after_help = examples::SIM)]
    Xapi(SimXapi),
}

/// Options of `sim xapi`.
///
/// Where the protocol's document is silent: refusals on the face of a request come as error replies, what is left of a position keeps its
/// number, hedged margin is that of the larger side, days begin at midnight in Warsaw, unknown symbols are BE115, missing fields BE106,
/// unknown trades BE098, 1,024 bytes are taken, spacing counts on the main connection.
#[derive(Debug, clap::Args)]
pub struct SimXapi {
    /// WebSocket port for /demo and /demoStream; 0 takes any free one
    #[arg(long, default_value_t = 5_124)]
    pub port: u16,
    /// Raw sockets too, e.g. 5112,5113
    #[arg(long, value_name = "MAIN,STREAM", value_parser = two_ports)]
    pub tcp: Option<(u16, u16)>,
    /// Encrypted connections; the certificate to trust is written to this file (xapi.certificate of the client)
    #[arg(long, value_name = "FILE.pem")]
    pub tls: Option<PathBuf>,
    /// Account and password it takes
    #[arg(long, value_name = "ACCOUNT:PASSWORD", default_value = "20001:demo")]
    pub login: String,
    /// Balance in US dollars
    #[arg(long, default_value_t = 100_000)]
    pub balance: u32,
    /// Seed of drawn prices and of mishaps
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Symbols have trading hours
    #[arg(long)]
    pub hours: bool,
    /// Something goes wrong so many times in a thousand, e.g. lost_reply=50; may be repeated. There are lost_reply,
    /// closed_before_trade, closed_after_trade, duplicate_stream, shuffled_stream, lost_stream, kept_pending, status_before_reply,
    /// truncated_list, requote, rejected; and delay_ms=200, silent_candles
    #[arg(long = "fault", value_name = "NAME=N")]
    pub faults: Vec<String>,
    /// Every refusal comes as a status, none as an error reply
    #[arg(long)]
    pub refuse_by_status: bool,
    /// What is left after a partial close gets a new number
    #[arg(long)]
    pub renumber: bool,
    /// Answer ping and getVersion before login
    #[arg(long)]
    pub answer_before_login: bool,
}

fn feed_kind(text: &str) -> Result<FeedKind, String> {
    let known = [FeedKind::Tape, FeedKind::Live];
    known.into_iter().find(|kind| kind.word() == text).ok_or_else(|| "write tape or live".to_owned())
}

fn broker_kind(text: &str) -> Result<BrokerKind, String> {
    let known = [BrokerKind::Paper, BrokerKind::Xapi];
    known.into_iter().find(|kind| kind.word() == text).ok_or_else(|| "write paper or xapi".to_owned())
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|days| *days > 0).ok_or_else(|| "write a number of days, 1 or more".to_owned())
}

fn two_ports(text: &str) -> Result<(u16, u16), String> {
    let ports = text.split_once(',').and_then(|(main, stream)| Some((main.trim().parse().ok()?, stream.trim().parse().ok()?)));
    ports.ok_or_else(|| "write two ports, e.g. 5112,5113".to_owned())
}

/// What can be done with the journal.
#[derive(Debug, Subcommand)]
pub enum JournalVerb {
    /// Walk the hash chain from the first entry to the last (exit 3 when it does not hold)
    #[command(after_help = examples::VERIFY)]
    Verify {
        /// For people or for scripts
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Write the entries to standard output
    #[command(after_help = examples::EXPORT)]
    Export {
        /// Only this run
        #[arg(long, value_parser = run_number)]
        run: Option<u64>,
        /// Layout
        #[arg(long, value_enum, default_value_t = ExportAs::Jsonl)]
        format: ExportAs,
    },
}

/// Options of `render`.
#[derive(Debug, clap::Args)]
pub struct Render {
    /// Columns and rows
    #[arg(long, value_name = "WxH", default_value = "160x45")]
    pub size: String,
    /// Market time of the picture, e.g. 2020-03-12T15:30 (UTC) [default: the tape's start]
    #[arg(long, value_name = "DATE")]
    pub at: Option<String>,
    /// Layout of the output
    #[arg(long, value_enum, default_value_t = RenderAs::Text)]
    pub format: RenderAs,
    /// Keys to press first, separated by spaces; `+90m`, `+2d` play the tape on, e.g. "p n +1s y +1d 4"
    #[arg(long, default_value = "")]
    pub keys: String,
    /// Without colour
    #[arg(long)]
    pub mono: bool,
}

/// For people or for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Sentences and tables.
    Text,
    /// One JSON value.
    Json,
}

/// Layouts of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WrittenAs {
    /// Sentences and tables.
    Table,
    /// One JSON value.
    Json,
    /// A page that is the same on every machine.
    Markdown,
}

/// Layouts of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportAs {
    /// One JSON object per line.
    Jsonl,
    /// Comma-separated values.
    Csv,
}

/// Layouts of a rendered screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RenderAs {
    /// Characters only.
    Text,
    /// With terminal colours.
    Ansi,
    /// A picture.
    Svg,
}

/// A run as it is written here and there: `1` or `run-1`.
fn run_number(text: &str) -> Result<u64, String> {
    text.strip_prefix("run-").unwrap_or(text).parse().map_err(|_| "write the number of a run such as 1 or run-1".to_owned())
}
