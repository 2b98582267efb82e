//! Strategies of one's own, from their files.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::runtime::{Config, Trouble};
use crate::signals::{Script, Strategy};

/// Longest text of a script; what is longer is no strategy.
const LONGEST: u64 = 64 * 1024;

/// Reads the scripts that `strategies.scripts` lists, in its order. The first that is no strategy is trouble with file and line.
pub fn load_scripts(folder: &Path, config: &Config) -> Result<Arc<[Script]>, Trouble> {
    let mut scripts: Vec<Script> = Vec::new();
    for name in &config.scripts {
        let file = folder.join(name);
        let script = Script::read(&file.display().to_string(), &text_of(&file, config)?).map_err(|error| {
            let todo = "Mend that line, or take the file out of strategies.scripts; README.md says how a strategy is written";
            Trouble::new(error.to_string(), "Nothing was started and nothing was changed", todo)
        })?;
        if let Some(twin) = scripts.iter().find(|known| known.source() == script.source()) {
            let what = format!("two strategies have the NAME «{}», the second in {name}", twin.reference().name);
            return Err(config.refuse("strategies.scripts", &what));
        }
        scripts.push(script);
    }
    Ok(scripts.into())
}

fn text_of(file: &Path, config: &Config) -> Result<String, Trouble> {
    let refuse = |what: String| config.refuse("strategies.scripts", &what);
    match fs::metadata(file) {
        Ok(data) if data.len() > LONGEST => Err(refuse(format!("{} is longer than {LONGEST} bytes", file.display()))),
        Ok(_) => fs::read_to_string(file).map_err(|error| refuse(format!("{} cannot be read: {error}", file.display()))),
        Err(error) => Err(refuse(format!("{} cannot be read: {error}", file.display()))),
    }
}
