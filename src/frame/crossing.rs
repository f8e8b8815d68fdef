//! Arrow record batches as polars frames and back, without copying a cell.
//!
//! Both libraries have arrays of their own over the same memory layout; the Arrow C data interface moves
//! an array from one to the other by handing over pointers and a function that releases them. That needs
//! `unsafe`, and this is the only place where frames may use it: everything else goes through
//! [`to_polars`] and [`to_arrow`].
//!
//! Only the types that cross without a copy are let through: 64-bit integers, doubles, and text and blobs
//! as views. Any other type is an error here, never a silent conversion.

#![expect(unsafe_code, reason = "the Arrow C data interface is made of raw pointers")]

use std::mem;
use std::ptr;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, make_array, new_empty_array};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::ffi::{FFI_ArrowArray, from_ffi_and_data_type};
use polars::prelude::{ArrowDataType, Column, DataFrame, DataType as PolarsType, IntoColumn, Series};
use polars_arrow::array::Array as PolarsArray;
use polars_arrow::ffi::{ArrowArray, export_array_to_c, import_array_from_c};

use crate::error::{Error, ErrorKind, Result};

// The same C structure declared twice; a difference would be a broken build, not a broken archive.
const _: () = assert!(size_of::<FFI_ArrowArray>() == size_of::<ArrowArray>());
const _: () = assert!(align_of::<FFI_ArrowArray>() == align_of::<ArrowArray>());

/// Hands `batch` over to polars; its buffers are shared, not copied.
///
/// Shape: the same rows and columns under the same names, one chunk per column.
///
/// # Errors
/// [`ErrorKind::Failed`] for a column of a type that does not cross, or for two columns of one name.
pub fn to_polars(batch: &RecordBatch) -> Result<DataFrame> {
    let columns: Vec<Column> = batch
        .schema_ref()
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, array)| import_column(field, array))
        .collect::<Result<_>>()?;
    DataFrame::new(batch.num_rows(), columns)
        .map_err(|source| Error::new(ErrorKind::Failed, "rows cannot form a polars frame").because(source))
}

/// Takes `frame` back from polars as a record batch of `schema`; one chunk is shared, several are joined.
///
/// Shape: the same rows; columns are matched by position and take their names from `schema`.
///
/// # Errors
/// [`ErrorKind::Failed`] where the frame's columns are not of `schema`'s types.
pub fn to_arrow(frame: DataFrame, schema: &SchemaRef) -> Result<RecordBatch> {
    let rows = frame.height();
    let columns = frame.into_columns();
    if columns.len() != schema.fields().len() {
        let message = format!("a frame of {} columns where {} are due", columns.len(), schema.fields().len());
        return Err(Error::new(ErrorKind::Failed, message));
    }
    let arrays = schema
        .fields()
        .iter()
        .zip(columns)
        .map(|(field, column)| export_column(field, column))
        .collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(SchemaRef::clone(schema), arrays, &options)
        .map_err(|source| Error::new(ErrorKind::Failed, "a frame cannot form a record batch").because(source))
}

/// Takes the chunks of one column from polars as one Arrow array; one chunk is shared, several are joined.
///
/// # Errors
/// [`ErrorKind::Failed`] for a type that does not cross, or for chunks of several types.
pub fn chunks_to_arrow(chunks: Vec<Box<dyn PolarsArray>>) -> Result<ArrayRef> {
    const CROSSING: [DataType; 4] =
        [DataType::Int64, DataType::Float64, DataType::Utf8View, DataType::BinaryView];
    let failed = |message: String| Error::new(ErrorKind::Failed, message);
    let arrays = chunks.into_iter().map(|chunk| {
        let crosses =
            |arrow: &&DataType| crossing_types(arrow).is_some_and(|(array, _)| array == *chunk.dtype());
        let Some(data_type) = CROSSING.iter().find(crosses) else {
            return Err(failed(format!("values of polars type {:?} do not cross to Arrow", chunk.dtype())));
        };
        export_array(chunk, data_type)
            .map_err(|source| failed("a column cannot cross from polars".into()).because(source))
    });
    let arrays = arrays.collect::<Result<Vec<_>>>()?;
    match arrays.as_slice() {
        [array] => Ok(ArrayRef::clone(array)),
        [] => Err(failed("a column without any chunk".into())),
        arrays => {
            let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
            concat(&arrays)
                .map_err(|source| failed("chunks of a column cannot be joined".into()).because(source))
        }
    }
}

