//! The values of single columns while a batch is gathered.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryViewBuilder, Float64Builder, GenericByteViewArray, GenericByteViewBuilder,
    Int64Builder, StringViewBuilder, new_null_array,
};
use arrow::buffer::Buffer;
use arrow::datatypes::ByteViewType;

use crate::frame::build::nearest_double;
use crate::frame::mapping::{ColumnMapping, MainClass};
use crate::schema::{Cell, CellClass};

/// The Parquet columns of one stored column.
#[derive(Debug)]
pub(super) struct ColumnBuilder {
    name: String,
    /// One bit per class that fits.
    fitting: u8,
    number_family: bool,
    main_class: CellClass,
    main: Values,
    companions: Vec<(CellClass, Values)>,
}

impl ColumnBuilder {
    pub(super) fn new(mapping: &ColumnMapping) -> Self {
        let fitting = CellClass::ALL.into_iter().filter(|&class| mapping.fits(Some(class)));
        Self {
            name: mapping.name.clone(),
            fitting: fitting.fold(0, |bits, class| bits | class_bit(class)),
            number_family: mapping.number_family,
            main_class: mapping.main.class(),
            main: Values::new(mapping.main),
            companions: mapping
                .companions
                .iter()
                .map(|companion| (companion.class, Values::new(MainClass::holding(companion.class))))
                .collect(),
        }
    }

    pub(super) fn fits(&self, cell: &Cell<'_>) -> bool {
        cell.class().is_none_or(|class| self.fitting & class_bit(class) != 0)
    }

    /// The main column's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Adds a cell that fits.
    pub(super) fn push(&mut self, cell: Cell<'_>) {
        if self.companions.is_empty() {
            return self.main.push(cell);
        }
        self.main.push(match cell {
            Cell::Integer(value) if self.number_family => Cell::Real(nearest_double(value)),
            _ if cell.class() == Some(self.main_class) => cell,
            _ => Cell::Null,
        });
        for (class, values) in &mut self.companions {
            values.push(if cell.class() == Some(*class) { cell } else { Cell::Null });
        }
    }

    /// Gives out the values so far, and is ready for the next batch.
    pub(super) fn finish_into(&mut self, arrays: &mut Vec<ArrayRef>, nulls: &mut NullArrays) {
        arrays.push(self.main.finish(nulls));
        arrays.extend(self.companions.iter_mut().map(|(_, values)| values.finish(nulls)));
    }
}

fn class_bit(class: CellClass) -> u8 {
    match class {
        CellClass::Integer => 1,
        CellClass::Real => 1 << 1,
        CellClass::Text => 1 << 2,
        CellClass::RawText => 1 << 3,
        CellClass::Blob => 1 << 4,
    }
}

/// The values of one Parquet column. Room is taken with the first value: wide tables and companions have many
/// columns that are NULL throughout.
#[derive(Debug)]
struct Values {
    class: MainClass,
    builder: Option<Builder>,
    /// NULLs since the last value.
    pending_nulls: usize,
    /// What the last batch took, and so probably the next.
    room: Room,
}

/// Room for the values of one batch.
#[derive(Debug, Clone, Copy, Default)]
struct Room {
    rows: usize,
    /// Bytes of texts and blobs outside their views.
    bytes: usize,
}

/// Smallest and largest block of texts and blobs, in bytes.
const BLOCK_BYTES: std::ops::RangeInclusive<usize> = 256..=256 * 1024;

impl Room {
    /// The room of the batch that `array` is, whose views refer to no block without using it.
    fn of<T: ByteViewType>(array: &GenericByteViewArray<T>) -> Self {
        Self { rows: array.len(), bytes: array.data_buffers().iter().map(Buffer::len).sum() }
    }

    /// A little more than last time: one row too many would double the room.
    fn rows(self) -> usize {
        self.rows + self.rows / 16
    }

    /// Blocks so small that the unused rest of the last one does not matter, and so large that they are not many.
    fn block_bytes(self) -> Option<u32> {
        let bytes = (self.bytes / 8).clamp(*BLOCK_BYTES.start(), *BLOCK_BYTES.end()).next_power_of_two();
        u32::try_from(bytes).ok().filter(|_| self.rows > 0)
    }

