//! `pmax replay` and `pmax journal`; how a run that was lived is found again.

use std::io::Write;
use std::path::PathBuf;

use crate::cli::args::{Args, ExportAs, Format};
use crate::cli::open::Base;
use crate::cli::{DIFFERENT, Done, OK, ended, say};
use crate::domain::{BrokerKind, RunId, counted};
use crate::engine::Setup;
use crate::market::{Player, Tape};
use crate::runtime::{self, Market, ReplayReport, Trouble, complain};
use crate::store::{self, ExportFormat, LedgerFile, RunRow, SegmentReader, StoreError};

/// Opens the ledger beside a possibly running workstation.
pub fn ledger(base: &Base) -> Result<LedgerFile, Trouble> {
    Ok(LedgerFile::open_to_read(&existing_ledger(base)?)?)
}

fn existing_ledger(base: &Base) -> Result<PathBuf, Trouble> {
    let path = base.home.ledger_file();
    if !base.home.has_ledger() {
        return Err(Trouble::new(
            format!("There is no ledger at {} yet", path.display()),
            "Nothing was changed",
            "Start the workstation once, or name its folder with --home",
        ));
    }
    Ok(path)
}

/// A run of the ledger with what it was played on.
pub struct Lived {
    pub base: Base,
    pub file: LedgerFile,
    pub row: RunRow,
    pub setup: Setup,
    feed: LivedFeed,
}

enum LivedFeed {
    Tape(Box<Tape>),
    Segment(PathBuf),
}

impl Lived {
    /// Opens the ledger to read, and finds the run's tape or segment; the latest run where none is named.
    pub fn open(args: &Args, run: Option<u64>) -> Result<Self, Trouble> {
        let base = Base::open(args)?;
        let file = ledger(&base)?;
        let row = match run {
            Some(run) => file.run(RunId(run))?,
            None => file.latest_run()?.ok_or_else(no_run)?,
        };
        let mut base = base.trading_at(runtime::broker_of(&row))?;
        if row.is_live() {
            let path = base.home.segment_file(row.run).map_err(|error| {
                Trouble::new(
                    format!("The folder of live runs: {error}"),
                    "The journal was only read",
                    "Check the folder's rights",
                )
            })?;
            let setup = match runtime::broker_of(&row) {
                BrokerKind::Xapi => base.live_setup(),
                BrokerKind::Paper => provider_setup(&base, &row)?,
            };
            return Ok(Self { base, file, row, setup, feed: LivedFeed::Segment(path) });
        }
        if args.tape.is_none() {
            base.config.tape.name.clone_from(&row.tape.name);
        }
        let tape = base.tape()?;
        if tape.sha256 != row.tape.sha256 {
            return Err(Trouble::new(
                format!("{} was played on another tape {} (SHA-256 {})", row.run, row.tape.name, row.tape.sha256),
                "The journal was only read",
                "Name that file with --tape PATH",
            ));
        }
        let setup = base.setup(&tape);
        Ok(Self { base, file, row, setup, feed: LivedFeed::Tape(Box::new(tape)) })
    }

    /// Its market events from the first.
    pub fn market(&self) -> Result<Market, Trouble> {
        match &self.feed {
            LivedFeed::Tape(tape) => Ok(Box::new(Player::new(tape, self.row.tape.seed))),
            LivedFeed::Segment(path) => Ok(Box::new(SegmentReader::open(path)?)),
        }
    }
}

/// The setup of a run that providers fed. Its journal says what it watches; one of before that is known by what is watched now.
fn provider_setup(base: &Base, row: &RunRow) -> Result<Setup, Trouble> {
    let mut setup = base.provider_setup();
    if row.tape.name == runtime::LIVE_MARKETS {
        setup.series.clear();
        return Ok(setup);
    }
    setup.series = base.listed_series();
    if runtime::older_name(setup.series.iter().map(|series| series.instrument)) == row.tape.name {
        return Ok(setup);
    }
    Err(Trouble::new(
        format!("{} watched other instruments than are watched now, and its journal does not say which", row.run),
        "The journal was only read",
        "Put `watch` and the aliases of your providers.toml back as they were then",
    ))
}

