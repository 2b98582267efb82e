//! `pmax model`: language models installed, checked and measured.

mod bench;

use std::io::{IsTerminal, Write};
use std::path::Path;

use serde::Serialize;
use serde_json::json;

use crate::cli::args::{Args, Format, ModelVerb, RunsOn};
use crate::cli::{DIFFERENT, Done, OK, say};
use crate::llm::catalogue::Catalogue;
use crate::llm::install::{Installed, Progress, Shelf, Wish};
use crate::llm::protocol::Device;
use crate::runtime::{Home, ModelName, Trouble, load_models, nearest};

/// One model for a script.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a ModelName,
    title: &'a str,
    about: &'a str,
    installed: bool,
    file: Option<String>,
    bytes: Option<u64>,
    sha256: Option<&'a str>,
    memory_mb: Option<u64>,
    licence: Option<&'a str>,
    knowledge_until: Option<String>,
    fit: Vec<&'static str>,
    source: String,
}

/// Runs one of the commands. They need no configuration, so that a damaged one cannot be in the way.
pub fn run(args: &Args, verb: &ModelVerb) -> Done {
    if let ModelVerb::Add { model, if_missing, to: Some(folder), format } = verb {
        // A folder of one's own choice needs no home.
        let home = args.home.as_deref().map(|folder| Home::find(Some(folder))).transpose()?;
        return add(
            &load_models(home.as_ref())?,
            &Shelf::new(folder),
            &Added { model, if_missing: *if_missing, format: *format },
        );
    }
    let home = Home::find(args.home.as_deref())?;
    let (catalogue, shelf) = (load_models(Some(&home))?, Shelf::new(home.models_folder()));
    match verb {
        ModelVerb::List { format } => list(&catalogue, &shelf, *format),
        ModelVerb::Add { model, if_missing, format, .. } => {
            add(&catalogue, &shelf, &Added { model, if_missing: *if_missing, format: *format })
        }
        ModelVerb::Remove { name } => {
            let bytes = shelf.remove(name)?;
            say(&format!("{name} is removed; {} are free again", size(bytes)));
            Ok(OK)
        }
        ModelVerb::Verify { name, format } => verify(&catalogue, &shelf, name.as_ref(), *format),
        ModelVerb::Bench { model, on, threads, format } => {
            bench::run(&shelf, &bench::Wanted { model: model.as_deref(), on: *on, threads: *threads, format: *format })
        }
    }
}

/// The hidden verb: this process becomes a worker.
pub fn work() -> Done {
    crate::llm::worker::run(crate::llm::worker::load).map_err(|error| {
        Trouble::new(
            format!("The model's process ends: {error}"),
            "Nothing was changed",
            "`pmax model bench` shows whether it runs",
        )
    })?;
    Ok(OK)
}

fn list(catalogue: &Catalogue, shelf: &Shelf, format: Format) -> Done {
    let installed = shelf.installed();
    let own = installed.iter().filter(|one| !catalogue.models.contains_key(&one.name)).map(row);
    let known = catalogue.models.iter().map(|(name, entry)| {
        let here = installed.iter().find(|one| one.name == *name);
        Row {
            name,
            title: &entry.title,
            about: &entry.about,
            installed: here.is_some(),
            file: here.map(|one| one.file.display().to_string()),
            bytes: here.map(|one| one.bytes).or(entry.bytes),
            sha256: entry.sha256.as_ref().map(|digest| digest.as_str()),
            memory_mb: Some(entry.memory_mb),
            licence: Some(&entry.licence),
            knowledge_until: entry.knowledge_until.map(|day| day.to_string()),
            fit: entry.fit.iter().map(|device| device.word()).collect(),
            source: entry.source.words(),
        }
    });
    let rows: Vec<Row<'_>> = known.chain(own).collect();
    if format == Format::Json {
        say(&json!({ "default": catalogue.default, "models": rows }).to_string());
        return Ok(OK);
    }
    for row in &rows {
        let stands = if row.installed { "installed" } else { "" };
        let (bytes, memory) = (row.bytes.map_or_else(|| "n/a".to_owned(), size), row.memory_mb.map_or(0, |mb| mb * 1_000_000));
        let memory = if memory == 0 { "n/a".to_owned() } else { size(memory) };
        let (licence, knows) = (row.licence.unwrap_or("n/a"), row.knowledge_until.as_deref().unwrap_or("n/a"));
        let fit = if row.fit.is_empty() { "n/a".to_owned() } else { row.fit.join(", ") };
        say(&format!("{:<16} {stands:<9} {bytes:>8}  memory {memory:>7}  {fit:<8} {licence:<11} knows until {knows}", row.name));
        say(&format!("{:<16} {}{}{}", "", row.title, if row.about.is_empty() { "" } else { " — " }, row.about));
    }
    if installed.is_empty() {
        say(&format!("none is installed; `pmax model add {}` installs the smallest", catalogue.default));
    }
    Ok(OK)
}

/// One that is in no catalogue.
fn row(one: &Installed) -> Row<'_> {
    let record = one.record.as_ref();
    Row {
        name: &one.name,
        title: record.map_or("a file without a record", |record| &record.title),
        about: "",
        installed: true,
        file: Some(one.file.display().to_string()),
        bytes: Some(one.bytes),
        sha256: record.map(|record| record.sha256.as_str()),
        memory_mb: None,
        licence: record.and_then(|record| record.licence.as_deref()),
        knowledge_until: record.and_then(|record| record.knowledge_until.clone()),
        fit: Vec::new(),
        source: record.map(|record| record.source.clone()).unwrap_or_default(),
    }
}

