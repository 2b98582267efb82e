//! `pmax keys`: keys of providers of market data, kept and forgotten, and never printed.

use std::io::{BufRead, IsTerminal};

use clap::Subcommand;
use serde_json::json;

use crate::cli::args::{Args, Format};
use crate::cli::{Done, OK, examples, say};
use crate::runtime::{Credential, Home, KeyName, Place, Trouble};

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub enum KeysVerb {
    /// Ask for a key and keep it: in the keyring, or in a private file where there is none
    #[command(after_help = examples::KEYS)]
    Set {
        /// Whose: alphavantage or fred
        #[arg(value_name = "NAME", value_parser = key_name)]
        name: KeyName,
    },
    /// Forget a key
    #[command(after_help = examples::KEYS)]
    Forget {
        /// Whose: alphavantage or fred
        #[arg(value_name = "NAME", value_parser = key_name)]
        name: KeyName,
    },
    /// Say which keys there are and where, not what they are
    #[command(after_help = examples::KEYS)]
    List {
        /// For people or for scripts
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

fn key_name(text: &str) -> Result<KeyName, String> {
    KeyName::ALL
        .into_iter()
        .find(|name| name.word() == text)
        .ok_or_else(|| format!("write {}", KeyName::ALL.map(KeyName::word).join(" or ")))
}

/// Runs one of the commands. They need no configuration, so that a damaged one cannot be in the way.
pub fn run(args: &Args, verb: &KeysVerb) -> Done {
    let home = Home::find(args.home.as_deref())?;
    match verb {
        KeysVerb::Set { name } => set(&home, *name),
        KeysVerb::Forget { name } => {
            Credential::key(*name).forget(&home.env_file())?;
            say(&format!("the key of {} is not kept any more", name.owner()));
            // What the environment holds is not this program's to forget.
            if let Some((_, place)) = Credential::key(*name).find(&home.env_file())? {
                say(&format!("but there is one in {}: {}", place.words(), name.variable()));
            }
            Ok(OK)
        }
        KeysVerb::List { format } => list(&home, *format),
    }
}

fn set(home: &Home, name: KeyName) -> Done {
    let refuse = |error: std::io::Error| {
        Trouble::new(format!("The key cannot be read: {error}"), "Nothing was kept", "Try again in a terminal")
    };
    let key = if std::io::stdin().is_terminal() {
        rpassword::prompt_password(format!("key of {}: ", name.owner())).map_err(refuse)?
    } else {
        std::io::stdin().lock().lines().next().transpose().map_err(refuse)?.unwrap_or_default()
    };
    let key = key.trim();
    if let Some(why) = KeyName::refuses(key) {
        let what = format!("This is no key of {}: {why}", name.owner());
        return Err(Trouble::new(what, "Nothing was kept", "Copy the key alone, without quotes or spaces"));
    }
    let place = Credential::key(name).keep(key, &home.env_file())?;
    say(&format!("the key of {} is kept in {}; it is used from the next start on", name.owner(), place.words()));
    Ok(OK)
}

fn list(home: &Home, format: Format) -> Done {
    let mut rows = Vec::new();
    for name in KeyName::ALL {
        rows.push((name, Credential::key(name).find(&home.env_file())?.map(|(_, place)| place)));
    }
    match format {
        Format::Json => {
            let row = |(name, place): &(KeyName, Option<Place>)| json!({"name": name.word(), "variable": name.variable(), "kept_in": place.map(Place::words)});
            say(&serde_json::Value::from(rows.iter().map(row).collect::<Vec<_>>()).to_string());
        }
        Format::Text => {
            for (name, place) in rows {
                let words = place.map_or_else(
                    || format!("none; `pmax keys set {}` keeps one, or {} in the environment", name.word(), name.variable()),
                    |place| format!("in {}", place.words()),
                );
                say(&format!("{:<14} {words}", name.owner()));
            }
        }
    }
    Ok(OK)
}
