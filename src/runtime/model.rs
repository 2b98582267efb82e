//! Who speaks in a session: the analyst, whoever has opinions, and how the models behind them stand.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::CleanText;
use crate::llm::analyst::ModelAnalyst;
use crate::llm::answering::{Answering, ModelView};
use crate::llm::asking::Terms;
use crate::llm::cache::{Cache, LARGEST_FILE};
use crate::llm::catalogue::Catalogue;
use crate::llm::desk::{Backend, DeskTerms, ModelDesk, Patience, RungTerms};
use crate::llm::install::{Installed, Shelf};
use crate::llm::opinions::ModelOpinions;
use crate::llm::panel::Rung;
use crate::llm::protocol::{Device, Job};
use crate::llm::remote::RemoteTerms;
use crate::llm::tasks::Naming;
use crate::runtime::{Credential, Home, ModelDevice, ModelSettings, Trouble, load_models, model_threads, model_worker, wall_now};
use crate::signals::{Analyst, Opine};

/// The voices of a session. By default the rules speak and nobody has opinions.
#[derive(Debug, Default)]
pub struct Voices {
    /// Who writes comments; the rules where there is nobody.
    pub analyst: Option<Box<dyn Analyst>>,
    /// Who has opinions.
    pub opine: Option<Box<dyn Opine>>,
    /// How the models stand, for the pictures.
    pub view: ModelView,
}

/// Opens the voices that the settings ask for. Nothing here waits for a model: it is loaded while the tape plays, and the rules speak meanwhile.
pub fn open_voices(settings: &ModelSettings, home: &Home) -> Result<Voices, Trouble> {
    if !settings.enabled {
        return Ok(rules_only("switched off by `model.enabled`"));
    }
    let here = Here { catalogue: load_models(Some(home))?, installed: Shelf::new(home.models_folder()).installed() };
    let named = &settings.name;
    if !named.is_empty() && settings.server.is_empty() && here.named(named).is_none() {
        return Ok(rules_only(&format!("«{named}» of `model.name` is not installed; `pmax model list` shows what is")));
    }
    let mut rungs = rungs(settings, &here)?;
    if !settings.server.is_empty() {
        rungs.insert(0, server(settings, home)?);
    }
    if rungs.is_empty() {
        let is_bare = here.installed.is_empty();
        return Ok(if is_bare { Voices::default() } else { rules_only("no installed model runs on what `model.device` allows") });
    }
    let naming = if settings.anonymise { Naming::Anonymous } else { Naming::Named };
    let terms = Terms::new(naming, u64::from(settings.commentary_seconds) * 1_000)
        .map_err(|error| Trouble::new(error.to_string(), "Nothing was started", "Mend that file and build again"))?;
    let cache = Cache::open(&home.answers_folder(), LARGEST_FILE);
    let desk = ModelDesk::start(DeskTerms { rungs, patience: Patience::default(), clock: wall_now, cache }).map_err(|error| {
        Trouble::new(format!("The model's desk cannot start: {error}"), "Nothing was sent", "Free some memory and try again")
    })?;
    let desk: Arc<dyn Answering> = Arc::new(desk);
    let view = ModelView::of(Arc::clone(&desk));
    let analyst = ModelAnalyst::new(Arc::clone(&desk), view.speech(), terms.clone());
    Ok(Voices { analyst: Some(Box::new(analyst)), opine: Some(Box::new(ModelOpinions::new(desk, terms))), view })
}

fn rules_only(why: &str) -> Voices {
    Voices { view: ModelView::without(why), ..Voices::default() }
}

/// What is on this machine.
struct Here {
    catalogue: Catalogue,
    installed: Vec<Installed>,
}

impl Here {
    fn named(&self, name: &str) -> Option<&Installed> {
        self.installed.iter().find(|one| one.name.as_str() == name)
    }

    /// Whether a model runs well there; of one that is in no catalogue nobody knows, and it may try.
    fn fits(&self, one: &Installed, device: Device) -> bool {
        self.catalogue.models.get(&one.name).is_none_or(|entry| entry.fit.contains(&device))
    }

    /// The one a person named where it fits, else the largest that does.
    fn for_device(&self, device: Device, name: &str) -> Option<&Installed> {
        let fit = |one: &&Installed| self.fits(one, device);
        let largest = || self.installed.iter().filter(fit).max_by_key(|one| one.bytes);
        self.named(name).filter(fit).or_else(largest)
    }

    /// The last day its training can have known.
    fn knows_until(&self, one: &Installed) -> Option<CleanText> {
        let recorded = one.record.as_ref().and_then(|record| record.knowledge_until.clone());
        let listed = || self.catalogue.models.get(&one.name)?.knowledge_until.map(|day| day.to_string());
        recorded.or_else(listed).map(CleanText::from)
    }
}

/// The ladder: a GPU where this program or another one can use it, then the CPU with this very program.
fn rungs(settings: &ModelSettings, here: &Here) -> Result<Vec<RungTerms>, Trouble> {
    let other = Some(settings.worker.as_str()).filter(|worker| !worker.is_empty()).map(PathBuf::from);
    let may_use_gpu = cfg!(feature = "cuda") || other.is_some();
    let gpu = (Rung::Gpu, Device::Gpu, other.as_deref());
    let cpu = (Rung::Cpu, Device::Cpu, None);
    let wanted = match settings.device {
        ModelDevice::Auto if may_use_gpu => vec![gpu, cpu],
        ModelDevice::Auto => vec![cpu],
        ModelDevice::Cpu => vec![(Rung::Cpu, Device::Cpu, other.as_deref())],
        ModelDevice::Gpu => vec![gpu],
    };
    let found = wanted.into_iter().filter_map(|place| Some((here.for_device(place.1, &settings.name)?, place)));
    found.map(|(one, place)| rung(settings, here, one, place)).collect()
}

/// A server of a person's own, above everything on this machine.
fn server(settings: &ModelSettings, home: &Home) -> Result<RungTerms, Trouble> {
    let named = Some(&settings.server_model).filter(|name| !name.is_empty());
    let key = Credential::model_server().find(&home.env_file())?.map(|(key, _)| key);
    Ok(RungTerms {
        rung: Rung::Remote,
        name: named.map_or_else(|| "the server's model".into(), |name| CleanText::from_outside(name)),
        // Nobody here knows what a model elsewhere has read.
        knowledge_cutoff: None,
        backend: Backend::Remote(RemoteTerms { url: settings.server.clone(), model: named.cloned(), key }),
    })
}

fn rung(
    settings: &ModelSettings,
    here: &Here,
    one: &Installed,
    (rung, device, program): (Rung, Device, Option<&Path>),
) -> Result<RungTerms, Trouble> {
    let job = Job {
        model: one.file.clone(),
        sha256: one.record.as_ref().map(|record| record.sha256.clone()),
        device,
        threads: if settings.threads == 0 { model_threads() } else { settings.threads },
        context: settings.context,
        memory_limit: (settings.memory > 0).then(|| u64::from(settings.memory) * 1_000_000),
    };
    Ok(RungTerms {
        rung,
        name: CleanText::from(one.name.as_str()),
        knowledge_cutoff: here.knows_until(one),
        backend: Backend::Worker(model_worker(job, program)?),
    })
}
