//! A Parquet file as rows of cells: flat columns of numbers, decimals, texts, dates and times, as pandas, Polars and DuckDB write them.

use bytes::Bytes;
use parquet::basic::{ConvertedType, LogicalType, TimeUnit};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use crate::market::own::sheet::{Cell, HasZone, SheetError};
use crate::market::own::text::is_missing;
use crate::market::tape::most_rows;

/// Texts that are longer are none of a cell.
const LONGEST_TEXT: usize = 256;

/// An opened file.
pub struct ParquetSheet {
    reader: SerializedFileReader<Bytes>,
    titles: Vec<String>,
    /// Columns that can be read, by their place in the file.
    readable: Vec<usize>,
    /// Rows that a file of its size can hold.
    most: usize,
}

/// Whether all columns lie within the file: the library stops at one that does not.
fn check_places(metadata: &ParquetMetaData, length: usize) -> Result<(), ParquetError> {
    let lies_inside = |column: &ColumnChunkMetaData| {
        let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
        let end = start.checked_add(column.compressed_size());
        start >= 0
            && column.compressed_size() >= 0
            && end.and_then(|end| usize::try_from(end).ok()).is_some_and(|end| end <= length)
    };
    let columns = || metadata.row_groups().iter().flat_map(|group| group.columns());
    if columns().all(lies_inside) { Ok(()) } else { Err(ParquetError::General("a column lies outside the file".to_owned())) }
}

/// A cell that keeps its own text.
enum Held {
    Plain(Cell<'static>),
    Text(Box<str>),
}

impl ParquetSheet {
    /// Opens a file and looks which of its columns can be read; lists and structures cannot.
    pub(super) fn open(bytes: Bytes) -> Result<Self, ParquetError> {
        let (most, length) = (most_rows(bytes.len()), bytes.len());
        let reader = SerializedFileReader::new(bytes)?;
        check_places(reader.metadata(), length)?;
        let schema = reader.metadata().file_metadata().schema_descr_ptr();
        let is_flat = |column: &ColumnDescriptor| column.max_rep_level() == 0 && column.max_def_level() <= 1;
        let flat = schema.columns().iter().enumerate().filter(|(_, column)| is_flat(column));
        let (readable, titles) = flat.map(|(index, column)| (index, column.name().to_owned())).unzip();
        Ok(Self { reader, titles, readable, most })
    }

    pub(super) fn titles(&self) -> &[String] {
        &self.titles
    }

