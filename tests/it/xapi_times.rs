//! How soon a loss is noticed and how soon it is over: client and simulator in virtual time, with the times of an account.
//!
//! `xapi_line.rs` cuts both ways at once and refuses new connections. Here each way fails alone, attempts may hang, a broker may
//! take connections and say nothing, and the simulator does not learn of connections that are gone.

use pmax::broker::xapi::{Ask, Client, ClientEvent, Input, LinkState, Output, Secret, Settings as ClientSettings};
use pmax::domain::{Duration, WallTime};
use pmax::simulator::{Catalogue, ConnectionId, Faults, Port, Sent, Settings, Simulator, USUAL_SPACING, Variants};

const START: WallTime = WallTime(1_762_160_400_000_000_000);
const STEP: Duration = Duration::millis(50);
/// A loss is noticed within this time.
const NOTICED_WITHIN: Duration = Duration::seconds(15);
/// After the network is whole again everything has been compared within this time.
const BACK_WITHIN: Duration = Duration::seconds(5);
/// An attempt that nobody answers is given up after this time, as in `link.rs`.
const HANGS_FOR: Duration = Duration::seconds(2);
/// After so much time in order the pauses between attempts begin anew.
const CALM: Duration = Duration::seconds(61);

fn account(password: &str, seed: u64) -> ClientSettings {
    ClientSettings::usual("20001".to_owned(), Secret::new(password), seed)
}

fn sum(first: Duration, second: Duration) -> Duration {
    Duration(first.0 + second.0)
}

/// What becomes of an attempt to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempts {
    Succeed,
    Fail,
    Hang,
}

/// Client and simulator, and a network between them whose ways fail one by one.
struct Line {
    client: Client,
    simulator: Simulator,
    now: WallTime,
    main: Option<ConnectionId>,
    stream: Option<ConnectionId>,
    sent: Vec<Sent>,
    attempts: Attempts,
    /// An attempt that hangs, and until when.
    hanging: Option<(Port, WallTime)>,
    /// Whether what is said here reaches the broker, and what the broker says on either connection is heard here.
    is_heard: bool,
    hears_main: bool,
    hears_stream: bool,
    is_ready: bool,
    /// Why the link was lost last.
    why: String,
    /// When the last complete look was begun.
    compared: Option<WallTime>,
    replies: u32,
    logins: u32,
    connections: u32,
}

impl Line {
    fn new(client: ClientSettings) -> Self {
        let settings = Settings {
            user: "20001".to_owned(),
            password: "secret".to_owned(),
            currency: "USD".to_owned(),
            balance: 100_000_000_000_000,
            seed: 3,
            faults: Faults::default(),
            variants: Variants::default(),
            has_hours: false,
            spacing: USUAL_SPACING,
        };
        let mut line = Self {
            client: Client::new(client),
            simulator: Simulator::new(settings, Catalogue::shipped().unwrap(), START),
            now: START,
            main: None,
            stream: None,
            sent: Vec::new(),
            attempts: Attempts::Succeed,
            hanging: None,
            is_heard: true,
            hears_main: true,
            hears_stream: true,
            is_ready: false,
            why: String::new(),
            compared: None,
            replies: 0,
            logins: 0,
            connections: 0,
        };
        line.tell(Input::Start);
        line
    }

    fn ready(seed: u64) -> Self {
        let mut line = Self::new(account("secret", seed));
        line.until("the first link", |line| line.is_ready);
        line
    }

    fn tell(&mut self, input: Input<'_>) {
        let mut outputs = Vec::new();
        self.client.handle(self.now, input, &mut outputs);
        for output in outputs {
            self.carry_out(output);
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::OpenMain => self.open(Port::Main),
            Output::OpenStream => self.open(Port::Stream),
            Output::CloseBoth => {
                self.hanging = None;
                for id in [self.main.take(), self.stream.take()].into_iter().flatten() {
                    if self.is_heard {
                        self.simulator.disconnect(id, &mut self.sent);
                    }
                }
            }
            Output::Login(login) => {
                self.logins += 1;
                self.say(self.main, &login.into_text());
            }
            Output::Main(text) => self.say(self.main, &text),
            Output::Stream(text) => self.say(self.stream, &text),
            Output::Event(event) => self.note(event),
        }
    }

