//! Encodes row groups into memory, on any thread; nothing here touches a file.
//!
//! Column by column, so that only one has a dictionary and a compressor in memory, and each column array by array, so
//! that what has been encoded can be let go at once. Where pages end depends on where arrays end: see
//! [`crate::frame::cuts`].

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::TypePtr;

use crate::error::{Error, ErrorKind, Result};
use crate::frame::mapping::{ColumnRole, ParquetColumn, TableMapping};
use crate::frame::weight::has_larger_value;
use crate::parquet_file::choice::{Choice, Compressors, Limits, TriedPage, choose, try_out};
use crate::parquet_file::parquet_error;
use crate::parquet_file::settings::{
    LARGE_CELL_BYTES, SortingTerm, WriterSettings, chunk_properties, dictionary_bytes, file_properties,
    page_bytes, page_rows, parquet_schema,
};
use crate::parquet_file::writer::bounds::has_endless_bound;
use crate::run::Interrupt;

/// Encodes row groups of one table, on as many threads as there are: it is shared by reference or cloned.
#[derive(Debug, Clone)]
pub struct TableEncoder(pub(super) Arc<EncoderParts>);

#[derive(Debug)]
pub(super) struct EncoderParts {
    schema: SchemaRef,
    pub(super) parquet_schema: TypePtr,
    pub(super) file_properties: WriterPropertiesPtr,
    columns: Vec<ColumnEncoder>,
}

/// What trying out batches has shown, by column. By default nothing: then each row group is tried by itself.
#[derive(Debug, Clone, Default)]
pub struct Trials(Vec<Option<TriedPage>>);

/// One encoded row group: the pages of all its column chunks, in memory.
#[derive(Debug)]
pub struct EncodedRowGroup {
    pub(super) chunks: Vec<ArrowColumnChunk>,
    /// How each chunk is laid out.
    pub(super) choices: Vec<Choice>,
    pub(super) row_count: u64,
}

impl EncodedRowGroup {
    /// Its rows.
    #[must_use]
    pub fn row_count(&self) -> u64 {
        self.row_count
    }

    /// Its size in bytes as it will be in the file.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.chunks.iter().map(chunk_size).sum()
    }
}

pub(super) fn chunk_size(chunk: &ArrowColumnChunk) -> u64 {
    // The encoder counts up from zero.
    u64::try_from(chunk.close().metadata.compressed_size()).unwrap_or(0)
}

impl TableEncoder {
    /// Prepares an encoder; `sorting` is what the footer claims of the rows' order.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a compression level zstd does not have; [`ErrorKind::Failed`] where the
    /// columns make no Parquet schema.
    #[expect(clippy::needless_pass_by_value, reason = "the claim is the encoder's from here on")]
    pub fn new(mapping: &TableMapping, settings: &WriterSettings, sorting: Vec<SortingTerm>) -> Result<Self> {
        let schema = mapping.arrow_schema();
        if sorting.iter().any(|term| term.column >= schema.fields().len()) {
            return Err(Error::new(
                ErrorKind::Failed,
                "the file is claimed to be sorted by a column it lacks",
            ));
        }
        let columns: Result<_> = mapping
            .parquet_columns()
            .zip(schema.fields())
            .map(|(column, field)| ColumnEncoder::new(column, field, *settings, schema.fields().len()))
            .collect();
        Ok(Self(Arc::new(EncoderParts {
            parquet_schema: parquet_schema(mapping.parquet_columns())?,
            file_properties: file_properties(*settings, &sorting)?,
            columns: columns?,
            schema,
        })))
    }