    pub(super) fn each_row(&self, most: usize, mut take: impl FnMut(usize, &[Cell<'_>])) -> Result<usize, SheetError> {
        let mut count = 0;
        for index in 0..self.reader.num_row_groups() {
            let group = self.reader.get_row_group(index)?;
            let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(usize::MAX);
            if rows > most || count + rows > most {
                return Err(SheetError::TooLong);
            }
            if count + rows > self.most {
                let what = format!("it says that it holds {} rows, which its size does not allow", count + rows);
                return Err(SheetError::Layout { what, todo: "Write the file anew".to_owned() });
            }
            let columns = self.readable.iter().map(|column| read(&*group, *column, rows)).collect::<Result<Vec<_>, _>>()?;
            let mut cells = Vec::with_capacity(columns.len());
            for row in 0..rows {
                cells.clear();
                cells.extend(columns.iter().map(|column| column.get(row).map_or(Cell::Missing, Held::cell)));
                count += 1;
                take(count, &cells);
            }
        }
        if count == 0 { Err(SheetError::Empty) } else { Ok(count) }
    }
}

impl Held {
    fn cell(&self) -> Cell<'_> {
        match self {
            Self::Plain(cell) => *cell,
            Self::Text(text) => Cell::Text(text),
        }
    }
}

/// One column of a row group.
fn read(group: &dyn RowGroupReader, index: usize, rows: usize) -> Result<Vec<Held>, ParquetError> {
    let chunk = group.metadata().column(index);
    let about = chunk.column_descr();
    let whole = |value: i64| Held::Plain(as_whole(about, value));
    match group.get_column_reader(index)? {
        ColumnReader::BoolColumnReader(mut reader) => column(&mut reader, about, rows, |_| Held::Plain(Cell::Missing)),
        ColumnReader::Int32ColumnReader(mut reader) => column(&mut reader, about, rows, |value| match about.converted_type() {
            ConvertedType::DATE => Held::Plain(Cell::Day(*value)),
            _ => whole(i64::from(*value)),
        }),
        ColumnReader::Int64ColumnReader(mut reader) => column(&mut reader, about, rows, |value| whole(*value)),
        // An old way to write nanoseconds: the nanosecond of a Julian day.
        ColumnReader::Int96ColumnReader(mut reader) => {
            column(&mut reader, about, rows, |value| Held::Plain(Cell::Instant(value.to_nanos(), HasZone::No)))
        }
        ColumnReader::FloatColumnReader(mut reader) => column(&mut reader, about, rows, |value| {
            Held::Plain(if value.is_nan() { Cell::Missing } else { Cell::Single(*value) })
        }),
        ColumnReader::DoubleColumnReader(mut reader) => {
            column(&mut reader, about, rows, |value| Held::Plain(if value.is_nan() { Cell::Missing } else { Cell::Real(*value) }))
        }
        ColumnReader::ByteArrayColumnReader(mut reader) => {
            column(&mut reader, about, rows, |value| as_bytes(about, value.as_ref()))
        }
        ColumnReader::FixedLenByteArrayColumnReader(mut reader) => {
            column(&mut reader, about, rows, |value| as_bytes(about, value.as_ref()))
        }
    }
}

fn column<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    about: &ColumnDescriptor,
    rows: usize,
    cell: impl Fn(&T::T) -> Held,
) -> Result<Vec<Held>, ParquetError> {
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    reader.read_records(rows, Some(&mut levels), None, &mut values)?;
    let mut values = values.iter().map(cell);
    if about.max_def_level() == 0 {
        return Ok(values.collect());
    }
    let most = about.max_def_level();
    let held = |level: &i16| if *level == most { values.next() } else { None };
    Ok(levels.iter().map(held).map(|held| held.unwrap_or(Held::Plain(Cell::Missing))).collect())
}

fn as_whole(about: &ColumnDescriptor, value: i64) -> Cell<'static> {
    let instant = |scale: i64, has_zone| value.checked_mul(scale).map_or(Cell::Missing, |nanos| Cell::Instant(nanos, has_zone));
    match about.logical_type_ref() {
        Some(LogicalType::Timestamp(of)) => {
            let zone = if of.is_adjusted_to_u_t_c { HasZone::Yes } else { HasZone::No };
            return match of.unit {
                TimeUnit::MILLIS => instant(1_000_000, zone),
                TimeUnit::MICROS => instant(1_000, zone),
                TimeUnit::NANOS => instant(1, zone),
            };
        }
        Some(LogicalType::Decimal(of)) => return Cell::Decimal(i128::from(value), of.scale.unsigned_abs()),
        _ => {}
    }
    match about.converted_type() {
        // Old writers know only these, and mean UTC by them.
        ConvertedType::TIMESTAMP_MILLIS => instant(1_000_000, HasZone::Yes),
        ConvertedType::TIMESTAMP_MICROS => instant(1_000, HasZone::Yes),
        ConvertedType::DECIMAL => Cell::Decimal(i128::from(value), about.type_scale().unsigned_abs()),
        _ => Cell::Whole(value),
    }
}

fn as_bytes(about: &ColumnDescriptor, bytes: &[u8]) -> Held {
    let scale = match about.logical_type_ref() {
        Some(LogicalType::Decimal(of)) => Some(of.scale),
        _ if about.converted_type() == ConvertedType::DECIMAL => Some(about.type_scale()),
        _ => None,
    };
    if let Some(scale) = scale {
        // The sign is that of the first byte, as in all two's complements.
        let negative = bytes.first().is_some_and(|byte| *byte >= 0x80);
        let digits = bytes.iter().fold(if negative { -1_i128 } else { 0 }, |digits, byte| (digits << 8) | i128::from(*byte));
        return Held::Plain(if bytes.len() > 16 { Cell::Missing } else { Cell::Decimal(digits, scale.unsigned_abs()) });
    }
    let text = bytes.get(..bytes.len().min(LONGEST_TEXT)).and_then(|bytes| std::str::from_utf8(bytes).ok()).map(str::trim);
    match text {
        Some(text) if !is_missing(text) => Held::Text(text.into()),
        Some(_) | None => Held::Plain(Cell::Missing),
    }
}
