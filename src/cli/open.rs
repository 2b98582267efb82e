//! What most commands need first: folders, configuration, tape, setup.

use std::sync::Arc;

use crate::cli::args::Args;
use crate::domain::{BrokerKind, Currency, InstrumentTable, MarketTime, Money, SeriesInfo};
use crate::engine::{EngineSettings, Setup};
use crate::market::bulletins::BulletinTable;
use crate::market::providers::ProviderTable;
use crate::market::{self, Tape};
use crate::runtime::{self, Config, FeedKind, Home, Known, Named, RunTerms, Shelf, Speed, Trouble};
use crate::signals::{Script, Scripts};
use crate::ui::Keymap;

/// Folders and settings.
pub struct Base {
    pub home: Home,
    pub config: Config,
    pub instruments: Arc<InstrumentTable>,
    /// Strategies of one's own.
    pub library: Arc<[Script]>,
    /// What a person watches, and where that is kept.
    pub known: Known,
    pub shelf: Shelf,
}

impl Base {
    /// Finds folders and reads all layers of the configuration.
    pub fn open(args: &Args) -> Result<Self, Trouble> {
        let home = Home::find(args.home.as_deref())?;
        let (file, named) = match &args.config {
            Some(file) => (file.clone(), Named::ByPerson),
            None => (home.config_file(), Named::ByDefault),
        };
        let environment: Vec<(String, String)> = std::env::vars().collect();
        let mut config = runtime::load_config(&file, named, &environment, &args.sets)?;
        if let Some(tape) = &args.tape {
            config.tape.name.clone_from(tape);
        }
        let library = runtime::load_scripts(&file.with_file_name("strategies"), &config)?;
        let kind = args.broker.unwrap_or(config.broker.kind);
        config.feed.kind = args.feed.unwrap_or(config.feed.kind);
        let shelf = Shelf::beside(&file, kind);
        let known = shelf.load()?;
        config.broker.kind = kind;
        let base = Self { home, config, instruments: Arc::clone(&known.instruments), library, known, shelf };
        base.check_groups()?;
        base.check_feed()?;
        Ok(base)
    }

    /// A symbol that no instrument has would be a group that silently lacks it.
    fn check_groups(&self) -> Result<(), Trouble> {
        for (group, symbols) in &self.config.groups {
            if let Some(stranger) = symbols.iter().find(|symbol| self.instruments.by_symbol(symbol).is_none()) {
                let known = runtime::nearest(stranger, self.instruments.iter().map(|known| known.symbol.as_str()));
                let what = format!("«{stranger}» is not an instrument; did you mean {}?", known.unwrap_or_default());
                return Err(self.config.refuse(&format!("groups.{group}"), &what));
            }
        }
        Ok(())
    }

    /// Two markets for one account would be two prices for one position.
    fn check_feed(&self) -> Result<(), Trouble> {
        if self.config.feed.kind == FeedKind::Live && self.config.broker.kind == BrokerKind::Xapi {
            return Err(Trouble::new(
                "Live prices of public providers are for the paper account: a demo account brings prices of its own",
                "Nothing was started and nobody was asked",
                "Use --feed tape with --broker xapi, or --feed live with --broker paper",
            ));
        }
        Ok(())
    }

    /// The keys with a person's overrides.
    pub fn keymap(&self) -> Result<Keymap, Trouble> {
        Keymap::new(&self.config.keys).map_err(|error| {
            let text = error.to_string();
            let (path, what) = text.split_once(": ").unwrap_or(("keys", &text));
            self.config.refuse(path, what)
        })
    }

    /// The same with another broker: instruments are traded in its lots.
    pub fn trading_at(mut self, broker: BrokerKind) -> Result<Self, Trouble> {
        self.config.broker.kind = broker;
        self.shelf = self.shelf.at(broker);
        self.known = self.shelf.load()?;
        self.instruments = Arc::clone(&self.known.instruments);
        Ok(self)
    }

