//! Pictures and frames. `benches/README.md` holds the figures.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench stops at the impossible")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use pmax::domain::{Duration, MarketTime};
use pmax::engine::{Setup, SnapshotRequest};
use pmax::market;
use pmax::runtime::{self, Headless, Named, Palette};
use pmax::ui::{self, Context, Keymap, Picture, Theme, UiState};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

fn screen(criterion: &mut Criterion) {
    let tape = market::load("crash-2020").unwrap();
    let config = runtime::load_config(Path::new("none"), Named::ByDefault, &[], &[]).unwrap();
    let instruments = runtime::instruments().unwrap();
    let setup = Setup {
        instruments: Arc::clone(&instruments),
        series: tape.series(),
        library: Arc::default(),
        settings: runtime::settings_of(&config),
    };
    let mut world = Headless::with_usual_capital(&tape, &setup, MarketTime(0));
    world.play_until(MarketTime::parse("2020-03-20").unwrap());
    let show = SnapshotRequest::default();
    criterion.bench_function("snapshot", |bencher| bencher.iter(|| black_box(world.engine().snapshot(&show))));

    let frame = world.frame(&show);
    let context = Context { instruments, keymap: Arc::new(Keymap::new(&BTreeMap::new()).unwrap()), groups: BTreeMap::new() };
    let state = UiState::default();
    let (theme, now, heartbeat) = (Theme::new(Palette::GreenRed), world.now(), Duration(0));
    let picture = Picture { state: &state, frame: &frame, live: &frame, context: &context, theme, now, heartbeat };
    let mut group = criterion.benchmark_group("frame");
    for (width, height) in [(80, 24), (120, 40), (200, 60), (300, 90)] {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        group.bench_function(BenchmarkId::from_parameter(format!("{width}x{height}")), |bencher| {
            bencher.iter(|| {
                buffer.reset();
                ui::draw(&picture, area, &mut buffer);
                black_box(&buffer);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, screen);
criterion_main!(benches);
