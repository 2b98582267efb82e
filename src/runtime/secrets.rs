//! Where passwords and keys are found: keyring, a private `.env` file, environment; in this order, the first that has it.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::domain::Secret;
use crate::market::providers::KeyName;
use crate::runtime::Trouble;

/// The variable of a demo account's password in the environment and in `.env`.
pub const PASSWORD_VARIABLE: &str = "PMAX_XAPI_PASSWORD";

/// Where a credential was found or put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The system's keyring.
    Keyring,
    /// The private file in the configuration folder.
    EnvFile,
    /// The environment.
    Environment,
}

impl Place {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Keyring => "the keyring",
            Self::EnvFile => ".env in the configuration folder",
            Self::Environment => "the environment",
        }
    }
}

/// A credential by its names: service and user in a keyring, variable elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct Credential<'a> {
    service: &'static str,
    user: &'a str,
    variable: &'static str,
    noun: &'static str,
}

impl<'a> Credential<'a> {
    /// The password of a demo account.
    pub const fn password(account: &'a str) -> Self {
        Self { service: "pmax-xapi", user: account, variable: PASSWORD_VARIABLE, noun: "password" }
    }

    /// The key of a provider of market data.
    pub const fn key(name: KeyName) -> Self {
        Self { service: "pmax-keys", user: name.word(), variable: name.variable(), noun: "key" }
    }

    /// The key of a person's own server of language models, where it wants one.
    pub const fn model_server() -> Self {
        Self { service: "pmax-keys", user: "model-server", variable: "PMAX_MODEL_SERVER_KEY", noun: "key" }
    }

    /// Finds it, and where it was. Refuses an `.env` that others can read.
    pub fn find(self, env_file: &Path) -> Result<Option<(Secret, Place)>, Trouble> {
        if let Some(text) = self.in_keyring() {
            return Ok(Some((Secret::new(text), Place::Keyring)));
        }
        if let Some(text) = self.in_env_file(env_file)? {
            return Ok(Some((Secret::new(text), Place::EnvFile)));
        }
        let set = std::env::var(self.variable).ok().filter(|text| !text.is_empty());
        Ok(set.map(|text| (Secret::new(text), Place::Environment)))
    }

    /// Keeps it: in the keyring where there is one, else in a file that only its owner can read.
    pub fn keep(self, text: &str, env_file: &Path) -> Result<Place, Trouble> {
        let kept = self.entry().is_some_and(|entry| entry.set_password(text).is_ok());
        if kept {
            return Ok(Place::Keyring);
        }
        self.write_env_file(env_file, Some(text)).map_err(|error| self.unwritable(env_file, &error))?;
        Ok(Place::EnvFile)
    }

    /// Forgets it wherever this program may have put it.
    pub fn forget(self, env_file: &Path) -> Result<(), Trouble> {
        let gone = self.entry().map(|entry| entry.delete_credential());
        if let Some(Err(error)) = gone {
            // A keyring without it and one that does not answer refuse alike: what counts is whether it can still be read.
            tracing::warn!(target: "pmax::secrets", "the keyring refused to delete the {}: {error}", self.noun);
            if self.in_keyring().is_some() {
                return Err(Trouble::new(
                    format!("The keyring does not let go of the {}: {error}", self.noun),
                    "It is kept as it was",
                    "Unlock the keyring, or take it out there by hand",
                ));
            }
        }
        if env_file.exists() {
            self.write_env_file(env_file, None).map_err(|error| self.unwritable(env_file, &error))?;
        }
        Ok(())
    }

    fn unwritable(self, path: &Path, error: &io::Error) -> Trouble {
        Trouble::new(
            format!("{} cannot be written: {error}", path.display()),
            format!("The {} was not kept anywhere", self.noun),
            format!("Check the folder's rights, or set {} in the environment", self.variable),
        )
    }

    /// Its entry; nothing where this machine has no keyring that answers.
    fn entry(self) -> Option<keyring::v1::Entry> {
        keyring::v1::Entry::new(self.service, self.user).ok()
    }

    fn in_keyring(self) -> Option<String> {
        self.entry()?.get_password().ok().filter(|text| !text.is_empty())
    }

    /// Whether a line of `.env` is this credential's.
    fn value_of(self, line: &str) -> Option<&str> {
        line.trim().strip_prefix(self.variable)?.trim_start().strip_prefix('=')
    }

    fn in_env_file(self, path: &Path) -> Result<Option<String>, Trouble> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(path, &error.to_string())),
        };
        let Some(found) = text.lines().find_map(|line| self.value_of(line)) else { return Ok(None) };
        let found = found.trim().trim_matches('"').to_owned();
        if is_open_to_others(path).map_err(|error| unreadable(path, &error.to_string()))? {
            return Err(Trouble::new(
                format!("{} holds a {} and others can read it", path.display(), self.noun),
                "It was not used and nothing was started",
                format!("Run `chmod 600 {}`, and change the {} if others share this machine", path.display(), self.noun),
            ));
        }
        Ok(Some(found).filter(|text| !text.is_empty()))
    }

    /// Replaces its line and keeps all others. The file is its owner's alone from its first byte on.
    fn write_env_file(self, path: &Path, text: Option<&str>) -> io::Result<()> {
        let before = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let mut lines: Vec<String> = before.lines().filter(|line| self.value_of(line).is_none()).map(str::to_owned).collect();
        lines.extend(text.map(|text| format!("{}={text}", self.variable)));
        let fresh = path.with_extension("new");
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            drop(fs::remove_file(&fresh));
            options.mode(0o600);
        }
        let mut file = options.open(&fresh)?;
        file.write_all(lines.iter().map(|line| format!("{line}\n")).collect::<String>().as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    }
}

fn unreadable(path: &Path, why: &str) -> Trouble {
    Trouble::new(format!("{} cannot be read: {why}", path.display()), "Nothing was started", "Mend or remove the file")
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(fs::metadata(path)?.mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_path: &Path) -> io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_file_is_used_and_an_open_one_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        let password = Credential::password("20001");
        assert!(password.in_env_file(&path).unwrap().is_none());
        fs::write(&path, "OTHER=1\n").unwrap();
        password.write_env_file(&path, Some("canary-81b7")).unwrap();
        assert_eq!(password.in_env_file(&path).unwrap().as_deref(), Some("canary-81b7"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = password.in_env_file(&path).unwrap_err();
        assert!(refused.to_string().contains("chmod 600") && !refused.to_string().contains("canary"), "{refused}");
        password.write_env_file(&path, None).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "OTHER=1\n");
    }

    #[test]
    fn each_credential_has_a_line_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        let [alpha, fred] = KeyName::ALL.map(Credential::key);
        fs::write(&path, "PMAX_FRED_KEY_OLD=x\n").unwrap();
        alpha.write_env_file(&path, Some("canary1")).unwrap();
        fred.write_env_file(&path, Some("canary2")).unwrap();
        alpha.write_env_file(&path, Some("canary3")).unwrap();
        let found = |one: Credential<'_>| one.in_env_file(&path).unwrap();
        assert_eq!((found(alpha).as_deref(), found(fred).as_deref()), (Some("canary3"), Some("canary2")));
        fred.write_env_file(&path, None).unwrap();
        assert_eq!((found(alpha).as_deref(), found(fred)), (Some("canary3"), None));
        assert!(fs::read_to_string(&path).unwrap().starts_with("PMAX_FRED_KEY_OLD=x\n"), "lines of others stay");
    }
}
