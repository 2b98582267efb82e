//! What a person does with a tape: pause, step, speed, jump. A live market takes none of it.

use crate::domain::Actor;
use crate::engine::{Command, InputBody};
use crate::runtime::TapeControl;
use crate::runtime::session::{Batch, Running};
use crate::store::TapePlays;

impl Running {
    pub(super) fn control(&mut self, control: TapeControl) {
        if self.source.is_live() || self.journal_failed {
            return;
        }
        let was_paused = self.is_paused;
        match control {
            TapeControl::TogglePause => self.is_paused = !self.is_paused,
            TapeControl::Step => {
                self.is_paused = true;
                self.play_one();
            }
            TapeControl::StepBar => {
                self.is_paused = true;
                self.play_to_next_close();
            }
            TapeControl::Faster => self.pace.set(self.pace.speed().faster()),
            TapeControl::Slower => self.pace.set(self.pace.speed().slower()),
            TapeControl::Set(speed) => self.pace.set(speed),
            TapeControl::Jump(until) => {
                if until > self.engine.market().now() {
                    self.input(InputBody::Command { actor: Actor::Person, command: Command::JumpTo { until } });
                    self.jump = Some(until);
                }
            }
        }
        if self.is_paused != was_paused {
            self.remember_pause();
        }
        self.pace.rest();
    }

    /// Notes for the next start whether the tape stands still.
    pub(super) fn remember_pause(&mut self) {
        let plays = if self.is_paused { TapePlays::Paused } else { TapePlays::On };
        self.overflow.push_back(Batch { plays: Some(plays), ..Batch::default() });
        self.drain();
    }
}
