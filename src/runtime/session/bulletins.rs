//! Economic series and news: values that were released reach the engine as inputs; headlines are for the screen only.

use std::sync::Arc;

use crate::engine::InputBody;
use crate::market::bulletins::BulletinView;
use crate::runtime::session::Running;

impl Running {
    /// Tells the engine what publishers released.
    pub(super) fn tell_bulletins(&mut self) {
        for observations in self.source.take_published() {
            self.input(InputBody::Published { observations });
        }
    }

    /// Tells the engine what was released by the market's time, on a tape.
    pub(super) fn tell_bulletins_of_tape(&mut self) {
        let now = self.engine.market().now();
        let observations = self.tape_bulletins.as_mut().map(|bulletins| bulletins.due(now)).unwrap_or_default();
        if !observations.is_empty() {
            self.input(InputBody::Published { observations });
        }
    }

    /// How series and news are heard; on a tape when each series comes next.
    pub(super) fn bulletins(&mut self) -> Option<Arc<BulletinView>> {
        if self.source.is_live() || self.engine.book().economy().is_empty() {
            return self.source.bulletins();
        }
        let now = self.engine.market().now();
        self.tape_bulletins.as_mut().map(|bulletins| bulletins.view(now))
    }
}
