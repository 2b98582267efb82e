//! Which instruments of a run belong together by name.

use std::collections::BTreeMap;

use crate::domain::{InstrumentId, InstrumentTable, SeriesInfo};

/// The instruments of each sector among the series of a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Sectors(BTreeMap<String, Vec<InstrumentId>>);

impl Sectors {
    pub(super) fn new(series: &[SeriesInfo], instruments: &InstrumentTable) -> Self {
        Self::of_run(series.iter().map(|info| info.instrument), instruments)
    }

    pub(super) fn of_run(series: impl Iterator<Item = InstrumentId>, instruments: &InstrumentTable) -> Self {
        let mut sectors = BTreeMap::<String, Vec<InstrumentId>>::new();
        for known in series.filter_map(|id| instruments.get(id)) {
            sectors.entry(known.sector.clone()).or_default().push(known.id);
        }
        Self(sectors)
    }

    pub(super) fn of(&self, sector: &str) -> &[InstrumentId] {
        self.0.get(sector).map_or(&[], Vec::as_slice)
    }
}