    /// The tape of the configuration, checked against the instrument table.
    pub fn tape(&self) -> Result<Tape, Trouble> {
        let (name, folder) = (&self.config.tape.name, self.home.tapes_folder());
        if folder.join(format!("{name}.recording")).exists() {
            // A recording that was cut off is a tape once it is finished.
            runtime::finish_left(&self.home, &self.instruments).into_iter().collect::<Result<Vec<_>, _>>()?;
        }
        let tape = market::load_among(name, Some(&folder))?;
        match tape
            .meta
            .series
            .iter()
            .find(|series| self.instruments.get(crate::domain::InstrumentId(series.instrument)).is_none())
        {
            None => Ok(tape),
            Some(stranger) => Err(Trouble::new(
                format!(
                    "Tape {} holds instrument {} ({}), which config/instruments.toml does not know",
                    tape.meta.name, stranger.instrument, stranger.symbol
                ),
                "Your ledger was not touched",
                "Add the instrument, or play another tape",
            )),
        }
    }

    /// What an engine on this tape is made of.
    pub fn setup(&self, tape: &Tape) -> Setup {
        self.setup_of(tape.series())
    }

    /// What an engine that hears a broker's own market is made of.
    pub fn live_setup(&self) -> Setup {
        let series = runtime::live_series(&self.instruments, &format!("xAPI, {}", self.config.xapi.host));
        self.setup_of(series)
    }

    /// The table of who is asked for live prices.
    pub fn providers(&self) -> &ProviderTable {
        &self.known.table
    }

    /// The table of economic series and news.
    pub fn bulletins(&self) -> Result<BulletinTable, Trouble> {
        runtime::load_bulletins(&self.shelf.bulletins())
    }

    /// What an engine that hears these providers is made of.
    pub fn provider_setup(&self) -> Setup {
        self.setup_of(runtime::provider_series(self.providers(), &self.instruments))
    }

    /// What the table of providers lists by itself.
    pub fn listed_series(&self) -> Vec<SeriesInfo> {
        runtime::listed_series(self.providers(), &self.instruments)
    }

    fn setup_of(&self, series: Vec<SeriesInfo>) -> Setup {
        let settings = EngineSettings { scripts: Scripts::of(&self.library), ..runtime::settings_of(&self.config) };
        Setup { instruments: Arc::clone(&self.instruments), series, settings, library: Arc::clone(&self.library) }
    }

    /// How a new run begins.
    pub fn terms(&self, args: &Args) -> Result<RunTerms, Trouble> {
        let start = args.from.as_deref().map(date).transpose()?;
        let fresh = args.new || start.is_some();
        let capital = Money::whole(i64::from(self.config.paper.capital), Currency::USD).map_err(|error| {
            Trouble::new(format!("paper.capital: {error}"), "Nothing was started", "Choose a smaller capital")
        })?;
        Ok(RunTerms { seed: u64::from(self.config.tape.seed), capital, fresh, start })
    }

    /// How a new run on this tape begins: not where the tape has ended.
    pub fn terms_on(&self, args: &Args, tape: &Tape) -> Result<RunTerms, Trouble> {
        let terms = self.terms(args)?;
        let Some((start, (first, last))) = terms.start.zip(tape.span()) else { return Ok(terms) };
        if start < last {
            return Ok(terms);
        }
        Err(Trouble::new(
            format!("--from {start} is past the end of tape {}, which covers {first} to {last}", tape.meta.name),
            "Nothing was started and your ledger was not touched",
            "Choose an earlier date, or another tape (`pmax tapes` lists what each covers)",
        ))
    }

    /// The speed: the command line's, the configuration's, or the tape's own.
    pub fn speed(&self, args: &Args, tape: &Tape) -> Result<Speed, Trouble> {
        match (args.speed.as_deref(), self.config.tape.speed) {
            (Some("max"), _) => Ok(Speed::Max),
            (Some(text), _) => text.parse().ok().filter(|times| *times > 0).map(Speed::Times).ok_or_else(|| {
                Trouble::new(format!("--speed «{text}» is not a speed"), "Nothing was started", "Write a number above 0, or max")
            }),
            (None, 0) => Ok(Speed::Times(tape.meta.speed)),
            (None, times) => Ok(Speed::Times(times)),
        }
    }
}

/// Reads a date from the command line.
pub fn date(text: &str) -> Result<MarketTime, Trouble> {
    MarketTime::parse(text).ok_or_else(|| {
        Trouble::new(format!("«{text}» is not a date"), "Nothing was started", "Write e.g. 2020-03-16 or 2020-03-16T20:00 (UTC)")
    })
}