    fn say(&mut self, to: Option<ConnectionId>, text: &str) {
        if let Some(id) = to.filter(|_| self.is_heard) {
            self.simulator.receive(self.now, id, text, &mut self.sent);
        }
    }

    fn open(&mut self, port: Port) {
        self.connections += 1;
        match (self.attempts, port) {
            (Attempts::Hang, _) => self.hanging = Some((port, self.now.plus(HANGS_FOR))),
            (Attempts::Fail, _) => self.close(port, "unreachable"),
            (Attempts::Succeed, Port::Main) => {
                self.main = Some(self.simulator.connect(self.now, port, "127.0.0.1"));
                self.tell(Input::MainOpened);
            }
            (Attempts::Succeed, Port::Stream) => {
                self.stream = Some(self.simulator.connect(self.now, port, "127.0.0.1"));
                self.tell(Input::StreamOpened);
            }
        }
    }

    fn close(&mut self, port: Port, why: &str) {
        self.tell(match port {
            Port::Main => Input::MainClosed(why),
            Port::Stream => Input::StreamClosed(why),
        });
    }

    fn note(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Link(LinkState::Down { why, .. }) => {
                (self.is_ready, self.why) = (false, why.as_str().to_owned());
            }
            ClientEvent::Link(state) => self.is_ready = state == LinkState::Ready,
            ClientEvent::Snapshot(snapshot) => self.compared = Some(snapshot.began),
            ClientEvent::Latency(_) => self.replies += 1,
            _ => {}
        }
    }

    /// Messages of the simulator, as far as they get through.
    fn deliver(&mut self) {
        while !self.sent.is_empty() {
            for sent in std::mem::take(&mut self.sent) {
                let (Sent::Text(id, _) | Sent::Close(id)) = &sent;
                let is_main = self.hears_main && self.main == Some(*id);
                let is_stream = self.hears_stream && self.stream == Some(*id);
                match sent {
                    Sent::Text(_, text) if is_main => self.tell(Input::Main(&text)),
                    Sent::Text(_, text) if is_stream => self.tell(Input::Stream(&text)),
                    Sent::Close(_) if is_main => self.close(Port::Main, "closed"),
                    Sent::Close(_) if is_stream => self.close(Port::Stream, "closed"),
                    Sent::Text(..) | Sent::Close(_) => {}
                }
            }
        }
    }

    fn step(&mut self) {
        self.now = self.now.plus(STEP);
        if let Some((port, until)) = self.hanging
            && self.now >= until
        {
            self.hanging = None;
            self.close(port, "no connection within 2 s");
        }
        self.simulator.tick(self.now, &mut self.sent);
        self.deliver();
        self.tell(Input::Timer);
        self.deliver();
    }

    fn run(&mut self, time: Duration) {
        let end = self.now.plus(time);
        while self.now < end {
            self.step();
        }
    }

    /// Steps until it is so. Returns how long that took.
    fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) -> Duration {
        let began = self.now;
        while !is_so(self) {
            self.step();
            assert!(self.now.since(began) < Duration::seconds(600), "never came: {what}; last lost because: {}", self.why);
        }
        self.now.since(began)
    }

    /// Nothing passes any more, and attempts end like this. An attempt that fails at once is the sign of a network that says so.
    fn cut(&mut self, attempts: Attempts) {
        (self.attempts, self.is_heard, self.hears_main, self.hears_stream) = (attempts, false, false, false);
        if attempts == Attempts::Fail {
            self.close(Port::Main, "cable");
        }
        self.until("the loss", |line| !line.is_ready);
    }

    /// The network is whole again. Returns how long it takes until everything has been compared.
    fn mend(&mut self) -> Duration {
        (self.attempts, self.is_heard, self.hears_main, self.hears_stream) = (Attempts::Succeed, true, true, true);
        let since = self.now;
        self.until("the link", |line| line.is_ready && line.compared.is_some_and(|at| at > since))
    }
}

/// Lets something fail at every half second of a quarter of a minute, so that it meets pings, replies and keep-alives in every
/// phase. Hands the line over once the loss was noticed, with the replies counted from the failure on.
fn whenever(fail: impl Fn(&mut Line), look: impl Fn(&Line)) {
    for halves in 0..30 {
        let mut line = Line::ready(7);
        line.run(Duration::millis(500 * halves));
        line.replies = 0;
        fail(&mut line);
        let noticed = line.until("the loss", |line| !line.is_ready);
        assert!(noticed <= NOTICED_WITHIN, "noticed after {:.2} s ({halves} halves)", noticed.as_seconds());
        look(&line);
    }
}