    /// The schema of the batches it encodes.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.0.schema
    }

    /// How many rows are enough to try out how columns are best laid out.
    #[must_use]
    pub fn trial_rows(&self) -> usize {
        // Two pages: where the first does not tell which level is enough, there must be another.
        2 * page_rows(self.0.columns.len())
    }

    /// Tries out how columns are best laid out, for row groups that begin with `batches` or follow.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where zstd cannot be asked.
    pub fn try_out(&self, batches: &[RecordBatch]) -> Result<Trials> {
        let Some(first) = self.0.columns.first() else { return Ok(Trials::default()) };
        let mut zstd = Compressors::new(first.limits.level)?;
        let trials = self.0.columns.iter().enumerate().map(|(place, column)| {
            let arrays: Vec<ArrayRef> =
                batches.iter().filter_map(|batch| batch.columns().get(place)).cloned().collect();
            try_out(&arrays, column.limits, &mut zstd).map_err(|error| error.in_column(column.field.name()))
        });
        Ok(Trials(trials.collect::<Result<_>>()?))
    }

    /// Begins the row group at `index`; high levels take long, so `interrupt` is looked at between arrays.
    #[must_use]
    pub fn row_group<'e>(
        &'e self,
        index: usize,
        trials: &'e Trials,
        interrupt: &'e Interrupt,
    ) -> RowGroupEncoder<'e> {
        RowGroupEncoder {
            encoder: self,
            trials,
            interrupt,
            index,
            rows: None,
            chunks: Vec::new(),
            choices: Vec::new(),
            zstd: None,
            encoded_bytes: 0,
        }
    }
}

/// Encodes the columns of one row group, one after another.
pub struct RowGroupEncoder<'e> {
    encoder: &'e TableEncoder,
    trials: &'e Trials,
    interrupt: &'e Interrupt,
    index: usize,
    /// Rows of the first column, and so of all.
    rows: Option<usize>,
    chunks: Vec<ArrowColumnChunk>,
    choices: Vec<Choice>,
    /// To choose with; used for one column after another, since what it needs to work is large.
    zstd: Option<Compressors>,
    encoded_bytes: u64,
}

impl std::fmt::Debug for RowGroupEncoder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowGroupEncoder").field("index", &self.index).finish_non_exhaustive()
    }
}

impl RowGroupEncoder<'_> {
    /// Encodes the next column, whose rows are in `arrays`; each is dropped as soon as it is encoded.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where there is no such column, where it has no rows or other rows than the others, where the
    /// arrays are not of its type, or where it cannot be encoded; `Interrupted`.
    pub fn encode_column(&mut self, arrays: Vec<ArrayRef>) -> Result<()> {
        let failed = |message: &str| Err(Error::new(ErrorKind::Failed, message.to_owned()));
        let Some(column) = self.encoder.0.columns.get(self.chunks.len()) else {
            return failed("a row group has more columns than its file");
        };
        let rows = arrays.iter().map(Array::len).sum();
        if rows == 0 {
            return failed("a row group without rows");
        }
        if *self.rows.get_or_insert(rows) != rows {
            return failed("the columns of a row group have different numbers of rows");
        }
        let trial = self.trials.0.get(self.chunks.len()).copied().flatten();
        let zstd = match &mut self.zstd {
            Some(zstd) => zstd,
            none => none.insert(Compressors::new(column.limits.level)?),
        };
        let (chunk, choice) = column.encode(self.index, arrays, trial, zstd, self.interrupt)?;
        self.encoded_bytes += chunk_size(&chunk);
        self.chunks.push(chunk);
        self.choices.push(choice);
        Ok(())
    }

    /// The size of what has been encoded, in bytes.
    #[must_use]
    pub fn encoded_bytes(&self) -> u64 {
        self.encoded_bytes
    }

    /// The finished row group.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where columns are missing.
    pub fn finish(self) -> Result<EncodedRowGroup> {
        match self.rows {
            Some(rows) if self.chunks.len() == self.encoder.0.columns.len() => {
                Ok(EncodedRowGroup { chunks: self.chunks, choices: self.choices, row_count: rows as u64 })
            }
            _ => Err(Error::new(ErrorKind::Failed, "a row group has fewer columns than its file")),
        }
    }
}

