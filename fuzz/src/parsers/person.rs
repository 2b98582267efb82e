//! What a person writes: settings, the command line, numbers and dates, strategies.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use pmax::domain::{CleanText, Decimal, MarketTime, Price, Quantity, ScriptName, WallTime};
use pmax::engine::{Command, Setup, SnapshotRequest};
use pmax::market;
use pmax::risk::Unlock;
use pmax::runtime::{self, Frame, Headless, Named, Watchlist, instruments};
use pmax::signals::{AsOf, Script, Strategy};
use pmax::ui::{self, Context, Effect, Event, Keymap, Scene, UiState};

use super::words::{LONGEST_TROUBLE, chosen_text, is_fit_to_show, with_folder};

/// A person's settings. The first byte chooses: `pmax.toml`, the table of breakers beside it, a variable, or `--set`.
pub fn config(bytes: &[u8]) {
    let Some((kind, text)) = chosen_text(bytes) else { return };
    let read = with_folder(|folder| {
        let (file, table) = (folder.join("pmax.toml"), folder.join("risk.toml"));
        let of_file = |text: &str| fs::write(&file, text).expect("a file in memory");
        let _ = fs::remove_file(&table);
        of_file("");
        match kind % 4 {
            0 => of_file(&text),
            1 => fs::write(&table, &text).expect("a file in memory"),
            2 => {
                let (name, value) = text.split_once('=').unwrap_or((&text, ""));
                let environment = [(format!("PMAX_{name}"), value.to_owned())];
                return runtime::load_config(&file, Named::ByPerson, &environment, &[]);
            }
            _ => return runtime::load_config(&file, Named::ByPerson, &[], std::slice::from_ref(&text)),
        }
        runtime::load_config(&file, Named::ByPerson, &[], &[])
    });
    match read {
        Ok(config) => {
            assert_eq!(config.xapi.path, "/demo", "only demo accounts");
            assert!(config.xapi.host.is_empty() || config.xapi.is_local() || config.xapi.tls, "a password in the clear");
            assert!(config.paper.capital > 0);
            is_fit_to_show(&config.xapi.host, usize::MAX);
            drop(runtime::settings_of(&config));
        }
        Err(trouble) => {
            is_fit_to_show(&trouble.to_string(), LONGEST_TROUBLE);
        }
    }
}

/// A screen on a day of a bundled tape.
struct Desk {
    frame: Arc<Frame>,
    context: Context,
    now: WallTime,
}

impl Desk {
    fn new() -> Self {
        let tape = market::load("crash-2020").expect("a bundled tape");
        let config =
            runtime::load_config(std::path::Path::new("no such file"), Named::ByDefault, &[], &[]).expect("the defaults");
        let instruments = runtime::instruments().expect("the shipped instruments");
        let settings = runtime::settings_of(&config);
        let setup = Setup { instruments, series: tape.series(), library: Default::default(), settings };
        let at = MarketTime::parse("2020-03-02").expect("a date");
        let mut world = Headless::with_usual_capital(&tape, &setup, MarketTime(at.0 - 21 * 86_400_000_000_000));
        world.play_until(at);
        world.command(Command::ArmPaper);
        let groups = BTreeMap::from([("metals".to_owned(), vec!["XAUUSD".to_owned()])]);
        let keymap = Arc::new(Keymap::new(&BTreeMap::new()).expect("the shipped keys"));
        let context = Context { instruments: Arc::clone(world.engine().instruments()), keymap, groups };
        Self { frame: Arc::new(world.frame(&SnapshotRequest::default())), context, now: world.now() }
    }
}

/// Lines typed into the command line one after the other: none of them sends an order or confirms anything by itself.
pub fn command_line(bytes: &[u8]) {
    thread_local! {
        static DESK: Desk = Desk::new();
    }
    let text = String::from_utf8_lossy(bytes);
    DESK.with(|desk| {
        let scene = Scene { frame: &desk.frame, context: &desk.context, now: desk.now, size: (120, 40) };
        let press =
            |state: &mut UiState, code: KeyCode| ui::update(state, &Event::Key(KeyEvent::new(code, KeyModifiers::NONE)), scene);
        for line in text.split('\n').take(8) {
            let mut state = UiState::default();
            press(&mut state, KeyCode::Char(':'));
            ui::update(&mut state, &Event::Paste(line.to_owned()), scene);
            if line.len() % 2 == 1 {
                press(&mut state, KeyCode::Tab);
            }
            let effects = press(&mut state, KeyCode::Enter);
            for effect in &effects {
                if let Effect::Ask(_, command) = effect {
                    assert!(!sends(command), "{line:?} does {command:?} without a dialog");
                }
            }
            state.history.iter().for_each(|line| is_fit_to_show(line, 400));
            state.own_groups.keys().for_each(|name| is_fit_to_show(name, 400));
            if let Some(toast) = &state.toast {
                is_fit_to_show(&toast.text, 2_000);
            }
        }
    });
}

