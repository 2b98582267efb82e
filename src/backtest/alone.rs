//! One source speaks and no other.

use crate::domain::{Ratio, SignalSource};
use crate::engine::Setup;
use crate::signals::{Script, Scripts, Strategy};

/// No move reaches it: the rule that is not tried says nothing.
const SILENT: Ratio = Ratio::from_nanos(1_000_000_000_000_000);

/// Silences every source but one: baselines by a threshold that no move reaches, scripts by leaving them out.
pub fn speak_alone(setup: &mut Setup, source: SignalSource) {
    let strategies = &mut setup.settings.strategies;
    if source != SignalSource::BaselineMomentum {
        strategies.momentum_threshold = SILENT;
    }
    if source != SignalSource::BaselineReversal {
        strategies.reversal_threshold = SILENT;
    }
    let own: Vec<Script> = setup.library.iter().filter(|script| script.source() == source).cloned().collect();
    setup.settings.scripts = Scripts::of(&own);
}
