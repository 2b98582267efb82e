//! `pmax walkforward`: parameters chosen on the past, tested on what came after.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use crate::backtest::Plan;
use crate::backtest::walk::{Anchor, Done, Fit, Geometry, NoWindows, Part, Unplayable, Walk, least_purge, own_rules, small_grid};
use crate::cli::args::{Args, Walkforward, WrittenAs};
use crate::cli::backtest::{so_many, uncounted, unplayable, writable, write};
use crate::cli::open::{Base, date};
use crate::cli::{Done as Ended, OK, say};
use crate::domain::{BrokerKind, counted};
use crate::engine::TapeRef;
use crate::market::{Player, Tape};
use crate::report::{self, Setting};
use crate::runtime::{RunTerms, Trouble, complain, wall_now};
use crate::store::{Trial, TrialKind, Trials};

/// Bars between training and test that neither sees, unless told otherwise: a week of sessions.
const EMBARGO: u32 = 5;

/// Walks and reports.
pub fn run(args: &Args, options: &Walkforward) -> Ended {
    let base = Base::open(args)?.trading_at(BrokerKind::Paper)?;
    let tape = base.tape()?;
    let walk = prepare(args, options, &base, &tape)?;
    complain(format_args!("{} at most; each is counted in the trial ledger", counted(walk.fits(), "fit")));
    if let Some(file) = &options.html {
        writable(file)?;
    }
    let mut trials = Trials::open(&base.home.trials_file()).map_err(uncounted)?;
    let done = work(&walk, &tape, options.threads, &mut trials)?;
    let (walked, summary) = walk.summarise(done);
    let settings = walk.settings_hash().map_err(|error| unplayable(&error))?;
    let command = command(args, options);
    let setting = Setting { command: &command, description: &tape.meta.description, settings: &settings };
    let tried = trials.on_tape(&walk.plan().tape.sha256).map_err(uncounted)?;
    let document = report::walk_forward(setting, &walk, &walked, &summary);
    if let Some(file) = &options.html {
        write(file, &document.html())?;
    }
    match options.format {
        WrittenAs::Json => {
            let about = serde_json::json!({
                "command": command, "tape": walk.plan().tape, "settings": settings, "geometry": walk.geometry(), "grid": walk.grid(),
            });
            say(&serde_json::json!({"about": about, "summary": summary, "windows": walked}).to_string());
        }
        WrittenAs::Markdown => say(document.markdown().trim_end()),
        WrittenAs::Table => {
            say(&document.text());
            say(&format!("Counted: {}; the best of many is lucky.", so_many(&tried)));
        }
    }
    Ok(OK)
}

fn prepare(args: &Args, options: &Walkforward, base: &Base, tape: &Tape) -> Result<Walk, Trouble> {
    let RunTerms { seed, capital, .. } = base.terms(args)?;
    let from = options.from.as_deref().map(date).transpose()?.or_else(|| tape.start()).unwrap_or_default();
    let until = options.until.as_deref().map(date).transpose()?;
    let tape_ref = TapeRef { name: tape.meta.name.clone(), sha256: tape.sha256.clone(), seed };
    let version = env!("CARGO_PKG_VERSION");
    let plan = Plan { setup: base.setup(tape), tape: tape_ref, version, capital, from, until, since: None, opens_until: None };
    let grid: Vec<_> = small_grid().into_iter().chain(own_rules(&base.library)).collect();
    let geometry = Geometry {
        train: options.train,
        test: options.test,
        step: options.step.unwrap_or(options.test),
        anchor: if options.anchored { Anchor::Anchored } else { Anchor::Rolling },
        purge: options.purge.unwrap_or_else(|| least_purge(&grid)),
        embargo: options.embargo.unwrap_or(EMBARGO),
    };
    Walk::new(plan, &tape.bars, geometry, grid).map_err(|error| uncut(&error))
}