/// What a command says that needs a run.
pub fn no_run() -> Trouble {
    Trouble::new("The ledger holds no run yet", "Nothing was changed", "Start the workstation once and let it play")
}

/// Replays a run.
pub fn replay_run(args: &Args, run: u64, format: Format) -> Done {
    let lived = Lived::open(args, Some(run))?;
    report(runtime::replay(&lived.file, lived.row.run, &|| lived.market(), &lived.setup), format)
}

fn report(replayed: Result<ReplayReport, Trouble>, format: Format) -> Done {
    match replayed {
        Err(trouble) => {
            complain(format_args!("{trouble}"));
            Ok(DIFFERENT)
        }
        Ok(report) => {
            let agrees = report.state == report.recovered;
            if format == Format::Json {
                say(&serde_json::to_string(&report).unwrap_or_else(|error| error.to_string()));
            } else {
                let (events, inputs) = (counted(report.market_events, "market event"), counted(report.inputs, "input"));
                say(&format!("{}: {events}, {inputs}", report.run));
                let checkpoints = counted(report.checkpoints, "checkpoint");
                say(&format!("as recorded: {}, {checkpoints}", counted(report.decisions, "decision")));
                say(&format!("state     {}", report.state));
                say(&format!("recovered {}{}", report.recovered, if agrees { "" } else { "  DIFFERS" }));
            }
            Ok(if agrees { OK } else { DIFFERENT })
        }
    }
}

/// Walks the chain.
pub fn verify_chain(args: &Args, format: Format) -> Done {
    let base = Base::open(args)?;
    let path = existing_ledger(&base)?;
    let verified = LedgerFile::open_to_verify(&path).and_then(|file| store::verify(&file));
    match verified {
        Ok(report) if format == Format::Json => {
            say(&format!(r#"{{"holds":true,"entries":{},"head":"{}"}}"#, report.entries, report.head))
        }
        Ok(report) => say(&format!("the chain holds: {}, head {}", counted(report.entries, "entry"), report.head)),
        Err(error) if is_break(&error) => {
            if format == Format::Json {
                say(&format!(r#"{{"holds":false,"reason":{}}}"#, serde_json::json!(error.to_string())));
            }
            complain(format_args!("{}", broken(error)));
            return Ok(DIFFERENT);
        }
        Err(error) => return Err(Trouble::from(error)),
    }
    Ok(OK)
}

/// Whether the journal is not what it was, rather than out of reach.
const fn is_break(error: &StoreError) -> bool {
    match error {
        StoreError::Chain { .. } | StoreError::Decode { .. } | StoreError::Damaged { .. } => true,
        StoreError::Lost { .. } | StoreError::Head { .. } => true,
        StoreError::OldSqlite { .. } | StoreError::Sqlite(_) | StoreError::Io { .. } | StoreError::Pragma { .. } => false,
        StoreError::NewerSchema { .. } | StoreError::NewerEntry { .. } | StoreError::Encode(_) => false,
        StoreError::Segment { .. } | StoreError::NoRun(_) | StoreError::Output(_) => false,
    }
}

fn broken(error: StoreError) -> Trouble {
    let is_head = matches!(error, StoreError::Head { .. });
    let trouble = Trouble::from(error);
    if !is_head {
        return trouble;
    }
    // The walk comes before the anchor is looked at.
    let what = format!("{}; the chain itself holds", trouble.what);
    Trouble::new(what, trouble.safe, "Move that file away and start again: the next start makes it anew")
}

/// Writes the entries.
pub fn export_run(args: &Args, run: Option<u64>, format: ExportAs) -> Done {
    let base = Base::open(args)?;
    let file = ledger(&base)?;
    let format = match format {
        ExportAs::Jsonl => ExportFormat::JsonLines,
        ExportAs::Csv => ExportFormat::Csv,
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match store::export(&file, run, format, &mut out) {
        Ok(_) => out.flush().or_else(ended)?,
        Err(StoreError::Output(error)) => {
            // What is left in the buffer cannot be written either.
            let _ = out.into_parts();
            ended(error)?;
        }
        Err(error) => return Err(Trouble::from(error)),
    }
    Ok(OK)
}
