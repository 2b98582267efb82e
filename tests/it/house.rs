//! The floors hold: a room uses only rooms below it, and the lower floors know no clock, file, thread or unordered map.

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