fn uncut(error: &NoWindows) -> Trouble {
    let hint = match error {
        NoWindows::Empty(_) => "Write lengths such as 3y, 18m or 90d",
        NoWindows::Overlap { .. } => "Choose a step as long as the test, or longer",
        NoWindows::Purge { .. } => "Leave --purge out, or make it longer",
        NoWindows::Short { .. } => "Choose shorter windows, or a longer tape such as us20-1990-2022",
        NoWindows::Eaten(..) => "Choose longer windows, or a tape with more bars",
    };
    Trouble::new(format!("There is nothing to walk through: {error}"), "Nothing was played and nothing was counted", hint)
}

/// Does all jobs on so many threads. Fits are counted in the order of the jobs, whichever thread is faster, and as soon as all jobs before
/// theirs are done: what was tried stays counted if the rest is interrupted.
fn work(walk: &Walk, tape: &Tape, threads: usize, trials: &mut Trials) -> Result<Vec<Done>, Trouble> {
    let player = Player::new(tape, walk.plan().tape.seed);
    let (next, jobs) = (AtomicUsize::new(0), walk.jobs());
    thread::scope(|scope| {
        let (sender, results) = mpsc::sync_channel::<(usize, Result<Done, Unplayable>)>(jobs);
        for _ in 0..threads.clamp(1, jobs.max(1)) {
            let (sender, player, next) = (sender.clone(), &player, &next);
            scope.spawn(move || {
                let history = |since| {
                    let mut player = player.clone();
                    player.seek_to(since);
                    player
                };
                loop {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    let Some(done) = walk.work(job, history) else { break };
                    if sender.send((job, done)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let gathered = gather(walk, results, trials);
        // After trouble the others need not go on.
        next.store(jobs, Ordering::Relaxed);
        gathered
    })
}

fn gather(
    walk: &Walk,
    results: mpsc::Receiver<(usize, Result<Done, Unplayable>)>,
    trials: &mut Trials,
) -> Result<Vec<Done>, Trouble> {
    let mut early = std::collections::BTreeMap::new();
    let mut done = Vec::with_capacity(walk.jobs());
    let mut told = 0;
    for (job, result) in results {
        early.insert(job, result.map_err(|error| unplayable(&error))?);
        while let Some(next) = early.remove(&done.len()) {
            let fits: Vec<Trial> = next.fits().into_iter().map(|fit| trial(walk, fit)).collect();
            trials.append_all(&fits).map_err(uncounted)?;
            done.push(next);
        }
        let tenths = done.len() * 10 / walk.jobs().max(1);
        if tenths > told && tenths < 10 {
            told = tenths;
            complain(format_args!("{} of {} windows and runs done", done.len(), walk.jobs()));
        }
    }
    if done.len() == walk.jobs() {
        return Ok(done);
    }
    Err(Trouble::new("A part of the walk died; its reason stands above", "What was tried is counted", "Report this"))
}

fn trial(walk: &Walk, fit: &Fit) -> Trial {
    Trial {
        kind: match fit.part {
            Part::Train => TrialKind::Train,
            Part::Test => TrialKind::Test,
            Part::Whole => TrialKind::Whole,
        },
        made_at: wall_now(),
        tape: walk.plan().tape.name.clone(),
        tape_sha256: walk.plan().tape.sha256.clone(),
        settings: fit.settings.clone(),
        begins: fit.begins,
        ends: fit.ends,
        days: fit.account.days,
        sharpe: fit.account.sharpe,
    }
}

/// The command that gives the same again, without what belongs to a machine.
fn command(args: &Args, options: &Walkforward) -> String {
    let mut words = vec!["pmax".to_owned(), "walkforward".to_owned()];
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            words.extend([name.to_owned(), value]);
        }
    };
    add("--tape", args.tape.clone());
    args.sets.iter().for_each(|set| add("--set", Some(set.clone())));
    add("--train", Some(options.train.to_string()));
    add("--test", Some(options.test.to_string()));
    add("--step", options.step.map(|step| step.to_string()));
    add("--from", options.from.clone());
    add("--until", options.until.clone());
    add("--purge", options.purge.map(|bars| bars.to_string()));
    add("--embargo", options.embargo.map(|bars| bars.to_string()));
    if options.anchored {
        words.push("--anchored".to_owned());
    }
    words.extend(["--format".to_owned(), "markdown".to_owned()]);
    words.join(" ")
}