/// Whether a command may lead to an order.
fn sends(command: &Command) -> bool {
    matches!(command, Command::PlaceOrder { .. } | Command::ConfirmProposal { .. } | Command::ClosePosition { .. })
}

/// Numbers, dates, names and cleaned text.
pub fn numbers(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(number) = Decimal::read(&text) {
        assert_eq!(Decimal::read(&number.to_string()), Some(number), "{text}: written and read, it is the same");
        let float: f64 = text.parse().expect("what reads as a decimal reads as a float");
        let nanos = float * 1e9;
        assert!((nanos - number.0 as f64).abs() <= nanos.abs() * 1e-9 + 1.0, "{text}: {number} is another number");
        // The wire is JSON, which has no leading zeros.
        if let Ok(read) = serde_json::from_str::<Decimal>(&text) {
            assert_eq!(read, number, "{text}");
        }
    }
    if let Ok(price) = text.parse::<Price>() {
        assert_eq!(price.to_string().parse::<Price>().ok(), Some(price), "{text}");
        // The wire's reader takes 36 digits at most.
        let read = Decimal::read(&text);
        assert!(read == Some(Decimal(price.nanos())) || text.len() > 36, "{text}: two readers, two numbers: {read:?}");
        let digits: String = format!("{price:.2}");
        assert!(digits.parse::<Price>().is_ok() || price.nanos().unsigned_abs() > i64::MAX.unsigned_abs() / 2, "{digits}");
    }
    if let Ok(quantity) = text.parse::<Quantity>() {
        assert_eq!(quantity.to_string().parse::<Quantity>().ok(), Some(quantity), "{text}");
    }
    if let Some(at) = MarketTime::parse(&text) {
        let whole = MarketTime(at.0.div_euclid(1_000_000_000) * 1_000_000_000);
        // The first instant that nanoseconds can count lies within a second.
        if at.0 > i64::MIN + 1_000_000_000 {
            assert_eq!(MarketTime::parse(&at.to_string()), Some(whole), "{text}");
        }
    }
    if let Ok(name) = text.parse::<ScriptName>() {
        assert_eq!(name.as_str(), text);
    }
    if let Ok(unlock) = Unlock::try_from(text.clone().into_owned()) {
        let written = String::from(unlock);
        assert_eq!(Unlock::try_from(written.clone()).ok(), Some(unlock), "{text}: {written}");
    }
    let clean = CleanText::from_outside(&text);
    is_fit_to_show(clean.as_str(), 400);
    assert_eq!(CleanText::from_outside(clean.as_str()), clean, "cleaned twice, it is the same");
}

/// A strategy, asked about a few histories: it ends, and what it thinks can be shown.
pub fn script(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let script = match Script::read("fuzz.rhai", &text) {
        Ok(script) => script,
        Err(error) => {
            assert!(error.line.is_none_or(|line| line <= text.lines().count() + 1), "{error:?}");
            return;
        }
    };
    assert!((1..=640).contains(&script.warm_up()) && (1..=250).contains(&script.horizon()));
    let closes: Vec<f64> = (0..700).map(|index| 100.0 + f64::from(index % 17) - f64::from(index % 5)).collect();
    let history = AsOf::new(&closes);
    let first = script.examine(&history);
    assert_eq!(first, script.examine(&history), "the same history gives the same thought");
    if let Ok(Some(thought)) = first {
        assert!(thought.strength.is_finite() && (0.0..=1_000.0).contains(&thought.strength), "{thought:?}");
        assert_eq!(thought.horizon_bars, script.horizon());
        is_fit_to_show(&thought.rationale, 160);
    }
}

/// A person's own instruments and what they watch.
pub fn watchlist_file(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(shipped) = instruments() else { unreachable!("the shipped table is sound") };
    match Watchlist::read(&text, "instruments.toml", &shipped) {
        Ok(list) => {
            for own in list.own() {
                let instrument = &own.instrument;
                assert!(instrument.id.is_own() && shipped.by_symbol(&instrument.symbol).is_none(), "{instrument:?}");
                assert!(!instrument.tradable || instrument.never_tradable().is_none(), "{instrument:?}");
                assert!(instrument.tick.nanos() > 0 && instrument.lot.nanos() > 0, "{instrument:?}");
                [&instrument.symbol, &instrument.name, &instrument.sector].into_iter().for_each(|text| is_fit_to_show(text, 400));
            }
            let text = list.text().expect("what was read can be written");
            let again = Watchlist::read(&text, "instruments.toml", &shipped);
            assert!(again.is_ok_and(|again| again == list), "what is written is read otherwise: {text}");
        }
        Err(trouble) => is_fit_to_show(&trouble.to_string(), LONGEST_TROUBLE),
    }
}
