//! Which instruments of a run belong together by name.

use std::collections::BTreeMap;

use crate::domain::{InstrumentId, InstrumentTable, SeriesInfo};

/// The instruments of each sector among the series of a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Sectors(BTreeMap<String, Vec<InstrumentId>>);

impl Sectors {
    pub(super) fn new(series: &[SeriesInfo], instruments: &InstrumentTable) -> Self {
        let mut sectors = BTreeMap::<String, Vec<InstrumentId>>::new();
        for known in series.iter().filter_map(|info| instruments.get(info.instrument)) {
            sectors.entry(known.sector.clone()).or_default().push(known.id);
        }
        Self(sectors)
    }

    pub(super) fn of(&self, sector: &str) -> &[InstrumentId] {
        self.0.get(sector).map_or(&[], Vec::as_slice)
    }
}
