//! `pmax sim`: a broker to practise with.

use std::collections::BTreeMap;

use crate::cli::args::{Args, SimXapi};
use crate::cli::open::Base;
use crate::cli::{Done, say};
use crate::domain::{Currency, Duration, InstrumentId, MarketEvent, MarketTime, Money, WallTime};
use crate::market::Player;
use crate::runtime::{self, Speed, Trouble, wall_now};
use crate::simulator::{
    Catalogue, Faults, Identity, Listen, Prices, ServerError, ServerHandle, Settings, USUAL_SPACING, Variants,
};

/// Serves xAPI on loopback until it is stopped.
pub fn xapi(args: &Args, options: &SimXapi) -> Done {
    let (user, password) = options
        .login
        .split_once(':')
        .filter(|(user, password)| !user.is_empty() && user.bytes().all(|byte| byte.is_ascii_digit()) && !password.is_empty())
        .ok_or_else(|| usage(format!("--login «{}» is not ACCOUNT:PASSWORD with an account of digits", options.login)))?;
    let balance = Money::whole(i64::from(options.balance), Currency::USD).map_err(|error| usage(error.to_string()))?;
    let settings = Settings {
        user: user.to_owned(),
        password: password.to_owned(),
        currency: Currency::USD.to_string(),
        balance: balance.nanos(),
        seed: options.seed,
        faults: faults(&options.faults)?,
        variants: Variants {
            refuses_by_status: options.refuse_by_status,
            renumbers_remainder: options.renumber,
            answers_before_login: options.answer_before_login,
        },
        has_hours: options.hours,
        spacing: USUAL_SPACING,
    };
    let catalogue = Catalogue::shipped().map_err(|error| usage(error.to_string()))?;
    let feed = match &args.tape {
        Some(_) => Some(Feed::open(args, &catalogue)?),
        None => None,
    };
    let prices = if feed.is_some() { Prices::Told } else { Prices::Drawn(options.seed) };
    let listen = Listen { websocket: Some(options.port), raw: options.tcp, tls: identity(options)? };
    let server = ServerHandle::start(settings, catalogue, listen, prices, wall_now).map_err(|error| {
        let what_to_do = match &error {
            ServerError::Port { .. } => "Choose another with --port or --tcp, or 0 for any free one",
            ServerError::Identity(_) => "Leave --tls out, or try again",
            ServerError::Thread(_) => "Free some memory and try again",
        };
        Trouble::new(error.to_string(), "Nothing was started", what_to_do)
    })?;
    if let Some(port) = server.websocket {
        let scheme = if options.tls.is_some() { "wss" } else { "ws" };
        say(&format!("xAPI simulator: {scheme}://127.0.0.1:{port}/demo and {scheme}://127.0.0.1:{port}/demoStream"));
    }
    if let Some((main, stream)) = server.raw {
        say(&format!("raw sockets: main 127.0.0.1:{main}, stream 127.0.0.1:{stream}"));
    }
    say(&format!("account {user}, {} USD; simulated, no market and no money behind it", options.balance));
    match feed {
        Some(feed) => feed.run(&server),
        None => say("prices are drawn at random; --tape NAME replays real history instead"),
    }
    loop {
        std::thread::park();
    }
}

/// A fresh certificate where connections are to be encrypted; what the client has to trust is written down.
fn identity(options: &SimXapi) -> Result<Option<Identity>, Trouble> {
    let Some(path) = &options.tls else { return Ok(None) };
    let identity = Identity::fresh().map_err(|error| usage(error.to_string()))?;
    std::fs::write(path, identity.certificate()).map_err(|error| {
        Trouble::new(
            format!("{} cannot be written: {error}", path.display()),
            "Nothing was started",
            "Name another file with --tls",
        )
    })?;
    say(&format!("its certificate is in {}; the client trusts it with xapi.certificate", path.display()));
    Ok(Some(identity))
}

/// Real history that prices the simulator's symbols.
struct Feed {
    player: Player,
    speed: Speed,
    start: Option<MarketTime>,
    symbols: BTreeMap<InstrumentId, String>,
}

