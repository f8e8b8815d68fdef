//! The values of single columns while a batch is gathered.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, NullBufferBuilder, new_null_array};
use arrow::buffer::NullBuffer;

use crate::frame::build::nearest_double;
use crate::frame::build::views::Views;
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
    store: Option<(Store, NullBufferBuilder)>,
    /// NULLs since the last value.
    pending_nulls: usize,
    /// What the last batch took, and so probably the next.
    room: Room,
}

/// Room for the values of one batch.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Room {
    pub(super) rows: usize,
    /// Bytes of texts and blobs outside their views.
    pub(super) bytes: usize,
}

impl Room {
    /// A little more than last time: one row too many would double the room.
    pub(super) fn rows(self) -> usize {
        self.rows + self.rows / 16
    }
}

impl Values {
    fn new(class: MainClass) -> Self {
        Self { class, store: None, pending_nulls: 0, room: Room::default() }
    }

    /// Adds a cell of this column's class, or NULL.
    fn push(&mut self, cell: Cell<'_>) {
        if matches!(cell, Cell::Null) {
            self.pending_nulls += 1;
            return;
        }
        let (store, validity) = self.store.get_or_insert_with(|| {
            (Store::new(self.class, self.room), NullBufferBuilder::new(self.room.rows()))
        });
        if self.pending_nulls > 0 {
            store.append_nulls(self.pending_nulls);
            validity.append_n_nulls(self.pending_nulls);
            self.pending_nulls = 0;
        }
        store.append(cell);
        validity.append_non_null();
    }

    /// The values so far. Their store is dropped: an empty one would keep the room it grew to, and thousands of
    /// columns would each reserve megabytes.
    fn finish(&mut self, nulls: &mut NullArrays) -> ArrayRef {
        let pending_nulls = std::mem::take(&mut self.pending_nulls);
        match self.store.take() {
            None => nulls.of(self.class),
            Some((mut store, mut validity)) => {
                store.append_nulls(pending_nulls);
                validity.append_n_nulls(pending_nulls);
                self.room = store.room();
                store.finish(validity.finish())
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

/// Values of one class, with zeros in the places of NULLs.
#[derive(Debug)]
enum Store {
    Integer(Vec<i64>),
    Real(Vec<f64>),
    Text(Views),
    Blob(Views),
}

impl Store {
    fn new(class: MainClass, room: Room) -> Self {
        match class {
            MainClass::Integer => Self::Integer(Vec::with_capacity(room.rows())),
            MainClass::Real => Self::Real(Vec::with_capacity(room.rows())),
            MainClass::Text => Self::Text(Views::new(room)),
            MainClass::Blob => Self::Blob(Views::new(room)),
        }
    }

    fn append(&mut self, cell: Cell<'_>) {
        match (self, cell) {
            (Self::Integer(values), Cell::Integer(value)) => values.push(value),
            (Self::Real(values), Cell::Real(value)) => values.push(value),
            // Nothing but text gets in here: `finish` relies on it.
            (Self::Text(views), Cell::Text(text)) => views.push(text.as_bytes()),
            (Self::Blob(views), Cell::Blob(bytes) | Cell::RawText(bytes)) => views.push(bytes),
            // `FrameBuilder::push` asks `fits` of every cell before it adds one, whatever the input: a skipped cell
            // would shift all later rows of its column, which is worse than stopping.
            _ => unreachable!("a cell is pushed only where its class fits"),
        }
    }

    fn append_nulls(&mut self, count: usize) {
        match self {
            Self::Integer(values) => values.resize(values.len() + count, 0),
            Self::Real(values) => values.resize(values.len() + count, 0.0),
            Self::Text(views) | Self::Blob(views) => views.push_empty(count),
        }
    }

    fn room(&self) -> Room {
        match self {
            Self::Integer(values) => Room { rows: values.len(), bytes: 0 },
            Self::Real(values) => Room { rows: values.len(), bytes: 0 },
            Self::Text(views) | Self::Blob(views) => views.room(),
        }
    }

    fn finish(self, nulls: Option<NullBuffer>) -> ArrayRef {
        match self {
            Self::Integer(values) => Arc::new(Int64Array::new(values.into(), nulls)),
            Self::Real(values) => Arc::new(Float64Array::new(values.into(), nulls)),
            Self::Text(views) => Arc::new(views.finish_text(nulls)),
            Self::Blob(views) => Arc::new(views.finish_blobs(nulls)),
        }
    }
}
