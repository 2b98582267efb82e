//! Where the password of a demo account is found: keyring, a private `.env` file, environment; in this order, the first that has it.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::broker::xapi::Secret;
use crate::runtime::Trouble;

/// The variable in the environment and in `.env`.
pub const PASSWORD_VARIABLE: &str = "PMAX_XAPI_PASSWORD";
/// The service's name in a keyring.
const SERVICE: &str = "pmax-xapi";

/// Where a password was found or put.
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

/// Finds the password of an account, and where it was.
///
/// Refuses an `.env` that others can read.
pub fn find_password(account: &str, env_file: &Path) -> Result<Option<(Secret, Place)>, Trouble> {
    if let Some(password) = from_keyring(account) {
        return Ok(Some((Secret::new(password), Place::Keyring)));
    }
    if let Some(password) = from_env_file(env_file)? {
        return Ok(Some((Secret::new(password), Place::EnvFile)));
    }
    let set = std::env::var(PASSWORD_VARIABLE).ok().filter(|password| !password.is_empty());
    Ok(set.map(|password| (Secret::new(password), Place::Environment)))
}

/// Keeps a password: in the keyring where there is one, else in a file that only its owner can read.
pub fn keep_password(account: &str, password: &str, env_file: &Path) -> Result<Place, Trouble> {
    let kept = entry(account).is_some_and(|entry| entry.set_password(password).is_ok());
    if kept {
        return Ok(Place::Keyring);
    }
    write_env_file(env_file, Some(password)).map_err(|error| unwritable(env_file, &error))?;
    Ok(Place::EnvFile)
}

/// Forgets a password wherever this program may have put it.
pub fn forget_password(account: &str, env_file: &Path) -> Result<(), Trouble> {
    if let Some(entry) = entry(account) {
        drop(entry.delete_credential());
    }
    if env_file.exists() {
        write_env_file(env_file, None).map_err(|error| unwritable(env_file, &error))?;
    }
    Ok(())
}

fn unwritable(path: &Path, error: &io::Error) -> Trouble {
    Trouble::new(
        format!("{} cannot be written: {error}", path.display()),
        "The password was not kept anywhere",
        format!("Check the folder's rights, or set {PASSWORD_VARIABLE} in the environment"),
    )
}

/// The entry of an account; nothing where this machine has no keyring that answers.
fn entry(account: &str) -> Option<keyring::v1::Entry> {
    keyring::v1::Entry::new(SERVICE, account).ok()
}

fn from_keyring(account: &str) -> Option<String> {
    entry(account)?.get_password().ok().filter(|password| !password.is_empty())
}

fn from_env_file(path: &Path) -> Result<Option<String>, Trouble> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(path, &error.to_string())),
    };
    let password = text.lines().find_map(|line| line.trim().strip_prefix(PASSWORD_VARIABLE)?.trim_start().strip_prefix('='));
    let Some(password) = password.map(|password| password.trim().trim_matches('"').to_owned()) else { return Ok(None) };
    if is_open_to_others(path).map_err(|error| unreadable(path, &error.to_string()))? {
        return Err(Trouble::new(
            format!("{} holds a password and others can read it", path.display()),
            "It was not used and nothing was started",
            format!("Run `chmod 600 {}`, and change the password if others share this machine", path.display()),
        ));
    }
    Ok(Some(password).filter(|password| !password.is_empty()))
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

/// Replaces the password's line and keeps all others. The file is its owner's alone from its first byte on.
fn write_env_file(path: &Path, password: Option<&str>) -> io::Result<()> {
    let before = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    let mut lines: Vec<String> =
        before.lines().filter(|line| !line.trim_start().starts_with(PASSWORD_VARIABLE)).map(str::to_owned).collect();
    lines.extend(password.map(|password| format!("{PASSWORD_VARIABLE}={password}")));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_file_is_used_and_an_open_one_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        assert!(from_env_file(&path).unwrap().is_none());
        fs::write(&path, "OTHER=1\n").unwrap();
        write_env_file(&path, Some("canary-81b7")).unwrap();
        assert_eq!(from_env_file(&path).unwrap().as_deref(), Some("canary-81b7"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = from_env_file(&path).unwrap_err();
        assert!(refused.to_string().contains("chmod 600") && !refused.to_string().contains("canary"), "{refused}");
        write_env_file(&path, None).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "OTHER=1\n");
    }
}
