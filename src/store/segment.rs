//! A segment: the market events of a live run, as the engine consumed them, in a file beside the journal.
//!
//! The journal names positions in it, so events are on the disk before the entries that count them. Eight bytes of header, then for each
//! event its length, a checksum and its bytes. A torn tail is not an error: nothing in the journal counts on it.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::domain::MarketEvent;
use crate::store::StoreError;

/// Name and version of the layout.
const HEADER: &[u8; 8] = b"pmaxseg1";
/// Length and checksum before every event.
const FRAME: usize = 6;

/// The file, open for writing.
#[derive(Debug)]
pub struct Segment {
    file: BufWriter<File>,
    path: PathBuf,
}

/// The events of a segment, in order.
#[derive(Debug)]
pub struct SegmentReader<R = BufReader<File>> {
    file: R,
    /// Bytes of the header and of all events given out so far.
    good: u64,
}

impl Segment {
    /// Begins a segment; a file that was there is replaced.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        let file = File::create(path).and_then(|mut file| {
            file.write_all(HEADER)?;
            file.sync_all()?;
            Ok(file)
        });
        Self::of(file, path)
    }

    /// Goes on with a segment after its first `events`; what lies behind them is cut off, since no journal entry counts it.
    ///
    /// Fails where it holds fewer.
    pub fn resume(path: &Path, events: u64) -> Result<Self, StoreError> {
        let mut reader = SegmentReader::open(path)?;
        let held = reader.by_ref().take(usize::try_from(events).unwrap_or(usize::MAX)).count() as u64;
        if held < events {
            return Err(short(path, held, events));
        }
        let end = reader.good;
        let file = OpenOptions::new().read(true).write(true).open(path).and_then(|mut file| {
            file.set_len(end)?;
            file.seek(SeekFrom::End(0))?;
            file.sync_all()?;
            Ok(file)
        });
        Self::of(file, path)
    }

    fn of(file: std::io::Result<File>, path: &Path) -> Result<Self, StoreError> {
        let path = path.to_owned();
        match file {
            Ok(file) => Ok(Self { file: BufWriter::new(file), path }),
            Err(source) => Err(StoreError::Io { path, source }),
        }
    }

    /// Appends events and returns once they are on the disk.
    pub fn append(&mut self, events: &[MarketEvent]) -> Result<(), StoreError> {
        for event in events {
            let bytes = postcard::to_stdvec(event).map_err(|error| StoreError::Segment { what: error.to_string() })?;
            let length = u16::try_from(bytes.len()).map_err(|error| StoreError::Segment { what: error.to_string() })?;
            let written = self
                .file
                .write_all(&length.to_le_bytes())
                .and_then(|()| self.file.write_all(&crc32fast::hash(&bytes).to_le_bytes()))
                .and_then(|()| self.file.write_all(&bytes));
            written.map_err(|source| StoreError::Io { path: self.path.clone(), source })?;
        }
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_data());
        synced.map_err(|source| StoreError::Io { path: self.path.clone(), source })
    }
}

fn short(path: &Path, held: u64, counted: u64) -> StoreError {
    let what = format!("{} holds {held} market events, the journal counts {counted}", path.display());
    StoreError::Segment { what }
}

impl SegmentReader {
    /// Opens a segment to read.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let refuse = |source| StoreError::Io { path: path.to_owned(), source };
        Self::of(BufReader::new(File::open(path).map_err(refuse)?), path)
    }
}

impl<R: Read> SegmentReader<R> {
    /// Reads a segment from its bytes, wherever they come from; `path` is its name for errors.
    pub fn of(mut file: R, path: &Path) -> Result<Self, StoreError> {
        let mut header = [0; HEADER.len()];
        file.read_exact(&mut header).map_err(|source| StoreError::Io { path: path.to_owned(), source })?;
        if &header != HEADER {
            return Err(StoreError::Segment { what: format!("{} is not a segment of this version", path.display()) });
        }
        Ok(Self { file, good: HEADER.len() as u64 })
    }
}

impl<R: Read> Iterator for SegmentReader<R> {
    type Item = MarketEvent;

    fn next(&mut self) -> Option<MarketEvent> {
        let mut frame = [0; FRAME];
        self.file.read_exact(&mut frame).ok()?;
        let [low, high, check @ ..] = frame;
        let mut bytes = vec![0; usize::from(u16::from_le_bytes([low, high]))];
        self.file.read_exact(&mut bytes).ok()?;
        if crc32fast::hash(&bytes) != u32::from_le_bytes(check) {
            return None;
        }
        let event = postcard::from_bytes(&bytes).ok()?;
        self.good += (FRAME + bytes.len()) as u64;
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Bar, InstrumentId, MarketStamp, MarketTime, Price, Quote, QuoteOrigin, Volume, WallTime};

    fn events() -> Vec<MarketEvent> {
        let (instrument, price) = (InstrumentId(6), Price::from_nanos(1_084_300_000));
        let stamp = MarketStamp { event_at: MarketTime(5), known_at: MarketTime(-7), received_at: Some(WallTime(9)) };
        let quote = Quote { instrument, last: price, bid: Some(price), ask: None, origin: QuoteOrigin::Venue };
        let (open_at, close_at, volume) = (MarketTime(0), MarketTime(60), Some(Volume::from_milli(7_000)));
        let bar =
            Bar { instrument, open_at, close_at, open: price, high: price, low: price, close: price, volume, has_range: true };
        vec![
            MarketEvent::BarOpened { instrument, open: price, stamp },
            MarketEvent::Quoted { quote, stamp },
            MarketEvent::BarClosed { bar, stamp: MarketStamp::tape(MarketTime(60)) },
        ]
    }

    #[test]
    fn what_was_appended_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run-1.segment");
        let mut segment = Segment::create(&path).unwrap();
        segment.append(&events()).unwrap();
        segment.append(&events()).unwrap();
        let read: Vec<MarketEvent> = SegmentReader::open(&path).unwrap().collect();
        assert_eq!(read, [events(), events()].concat());
    }

    #[test]
    fn a_torn_tail_is_cut_and_a_missing_event_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run-1.segment");
        Segment::create(&path).unwrap().append(&events()).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in 1..40 {
            std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            let left = SegmentReader::open(&path).unwrap().count();
            assert_eq!(left, 2, "the last event is torn after {cut} bytes");
        }
        let mut segment = Segment::resume(&path, 2).unwrap();
        segment.append(&events()[2..]).unwrap();
        assert_eq!(SegmentReader::open(&path).unwrap().collect::<Vec<_>>(), events());
        assert!(Segment::resume(&path, 4).unwrap_err().to_string().contains("holds 3 market events, the journal counts 4"));
        let mut damaged = whole;
        damaged[12] ^= 1;
        std::fs::write(&path, &damaged).unwrap();
        assert_eq!(SegmentReader::open(&path).unwrap().count(), 0);
        std::fs::write(&path, b"something else").unwrap();
        assert!(SegmentReader::open(&path).is_err());
    }
}
