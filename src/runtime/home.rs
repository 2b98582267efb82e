//! Where pmax keeps its files, and the lock that keeps a second one out.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use directories::ProjectDirs;

use crate::domain::RunId;
use crate::runtime::Trouble;

/// How often and how long apart a taken lock is tried.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// The folders in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    config: PathBuf,
    state: PathBuf,
    data: PathBuf,
}

/// Held while this process is the one writer of the ledger.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Home {
    /// The folder given by `--home` or `PMAX_HOME`, else the system's usual places. Creates them, for the owner only.
    pub fn find(given: Option<&Path>) -> Result<Self, Trouble> {
        let home = match given {
            Some(folder) => Self { config: folder.to_owned(), state: folder.to_owned(), data: folder.to_owned() },
            None => {
                let dirs = ProjectDirs::from("", "", "pmax").ok_or_else(|| {
                    Trouble::new("No home folder is known for this user", "Nothing was changed", "Name one with --home FOLDER")
                })?;
                let state = dirs.state_dir().unwrap_or_else(|| dirs.data_dir());
                Self { config: dirs.config_dir().to_owned(), state: state.to_owned(), data: dirs.data_dir().to_owned() }
            }
        };
        for folder in [&home.config, &home.state] {
            create_private(folder).map_err(|error| {
                Trouble::new(
                    format!("The folder {} cannot be created: {error}", folder.display()),
                    "Nothing was changed",
                    "Choose another with --home FOLDER",
                )
            })?;
        }
        Ok(home)
    }

    /// The person's configuration file; it need not exist.
    pub fn config_file(&self) -> PathBuf {
        self.config.join("pmax.toml")
    }

    /// The private file a password may stand in, where there is no keyring.
    pub fn env_file(&self) -> PathBuf {
        self.config.join(".env")
    }

    /// A person's own catalogue of language models; it need not exist.
    pub fn models_file(&self) -> PathBuf {
        self.config.join("models.toml")
    }

    /// The folder of installed language models; need not exist.
    pub fn models_folder(&self) -> PathBuf {
        self.data.join("models")
    }

    /// The folder of what models answered; need not exist.
    pub fn answers_folder(&self) -> PathBuf {
        self.state.join("answers")
    }

    /// The ledger database.
    pub fn ledger_file(&self) -> PathBuf {
        self.state.join("ledger.db")
    }

    /// Whether there is a ledger, or was one: its anchor lies beside it.
    pub fn has_ledger(&self) -> bool {
        let file = self.ledger_file();
        file.exists() || file.with_extension("head").exists()
    }

    /// The market events of a live run; makes their folder.
    pub fn segment_file(&self, run: RunId) -> std::io::Result<PathBuf> {
        let folder = self.state.join("live");
        create_private(&folder)?;
        Ok(folder.join(format!("{run}.segment")))
    }

    /// The folder of a person's own tapes and recordings; need not exist.
    pub fn tapes_folder(&self) -> PathBuf {
        self.state.join("tapes")
    }

    /// Makes the folder of a person's own tapes.
    pub fn make_tapes_folder(&self) -> std::io::Result<PathBuf> {
        let folder = self.tapes_folder();
        create_private(&folder)?;
        Ok(folder)
    }

    /// Counts of requests to providers of market data.
    pub fn requests_file(&self) -> PathBuf {
        self.state.join("requests.json")
    }

    /// Economic series and headlines that were heard.
    pub fn bulletins_file(&self) -> PathBuf {
        self.state.join("bulletins.json")
    }

    /// The trial ledger.
    pub fn trials_file(&self) -> PathBuf {
        self.state.join("trials.db")
    }

    /// The kill file: while it exists, trading is halted.
    pub fn kill_file(&self) -> PathBuf {
        self.state.join("KILL")
    }

    /// Layout, groups and sort order of the screen.
    pub fn screen_file(&self) -> PathBuf {
        self.state.join("screen.json")
    }

    /// The folder of log files.
    pub fn log_folder(&self) -> PathBuf {
        self.state.join("log")
    }

    /// Whether a workstation runs here. Looks without taking the writer's lock and without writing to its file.
    pub fn is_in_use(&self) -> bool {
        let Ok(file) = File::options().read(true).open(self.state.join("lock")) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    /// Takes the writer's lock, or says which process has it. A second process that only looks holds it for an instant, so a
    /// taken lock is tried again for a moment.
    pub fn lock(&self) -> Result<Lock, Trouble> {
        let path = self.state.join("lock");
        let refuse = |what: String| {
            Trouble::new(
                what,
                "The other process and the ledger were not touched",
                "Close it first, or use another folder with --home",
            )
        };
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(|error| {
            let what = format!("{} cannot be opened: {error}", path.display());
            Trouble::new(what, "Nothing was started", "Check the disk and its rights, or choose another folder with --home")
        })?;
        let mut tried = 1;
        let mut locked = file.try_lock();
        while matches!(locked, Err(TryLockError::WouldBlock)) && tried < LOCK_TRIES {
            std::thread::sleep(LOCK_PAUSE);
            (tried, locked) = (tried + 1, file.try_lock());
        }
        match locked {
            Ok(()) => {
                let text = format!("{}\n", std::process::id());
                let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(text.as_bytes()));
                written.map_err(|error| refuse(format!("{} cannot be written: {error}", path.display())))?;
                Ok(Lock { _file: file })
            }
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let named = file.read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
                let holder = if named { format!("process {}", holder.trim()) } else { "another process".to_owned() };
                Err(refuse(format!("pmax is already running in {} ({holder})", self.state.display())))
            }
            Err(TryLockError::Error(error)) => Err(refuse(format!("{} cannot be locked: {error}", path.display()))),
        }
    }
}

fn create_private(folder: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
    }
    #[cfg(not(unix))]
    fs::create_dir_all(folder)
}
