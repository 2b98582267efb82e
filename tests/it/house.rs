//! The floors hold: a room uses only rooms below it, and the lower floors know no clock, file, thread or unordered map.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

/// Rooms and their floors, as in ARCHITECTURE.md.
const FLOORS: [(&str, u8); 18] = [
    ("domain", 0),
    ("stats", 1),
    ("portfolio", 2),
    ("orders", 2),
    ("exchange", 2),
    ("signals", 3),
    ("risk", 3),
    ("engine", 4),
    ("backtest", 4),
    ("simulator", 5),
    ("report", 5),
    ("store", 5),
    ("market", 5),
    ("broker", 5),
    ("llm", 5),
    ("runtime", 6),
    ("ui", 7),
    ("cli", 7),
];
/// Names that floors 0 to 4 may not mention.
const BANNED: [&str; 20] = [
    "now_utc",
    "stdout",
    "stdin",
    "stderr",
    "SystemTime",
    "Instant",
    "HashMap",
    "HashSet",
    "RandomState",
    "rand",
    "thread",
    "env",
    "fs",
    "net",
    "process",
    "crossterm",
    "ratatui",
    "tokio",
    "rusqlite",
    "Mutex",
];

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

/// Whether a room may use another.
fn may_use(user: &str, used: &str) -> bool {
    let forbidden = [("ui", "broker"), ("ui", "store"), ("ui", "market"), ("ui", "cli")];
    let (Some(from), Some(to)) = (floor(user), floor(used)) else { return false };
    let is_allowed_beside = matches!((user, used), ("cli", "ui") | ("backtest", "engine"));
    user == used || is_allowed_beside || (to < from && !forbidden.contains(&(user, used)))
}

/// Collects paths; skips what is compiled for tests only.
#[derive(Default)]
struct Paths {
    found: Vec<Vec<String>>,
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && matches!(&attribute.meta, syn::Meta::List(list) if list.tokens.to_string() == "test")
    })
}

impl Paths {
    fn take_tree(&mut self, before: &[String], tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => {
                let mut before = before.to_vec();
                before.push(path.ident.to_string());
                self.take_tree(&before, &path.tree);
            }
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.take_tree(before, tree)),
            syn::UseTree::Name(name) => self.found.push([before, &[name.ident.to_string()]].concat()),
            syn::UseTree::Rename(name) => self.found.push([before, &[name.ident.to_string()]].concat()),
            syn::UseTree::Glob(_) => self.found.push([before, &["*".to_owned()]].concat()),
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.take_tree(&[], &item.tree);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        // Words inside a macro are no paths to the parser: what stands between two colons is put together, the rest looked at alone.
        let text = item.tokens.to_string().replace(" :: ", "::");
        for path in text.split(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != ':') {
            let words: Vec<String> = path.split("::").filter(|word| !word.is_empty()).map(str::to_owned).collect();
            if words.len() > 1 || path.starts_with(|letter: char| letter.is_ascii_uppercase()) {
                self.found.push(words);
            }
        }
        visit::visit_macro(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.found.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }
}

/// `jiff::Timestamp::now()`, `Zoned::now()`, `SomeClock::now()`, `TimeZone::system()`: a time or zone from outside, whatever its library.
fn asks_the_clock(path: &[String]) -> bool {
    path.len() > 1 && path.last().is_some_and(|last| matches!(last.as_str(), "now" | "system" | "try_system"))
}

/// What is wrong with a file of a room.
fn faults(room: &str, source: &str) -> Vec<String> {
    let mut paths = Paths::default();
    paths.visit_file(&syn::parse_file(source).unwrap());
    let mut faults = Vec::new();
    for path in paths.found {
        if path.first().is_some_and(|first| first == "crate")
            && let Some(used) = path.get(1)
            && !may_use(room, used)
        {
            faults.push(format!("{room} uses {used}"));
        }
        let is_low = floor(room).is_some_and(|floor| floor <= 4);
        if is_low && asks_the_clock(&path) {
            faults.push(format!("{room} asks the clock: {}", path.join("::")));
        }
        if let Some(word) = path.iter().find(|word| is_low && BANNED.contains(&word.as_str())) {
            faults.push(format!("{room} names {word}"));
        }
    }
    faults
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_room_keeps_to_its_floor() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&source, &mut all);
    assert!(all.len() > 80);
    let mut wrong = Vec::new();
    for file in &all {
        let inside = file.strip_prefix(&source).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let room = first.trim_end_matches(".rs");
        let text = fs::read_to_string(file).unwrap();
        if text.lines().count() > 800 {
            wrong.push(format!("{} has more than 800 lines", inside.display()));
        }
        if matches!(room, "lib" | "main") {
            continue;
        }
        assert!(floor(room).is_some(), "{room} has no floor");
        wrong.extend(faults(room, &text).into_iter().map(|fault| format!("{}: {fault}", inside.display())));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Rooms an order goes through, from the wish to the wire.
const ORDER_PATH: [&str; 6] = ["engine", "risk", "orders", "portfolio", "exchange", "broker"];
/// Rooms that may use the language models.
const ASK_MODELS: [&str; 4] = ["runtime", "ui", "cli", "llm"];
/// Files of the runtime that may name them: none of those that carry an order out.
const RUNTIME_WITH_MODELS: [&str; 10] = [
    "runtime.rs",
    "runtime/headless.rs",
    "runtime/model.rs",
    "runtime/models.rs",
    "runtime/session.rs",
    "runtime/session/analyst.rs",
    "runtime/session/opinions.rs",
    "runtime/session/pictures.rs",
    "runtime/session/waiting.rs",
    "runtime/trouble.rs",
];

/// The rooms that a file of a room names, also by climbing up with `super`. `depth` is how many modules deep the file is.
fn named(source: &str, depth: usize) -> BTreeSet<String> {
    let mut paths = Paths::default();
    paths.visit_file(&syn::parse_file(source).unwrap());
    let climbs = |path: &[String]| path.iter().take_while(|word| *word == "super").count();
    let room = |path: &Vec<String>| {
        let first = path.first()?;
        let climbed = climbs(path);
        let at = if first == "crate" || first == "pmax" { 1 } else { climbed };
        let is_from_the_root = at == 1 && climbed == 0 || climbed >= depth && climbed > 0;
        path.get(at).filter(|word| is_from_the_root && floor(word).is_some()).cloned()
    };
    paths.found.iter().filter_map(room).collect()
}

/// Who uses whom: each room with the rooms its files name.
fn graph(files: &[(String, String)]) -> BTreeMap<String, BTreeSet<String>> {
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, source) in files {
        let room = name.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        if floor(&room).is_some() {
            graph.entry(room).or_default().extend(named(source, name.split('/').count()));
        }
    }
    graph
}