/// What `add` was asked for.
struct Added<'a> {
    model: &'a str,
    if_missing: bool,
    format: Format,
}

fn add(catalogue: &Catalogue, shelf: &Shelf, wanted: &Added<'_>) -> Done {
    let wish = wish(catalogue, wanted.model)?;
    let here = shelf.find(&wish.name).filter(|here| wish.bytes.is_none_or(|bytes| bytes == here.bytes));
    if let Some(here) = here.filter(|_| wanted.if_missing) {
        return added(&here, "is installed already", wanted.format);
    }
    let mut shown = Shown::new(format!("{} from {}", wish.name, wish.source.words()));
    let installed = shelf.add(&wish, &mut |progress| shown.show(progress))?;
    shown.end();
    added(&installed, "is installed", wanted.format)
}

fn added(installed: &Installed, words: &str, format: Format) -> Done {
    let record = installed.record.as_ref();
    if format == Format::Json {
        let file = installed.file.display().to_string();
        let record = json!({ "name": installed.name, "file": file, "bytes": installed.bytes, "record": record });
        say(&record.to_string());
        return Ok(OK);
    }
    say(&format!("{} {words}: {}, {}", installed.name, installed.file.display(), size(installed.bytes)));
    if let Some(record) = record {
        let checked = if record.was_expected { "as was expected" } else { "not verified: nobody says what it should be" };
        say(&format!("SHA-256 {}, {checked}; licence {}", record.sha256, record.licence.as_deref().unwrap_or("not known")));
    }
    Ok(OK)
}

/// A name of the catalogue, else a file.
fn wish(catalogue: &Catalogue, model: &str) -> Result<Wish, Trouble> {
    if let Some(wish) = ModelName::new(model).ok().and_then(|name| Wish::of_catalogue(catalogue, &name)) {
        return Ok(wish);
    }
    let path = Path::new(model);
    if path.is_file() {
        return Wish::of_file(path).map_err(|why| Trouble::new(why, "Nothing was changed", "Rename the file"));
    }
    let names: Vec<&str> = catalogue.models.keys().map(ModelName::as_str).collect();
    let meant = nearest(model, names.iter().copied()).map_or_else(String::new, |name| format!("; did you mean {name}?"));
    let what = format!("«{model}» is no model of the catalogue and no file{meant}");
    Err(Trouble::new(what, "Nothing was changed", format!("Write one of {}, or the path of a GGUF file", names.join(", "))))
}

fn verify(catalogue: &Catalogue, shelf: &Shelf, name: Option<&ModelName>, format: Format) -> Done {
    let names: Vec<ModelName> = match name {
        Some(name) => vec![name.clone()],
        None => shelf.installed().into_iter().map(|one| one.name).collect(),
    };
    let (mut rows, mut is_right) = (Vec::new(), true);
    for name in &names {
        let expected = catalogue.models.get(name).and_then(|entry| entry.sha256.as_ref());
        let mut shown = Shown::new(name.to_string());
        let verified = shelf.verify(name, expected, &mut |progress| shown.show(progress))?;
        shown.end();
        is_right &= verified.is_right() != Some(false);
        let words = match verified.is_right() {
            Some(true) => "is what it should be",
            Some(false) => "IS NOT what it should be",
            None => "is not verified: nobody says what it should be",
        };
        match format {
            Format::Text => say(&format!("{name} {words}: SHA-256 {}", verified.sha256.as_str())),
            Format::Json => rows.push(json!({
                "name": name,
                "sha256": verified.sha256.as_str(),
                "expected": verified.expected.as_ref().map(|digest| digest.as_str()),
                "right": verified.is_right(),
            })),
        }
    }
    match format {
        Format::Json => say(&serde_json::Value::from(rows).to_string()),
        Format::Text if names.is_empty() => say("none is installed"),
        Format::Text => {}
    }
    Ok(if is_right { OK } else { DIFFERENT })
}

/// Bytes for a person.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.0} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.0} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

/// How far it is, on a terminal only and on one line.
struct Shown {
    what: String,
    is_shown: bool,
    percent: Option<u64>,
}

impl Shown {
    fn new(what: String) -> Self {
        Self { what, is_shown: std::io::stderr().is_terminal(), percent: None }
    }

    fn show(&mut self, progress: Progress) {
        let percent = progress.of.filter(|of| *of > 0).map(|of| progress.bytes.saturating_mul(100) / of);
        let step = percent.unwrap_or(progress.bytes >> 22);
        if !self.is_shown || self.percent == Some(step) {
            return;
        }
        self.percent = Some(step);
        let of = progress.of.map(|of| format!(" of {}", size(of))).unwrap_or_default();
        // A terminal that is gone shows nothing; the fetch goes on.
        drop(write!(std::io::stderr(), "\r\u{1b}[K{}: {}{of}", self.what, size(progress.bytes)));
    }

    fn end(&self) {
        if self.is_shown {
            drop(write!(std::io::stderr(), "\r\u{1b}[K"));
        }
    }
}

/// Where a model is to run.
fn device(on: RunsOn) -> Device {
    match on {
        RunsOn::Cpu => Device::Cpu,
        RunsOn::Gpu => Device::Gpu,
    }
}