/// Encodes chunks of one column. Every column has factories of its own, made when they are needed first: creating the
/// writers of thousands of columns at once would take hundreds of megabytes.
#[derive(Debug)]
struct ColumnEncoder {
    field: FieldRef,
    schema: TypePtr,
    column_count: usize,
    limits: Limits,
    factories: Mutex<Vec<(Form, Arc<ArrowRowGroupWriterFactory>)>>,
}

/// What a factory's chunks have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Form {
    choice: Choice,
    has_statistics: bool,
}

impl ColumnEncoder {
    fn new(
        column: ParquetColumn<'_>,
        field: &FieldRef,
        settings: WriterSettings,
        column_count: usize,
    ) -> Result<Self> {
        // No two rows share a rowid.
        let has_dictionary = column.role != ColumnRole::Rowid;
        Ok(Self {
            field: Arc::clone(field),
            schema: parquet_schema(std::iter::once(column))?,
            column_count,
            limits: Limits {
                level: settings.compression_level,
                dictionary_bytes: if has_dictionary { dictionary_bytes(column_count) } else { 0 },
                page_bytes: page_bytes(column_count),
                page_rows: page_rows(column_count),
                has_nulls: field.is_nullable(),
            },
            factories: Mutex::new(Vec::new()),
        })
    }

    fn factory(&self, form: Form) -> Result<Arc<ArrowRowGroupWriterFactory>> {
        let mut factories = self.factories.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, factory)) = factories.iter().find(|(known, _)| *known == form) {
            return Ok(Arc::clone(factory));
        }
        let properties = chunk_properties(form.choice, self.column_count, form.has_statistics)?;
        // A factory can only be made beside a file; this one's bytes go nowhere.
        let writer = SerializedFileWriter::new(std::io::sink(), Arc::clone(&self.schema), properties)
            .map_err(|error| parquet_error(ErrorKind::Failed, "preparing a column", None, error))?;
        let schema = Arc::new(Schema::new(vec![Arc::clone(&self.field)]));
        let factory = Arc::new(ArrowRowGroupWriterFactory::new(&writer, schema));
        factories.push((form, Arc::clone(&factory)));
        Ok(factory)
    }

    fn encode(
        &self,
        row_group_index: usize,
        arrays: Vec<ArrayRef>,
        trial: Option<TriedPage>,
        zstd: &mut Compressors,
        interrupt: &Interrupt,
    ) -> Result<(ArrowColumnChunk, Choice)> {
        let refuse = |message: &str| {
            Err(Error::new(ErrorKind::Failed, message.to_owned()).in_column(self.field.name()))
        };
        if arrays.iter().any(|array| array.data_type() != self.field.data_type()) {
            return refuse("a column does not have the type it has in its file");
        }
        if !self.field.is_nullable() && arrays.iter().any(|array| array.null_count() > 0) {
            return refuse("a row has no rowid");
        }
        // Decided by the values alone, so that equal rows give equal bytes.
        let large_cells = arrays.iter().any(|array| has_larger_value(array, LARGE_CELL_BYTES));
        let dictionary_bytes = if large_cells { 0 } else { self.limits.dictionary_bytes };
        let choice = choose(&arrays, trial, Limits { dictionary_bytes, ..self.limits }, zstd)
            .map_err(|error| error.in_column(self.field.name()))?;
        let has_statistics = !large_cells && !arrays.iter().any(has_endless_bound);
        let factory = self.factory(Form { choice, has_statistics })?;
        let failed = |error| {
            parquet_error(ErrorKind::Failed, "encoding a column", None, error).in_column(self.field.name())
        };
        let mut writers = factory.create_column_writers(row_group_index).map_err(failed)?;
        let (Some(mut writer), true) = (writers.pop(), writers.is_empty()) else {
            return refuse("a column is not flat");
        };
        for array in arrays {
            interrupt.check()?;
            let leaves = compute_leaves(&self.field, &array).map_err(failed)?;
            drop(array);
            let [leaf] = leaves.as_slice() else { return refuse("a column is not flat") };
            writer.write(leaf).map_err(failed)?;
        }
        Ok((writer.close().map_err(failed)?, choice))
    }
}