/// The shortest way from a room to another along what rooms use, if there is one.
fn way(graph: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str) -> Option<Vec<String>> {
    let (mut ways, mut seen) = (VecDeque::from([vec![from.to_owned()]]), BTreeSet::from([from.to_owned()]));
    while let Some(way) = ways.pop_front() {
        for next in graph.get(way.last()?).into_iter().flatten() {
            let longer = [way.as_slice(), std::slice::from_ref(next)].concat();
            if next == to {
                return Some(longer);
            }
            if seen.insert(next.clone()) {
                ways.push_back(longer);
            }
        }
    }
    None
}

/// What is wrong about who may reach the language models.
fn ways_to_models(files: &[(String, String)]) -> Vec<String> {
    let graph = graph(files);
    let reach = ORDER_PATH.iter().filter_map(|room| way(&graph, room, "llm")).map(|way| way.join(" uses "));
    let users = graph.iter().filter(|(room, uses)| uses.contains("llm") && !ASK_MODELS.contains(&room.as_str()));
    let users = users.map(|(room, _)| format!("{room} asks a model"));
    let hands = files.iter().filter(|(name, source)| {
        name.starts_with("runtime")
            && !RUNTIME_WITH_MODELS.contains(&name.as_str())
            && named(source, name.split('/').count()).contains("llm")
    });
    reach.chain(users).chain(hands.map(|(name, _)| format!("{name} names a model"))).collect()
}

/// Every file under `src`, by its path there.
fn sources() -> Vec<(String, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&source, &mut all);
    let name = |file: &Path| file.strip_prefix(&source).unwrap().to_str().unwrap().to_owned();
    all.iter().map(|file| (name(file), fs::read_to_string(file).unwrap())).collect()
}

#[test]
fn no_order_can_reach_a_language_model() {
    let files = sources();
    assert_eq!(ways_to_models(&files), Vec::<String>::new());
    // What the test rests on: the rooms are all there, and the models are used by somebody.
    let graph = graph(&files);
    assert!(ORDER_PATH.iter().all(|room| graph.get(*room).is_some_and(|uses| uses.contains("domain"))), "{graph:?}");
    assert!(graph["runtime"].contains("llm") && graph["runtime"].contains("broker"));
}

#[test]
fn a_way_to_a_language_model_is_found_however_it_is_written() {
    let files = sources();
    for (file, line, expected) in [
        ("risk/pretrade.rs", "use crate::llm::panel::Panel;", "risk uses llm"),
        ("orders/state.rs", "fn f() { let _ = crate::llm::panel::Panel::default(); }", "orders uses llm"),
        ("engine/sizing.rs", "use super::super::llm::panel::Panel;", "engine uses llm"),
        ("portfolio/sizing.rs", "fn f() { debug_assert!(crate::llm::is_sure()); }", "portfolio uses llm"),
        // Through a room that others use.
        ("signals/strategies.rs", "use crate::{domain::Price, llm::answer::Answer};", "engine uses signals uses llm"),
        ("store/ledger.rs", "use crate::llm::panel;", "store asks a model"),
        ("runtime/session/carry_out.rs", "use crate::llm::answer::Answer;", "runtime/session/carry_out.rs names a model"),
    ] {
        let mut changed = files.clone();
        changed.push((file.to_owned(), line.to_owned()));
        let found = ways_to_models(&changed);
        assert!(found.iter().any(|found| found.ends_with(expected)), "{file}: {line}: {found:?}");
    }
}

#[test]
fn the_check_goes_red_where_it_should() {
    for (room, bad) in [
        ("domain", "use crate::engine::Engine;"),
        ("engine", "use crate::{domain::Price, store::LedgerFile};"),
        ("risk", "fn f() { let _ = crate::signals::Gates::default(); }"),
        ("ui", "use crate::broker::Paper;"),
        ("engine", "use std::collections::HashMap;"),
        ("signals", "fn f() -> u64 { std::time::SystemTime::now().elapsed().unwrap().as_secs() }"),
        ("domain", "fn f() -> jiff::Timestamp { jiff::Timestamp::now() }"),
        ("engine", "use jiff::Zoned; fn f() -> Zoned { Zoned::now() }"),
        ("risk", "fn f() -> Zoned { debug_assert!(Zoned::now() > past()); past() }"),
        ("stats", "fn f() { let _ = jiff::tz::TimeZone::system(); }"),
        ("exchange", "fn f() { std::thread::sleep(d()); }"),
    ] {
        assert!(!faults(room, bad).is_empty(), "{room}: {bad}");
    }
    assert!(faults("engine", "fn f(market: &Market) -> MarketTime { market.now() }").is_empty());
    assert!(faults("engine", "use crate::risk::Limits; #[cfg(test)] mod tests { use std::fs; }").is_empty());
}
