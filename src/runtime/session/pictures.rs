//! Pictures for the screen: what they hold, when one is made, and how long it waits for the disk.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::broker::LinkView;
use crate::domain::{MarketTime, WallTime};
use crate::engine::Snapshot;
use crate::llm::panel::Panel;
use crate::market::bulletins::BulletinView;
use crate::market::providers::FeedView;
use crate::runtime::Speed;
use crate::runtime::session::{FRAME_EVERY, HOLD_AT_MOST, Running};

/// How the tape plays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Playback {
    /// Paused by a person.
    pub is_paused: bool,
    /// Held because an order preview is open.
    pub is_held: bool,
    /// The speed.
    pub speed: Speed,
    /// It runs ahead through history, or catches up with a market, whatever the speed.
    pub is_running_ahead: bool,
    /// Nothing is left.
    pub is_at_end: bool,
    /// When a tape's last event is known.
    pub ends_at: Option<MarketTime>,
    /// Events given out, of how many; nothing for a live feed, which has no end and cannot be paused.
    pub position: Option<(usize, usize)>,
    /// When the latest market event was heard or played, on the wall clock; nothing while this process has had none.
    pub heard: Option<WallTime>,
}

/// How the journal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalHealth {
    /// Number of the last entry on the disk.
    pub last_seq: u64,
    /// Batches that wait.
    pub waiting: u64,
    /// How long the last commit took.
    pub last_commit: Duration,
    /// What went wrong, if anything did.
    pub failure: Option<String>,
}

/// One picture with the runtime's own facts.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The engine's picture.
    pub snapshot: Snapshot,
    /// The tape.
    pub playback: Playback,
    /// The journal.
    pub journal: JournalHealth,
    /// The way to a remote broker, if the run trades with one.
    pub link: Option<LinkView>,
    /// Who serves what, if providers feed the run.
    pub feed: Option<FeedView>,
    /// Economic series and news, where they are heard.
    pub bulletins: Option<Arc<BulletinView>>,
    /// The language models.
    pub model: Arc<Panel>,
    /// Answers to what the screen asked last, oldest first.
    pub answers: VecDeque<Answer>,
}

/// What came of something the screen asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The number it was asked under.
    pub number: u64,
    /// Why it came to nothing, if it did.
    pub refusal: Option<String>,
}

impl Playback {
    /// Whether the market is heard while it happens.
    pub const fn is_live(&self) -> bool {
        self.position.is_none()
    }
}

impl Running {
    /// Makes a picture when one is due. What a person sees is what a restart would find, unless the disk takes too long.
    pub(super) fn publish(&mut self) {
        self.release(HOLD_AT_MOST);
        if self.held.is_some() {
            return;
        }
        let written = self.journal.last_seq();
        self.is_dirty |= written != self.shown_seq;
        self.is_dirty |= self.model.look(self.analyst.behind().and(self.opinions.behind()));
        if !self.is_dirty || self.last_frame.elapsed() < FRAME_EVERY {
            return;
        }
        (self.is_dirty, self.last_frame, self.shown_seq) = (false, Instant::now(), written);
        let frame = Frame {
            snapshot: self.engine.snapshot(&self.show),
            playback: self.playback(),
            journal: self.health(),
            link: self.broker.link(),
            feed: self.source.view(),
            bulletins: self.bulletins(),
            model: self.model.panel(),
            answers: self.answers.clone(),
        };
        let batches = self.journal.sent() + self.overflow.len() as u64;
        self.held = Some((batches, Instant::now(), frame));
        self.release(HOLD_AT_MOST);
    }

    fn playback(&self) -> Playback {
        let is_over = self.source.next_at().is_none();
        // What a jump leads to is reached when nothing before it is left, though the next event may wait for a person.
        let is_running_ahead = if self.source.is_live() { self.is_catching_up() } else { self.jump.is_some() && !is_over };
        Playback {
            is_paused: self.is_paused,
            is_held: self.is_held(),
            speed: self.pace.speed(),
            is_running_ahead,
            is_at_end: is_over && !self.source.is_live(),
            ends_at: self.source.ends_at(),
            position: self.source.position(),
            heard: self.heard,
        }
    }

    /// Hands the held picture out once its decisions are durable, or have not become so for too long.
    pub(super) fn release(&mut self, at_most: Duration) {
        let is_due = |(batches, since, _): &(u64, Instant, Frame)| {
            self.journal_failed || self.journal.has_committed(*batches) || since.elapsed() >= at_most
        };
        if !self.held.as_ref().is_some_and(is_due) {
            return;
        }
        if let Some((_, _, mut frame)) = self.held.take() {
            frame.journal = self.health();
            self.frames.send_replace(Arc::new(frame));
        }
    }

    fn health(&self) -> JournalHealth {
        JournalHealth {
            last_seq: self.journal.last_seq(),
            waiting: self.journal.waiting() + self.overflow.len() as u64,
            last_commit: self.journal.last_commit(),
            failure: self.journal.failure(),
        }
    }
}
