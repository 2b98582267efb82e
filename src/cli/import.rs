//! `pmax tapes import`: a person's own history becomes a tape.

use std::collections::BTreeMap;
use std::path::Path;

use crate::cli::args::{Args, Dates, Import};
use crate::cli::open::{Base, date};
use crate::cli::{Done, OK, say};
use crate::domain::{Bar, InstrumentTable, counted};
use crate::market::own::{self, Asked, DateOrder, Imported, Problems, SheetError};
use crate::market::{self, MadeSeries, MadeTape, TapeMeta};
use crate::runtime::{Trouble, write_bytes_atomically};

/// Bytes of the largest file.
const LARGEST: u64 = 1024 * 1024 * 1024;
const UNCHANGED: &str = "No tape was written and the file was not changed";

/// Reads the file, says what is in it and what is wrong with it, and writes the tape where nothing is.
pub fn run(args: &Args, options: &Import) -> Done {
    let base = Base::open(args)?;
    let name = name(options)?;
    let folder = base.home.tapes_folder();
    let path = folder.join(format!("{name}.parquet"));
    if path.exists() && !options.replace && !options.check {
        return Err(Trouble::new(
            format!("There is a tape {name} already"),
            "It was not touched",
            "Choose another name with --name NAME, or say --replace",
        ));
    }
    let imported = read(&base.instruments, options)?;
    describe(&imported, options);
    if imported.faults.count() > 0 {
        return Err(Trouble::new(
            format!("{} has {}", options.file.display(), counted(imported.faults.count(), "fault")),
            UNCHANGED,
            "Correct the rows named above and import it again",
        ));
    }
    let (meta, bars) = made(name, imported, options)?;
    if options.check {
        say(&format!("it would be the tape {}: {}, played from {}", meta.name, counted(bars.len(), "bar"), meta.start));
        return Ok(OK);
    }
    write(&path, &base, &meta, &bars)?;
    say(&format!("written: {} ({}, played from {})", path.display(), counted(bars.len(), "bar"), meta.start));
    say(&format!("play it with `pmax --tape {}`", meta.name));
    Ok(OK)
}

/// The name of the tape: as asked, or that of the file in small letters.
fn name(options: &Import) -> Result<String, Trouble> {
    let stem = options.file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let usual = || stem.to_lowercase().chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    let name: String = options.name.clone().unwrap_or_else(usual);
    if market::may_be_named(&name) && !name.ends_with(market::PRICES) {
        return Ok(name);
    }
    Err(Trouble::new(
        format!("«{name}» cannot be the name of a tape of your own"),
        UNCHANGED,
        "Choose one with --name: up to 48 letters, digits, dots, hyphens and underscores, and none of the bundled tapes'",
    ))
}

fn read(instruments: &InstrumentTable, options: &Import) -> Result<Imported, Trouble> {
    let refuse = |what: String, todo: &str| Trouble::new(format!("{}: {what}", options.file.display()), UNCHANGED, todo);
    let (mut symbol, mut names) = (None, BTreeMap::new());
    for text in &options.symbol {
        match text.split_once('=') {
            Some((said, meant)) => drop(names.insert(said.to_owned(), meant.to_owned())),
            None if symbol.is_none() => symbol = Some(text.clone()),
            None => {
                return Err(refuse(
                    "two instruments for one series".to_owned(),
                    "Say --symbol once, or FILES_NAME=SYMBOL for each",
                ));
            }
        }
    }
    let asked = Asked {
        instruments,
        symbol,
        names,
        zone: options.timezone.clone(),
        frame: options.frame,
        order: options.dates.map(|dates| match dates {
            Dates::Dmy => DateOrder::DayFirst,
            Dates::Mdy => DateOrder::MonthFirst,
        }),
        is_adjusted: options.adjusted,
        skips_missing: options.skip_missing,
        skips_closed: options.skip_closed,
    };
    let bytes = own::read_bytes(&options.file, LARGEST).map_err(SheetError::from);
    bytes.and_then(|bytes| own::import(bytes, &asked)).map_err(|error| match &error {
        SheetError::Layout { what, todo } => refuse(what.clone(), todo),
        SheetError::Text(_) => refuse(error.to_string(), "Look at its name and rights"),
        SheetError::Parquet(_) => refuse(error.to_string(), "Write it again, or export it as CSV"),
        SheetError::Empty | SheetError::TooLong => refuse(error.to_string(), "Give a file with one row for each bar"),
    })
}

