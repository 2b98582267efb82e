//! What the documents say is what the program does.

use std::fs;
use std::path::Path;

use pmax::risk::Check;
use pmax::ui::ACTIONS;

fn read(name: &str) -> String {
    fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_readme_lists_every_action_and_every_refusal() {
    let readme = read("README.md");
    for info in ACTIONS {
        assert!(readme.contains(&format!("`{}`", info.name)), "README does not name the action {}", info.name);
    }
    for check in Check::ALL {
        assert!(readme.contains(&format!("`{}`", check.code())), "README does not explain {}", check.code());
    }
    for command in ["cargo run --release", "cargo test", "assets/screen.svg"] {
        assert!(readme.contains(command), "{command}");
    }
}

#[test]
fn the_readme_lists_every_setting() {
    let readme = read("README.md");
    let mut defaults: toml::Table = read("config/pmax.toml").parse().unwrap();
    defaults.extend(read("config/gates.toml").parse::<toml::Table>().unwrap());
    for (section, values) in &defaults {
        for key in values.as_table().unwrap().keys() {
            assert!(readme.contains(&format!("`{section}.{key}`")) || readme.contains(&format!("`{key}`")), "{section}.{key}");
        }
    }
}

#[test]
fn the_map_of_the_house_is_short() {
    let map = read("ARCHITECTURE.md");
    assert!(map.lines().count() <= 300);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in
        map.split('`').skip(1).step_by(2).filter(|path| path.ends_with(".rs") && path.contains('/') && !path.contains([' ', '<']))
    {
        let is_there = [root.join(path), root.join("src").join(path)].iter().any(|file| file.exists());
        assert!(is_there, "ARCHITECTURE names {path}, which does not exist");
    }
    for room in [
        "domain",
        "stats",
        "portfolio",
        "orders",
        "exchange",
        "signals",
        "risk",
        "engine",
        "backtest",
        "report",
        "simulator",
        "store",
        "market",
        "broker",
        "runtime",
        "ui",
        "cli",
    ] {
        assert!(map.contains(&format!("`{room}/`")) || map.contains(&format!("`src/{room}")), "{room} is not on the map");
    }
    assert!(map.to_lowercase().contains("not built yet"));
}
