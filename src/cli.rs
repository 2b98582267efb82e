//! Floor 7: the command line. Each command is a thin call into a room.

mod allocate;
mod args;
mod backtest;
mod broker;
mod charts;
mod drill;
mod examples;
mod import;
mod journal;
mod keys;
mod model;
mod open;
mod parity;
mod record;
mod rehearsal;
mod rehearse;
mod render;
mod scores;
mod sim;
mod stats;
mod status;
mod tapes;
mod validate;
mod walkforward;
mod watch;
mod workstation;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::args::{Args, JournalVerb, SimVerb, TapesVerb, Verb};
use crate::runtime::{Trouble, complain};
use crate::store::StoreError;

/// Everything went well.
pub const OK: u8 = 0;
/// Something could not be done; one sentence says what.
pub const TROUBLE: u8 = 1;
/// The command line made no sense (clap's own code).
pub const USAGE: u8 = 2;
/// A verification or replay found a difference.
pub const DIFFERENT: u8 = 3;
/// The engine did not stop in time.
pub const UNCLEAN: u8 = 4;

/// Runs the program and gives its exit code.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.verb {
        None => workstation::run(&args),
        Some(Verb::Tapes { format, verb: None }) => tapes::run(&args, *format),
        Some(Verb::Tapes { verb: Some(TapesVerb::Import(options)), .. }) => import::run(&args, options),
        Some(Verb::Record(options)) => record::run(&args, options),
        Some(Verb::Replay { run, format }) => journal::replay_run(&args, *run, *format),
        Some(Verb::Parity(options)) => parity::run(&args, options),
        Some(Verb::Journal { verb: JournalVerb::Verify { format } }) => journal::verify_chain(&args, *format),
        Some(Verb::Journal { verb: JournalVerb::Export { run, format } }) => journal::export_run(&args, *run, *format),
        Some(Verb::Kill { why, format }) => status::kill(&args, why, *format),
        Some(Verb::Status { format }) => status::status(&args, *format),
        Some(Verb::Info { format }) => status::info(&args, *format),
        Some(Verb::Backtest(options)) => backtest::run(&args, options),
        Some(Verb::Rehearse(options)) => rehearse::run(&args, options),
        Some(Verb::Walkforward(options)) => walkforward::run(&args, options),
        Some(Verb::Scores(options)) => scores::run(&args, options),
        Some(Verb::Allocate(options)) => allocate::run(&args, options),
        Some(Verb::Stats(options)) => stats::run(options),
        Some(Verb::Validate(options)) => validate::run(&args, options),
        Some(Verb::Render(render)) => render::run(&args, render),
        Some(Verb::Sim { verb: SimVerb::Xapi(options) }) => sim::xapi(&args, options),
        Some(Verb::Keys { verb }) => keys::run(&args, verb),
        Some(Verb::Broker { verb }) => broker::run(&args, verb),
        Some(Verb::Watch { verb }) => watch::run(&args, verb),
        Some(Verb::Model { verb }) => model::run(&args, verb),
        Some(Verb::ModelWorker) => model::work(),
        Some(Verb::Drill { orders_per_second }) => drill::run(&args, *orders_per_second),
    };
    ExitCode::from(done.unwrap_or_else(|trouble: Trouble| {
        complain(format_args!("{trouble}"));
        TROUBLE
    }))
}

/// The reader of a person's series, for tests that hand it files.
pub mod series {
    pub use super::args::{Format, Stats};
    pub use super::stats::file::{Series, read};
}

/// How a command ends: an exit code, or trouble in words.
pub type Done = Result<u8, Trouble>;

/// Prints a line to standard output. Where nobody reads on, the program ends quietly; where it cannot be written, it says so.
fn say(text: &str) {
    use std::io::Write;
    if let Err(error) = writeln!(std::io::stdout().lock(), "{text}") {
        let code = match ended(error) {
            Ok(()) => OK,
            Err(trouble) => {
                complain(format_args!("{trouble}"));
                TROUBLE
            }
        };
        std::process::exit(i32::from(code));
    }
}

/// What a failed write to standard output means: a reader that has seen enough (`pmax … | head`) is no trouble.
fn ended(error: std::io::Error) -> Result<(), Trouble> {
    if error.kind() == std::io::ErrorKind::BrokenPipe { Ok(()) } else { Err(Trouble::from(StoreError::Output(error))) }
}
