//! Writing Parquet: tapes, and the prices of a recording. Times carry their type, and prices are decimals, so that other programs read them
//! as what they are.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use crate::domain::{Bar, InstrumentTable, MarketStamp, Quote};
use crate::market::TapeMeta;
use crate::market::tape::DESCRIPTION_KEY;

/// The columns of a tape; what has no range or no volume has nulls there.
const BARS: &str = "message tape {
    required int32 instrument;
    required int64 open_at (TIMESTAMP(NANOS,true));
    required int64 close_at (TIMESTAMP(NANOS,true));
    optional int64 open (DECIMAL(18,9));
    optional int64 high (DECIMAL(18,9));
    optional int64 low (DECIMAL(18,9));
    required int64 close (DECIMAL(18,9));
    optional int64 volume (DECIMAL(18,3));
    required binary symbol (STRING);
}";
/// The columns of recorded prices: when by the source's own clock, and when it was heard here.
const PRICES: &str = "message prices {
    required int32 instrument;
    required binary symbol (STRING);
    required int64 priced_at (TIMESTAMP(NANOS,true));
    optional int64 heard_at (TIMESTAMP(NANOS,true));
    required int64 last (DECIMAL(18,9));
    optional int64 bid (DECIMAL(18,9));
    optional int64 ask (DECIMAL(18,9));
}";
/// Rows of one group.
const GROUP: usize = 1_000_000;
/// Prices that wait until they are written as a group.
const PRICE_GROUP: usize = 100_000;
const LEVEL: i32 = 9;

fn properties() -> Result<Arc<WriterProperties>, ParquetError> {
    let level = ZstdLevel::try_new(LEVEL)?;
    let named = concat!("pmax ", env!("CARGO_PKG_VERSION")).to_owned();
    Ok(Arc::new(WriterProperties::builder().set_compression(Compression::ZSTD(level)).set_created_by(named).build()))
}

/// The bytes of a tape. The same bars and description give the same bytes.
pub fn tape_bytes(meta: &TapeMeta, bars: &[Bar], instruments: &InstrumentTable) -> Result<Vec<u8>, ParquetError> {
    let schema = Arc::new(parse_message_type(BARS)?);
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties()?)?;
    for chunk in bars.chunks(GROUP) {
        let mut group = writer.next_row_group()?;
        let ranged = |of: fn(&Bar) -> i64| chunk.iter().map(move |bar| bar.has_range.then(|| of(bar)));
        let instruments_column: Vec<i32> = chunk.iter().map(|bar| i32::try_from(bar.instrument.0).unwrap_or(i32::MAX)).collect();
        whole_numbers(&mut group, &instruments_column)?;
        all(&mut group, chunk.iter().map(|bar| bar.open_at.0))?;
        all(&mut group, chunk.iter().map(|bar| bar.close_at.0))?;
        some(&mut group, ranged(|bar| bar.open.nanos()))?;
        some(&mut group, ranged(|bar| bar.high.nanos()))?;
        some(&mut group, ranged(|bar| bar.low.nanos()))?;
        all(&mut group, chunk.iter().map(|bar| bar.close.nanos()))?;
        some(&mut group, chunk.iter().map(|bar| bar.volume.map(|volume| volume.milli())))?;
        texts(&mut group, chunk.iter().map(|bar| instruments.symbol(bar.instrument)))?;
        group.close()?;
    }
    let text = serde_json::to_string(meta).map_err(|error| ParquetError::General(error.to_string()))?;
    writer.append_key_value_metadata(KeyValue::new(DESCRIPTION_KEY.to_owned(), text));
    writer.close()?;
    Ok(bytes)
}

/// A file of prices that grows group by group; it can be read once it is finished.
pub struct PriceFile<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    waiting: Vec<(Quote, MarketStamp)>,
    written: u64,
}

impl<W: Write + Send> PriceFile<W> {
    /// Begins a file.
    pub fn begin(file: W) -> Result<Self, ParquetError> {
        let schema = Arc::new(parse_message_type(PRICES)?);
        Ok(Self { writer: SerializedFileWriter::new(file, schema, properties()?)?, waiting: Vec::new(), written: 0 })
    }

    /// Adds a price.
    pub fn add(&mut self, quote: Quote, stamp: MarketStamp, instruments: &InstrumentTable) -> Result<(), ParquetError> {
        self.waiting.push((quote, stamp));
        self.written += 1;
        if self.waiting.len() >= PRICE_GROUP { self.flush(instruments) } else { Ok(()) }
    }

    /// Writes what waits, and the end of the file. Returns how many prices are in it.
    pub fn finish(mut self, instruments: &InstrumentTable) -> Result<u64, ParquetError> {
        self.flush(instruments)?;
        self.writer.close()?;
        Ok(self.written)
    }

    fn flush(&mut self, instruments: &InstrumentTable) -> Result<(), ParquetError> {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        let numbers: Vec<i32> = waiting.iter().map(|(quote, _)| i32::try_from(quote.instrument.0).unwrap_or(i32::MAX)).collect();
        whole_numbers(&mut group, &numbers)?;
        texts(&mut group, waiting.iter().map(|(quote, _)| instruments.symbol(quote.instrument)))?;
        all(&mut group, waiting.iter().map(|(_, stamp)| stamp.event_at.0))?;
        some(&mut group, waiting.iter().map(|(_, stamp)| stamp.received_at.map(|at| at.0)))?;
        all(&mut group, waiting.iter().map(|(quote, _)| quote.last.nanos()))?;
        some(&mut group, waiting.iter().map(|(quote, _)| quote.bid.map(|bid| bid.nanos())))?;
        some(&mut group, waiting.iter().map(|(quote, _)| quote.ask.map(|ask| ask.nanos())))?;
        group.close()?;
        Ok(())
    }
}

/// There are as many columns as the schema says, so each call gets one.
fn short() -> ParquetError {
    ParquetError::General("a column more than the schema has".to_owned())
}

fn whole_numbers<W: Write + Send>(group: &mut SerializedRowGroupWriter<'_, W>, values: &[i32]) -> Result<(), ParquetError> {
    let mut column = group.next_column()?.ok_or_else(short)?;
    column.typed::<Int32Type>().write_batch(values, None, None)?;
    column.close()
}

fn all<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: impl Iterator<Item = i64>,
) -> Result<(), ParquetError> {
    let values: Vec<i64> = values.collect();
    let mut column = group.next_column()?.ok_or_else(short)?;
    column.typed::<Int64Type>().write_batch(&values, None, None)?;
    column.close()
}

fn some<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: impl Iterator<Item = Option<i64>>,
) -> Result<(), ParquetError> {
    let values: Vec<Option<i64>> = values.collect();
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let present: Vec<i64> = values.into_iter().flatten().collect();
    let mut column = group.next_column()?.ok_or_else(short)?;
    column.typed::<Int64Type>().write_batch(&present, Some(&levels), None)?;
    column.close()
}

fn texts<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: impl Iterator<Item = String>,
) -> Result<(), ParquetError> {
    let values: Vec<ByteArray> = values.map(|text| ByteArray::from(text.into_bytes())).collect();
    let mut column = group.next_column()?.ok_or_else(short)?;
    column.typed::<ByteArrayType>().write_batch(&values, None, None)?;
    column.close()
}
