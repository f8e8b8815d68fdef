//! The values of one leaf of one row group, a few rows ahead of whoever asks.

use std::path::Path;

use parquet::basic::Type as PhysicalType;
use parquet::column::page::PageReader;
use parquet::column::reader::{ColumnReaderImpl, get_column_reader, get_typed_column_reader};
use parquet::data_type::{
    BoolType, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType, Int32Type, Int64Type,
    Int96Type,
};
use parquet::errors::ParquetError;
use parquet::schema::types::ColumnDescPtr;

use crate::error::{Error, ErrorKind, Result};
use crate::parquet_file::foreign::pages::{Gate, GatedPages};
use crate::parquet_file::foreign::value::{AsPhysical, Physical};
use crate::parquet_file::reader::guarded;

/// Rows read at a time where values have a fixed size.
const STEP_ROWS: usize = 1024;

/// Rows read at a time where values may be large: some encodings make large values out of small pages.
const STEP_LARGE_ROWS: usize = 64;

/// Most values of a page of a leaf that is repeated, all of which are held at once: about 1 GiB of them.
const MOST_REPEATED_VALUES: u32 = 1 << 25;

/// One leaf of a row group: its values and levels, read but not yet taken.
pub(super) struct Leaf {
    name: String,
    source: Box<dyn Values>,
    gate: Gate,
    step: usize,
    most_definition: i16,
    is_repeated: bool,
    /// Empty where the leaf is never NULL.
    definitions: Vec<i16>,
    /// Empty where the leaf is not repeated.
    repetitions: Vec<i16>,
    next_level: usize,
    next_value: usize,
    level_count: usize,
    /// Rows that begin among the levels read and not taken.
    begun_rows: usize,
    is_at_end: bool,
    bytes: usize,
}

/// One level, and the value that stands there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) definition: i16,
    /// Where the value is; `None` if there is none.
    value: Option<usize>,
}

impl Entry {
    /// Whether no value stands there.
    pub(super) fn is_null(self) -> bool {
        self.value.is_none()
    }
}

impl Leaf {
    pub(super) fn new(descriptor: &ColumnDescPtr, pages: impl PageReader + 'static) -> Self {
        let gate = Gate::default();
        let is_repeated = descriptor.max_rep_level() > 0;
        let most_values = if is_repeated { MOST_REPEATED_VALUES } else { u32::MAX };
        let pages: Box<dyn PageReader> = Box::new(GatedPages::new(pages, gate.clone(), most_values));
        let reader = get_column_reader(descriptor.clone(), pages);
        let (source, step): (Box<dyn Values>, usize) = match descriptor.physical_type() {
            PhysicalType::BOOLEAN => (Typed::<BoolType>::boxed(reader), STEP_ROWS),
            PhysicalType::INT32 => (Typed::<Int32Type>::boxed(reader), STEP_ROWS),
            PhysicalType::INT64 => (Typed::<Int64Type>::boxed(reader), STEP_ROWS),
            PhysicalType::INT96 => (Typed::<Int96Type>::boxed(reader), STEP_ROWS),
            PhysicalType::FLOAT => (Typed::<FloatType>::boxed(reader), STEP_ROWS),
            PhysicalType::DOUBLE => (Typed::<DoubleType>::boxed(reader), STEP_ROWS),
            PhysicalType::BYTE_ARRAY => (Typed::<ByteArrayType>::boxed(reader), STEP_LARGE_ROWS),
            PhysicalType::FIXED_LEN_BYTE_ARRAY => {
                (Typed::<FixedLenByteArrayType>::boxed(reader), STEP_LARGE_ROWS)
            }
        };
        Self {
            name: descriptor.path().string(),
            source,
            gate,
            step,
            most_definition: descriptor.max_def_level(),
            is_repeated,
            definitions: Vec::new(),
            repetitions: Vec::new(),
            next_level: 0,
            next_value: 0,
            level_count: 0,
            begun_rows: 0,
            is_at_end: false,
            bytes: 0,
        }
    }

    /// Its path in the schema.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Reads on until `rows` are there, or `budget_bytes` are held and there is one row at least, or the leaf ends;
    /// tells how many rows are there.
    pub(super) fn fill(&mut self, rows: usize, budget_bytes: usize, path: &Path) -> Result<usize> {
        self.forget_taken();
        loop {
            let whole = self.whole_rows();
            if self.is_at_end || whole >= rows || (whole > 0 && self.bytes >= budget_bytes) {
                return Ok(whole);
            }
            self.read_some(path)?;
        }
    }

    /// Whether nothing is left.
    pub(super) fn is_exhausted(&mut self, path: &Path) -> Result<bool> {
        Ok(self.fill(1, 0, path)? == 0)
    }

    /// The repetition level of the next entry: 0 where a row begins, or after the last one.
    pub(super) fn peek_repetition(&self) -> i16 {
        self.repetitions.get(self.next_level).copied().unwrap_or(0)
    }

