//! `pmax broker`: hosts to choose from, and the password of a demo account. And the way to such an account.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::broker::Broker;
use crate::broker::xapi::{Address, Demo, NOBODY_LISTENS, Settings, Tls};
use crate::cli::args::{Args, BrokerVerb};
use crate::cli::open::Base;
use crate::cli::{Done, OK, say};
use crate::domain::{Currency, MarketTime, Money};
use crate::runtime::{Credential, PASSWORD_VARIABLE, Trouble, contracts_of, wall_now};

/// How long a first login may take.
const READY_WITHIN: Duration = Duration::from_secs(15);

/// Where nobody listens this is certain enough after so long.
const SURE_AFTER: Duration = Duration::from_secs(3);

/// A host to choose: its name, what to write under `[xapi]`, and what it is.
struct Preset(&'static str, &'static str, &'static str);

const PRESETS: [Preset; 4] = [
    Preset("practice", "host = \"\"", "a broker simulated inside pmax, priced by the tape: no account, no password"),
    Preset(
        "local",
        "host = \"127.0.0.1\"\nport = 5124\ntls = false\naccount = \"20001\"",
        "`pmax sim xapi` in another terminal; its password is «demo»",
    ),
    Preset("x-open-hub", "host = \"ws.xapi.pro\"\naccount = \"…\"", "demo accounts of X Open Hub, XTB's institutional arm"),
    Preset("xtb", "", "CLOSED: XTB shut its public xAPI hosts on 2025-03-14"),
];

/// Runs one of the commands.
pub fn run(args: &Args, verb: &BrokerVerb) -> Done {
    match verb {
        BrokerVerb::Presets => presets(),
        BrokerVerb::Login { account } => log_in(args, account.as_deref()),
        BrokerVerb::Logout { account } => log_out(args, account.as_deref()),
    }
}

fn presets() -> Done {
    for Preset(name, lines, what) in PRESETS {
        say(&format!("{name:<12} {what}"));
        lines.lines().for_each(|line| say(&format!("    {line}")));
    }
    say("Write the lines under [xapi] in your pmax.toml (`pmax info` says where), then start with --broker xapi.");
    say("Only demo accounts are traded with: there is no path to another kind and no override.");
    Ok(OK)
}

fn account_of(base: &Base, given: Option<&str>) -> Result<String, Trouble> {
    let account = given.unwrap_or(&base.config.xapi.account);
    let is_number = !account.is_empty() && account.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| account.to_owned()).ok_or_else(|| {
        let what = if account.is_empty() {
            "No account is named".to_owned()
        } else {
            format!("«{account}» is not an account's number: it has digits only, and is not an e-mail address")
        };
        Trouble::new(what, "Nothing was changed", "Set xapi.account in pmax.toml, or name it with --set xapi.account=\"…\"")
    })
}

fn log_in(args: &Args, account: Option<&str>) -> Done {
    let base = Base::open(args)?;
    let account = account_of(&base, account)?;
    let refuse = |error: std::io::Error| {
        Trouble::new(format!("The password cannot be read: {error}"), "Nothing was kept", "Try again in a terminal")
    };
    let password = if std::io::stdin().is_terminal() {
        rpassword::prompt_password(format!("password of demo account {account}: ")).map_err(refuse)?
    } else {
        std::io::stdin().lock().lines().next().transpose().map_err(refuse)?.unwrap_or_default()
    };
    if password.is_empty() {
        return Err(Trouble::new("The password is empty", "Nothing was kept", "Try again"));
    }
    let place = Credential::password(&account).keep(&password, &base.home.env_file())?;
    say(&format!("the password of account {account} is kept in {}", place.words()));
    Ok(OK)
}

fn log_out(args: &Args, account: Option<&str>) -> Done {
    let base = Base::open(args)?;
    let account = account_of(&base, account)?;
    Credential::password(&account).forget(&base.home.env_file())?;
    say(&format!("the password of account {account} is not kept any more"));
    Ok(OK)
}

/// Opens the way to the demo account of the configuration. Bars are asked for from `since` on.
pub fn open_demo(base: &Base, since: MarketTime) -> Result<Demo, Trouble> {
    let xapi = &base.config.xapi;
    let account = account_of(base, None)?;
    let found = Credential::password(&account).find(&base.home.env_file())?;
    let (password, place) = found.ok_or_else(|| {
        Trouble::new(
            format!("There is no password for account {account}"),
            "Nothing was started",
            format!("`pmax broker login` asks for it and keeps it; or set {PASSWORD_VARIABLE} in the environment"),
        )
    })?;
    tracing::info!(target: "pmax::broker", "password of account {account} from {}", place.words());
    let certificate = Some(xapi.certificate.as_str()).filter(|path| !path.is_empty()).map(Path::new);
    let tls = xapi.tls.then(|| Tls::new(certificate)).transpose().map_err(|error| {
        Trouble::new(error.to_string(), "Nothing was started", "Mend xapi.certificate in pmax.toml, or leave it empty")
    })?;
    let settings = Settings::usual(account, password, wall_now().0.unsigned_abs());
    let mut demo = Demo::new(contracts_of(&base.instruments), settings, wall_now);
    demo.quote_markets(since);
    demo.connect(Address { host: xapi.host.clone(), port: xapi.port, path: xapi.path.clone(), tls }, &xapi.host);
    Ok(demo)
}

/// Waits for the first login and returns what the account is worth. Nothing is traded meanwhile.
pub fn balance_of(demo: &mut Demo, host: &str) -> Result<Money, Trouble> {
    let mut out = std::io::stderr().lock();
    drop(writeln!(out, "pmax: connecting to {host}…"));
    let began = Instant::now();
    let (deadline, mut reports) = (began + READY_WITHIN, Vec::new());
    loop {
        demo.poll(&mut reports);
        reports.clear();
        let view = demo.link().unwrap_or_default();
        let refuse = |what: String| {
            Trouble::new(
                what,
                "Nothing was started and nothing was sent",
                "Look at xapi.host and xapi.port in pmax.toml; `pmax broker presets` shows what to write there",
            )
        };
        if view.needs_person {
            return Err(Trouble::new(
                format!("{host}: {}", view.words),
                "Nothing was started and nothing was sent",
                "`pmax broker login` keeps another password, xapi.account names another account; after a wrong one wait ten minutes",
            ));
        }
        if let Some(currency) = view.currency.filter(|currency| *currency != Currency::USD.to_string()) {
            return Err(refuse(format!("Account {} is kept in {currency}; books are kept in USD only", view.account)));
        }
        match view.money.filter(|_| view.is_ready) {
            Some(money) if money.balance.nanos() > 0 => return Ok(money.balance),
            Some(_) => return Err(refuse(format!("Account {} is empty", view.account))),
            None if Instant::now() >= deadline || (began.elapsed() >= SURE_AFTER && view.words.contains(NOBODY_LISTENS)) => {
                return Err(refuse(format!("{host} cannot be reached: {}", view.words)));
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}
