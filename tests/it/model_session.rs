//! The whole workstation without its screen, with a stand-in for the model: it speaks, abstains, hangs; trading does not care.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pmax::domain::{Currency, Money, Ratio, TradingState};
use pmax::llm::analyst::ModelAnalyst;
use pmax::llm::answer::{Abstention, Answer, Timings};
use pmax::llm::answering::{Answering, Behind, Heard, ModelView};
use pmax::llm::ask::Task;
use pmax::llm::asking::Terms;
use pmax::llm::desk::Request as DeskRequest;
use pmax::llm::opinions::ModelOpinions;
use pmax::llm::panel::{Panel, Rung};
use pmax::llm::tasks::Naming;
use pmax::runtime::{
    self, Feed, Frame, Home, KillLatch, ModelDevice, Request, RunTerms, Session, Speed, TapeControl, Voices, Wiring,
};
use pmax::signals::{Knows, Says};

use crate::llm_fakes::installed_file;
use crate::model_screen::facts;
use crate::support::pty::{Key, Launch};
use crate::support::{deadline, run};
use crate::terminal::{home, open_as, quit, wait_status};
use crate::world;

/// What the stand-in does next.
#[derive(Debug)]
pub enum Act {
    /// Tells its raw text as far as it is.
    Tell(String),
    /// Ends the question.
    End(Result<Answer, Abstention>),
}

/// A stand-in that does what a test says, and hangs while it says nothing.
#[derive(Debug)]
pub struct Scripted {
    acts: Mutex<Receiver<Act>>,
    asked: Mutex<Vec<DeskRequest>>,
    panel: Mutex<Arc<Panel>>,
}