#[test]
fn a_half_open_line_is_noticed_whenever_it_goes_dead() {
    let fail = |line: &mut Line| (line.is_heard, line.hears_main, line.hears_stream) = (false, false, false);
    whenever(fail, |line| assert_eq!(line.replies, 0));
}

#[test]
fn a_stream_that_falls_silent_is_noticed_though_the_main_connection_answers() {
    let fail = |line: &mut Line| {
        line.hears_stream = false;
        line.tell(Input::Ask(Ask::Snapshot));
    };
    whenever(fail, |line| {
        assert!(line.replies >= 4, "the look was answered: {}", line.replies);
        assert!(line.why.contains("silent"), "{}", line.why);
    });
}

#[test]
fn a_main_connection_that_falls_silent_is_noticed_though_the_stream_speaks() {
    whenever(
        |line| line.hears_main = false,
        |line| {
            assert_eq!(line.replies, 0);
            assert!(line.why.contains("no reply"), "{}", line.why);
        },
    );
}

#[test]
fn after_an_outage_the_link_is_back_in_seconds_however_attempts_ended() {
    for attempts in [Attempts::Fail, Attempts::Hang] {
        for seed in 0..5 {
            let mut line = Line::ready(seed);
            for outage in [100, 1_000, 2_700, 4_100, 7_350, 33_000, 121_000, 600_000, 1_801_000] {
                line.run(CALM);
                line.cut(attempts);
                line.run(Duration::millis(outage));
                let took = line.mend();
                let what = format!("{attempts:?}, seed {seed}, out for {outage} ms");
                assert!(took <= BACK_WITHIN, "{what}: back after {:.2} s", took.as_seconds());
            }
        }
    }
}

#[test]
fn a_broker_that_takes_connections_and_says_nothing_is_back_once_the_login_it_swallowed_is_given_up() {
    // The login that was swallowed is given up, and after a pause of at most ten seconds the next one is answered.
    let limit = sum(sum(account("secret", 0).reply_within, Duration::seconds(10)), BACK_WITHIN);
    for seed in 0..5 {
        let mut line = Line::ready(seed);
        for outage in [1_000, 8_000, 61_000, 600_000, 1_801_000] {
            line.run(CALM);
            (line.hears_main, line.hears_stream) = (false, false);
            line.until("the loss", |line| !line.is_ready);
            line.run(Duration::millis(outage));
            let took = line.mend();
            assert!(took <= limit, "seed {seed}, silent for {outage} ms: back after {:.2} s", took.as_seconds());
        }
    }
}

/// A short cut that follows a long one within a minute. Returns how long the return takes after it.
fn cut_again_soon(seed: u64) -> Duration {
    let mut line = Line::ready(seed);
    line.cut(Attempts::Fail);
    line.run(Duration::seconds(120));
    line.mend();
    line.run(Duration::seconds(7));
    line.cut(Attempts::Fail);
    line.run(Duration::seconds(1));
    line.mend()
}

#[test]
fn a_short_cut_soon_after_a_long_one_is_over_in_seconds() {
    for seed in 0..50 {
        let took = cut_again_soon(seed);
        assert!(took <= BACK_WITHIN, "seed {seed}: back after {:.2} s", took.as_seconds());
    }
}

#[test]
fn a_refused_login_waits_for_a_person_whatever_else_happens() {
    let mut line = Line::new(account("wrong", 7));
    line.run(Duration::seconds(1_800));
    assert_eq!((line.logins, line.connections), (1, 1), "a wrong pair is blocked for ten minutes");
    for input in [Input::MainClosed("late"), Input::StreamClosed("late"), Input::MainOpened, Input::Ask(Ask::Snapshot)] {
        line.tell(input);
        line.run(Duration::seconds(60));
    }
    assert_eq!((line.logins, line.connections), (1, 1), "nothing but a person starts it again");
    line.tell(Input::Ask(Ask::Connect));
    line.run(Duration::seconds(10));
    assert_eq!((line.logins, line.connections), (2, 2));
    line.run(Duration::seconds(1_800));
    assert_eq!((line.logins, line.connections), (2, 2), "it was refused again");
}