    fn view_builder<T: ByteViewType>(self) -> GenericByteViewBuilder<T> {
        let builder = GenericByteViewBuilder::with_capacity(self.rows());
        match self.block_bytes() {
            Some(bytes) => builder.with_fixed_block_size(bytes),
            None => builder,
        }
    }
}

impl Values {
    fn new(class: MainClass) -> Self {
        Self { class, builder: None, pending_nulls: 0, room: Room::default() }
    }

    /// Adds a cell of this column's class, or NULL.
    fn push(&mut self, cell: Cell<'_>) {
        if matches!(cell, Cell::Null) {
            self.pending_nulls += 1;
            return;
        }
        let builder = self.builder.get_or_insert_with(|| Builder::new(self.class, self.room));
        if self.pending_nulls > 0 {
            builder.append_nulls(std::mem::take(&mut self.pending_nulls));
        }
        builder.append(cell);
    }

    /// The values so far. The builder is dropped: a finished one would keep the block size it grew to, and
    /// thousands of columns would each reserve megabytes.
    fn finish(&mut self, nulls: &mut NullArrays) -> ArrayRef {
        let pending_nulls = std::mem::take(&mut self.pending_nulls);
        match self.builder.take() {
            None => nulls.of(self.class),
            Some(mut builder) => {
                builder.append_nulls(pending_nulls);
                let (array, room) = builder.finish();
                self.room = room;
                array
            }
        }
    }
}

/// Columns of nothing but NULLs, one per type, shared by all columns that need one.
pub(super) struct NullArrays {
    row_count: usize,
    arrays: Vec<(MainClass, ArrayRef)>,
}

impl NullArrays {
    pub(super) fn new(row_count: usize) -> Self {
        Self { row_count, arrays: Vec::new() }
    }

    fn of(&mut self, class: MainClass) -> ArrayRef {
        if let Some((_, array)) = self.arrays.iter().find(|(held, _)| *held == class) {
            return Arc::clone(array);
        }
        let array = new_null_array(&class.data_type(), self.row_count);
        self.arrays.push((class, Arc::clone(&array)));
        array
    }
}

#[derive(Debug)]
enum Builder {
    Integer(Int64Builder),
    Real(Float64Builder),
    Text(StringViewBuilder),
    Blob(BinaryViewBuilder),
}

impl Builder {
    fn new(class: MainClass, room: Room) -> Self {
        match class {
            MainClass::Integer => Self::Integer(Int64Builder::with_capacity(room.rows())),
            MainClass::Real => Self::Real(Float64Builder::with_capacity(room.rows())),
            MainClass::Text => Self::Text(room.view_builder()),
            MainClass::Blob => Self::Blob(room.view_builder()),
        }
    }

    fn append(&mut self, cell: Cell<'_>) {
        match (self, cell) {
            (Self::Integer(builder), Cell::Integer(value)) => builder.append_value(value),
            (Self::Real(builder), Cell::Real(value)) => builder.append_value(value),
            (Self::Text(builder), Cell::Text(text)) => builder.append_value(text),
            (Self::Blob(builder), Cell::Blob(bytes) | Cell::RawText(bytes)) => builder.append_value(bytes),
            // `FrameBuilder::push` asks `fits` of every cell before it adds one, whatever the input: a skipped cell
            // would shift all later rows of its column, which is worse than stopping.
            _ => unreachable!("a cell is pushed only where its class fits"),
        }
    }

    fn append_nulls(&mut self, count: usize) {
        match self {
            Self::Integer(builder) => builder.append_nulls(count),
            Self::Real(builder) => builder.append_nulls(count),
            Self::Text(builder) => (0..count).for_each(|_| builder.append_null()),
            Self::Blob(builder) => (0..count).for_each(|_| builder.append_null()),
        }
    }

    fn finish(self) -> (ArrayRef, Room) {
        fn numbers(array: impl Array + 'static) -> (ArrayRef, Room) {
            let room = Room { rows: array.len(), bytes: 0 };
            (Arc::new(array), room)
        }
        fn views<T: ByteViewType>(array: GenericByteViewArray<T>) -> (ArrayRef, Room) {
            let room = Room::of(&array);
            (Arc::new(array), room)
        }
        match self {
            Self::Integer(mut builder) => numbers(builder.finish()),
            Self::Real(mut builder) => numbers(builder.finish()),
            Self::Text(mut builder) => views(builder.finish()),
            Self::Blob(mut builder) => views(builder.finish()),
        }
    }
}
