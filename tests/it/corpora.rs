//! Inputs that fuzzing kept (`tests/corpora`, one folder for each target), held against the very checks that the fuzzer runs.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

#[path = "../../fuzz/src/parsers/face.rs"]
mod parsers;

/// Most inputs kept for a target, and their bytes together: more tells a test nothing new.
const MOST_INPUTS: usize = 60;
const MOST_BYTES: usize = 200 * 1024;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

#[test]
fn every_input_that_was_kept_holds() {
    let mut broken = Vec::new();
    for (name, check) in parsers::ALL {
        let inputs = entries(&root().join("tests/corpora").join(name));
        let mut total = 0;
        for path in &inputs {
            let bytes = fs::read(path).unwrap();
            total += bytes.len();
            if catch_unwind(|| check(&bytes)).is_err() {
                broken.push(path.display().to_string());
            }
        }
        assert!(!inputs.is_empty() && inputs.len() <= MOST_INPUTS, "{name}: {} inputs", inputs.len());
        assert!(total <= MOST_BYTES, "{name}: {total} bytes");
    }
    assert!(broken.is_empty(), "these inputs break a parser or what must hold for it; see above: {broken:#?}");
}

#[test]
fn every_check_has_a_fuzz_target_and_a_corpus() {
    let names = |folder: &str| -> BTreeSet<String> {
        entries(&root().join(folder)).iter().map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
    };
    let checks: BTreeSet<String> = parsers::ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("fuzz/fuzz_targets"), checks);
    assert_eq!(names("tests/corpora"), checks);
    for name in &checks {
        let target = fs::read_to_string(root().join(format!("fuzz/fuzz_targets/{name}.rs"))).unwrap();
        assert!(target.contains(&format!("parsers::{name},")), "{name}.rs runs another check");
    }
}