impl Feed {
    fn open(args: &Args, catalogue: &Catalogue) -> Result<Self, Trouble> {
        let base = Base::open(args)?;
        let tape = base.tape()?;
        let known = tape.series();
        let listed = |listing: &crate::simulator::Listing| {
            let instrument = base.instruments.by_symbol(listing.tape.as_deref()?)?.id;
            known.iter().any(|series| series.instrument == instrument).then(|| (instrument, listing.symbol.clone()))
        };
        let symbols: BTreeMap<InstrumentId, String> = catalogue.iter().filter_map(listed).collect();
        if symbols.is_empty() {
            return Err(usage(format!("tape {} prices none of the simulator's symbols", tape.meta.name)));
        }
        let (speed, start) = (base.speed(args, &tape)?, tape.start());
        Ok(Self { player: Player::new(&tape, u64::from(base.config.tape.seed)), speed, start, symbols })
    }

    fn run(mut self, server: &ServerHandle) {
        let names: Vec<&str> = self.symbols.values().map(String::as_str).collect();
        say(&format!("the tape prices {}; other symbols stand still", names.join(", ")));
        let start = self.start.unwrap_or_default();
        while self.player.next_at().is_some_and(|at| at < start) {
            self.player.next();
        }
        runtime::play_paced(&mut self.player, self.speed, |event| {
            let price = match event {
                MarketEvent::Quoted { quote, .. } => quote.last,
                MarketEvent::BarOpened { open, .. } => *open,
                MarketEvent::BarClosed { bar, .. } => bar.close,
            };
            if let Some(symbol) = self.symbols.get(&event.instrument()) {
                // The next price says what this one did not.
                let _: bool = server.tape_price(symbol, price, WallTime(event.known_at().0));
            }
        });
        say("the tape has ended; the last prices stand");
    }
}

fn usage(what: String) -> Trouble {
    Trouble::new(what, "Nothing was started", "`pmax sim xapi --help` shows how")
}

/// Every fault by its name.
const FAULTS: [&str; 13] = [
    "delay_ms",
    "silent_candles",
    "lost_reply",
    "closed_after_trade",
    "closed_before_trade",
    "duplicate_stream",
    "shuffled_stream",
    "lost_stream",
    "kept_pending",
    "status_before_reply",
    "truncated_list",
    "requote",
    "rejected",
];

/// Reads `lost_reply=50` and the like; numbers are per thousand, a delay is in milliseconds.
fn faults(words: &[String]) -> Result<Faults, Trouble> {
    let mut faults = Faults::default();
    for word in words {
        let (name, value) = word.split_once('=').unwrap_or((word.as_str(), "1000"));
        let number: u16 = value.parse().map_err(|_| usage(format!("--fault «{word}»: «{value}» is not a number up to 65535")))?;
        let slot = match name {
            "delay_ms" => {
                faults.delay = Duration::millis(i64::from(number));
                continue;
            }
            "silent_candles" => {
                faults.silent_candles = number > 0;
                continue;
            }
            "lost_reply" => &mut faults.lost_reply,
            "closed_after_trade" => &mut faults.closed_after_trade,
            "closed_before_trade" => &mut faults.closed_before_trade,
            "duplicate_stream" => &mut faults.duplicate_stream,
            "shuffled_stream" => &mut faults.shuffled_stream,
            "lost_stream" => &mut faults.lost_stream,
            "kept_pending" => &mut faults.kept_pending,
            "status_before_reply" => &mut faults.status_before_reply,
            "truncated_list" => &mut faults.truncated_list,
            "requote" => &mut faults.requote,
            "rejected" => &mut faults.rejected,
            _ => return Err(usage(format!("--fault «{name}» is not known; there are {}", FAULTS.join(", ")))),
        };
        if number > 1_000 {
            return Err(usage(format!("--fault «{word}»: of a thousand, so at most 1000")));
        }
        *slot = number;
    }
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_by_name() {
        let words = ["lost_reply=50".to_owned(), "delay_ms=200".to_owned(), "silent_candles".to_owned()];
        let read = faults(&words).unwrap();
        assert_eq!((read.lost_reply, read.delay, read.silent_candles), (50, Duration::millis(200), true));
        for name in FAULTS {
            assert!(faults(&[format!("{name}=1")]).is_ok(), "{name}");
        }
        assert!(faults(&["lost_reply=1001".to_owned()]).is_err());
        assert!(faults(&["lost=1".to_owned()]).is_err() && faults(&["requote=many".to_owned()]).is_err());
    }
}
