//! Frames out of pieces of a table that were read apart from each other: cut at the same rows as if one had read them all.
//!
//! Values stay where they are: only the views of texts and blobs are copied, and numbers.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;

use crate::digest::ContentDigest;
use crate::error::{Error, ErrorKind, Result};
use crate::frame::cuts::CutFrame;

/// Some rows, one after another.
#[derive(Debug)]
pub struct Piece {
    /// The rows.
    pub batch: RecordBatch,
    /// The [`row_size`](super::row_size) of each.
    pub sizes: Vec<u64>,
    /// The hash of each.
    pub hashes: Vec<u128>,
}

/// Takes pieces in order and gives frames in order.
#[derive(Debug)]
pub struct Splicer {
    schema: SchemaRef,
    /// What is being cut up, and where its next row is.
    piece: Option<(Piece, usize)>,
    /// Parts of pieces that belong to the next frame.
    parts: Vec<RecordBatch>,
    rows: u64,
    bytes: u64,
    digest: ContentDigest,
}

impl Splicer {
    /// A splicer of pieces of `schema`.
    #[must_use]
    pub fn new(schema: SchemaRef) -> Self {
        Self { schema, piece: None, parts: Vec::new(), rows: 0, bytes: 0, digest: ContentDigest::default() }
    }

    /// Takes the next piece, once [`Self::next_frame`] has said that the one before is used up.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where it is not, or where the piece does not have a size and a hash for every row.
    pub fn push(&mut self, piece: Piece) -> Result<()> {
        let rows = piece.batch.num_rows();
        if self.piece.is_some() || piece.sizes.len() != rows || piece.hashes.len() != rows {
            return Err(Error::new(ErrorKind::Failed, "a piece of a table does not fit behind the others"));
        }
        self.piece = Some((piece, 0));
        Ok(())
    }

    /// The next frame, which ends with the row at which `is_full`, given its rows so far and the sum of their sizes, becomes
    /// true; `None` until more rows have come.
    ///
    /// # Errors
    /// [`ErrorKind::Failed`] where rows cannot be put together.
    pub fn next_frame(&mut self, mut is_full: impl FnMut(u64, u64) -> bool) -> Result<Option<CutFrame>> {
        let Some((piece, start)) = self.piece.take() else { return Ok(None) };
        for (row, (size, &hash)) in piece.sizes.iter().zip(&piece.hashes).enumerate().skip(start) {
            self.rows += 1;
            self.bytes += size;
            self.digest.row_count += 1;
            self.digest.sum = self.digest.sum.wrapping_add(hash);
            if is_full(self.rows, self.bytes) {
                self.parts.push(piece.batch.slice(start, row + 1 - start));
                self.piece = Some((piece, row + 1));
                return self.finish();
            }
        }
        let rest = piece.batch.num_rows() - start;
        if rest > 0 {
            self.parts.push(piece.batch.slice(start, rest));
        }
        Ok(None)
    }

    /// The frame of the rows that are left after the last piece.
    ///
    /// # Errors
    /// As [`Self::next_frame`].
    pub fn finish(&mut self) -> Result<Option<CutFrame>> {
        let parts = std::mem::take(&mut self.parts);
        let (rows, bytes) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.bytes));
        let digest = std::mem::take(&mut self.digest);
        if rows == 0 {
            return Ok(None);
        }
        let batch = concat_batches(&self.schema, &parts).map_err(|error| {
            Error::new(ErrorKind::Failed, "pieces of a table cannot be put together").because(error)
        })?;
        Ok(Some(CutFrame { batch, bytes, digest }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringViewArray};
    use proptest::prelude::*;

    use super::*;
    use crate::frame::cuts::Cuts;

    /// Rows with a number, a text that lies in its view or not, or nothing.
    fn rows(numbers: std::ops::Range<i64>) -> RecordBatch {
        let texts = numbers
            .clone()
            .map(|number| (number % 3 > 0).then(|| "x".repeat(usize::from(number.to_le_bytes()[0] % 40))));
        let columns: [(&str, ArrayRef); 2] = [
            ("number", Arc::new(Int64Array::from_iter_values(numbers.clone()))),
            ("text", Arc::new(texts.collect::<StringViewArray>())),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true)))
            .expect("a batch")
    }

    fn size_of_row(number: i64) -> u64 {
        number.unsigned_abs() % 7 * 100_000
    }

    proptest! {
        #[test]
        fn pieces_of_any_lengths_come_out_cut_at_the_same_rows(
            lengths in prop::collection::vec(0_i64..200, 1..30),
        ) {
            let all: i64 = lengths.iter().sum();
            let mut splicer = Splicer::new(rows(0..0).schema());
            let (mut cuts, mut found, mut next) = (Cuts::default(), Vec::new(), 0);
            for length in lengths {
                let numbers = next..next + length;
                next += length;
                splicer.push(Piece {
                    batch: rows(numbers.clone()),
                    sizes: numbers.clone().map(size_of_row).collect(),
                    hashes: numbers.map(|number| number.unsigned_abs().into()).collect(),
                })?;
                while let Some(frame) = splicer.next_frame(|rows, bytes| cuts.frame_ends(rows, bytes))? {
                    cuts.end_frame(frame.batch.num_rows() as u64, frame.bytes);
                    found.push(frame);
                }
            }
            found.extend(splicer.finish()?);
            // The same cuts, made row by row.
            let (mut cuts, mut start, mut bytes) = (Cuts::default(), 0, 0);
            let mut frames = found.into_iter();
            for number in 0..all {
                bytes += size_of_row(number);
                let rows_so_far = (number + 1 - start).unsigned_abs();
                if cuts.frame_ends(rows_so_far, bytes) || number + 1 == all {
                    let frame = frames.next().expect("a frame");
                    prop_assert_eq!(&frame.batch, &rows(start..number + 1));
                    prop_assert_eq!(frame.bytes, bytes);
                    let sum = (start..=number).map(|number| u128::from(number.unsigned_abs())).sum();
                    prop_assert_eq!(frame.digest, ContentDigest { row_count: rows_so_far, sum });
                    cuts.end_frame(rows_so_far, bytes);
                    (start, bytes) = (number + 1, 0);
                }
            }
            prop_assert!(frames.next().is_none());
        }
    }

    #[test]
    fn a_piece_that_does_not_state_the_size_and_hash_of_each_row_is_refused() {
        let piece = || Piece { batch: rows(0..2), sizes: vec![8, 8], hashes: vec![1, 2] };
        let mut splicer = Splicer::new(rows(0..0).schema());
        assert!(splicer.push(Piece { sizes: vec![8], ..piece() }).is_err());
        assert!(splicer.push(Piece { hashes: Vec::new(), ..piece() }).is_err());
        assert!(splicer.push(piece()).is_ok());
        assert!(splicer.push(piece()).is_err(), "before the first is used up");
    }
}