impl Scripted {
    pub fn new() -> (Sender<Act>, Arc<Self>) {
        let (say, acts) = channel();
        let panel = Panel { rung: Rung::Cpu, model: Some(facts()), ..Panel::default() };
        (say, Arc::new(Self { acts: Mutex::new(acts), asked: Mutex::default(), panel: Mutex::new(Arc::new(panel)) }))
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Answering for Scripted {
    fn ask(&self, request: DeskRequest, tell: &mut dyn FnMut(&str)) -> Result<Heard, Abstention> {
        if request.ask.task != Task::Commentary {
            return opinion(request.ask.task).map(|answer| Heard { answer, by: Arc::new(facts()) });
        }
        self.asked.lock().unwrap().push(request);
        let ended = loop {
            match self.acts.lock().unwrap().recv() {
                Ok(Act::Tell(text)) => tell(&text),
                Ok(Act::End(answer)) => break answer,
                Err(_) => break Err(Abstention::Gone("the test is over".to_owned())),
            }
        };
        ended.as_ref().inspect_err(|why| self.unusable(Task::Commentary, why)).ok();
        ended.map(|answer| Heard { answer, by: Arc::new(facts()) })
    }

    fn unusable(&self, task: Task, why: &Abstention) {
        let mut panel = self.panel.lock().unwrap();
        let mut now = (**panel).clone();
        now.abstentions.push_back((runtime::wall_now(), task, why.to_string().as_str().into()));
        *panel = Arc::new(now);
    }

    fn panel(&self) -> Arc<Panel> {
        Arc::clone(&self.panel.lock().unwrap())
    }
}

/// It would sell, and has no word on risk that could be read.
fn opinion(task: Task) -> Result<Answer, Abstention> {
    let text = r#"{"action":"sell","horizon":"week","drivers":["move"],"flags":[],"note":"It fell 77.77% they say."}"#;
    match task {
        Task::Signal => {
            Ok(Answer { text: text.to_owned(), labels: vec![0.2, 0.7, 0.1], prior: vec![0.4, 0.3, 0.3], ..answer("") })
        }
        Task::Risk | Task::Sentiment | Task::Commentary => Ok(answer("of something else")),
    }
}

fn answer(text: &str) -> Answer {
    Answer { text: raw(text), labels: Vec::new(), prior: Vec::new(), timings: Timings::default() }
}

/// A comment as a model writes it.
fn raw(text: &str) -> String {
    serde_json::json!({ "text": text }).to_string()
}

fn start(folder: &Path, desk: &Arc<Scripted>) -> Session {
    let home = Home::find(Some(folder)).unwrap();
    let (tape, setup) = world::setup("crash-2020");
    let terms = RunTerms { seed: 1, capital: Money::whole(100_000, Currency::USD).unwrap(), fresh: false, start: None };
    let opened = runtime::open_run(runtime::open_ledger(&home).unwrap(), &Feed::Tape(&tape), &setup, &terms).unwrap();
    let desk: Arc<dyn Answering> = Arc::<Scripted>::clone(desk);
    let view = ModelView::of(Arc::clone(&desk));
    let terms = Terms::new(Naming::Named, 20_000).unwrap();
    let opinions = ModelOpinions::new(Arc::clone(&desk), terms.clone());
    let analyst = ModelAnalyst::new(desk, view.speech(), terms);
    let voices = Voices { analyst: Some(Box::new(analyst)), opine: Some(Box::new(opinions)), view };
    Session::start(opened, Wiring { voices, broker: None, latch: KillLatch::new(home.kill_file()), speed: Speed::Max }).unwrap()
}

fn wait(session: &Session, what: &str, is_there: impl Fn(&Frame) -> bool) -> Arc<Frame> {
    let until = Instant::now() + deadline();
    loop {
        let frame = Arc::clone(&session.frames.borrow());
        if is_there(&frame) {
            return frame;
        }
        assert!(Instant::now() < until, "never came: {what}; {:?}", frame.model);
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_model_is_read_while_it_writes_and_signs_what_it_wrote() {
    let (folder, (say, desk)) = (tempfile::tempdir().unwrap(), Scripted::new());
    let session = start(folder.path(), &desk);
    let begun = wait(&session, "that it writes", |frame| frame.model.speaking.is_some());
    let about = begun.model.speaking.as_ref().unwrap().instrument;
    let whole = "It moved, 77.77% they say.";
    for letters in [3, 9, whole.len()] {
        say.send(Act::Tell(format!("{{\"text\":\"{}", &whole[..letters]))).unwrap();
        let text = wait(&session, "more of it", |frame| {
            frame.model.speaking.as_ref().is_some_and(|speaking| speaking.text.as_str() == whole[..letters].trim_end())
        });
        assert_eq!(text.model.speaking.as_ref().unwrap().author.as_str(), "smollm2-135m");
    }
    assert!(session.frames.borrow().snapshot.commentary.is_empty(), "nothing is a comment before it is whole");
    say.send(Act::End(Ok(answer(whole)))).unwrap();
    let frame = wait(&session, "the comment", |frame| !frame.snapshot.commentary.is_empty());
    let comment = frame.snapshot.commentary.last().unwrap();
    assert_eq!((comment.author.as_str(), comment.instrument), ("smollm2-135m", about));
    assert_eq!(
        comment.text.as_str(),
        "It moved, 77.77%[?] they say.",
        "the number that nobody computed is marked in what is kept"
    );
    drop(say);
    assert!(session.finish(deadline()));
}

#[test]
fn where_it_abstains_the_rules_speak_and_the_panel_says_why() {
    let (folder, (say, desk)) = (tempfile::tempdir().unwrap(), Scripted::new());
    let session = start(folder.path(), &desk);
    wait(&session, "that it writes", |frame| frame.model.speaking.is_some());
    say.send(Act::Tell("{\"text\":\"Half a sen".to_owned())).unwrap();
    say.send(Act::End(Err(Abstention::Late(20_000)))).unwrap();
    let frame = wait(&session, "the rules", |frame| !frame.snapshot.commentary.is_empty());
    let comment = frame.snapshot.commentary.last().unwrap();
    assert_eq!(comment.author, "rules");
    assert!(!comment.text.as_str().contains("Half a sen"));
    let says = |frame: &Frame, words: &str| frame.model.abstentions.iter().any(|(_, _, why)| why.as_str().contains(words));
    wait(&session, "the reason", |frame| says(frame, "no answer within 20000 ms"));
    // What cannot be read is an abstention too.
    say.send(Act::End(Ok(Answer { text: "no JSON at all".to_owned(), ..answer("") }))).unwrap();
    let frame = wait(&session, "the next one", |frame| frame.snapshot.commentary.len() > 1);
    assert!(frame.snapshot.commentary.iter().all(|comment| comment.author == "rules"));
    wait(&session, "the other reason", |frame| frame.model.abstentions.iter().any(|(_, task, _)| *task == Task::Commentary));
    drop(say);
    assert!(session.finish(deadline()));
}

#[test]
fn while_it_hangs_only_the_newest_bar_of_each_instrument_waits() {
    let (folder, (say, desk)) = (tempfile::tempdir().unwrap(), Scripted::new());
    let session = start(folder.path(), &desk);
    let end = wait(&session, "the end of the tape", |frame| frame.playback.is_at_end);
    let frame = wait(&session, "the last bars", |frame| frame.model.waiting > 0);
    let instruments = end.snapshot.quotes.len();
    assert_eq!(desk.asked(), 1, "it hangs at the first question");
    assert!(frame.model.waiting <= instruments && frame.model.superseded > 0, "{:?}", frame.model);
    drop(say);
    let frame = wait(&session, "that nothing waits", |frame| frame.model.waiting == 0 && frame.model.speaking.is_none());
    assert!(desk.asked() <= instruments + 1);
    // What waited was each instrument's latest bar that stood out, the largest first.
    assert!(frame.snapshot.commentary.len() <= instruments + 1);
    assert!(session.finish(deadline()));
}

#[test]
fn opinions_are_recorded_shown_and_replayed_without_a_model() {
    let (folder, (say, desk)) = (tempfile::tempdir().unwrap(), Scripted::new());
    drop(say);
    let session = start(folder.path(), &desk);
    let frame = wait(&session, "an opinion", |frame| !frame.snapshot.opinions.is_empty());
    let opinion = &frame.snapshot.opinions[0];
    assert_eq!((opinion.says, opinion.author.as_str(), opinion.knows), (Says::Sell, "smollm2-135m", Knows::InTraining));
    assert_eq!(opinion.note.as_str(), "It fell 77.77%[?] they say.");
    assert!(opinion.share.unwrap() > Ratio::of(7, 10).unwrap(), "what it says of nothing is taken off");
    assert_eq!((opinion.drivers.len(), opinion.template.as_str().len()), (1, 64));
    let frame = wait(&session, "the abstention", |frame| !frame.model.abstentions.is_empty());
    assert!(frame.model.abstentions.iter().any(|(_, task, _)| *task == Task::Risk), "an answer that says nothing is no opinion");
    wait(&session, "the end of the tape", |frame| frame.playback.is_at_end);
    assert!(session.finish(deadline()));
    let replayed = run(&["replay", "1"], &[], folder.path());
    assert_eq!(replayed.status.code(), Some(0), "{}", String::from_utf8_lossy(&replayed.stderr));
    let journal = run(&["journal", "export"], &[], folder.path());
    let text = String::from_utf8_lossy(&journal.stdout).into_owned();
    assert!(text.contains("input.opinion") && text.contains("record.opinion"), "both are in the journal");
}

#[test]
fn the_kill_switch_works_while_the_model_hangs() {
    let (folder, (_say, desk)) = (tempfile::tempdir().unwrap(), Scripted::new());
    let session = start(folder.path(), &desk);
    wait(&session, "that it writes", |frame| frame.model.speaking.is_some());
    assert!(session.request(Request::Tape(TapeControl::TogglePause)));
    session.kill("kill switch").unwrap();
    let frame = wait(&session, "HALTED", |frame| frame.snapshot.state == TradingState::Halted);
    assert!(frame.model.speaking.is_some(), "it still hangs");
    assert!(session.finish(deadline()), "and holds up no end");
}

/// What the settings ask for, in a home with one file that is no model.
fn opened(change: impl Fn(&mut pmax::runtime::ModelSettings), is_installed: bool) -> Voices {
    let home = home();
    if is_installed {
        std::fs::create_dir(home.path().join("models")).unwrap();
        std::fs::write(home.path().join("models/mine.gguf"), "no model at all").unwrap();
    }
    let mut settings = world::config().model;
    // A program that is no worker.
    (settings.worker, settings.device) = ("/bin/false".to_owned(), ModelDevice::Cpu);
    change(&mut settings);
    runtime::open_voices(&settings, &Home::find(Some(home.path())).unwrap()).unwrap()
}

#[test]
fn the_settings_say_who_speaks_and_a_start_never_waits_for_a_model() {
    let without = |voices: &Voices| voices.analyst.is_none() && voices.opine.is_none();
    let none = opened(|_| {}, false);
    assert!(without(&none) && *none.view.panel() == Panel::default(), "nothing is installed: the pane offers one");
    let off = opened(|settings| settings.enabled = false, true);
    assert!(without(&off) && off.view.panel().why.as_str().contains("model.enabled"));
    let missing = opened(|settings| "yours".clone_into(&mut settings.name), true);
    assert!(without(&missing) && missing.view.panel().why.as_str().contains("«yours» of `model.name` is not installed"));
    let mut broken = opened(|_| {}, true);
    assert!(broken.analyst.is_some() && broken.opine.is_some(), "it is asked for, whatever becomes of it");
    let until = Instant::now() + deadline();
    let panel = loop {
        broken.view.look(Behind::default());
        let panel = broken.view.panel();
        if panel.rung == Rung::Rules && !panel.why.as_str().is_empty() {
            break panel;
        }
        assert!(Instant::now() < until, "{panel:?}");
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!((panel.rung, panel.ladder.first().map(|(rung, _)| *rung)), (Rung::Rules, Some(Rung::Cpu)), "{panel:?}");
}

/// The real thing: the model's own process, its own words, on the screen of the program itself.
#[test]
fn the_installed_model_speaks_on_the_screen() {
    let Some(model) = installed_file() else { return };
    let home = home();
    std::fs::create_dir(home.path().join("models")).unwrap();
    std::os::unix::fs::symlink(model, home.path().join("models/smollm2-135m.gguf")).unwrap();
    // However slow this machine is, what counts here is that it speaks.
    let args = ["--set", "model.commentary_seconds=600"];
    let mut terminal = open_as(Launch::new(&args).env("PMAX_HOME", home.path().display().to_string()).size(120, 40));
    terminal.send("M");
    terminal.wait_text("smollm2-135m on CPU");
    terminal.key(Key::Esc);
    terminal.wait_text(" smollm2-135m writes");
    terminal.wait_for("a comment signed by the model", |screen| screen.lines().any(|line| line.contains(" · smollm2-135m · ")));
    terminal.key(Key::F(12));
    terminal.key(Key::F(12));
    wait_status(&terminal, &["HALTED"]);
    quit(&mut terminal);
}