    /// The definition level of the next entry; `None` after the last one.
    pub(super) fn peek_definition(&self) -> Option<i16> {
        if self.next_level >= self.level_count {
            return None;
        }
        Some(self.definitions.get(self.next_level).copied().unwrap_or(self.most_definition))
    }

    /// Takes the next entry; `None` after the last one.
    pub(super) fn take(&mut self) -> Option<Entry> {
        let definition = self.peek_definition()?;
        self.begun_rows -= usize::from(self.peek_repetition() == 0);
        self.next_level += 1;
        let mut value = None;
        if definition == self.most_definition {
            value = Some(self.next_value);
            self.next_value += 1;
        }
        Some(Entry { definition, value })
    }

    /// The value of an entry that was taken since the leaf was filled last.
    pub(super) fn value(&self, entry: Entry) -> Option<Physical<'_>> {
        entry.value.and_then(|index| self.source.value(index))
    }

    /// The last row that began may go on, unless the leaf is at its end.
    fn whole_rows(&self) -> usize {
        if self.is_repeated && !self.is_at_end { self.begun_rows.saturating_sub(1) } else { self.begun_rows }
    }

    fn read_some(&mut self, path: &Path) -> Result<()> {
        self.gate.open();
        let (step, source) = (self.step, &mut self.source);
        let (definitions, repetitions) = (&mut self.definitions, &mut self.repetitions);
        let read = guarded("reading a row group", path, || source.read(step, definitions, repetitions))?;
        // The gate is still open where no further page was needed, or where there was none.
        self.is_at_end = read.levels == 0 && self.gate.is_open();
        self.level_count += read.levels;
        self.bytes += read.bytes;
        self.begun_rows += if self.is_repeated {
            let new = self.repetitions.get(self.level_count - read.levels..).unwrap_or_default();
            new.iter().filter(|level| **level == 0).count()
        } else {
            read.levels
        };
        let agrees = |levels: &[i16]| levels.is_empty() || levels.len() == self.level_count;
        if !agrees(&self.definitions) || !agrees(&self.repetitions) {
            let message = "a column's levels and values are not equally many";
            return Err(Error::new(ErrorKind::Damaged, message).at(path).in_column(&self.name));
        }
        Ok(())
    }

    fn forget_taken(&mut self) {
        self.definitions.drain(..self.next_level.min(self.definitions.len()));
        self.repetitions.drain(..self.next_level.min(self.repetitions.len()));
        self.level_count -= self.next_level;
        self.next_level = 0;
        self.bytes -= self.source.forget(self.next_value).min(self.bytes);
        self.next_value = 0;
    }
}

/// What one step read.
#[derive(Debug, Clone, Copy)]
struct Read {
    levels: usize,
    bytes: usize,
}

/// Values of one physical type.
trait Values {
    /// Reads up to `rows` more, levels and values; fewer where a page ends.
    fn read(
        &mut self,
        rows: usize,
        definitions: &mut Vec<i16>,
        repetitions: &mut Vec<i16>,
    ) -> Result<Read, ParquetError>;

    fn value(&self, index: usize) -> Option<Physical<'_>>;

    /// Forgets the first `count` values; tells how large they were, in bytes.
    fn forget(&mut self, count: usize) -> usize;
}

struct Typed<T: DataType> {
    reader: ColumnReaderImpl<T>,
    values: Vec<T::T>,
}

impl<T: DataType> Typed<T>
where
    T::T: AsPhysical,
{
    /// `reader` must be one of this type.
    fn boxed(reader: parquet::column::reader::ColumnReader) -> Box<dyn Values> {
        Box::new(Self { reader: get_typed_column_reader::<T>(reader), values: Vec::new() })
    }

    fn size_of(values: &[T::T]) -> usize {
        let own = |value: &T::T| match value.as_physical() {
            Physical::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
        values.iter().map(|value| size_of::<T::T>() + own(value)).sum()
    }
}

impl<T: DataType> Values for Typed<T>
where
    T::T: AsPhysical,
{
    fn read(
        &mut self,
        rows: usize,
        definitions: &mut Vec<i16>,
        repetitions: &mut Vec<i16>,
    ) -> Result<Read, ParquetError> {
        let before = self.values.len();
        let (_, _, levels) =
            self.reader.read_records(rows, Some(definitions), Some(repetitions), &mut self.values)?;
        Ok(Read { levels, bytes: Self::size_of(&self.values[before..]) })
    }

    fn value(&self, index: usize) -> Option<Physical<'_>> {
        self.values.get(index).map(AsPhysical::as_physical)
    }

    fn forget(&mut self, count: usize) -> usize {
        let count = count.min(self.values.len());
        let size = Self::size_of(&self.values[..count]);
        self.values.drain(..count);
        size
    }
}