/// What the file holds, what is odd and what is wrong.
fn describe(imported: &Imported, options: &Import) {
    say(&format!("{}: {} — {}", options.file.display(), counted(imported.rows, "row"), imported.read_as.join("; ")));
    for series in &imported.series {
        let (first, last) = (series.bars.first(), series.bars.last());
        let span = first
            .zip(last)
            .map_or_else(|| "no bars".to_owned(), |(first, last)| format!("{} to {}", first.open_at, last.close_at));
        let kind = format!(
            "{}{}{}",
            if series.has_range { "range" } else { "close only" },
            if series.has_volume { ", volume" } else { "" },
            if options.adjusted { ", adjusted" } else { "" }
        );
        let note = if series.note.is_empty() { String::new() } else { format!("  {}", series.note) };
        say(&format!(
            "  {:<7} {span}  {:<4} {}  {kind}{note}",
            series.symbol,
            series.frame.to_string(),
            counted(series.bars.len(), "bar")
        ));
    }
    let (missing, closed) = imported.left_out;
    for (count, what) in [(missing, "without a price"), (closed, "outside trading hours")] {
        if count > 0 {
            say(&format!("  left out: {} {what}", counted(count, "row")));
        }
    }
    list("taken as it stands, but look at it", &imported.doubts);
    list("wrong", &imported.faults);
}

fn list(title: &str, problems: &Problems) {
    if problems.count() == 0 {
        return;
    }
    say(&format!("  {title} ({}):", problems.count()));
    for problem in problems.first() {
        say(&format!("    {problem}"));
    }
    if problems.others() > 0 {
        say(&format!("    and {} more", problems.others()));
    }
}

fn made(name: String, imported: Imported, options: &Import) -> Result<(TapeMeta, Vec<Bar>), Trouble> {
    let file = options.file.file_name().and_then(|name| name.to_str()).unwrap_or("a file");
    let doubts = imported.doubts.count();
    let doubtful = if doubts == 0 { String::new() } else { format!(" {doubts} oddities were taken as they stood.") };
    let mut bars = Vec::new();
    let mut described = Vec::new();
    for series in imported.series {
        bars.extend(series.bars);
        described.push(MadeSeries {
            instrument: series.instrument,
            symbol: series.symbol,
            frame: series.frame,
            has_range: series.has_range,
            has_volume: series.has_volume,
            is_adjusted: options.adjusted,
            source: format!("imported from {file}"),
            note: series.note,
        });
    }
    let about = MadeTape {
        title: format!("Imported from {file}"),
        description: format!("{} series of your own.{doubtful}", described.len()),
        name,
        start: options.start.as_deref().map(date).transpose()?,
        series: described,
        licence: "your own".to_owned(),
    };
    market::make_tape(about, bars).map_err(|what| {
        Trouble::new(format!("{}: {what}", options.file.display()), UNCHANGED, "Give a longer file, or say --start DATE")
    })
}

fn write(path: &Path, base: &Base, meta: &TapeMeta, bars: &[Bar]) -> Result<(), Trouble> {
    let refuse = |what: String| {
        Trouble::new(
            what,
            "A tape of that name is as it was",
            "Check the disk and its rights, or choose another folder with --home",
        )
    };
    let bytes =
        market::tape_bytes(meta, bars, &base.instruments).map_err(|error| refuse(format!("The tape cannot be made: {error}")))?;
    // What was written is what will be played: it is read back first.
    let read = market::Tape::read(&meta.name, bytes.clone().into()).map_err(|error| refuse(error.to_string()))?;
    debug_assert_eq!(read.bars.len(), bars.len(), "a tape holds what was put in");
    let written = base.home.make_tapes_folder().and_then(|_| write_bytes_atomically(path, &bytes));
    written.map_err(|error| refuse(format!("{} cannot be written: {error}", path.display())))
}