/// The type an Arrow array has on the polars side: as an array, and as a column.
fn crossing_types(arrow: &DataType) -> Option<(ArrowDataType, PolarsType)> {
    Some(match arrow {
        DataType::Int64 => (ArrowDataType::Int64, PolarsType::Int64),
        DataType::UInt64 => (ArrowDataType::UInt64, PolarsType::UInt64),
        DataType::Float64 => (ArrowDataType::Float64, PolarsType::Float64),
        DataType::Utf8View => (ArrowDataType::Utf8View, PolarsType::String),
        DataType::BinaryView => (ArrowDataType::BinaryView, PolarsType::Binary),
        _ => return None,
    })
}

fn refuse(field: &Field) -> Error {
    let message = format!("values of Arrow type {} do not cross to polars", field.data_type());
    Error::new(ErrorKind::Failed, message).in_column(field.name())
}

fn import_column(field: &Field, array: &ArrayRef) -> Result<Column> {
    // The array's own type counts: it, not the field, says what its buffers hold.
    let (array_type, _) = crossing_types(array.data_type()).ok_or_else(|| refuse(field))?;
    import_array(array, array_type)
        .and_then(|imported| Series::from_arrow(field.name().as_str().into(), imported))
        .map(IntoColumn::into_column)
        .map_err(|source| {
            Error::new(ErrorKind::Failed, "a column cannot cross to polars")
                .in_column(field.name())
                .because(source)
        })
}

fn export_column(field: &Field, column: Column) -> Result<ArrayRef> {
    let (array_type, column_type) = crossing_types(field.data_type()).ok_or_else(|| refuse(field))?;
    if *column.dtype() != column_type {
        let message = format!("a polars column of type {:?} where {column_type:?} is due", column.dtype());
        return Err(Error::new(ErrorKind::Failed, message).in_column(field.name()));
    }
    let series = column.take_materialized_series();
    let series = if series.n_chunks() > 1 { series.rechunk() } else { series };
    let Some(chunk) = series.chunks().first() else {
        return Ok(new_empty_array(field.data_type()));
    };
    if *chunk.dtype() != array_type {
        let message = format!("a polars chunk of type {:?} where {array_type:?} is due", chunk.dtype());
        return Err(Error::new(ErrorKind::Failed, message).in_column(field.name()));
    }
    export_array(chunk.clone(), field.data_type()).map_err(|source| {
        Error::new(ErrorKind::Failed, "a column cannot cross from polars")
            .in_column(field.name())
            .because(source)
    })
}

/// Moves one array to polars; `array_type` must be what [`crossing_types`] says of the array's type.
fn import_array(
    array: &ArrayRef,
    array_type: ArrowDataType,
) -> polars::error::PolarsResult<Box<dyn PolarsArray>> {
    let source = FFI_ArrowArray::new(&array.to_data());
    // SAFETY: both types are `repr(C)` declarations of the one `struct ArrowArray` of the C data
    // interface, equal in size and alignment (asserted above). The bytes are read once and the source is
    // forgotten, so there is one owner and the release function is called once.
    let moved = unsafe { ptr::read((&raw const source).cast::<ArrowArray>()) };
    mem::forget(source);
    // SAFETY: the structure was filled by arrow from a valid array, and `array_type` names the same layout
    // as that array's type. The buffers live until polars calls the release function; both sides treat
    // them as immutable.
    unsafe { import_array_from_c(moved, array_type) }
}

/// Moves one array from polars; `data_type` must be the Arrow type of the chunk's layout.
fn export_array(
    chunk: Box<dyn PolarsArray>,
    data_type: &DataType,
) -> Result<ArrayRef, arrow::error::ArrowError> {
    let source = export_array_to_c(chunk);
    // SAFETY: as in `import_array`, in the other direction.
    let moved = unsafe { ptr::read((&raw const source).cast::<FFI_ArrowArray>()) };
    mem::forget(source);
    // SAFETY: the structure was filled by polars from a valid array whose type was compared with the one
    // that `data_type` crosses to, so layout and UTF-8 validity agree. The buffers live until arrow calls
    // the release function; both sides treat them as immutable.
    let data = unsafe { from_ffi_and_data_type(moved, data_type.clone()) }?;
    Ok(make_array(data))
}

#[cfg(test)]
mod tests;
