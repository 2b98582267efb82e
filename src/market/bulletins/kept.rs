//! What is kept on the disk, so that a restart knows what was heard last.

use serde::{Deserialize, Serialize};

use crate::domain::Observation;
use crate::market::bulletins::{Headline, Newsroom};
use crate::signals::Economy;

/// The form of the file.
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    version: u32,
    observations: Vec<Observation>,
    headlines: Vec<Headline>,
}

/// The file's text.
pub(super) fn to_text(economy: &Economy, news: &Newsroom) -> Result<String, serde_json::Error> {
    let headlines = news.headlines().map(|headline| headline.as_ref().clone()).collect();
    serde_json::to_string(&Kept { version: VERSION, observations: economy.iter().copied().collect(), headlines })
}

/// What a file says. One of another form is not understood, and everything is asked for anew.
pub(super) fn of_text(text: &str) -> Result<(Economy, Newsroom), String> {
    let kept: Kept = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if kept.version != VERSION {
        return Err(format!("its form is {}, and {VERSION} is known here", kept.version));
    }
    let mut economy = Economy::default();
    for one in kept.observations {
        economy.take(one);
    }
    Ok((economy, Newsroom::of(kept.headlines)))
}
